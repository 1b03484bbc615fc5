"""Links to the log-in of one account, for a consumer who is at the agency's own page, on the telephone or in a chat."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Account, Agency, SessionLink
from accounts.services import session_links
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Form, Whole, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing

LIFE = session_links.LIFE // timedelta(minutes=1)
MOST = session_links.LONGEST_LIFE // timedelta(minutes=1)


class SessionLinkForm(Form):
    """Where it leads, and how long it works."""

    page = Word(SessionLink.Page.values, unknown="page_unknown", required=False, help_text="Left out: the account.")
    minutes = Whole(required=False, min_value=1, max_value=MOST, help_text=f"How long it works; left out: {LIFE}.")


class SessionLinkShown(Shown):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    page = serializers.ChoiceField(SessionLink.Page.values)
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class SessionLinkMade(SessionLinkShown):
    url = serializers.URLField(help_text="For this consumer only; of its secret only a hash is kept.")


class SessionLinkQuery(PageQuery):
    """Ask for session links."""

    account = serializers.UUIDField(required=False)


class MakeSessionLink(Endpoint):
    """A new one."""

    @operation(
        "make_session_link",
        "Make a link to the log-in of an account",
        scope="sessions:write",
        said=(
            "It names the account, so that the consumer types one fact and not three: the fact stays theirs to know "
            "(AUTH-01, AUTH-06). It works once, for minutes, on this agency's site only. Looking at it spends nothing."
        ),
        form=SessionLinkForm,
        answers=SessionLinkMade,
        status=201,
        once=True,
        problems={409: "`account_closed_to_consumer`: by its status; `too_many_links`: five wait already."},
        examples=[example("Straight to the payment", {"page": "pay", "minutes": 30})],
    )
    def post(self, request: Request, account_id: UUID) -> HttpResponse:
        account = one(Account, account_id)
        given = self.read(SessionLinkForm)
        link, token = made(
            session_links.make(
                account=account,
                page=given.get("page", SessionLink.Page.ACCOUNT),
                life=timedelta(minutes=given.get("minutes", LIFE)),
                by=self.by,
                now=self.now,
            )
        )
        agency = Agency.objects.get(pk=self.key.agency_id)
        scheme = "https" if settings.TLS else "http"
        url = f"{scheme}://{agency.slug}.{settings.PORTAL_DOMAIN}{reverse('accounts:session_link', args=[token])}"
        return answer(SessionLinkMade.of(link, url=url), status=201)


class SessionLinks(Endpoint):
    """The list."""

    @operation(
        "list_session_links",
        "List session links and what became of them",
        scope="sessions:read",
        answers=page_of(SessionLinkShown),
        query=[SessionLinkQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(SessionLinkQuery, SessionLink.objects.all(), SessionLinkShown.of)


class RevokeSessionLink(Endpoint):
    """No more."""

    @operation(
        "revoke_session_link",
        "Take a session link back",
        scope="sessions:write",
        said="One that was used or taken back stays what it is.",
        form=Nothing,
        answers=SessionLinkShown,
        once=True,
    )
    def post(self, request: Request, session_link_id: UUID) -> HttpResponse:
        row = one(SessionLink, session_link_id)
        self.read(Nothing)
        return answer(SessionLinkShown.of(session_links.revoke(link=row, by=self.by, now=self.now)))
