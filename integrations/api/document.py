"""One decorator that says what an operation needs and answers: the document is made of it, and so is the check."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from integrations import keys
from integrations.api import samples
from integrations.api.again import HEADER, in_steps
from integrations.api.base import written
from integrations.api.bodies import LENGTH_REQUIRED

assert HEADER == "Idempotency-Key", "the document names it"


class ShownKeyScheme(OpenApiAuthenticationExtension):
    """Describe the key in the API's document."""

    target_class = "integrations.api.base.ShownKey"
    name = "apiKey"

    def get_security_definition(self, auto_schema) -> dict:
        scopes = "; ".join(f"`{name}`: {meaning}" for name, meaning in keys.SCOPES.items())
        return {
            "type": "http",
            "scheme": "bearer",
            "description": f"`qk_...`, made by the agency's staff and shown once. Scopes: {scopes}.",
        }


class ProblemError(serializers.Serializer):
    pointer = serializers.CharField(required=False, help_text="JSON pointer into the body; empty: all of it.")
    parameter = serializers.CharField(required=False, help_text="The name in the address's query.")
    line = serializers.IntegerField(required=False, allow_null=True, help_text="Of a file that was sent.")
    column = serializers.CharField(required=False, help_text="Of a file that was sent.")
    code = serializers.CharField(help_text="Stable; the message may change.")
    message = serializers.CharField()
    rule = serializers.CharField(required=False, help_text="The id of the law's or the network's rule, as RF-11.")


class ApiProblem(serializers.Serializer):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; the detail may change.")
    detail = serializers.CharField()
    errors = ProblemError(many=True, required=False)


ALWAYS = {
    401: "`key_missing`, `invalid_credentials`, `key_expired`, `key_revoked`.",
    403: "`scope_missing`: the key may not do this. `address_not_allowed`: not from here.",
    429: "`rate_limited`: ask again after `Retry-After` seconds.",
}
NOT_FOUND = "`not_found`: none of yours; another agency's is not there either."
FORM = {
    400: "`malformed_json`, `duplicate_field`.",
    411: LENGTH_REQUIRED,
    413: "`too_large`: more than 1 MB, unpacked.",
    415: "`unsupported_media_type`: send application/json.",
    422: "`invalid`: fields are not right, each with its code: `unknown_field`, `required`, `not_an_integer` ...",
}
WRITTEN = {
    400: "`idempotency_key_missing`, `idempotency_key_invalid`.",
    409: "`idempotency_running`: the first request with this key is not done.",
    422: "`idempotency_mismatch`: the key was used for another request.",
}
STEPS = {409: "`idempotency_unknown`: the first request with this key ended without an answer; look what became of it."}
QUERY = {400: "`invalid_parameter`."}


def operation(
    name: str,
    summary: str,
    *,
    scope: str,
    answers: Any = None,
    status: int = 200,
    form: Any = None,
    query: Sequence[OpenApiParameter] = (),
    problems: Mapping[int, str] | None = None,
    said: str = "",
    examples: Sequence[OpenApiExample] = (),
    once: bool = False,
    steps: bool = False,
    goes_on: bool = False,
    found: bool = True,
) -> Callable:
    """Describe a handler and give it its scope.

    :param answers: the serializer of the answer, or a map of media types.
    :param once: a write: an Idempotency-Key is needed, and the same one gives the same answer.
    :param steps: such a write that commits in several steps or uses the network.
    :param goes_on: one in steps that may be begun again: where the answer was lost, asking again does what is left.
    :param found: an address with an id, which may not be there.
    """
    once = once or steps or goes_on
    texts: dict[int, list[str]] = {}
    given = [ALWAYS, {404: NOT_FOUND} if found else {}, QUERY, FORM if form is not None or once else {}]
    for more in [*given, WRITTEN if once else {}, STEPS if steps else {}, problems or {}]:
        for code, text in more.items():
            texts.setdefault(code, []).append(text)
    parameters = list(query)
    if once:
        parameters.append(
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                required=True,
                description="Your own name for this write; the same again gives the same answer for 48 hours.",
            )
        )
    replayed = OpenApiParameter(
        "Idempotent-Replayed", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[status], description="`true`"
    )
    document = extend_schema(
        operation_id=name,
        summary=summary,
        description=f"{said}\n\nScope: `{scope}`.".strip(),
        parameters=[*parameters, *([replayed] if once else [])],
        request=form,
        responses={
            **(answers if isinstance(answers, dict) else {status: answers}),
            **{
                (code, "application/problem+json"): OpenApiResponse(ApiProblem, description=" ".join(lines))
                for code, lines in sorted(texts.items())
            },
        },
        examples=[*examples, *samples.missing(form, answers, status, examples)],
    )

    def decorate(handler: Callable) -> Callable:
        run = written(handler) if once else handler
        if steps or goes_on:
            run = written(handler, how=partial(in_steps, goes_on=goes_on))
        run.scope, run.once = scope, once
        return document(run)

    return decorate


def example(name: str, value: Any, *, status: int | None = None) -> OpenApiExample:
    """Show a body: of the request, or of the answer with a status."""
    if status is None:
        return OpenApiExample(name, value=value, request_only=True)
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])
