"""What every public endpoint does before and after its own work: key, scope, rate, strict bodies, pages, answers."""

import base64
import functools
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import events
from accounts.known import Known, known
from accounts.refusals import Refusal
from accounts.tenancy import Row, acting_for
from integrations import keys
from integrations.api.again import HEADER, digest_of, once
from integrations.api.bodies import Form, Refuse, decode, read_body
from integrations.models import ApiKey

log = structlog.get_logger(__name__)
WINDOW = 60  # seconds of the rate limit


class Caller:
    """Whoever showed a key."""

    is_authenticated = True

    def __init__(self, key: ApiKey) -> None:
        self.key = key


class ShownKey(BaseAuthentication):
    """Read `Authorization: Bearer qk_...`."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        scheme, _space, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unknown("key_missing", "Show your key: Authorization: Bearer qk_...")
        try:
            key = keys.authenticate(text=text.strip(), ip=request._request.ip, now=request._request.now)
        except keys.WrongKey:
            raise _unknown("invalid_credentials", "This is no key of this portal.") from None
        except keys.KeyExpired:
            raise _unknown("key_expired", "This key's time is over. Ask the agency for a new one.") from None
        except keys.KeyRevoked:
            raise _unknown("key_revoked", "This key was revoked by the agency.") from None
        except keys.WrongAddress:
            said = "Your key is right, but this address is not on its list."
            raise Refuse(403, "address_not_allowed", said) from None
        return Caller(key), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _unknown(code: str, said: str) -> exceptions.AuthenticationFailed:
    return exceptions.AuthenticationFailed(said, code=code)


class OneKind(BaseContentNegotiation):
    """Answer in the one form an operation has, whatever is asked for."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """Answer for the agency of the key that was shown; each handler is an `operation` with a scope."""

    authentication_classes = [ShownKey]
    permission_classes: list = []
    content_negotiation_class = OneKind
    metadata_class = None

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.spent: dict[str, str] = {}
        with ExitStack() as self.acting:
            return super().dispatch(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Name the agency and who acts, once, until the answer is made."""
        self.key: ApiKey = request.user.key
        self.by, self.now = f"key:{self.key.pk}", request._request.now
        self.acting.enter_context(acting_for(self.key.agency_id))
        self.acting.enter_context(events.context(actor=self.by, request_id=request._request.id))

    def check_permissions(self, request: Request) -> None:
        self._spend()
        handler = getattr(self, request.method.lower(), None)
        scope = getattr(handler, "scope", None)
        if scope:
            self.need(scope)

    def check_throttles(self, request: Request) -> None:
        """Count nothing here: `_spend` counts before the scope is looked at."""

    def may(self, scope: str) -> bool:
        """Tell whether the key has a scope that counts."""
        return keys.counts(self.key, scope)

    def need(self, scope: str) -> None:
        """Go on only if the key has a scope.

        :raises Refuse: 403 `scope_missing`.
        """
        if not self.may(scope):
            raise Refuse(403, "scope_missing", f"This key may not do that: it lacks {scope}.")

    def _spend(self) -> None:
        """Count this request against the key's rate; without a cache nothing is counted and all go on."""
        seconds = int(self.now.timestamp())
        name = f"api-rate:{self.key.pk}:{seconds // WINDOW}"
        limit = settings.API_RATE
        cache.add(name, 0, timeout=2 * WINDOW)
        try:
            used = cache.incr(name)
        except ValueError:  # it went away in between
            used = 0
        if not used:
            log.warning("api_rate_not_counted", key=str(self.key.pk))
            return
        left = WINDOW - seconds % WINDOW
        self.spent = {
            "RateLimit-Policy": f'"key";q={limit};w={WINDOW}',
            "RateLimit": f'"key";r={max(limit - used, 0)};t={left}',
        }
        if used > limit:
            raise Refuse(429, "rate_limited", f"At most {limit} requests in {WINDOW} seconds.", wait=left)

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.spent.items():
            response[name] = value
        response["Cache-Control"] = "no-store"
        return response

    @property
    def asked_as(self) -> uuid.UUID:
        """Give the id of what this write makes, where a service takes one: the same for the same request and its name.

        What is written outlives the answer that is kept: a name that is used again later means what it says then.
        """
        http = self.request._request
        return uuid.uuid5(self.key.pk, f"{http.headers.get(HEADER, '')}\n{digest_of(http, self.body)}")

    # What was sent ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def body(self) -> bytes:
        return read_body(self.request._request, limit=settings.API_BODY_LIMIT)

    def read(self, form: type[Form], **context) -> dict:
        """Read the JSON body through a form; an empty body is an empty object.

        :raises ParseError, ValidationError: not JSON, not the form's.
        """
        kind = self.request._request.content_type or ""
        if self.body and kind != "application/json":
            raise exceptions.UnsupportedMediaType(kind[:60] or "nothing")
        made = form(data=decode(self.body) if self.body else {}, context=context)
        made.is_valid(raise_exception=True)
        return made.validated_data

    def asked(self, form: type[Form] | None = None) -> dict:
        """Read the query through a form; names it does not have are refused, as is a name that stands twice.

        :raises Refuse: 400 `invalid_parameter`.
        """
        query = self.request._request.GET
        given = {name: query.get(name) for name in query}
        made = (form or Form)(data=given)
        wrong = [
            {"parameter": name, "code": "duplicate_parameter", "message": "It stands twice in the address."}
            for name in query
            if len(query.getlist(name)) > 1
        ]
        if not made.is_valid():
            wrong += [
                {"parameter": str(name), "code": error.code, "message": str(error)}
                for name, found in made.errors.items()
                for error in found
            ]
        if wrong:
            raise Refuse(400, "invalid_parameter", "Some parameters of the address are not right.", errors=wrong)
        return made.validated_data

    def listed(
        self,
        form: type[Form],
        rows: QuerySet,
        show: Callable[[Any], dict] | None = None,
        *,
        show_all: Callable[[list], list[dict]] | None = None,
    ) -> HttpResponse:
        """Answer a page of rows; what the query has beside its cursor and limit are columns to choose by.

        :param show_all: instead of `show`, where what is told beside a row is read of the whole page at once.
        """
        asked = self.asked(form)
        after, limit = asked.pop("cursor", None), asked.pop("limit", settings.API_PAGE)
        found = page(rows.filter(**asked), after=after, limit=limit, show=show or (lambda row: row))
        return answer(found | {"items": show_all(found["items"])} if show_all else found)


# What is answered -----------------------------------------------------------------------------------------------


def answer(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Make the answer of an operation; the same data is the same bytes."""
    text = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False)
    return HttpResponse(text, status=status, content_type="application/json", headers=headers)


def written(handler: Callable, *, how: Callable = once) -> Callable:
    """Make a handler's write happen once per Idempotency-Key: in one transaction, or in several (`in_steps`)."""

    @functools.wraps(handler)
    def run(self: Endpoint, request: Request, **ids):
        http = request._request
        return how(
            request=http, key=self.key, body=self.body, now=self.now, write=lambda: handler(self, request, **ids)
        )

    return run


def file(content: bytes, *, kind: str, name: str) -> HttpResponse:
    """Answer a file."""
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@functools.cache
def _by_key(model: type[Row], *joined: str) -> Known[[uuid.UUID], Row]:
    def by_key(pk: uuid.UUID) -> QuerySet[Row]:
        rows = model.objects.filter(pk=pk)
        return rows.select_related(*joined) if joined else rows

    return known(by_key)


def one(rows: type[Row] | QuerySet, pk: uuid.UUID, *joined: str) -> Model:
    """Find a row of the acting agency; another agency's is not there.

    :param rows: all of a model, with what is joined to it, or some.
    :raises Refuse: 404 `not_found`.
    """
    row = rows.filter(pk=pk).first() if isinstance(rows, QuerySet) else _by_key(rows, *joined).first(pk)
    if row is None:
        raise Refuse(404, "not_found", "There is nothing here.")
    return row


def refused(
    found: Iterable[Refusal], *, status: int = 422, code: str = "refused", said: str = "This is not possible."
) -> Refuse:
    """Turn refusals into one answer with all of them."""
    return Refuse(status, code, said, errors=[told(one) for one in found])


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Answer the refusals that a service raises, as `made` does."""
    try:
        yield
    except kinds as error:
        made(list(error.refusals))
        raise


def made(found: Any) -> Any:
    """Give what a service made; its refusals are 422 where a field can be mended, else 409 with the first code.

    :raises Refuse: a list of refusals was given.
    """
    if not (isinstance(found, list) and found and isinstance(found[0], Refusal)):
        return found
    if any(each.field for each in found):
        raise refused(found)
    raise refused(found, status=409, code=found[0].code, said=found[0].sentence)


def told(refusal: Refusal) -> dict:
    """Tell a refusal: where, its code, its sentence, and the id of its rule where it has one."""
    said = {"pointer": pointer(refusal.field), "code": refusal.code, "message": refusal.sentence}
    return said | ({"rule": rule} if (rule := refusal.params.get("rule")) else {})


def pointer(field: str | None) -> str:
    """Turn `lines.0.due_on` into a JSON pointer; what is one already stays."""
    return (field if field.startswith("/") else "/" + field.replace(".", "/")) if field else ""


def page(rows: QuerySet, *, after: uuid.UUID | None, limit: int, show: Callable[[Any], dict]) -> dict:
    """Give a page of rows in the order of their ids, and the cursor of the next one, or null on the last."""
    rows = rows.order_by("pk")
    found = list((rows.filter(pk__gt=after) if after else rows)[: limit + 1])
    more = len(found) > limit
    return {"items": [show(row) for row in found[:limit]], "next": cursor(found[limit - 1].pk) if more else None}


def cursor(pk: uuid.UUID) -> str:
    """Write a place in a list so that nobody takes it for an id."""
    return base64.urlsafe_b64encode(pk.bytes).decode().rstrip("=")


def read_cursor(text: str) -> uuid.UUID:
    """Read a cursor.

    :raises ValueError: it is not one of ours.
    """
    return uuid.UUID(bytes=base64.b64decode(text + "==", altchars=b"-_", validate=True))
