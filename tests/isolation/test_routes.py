"""A walk over every route of the site as the other agency: each is classified here; a new one fails until it is."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Consumer, Visit
from accounts.services import consent
from accounts.tenancy import acting_for, uuid7
from integrations.urls import urlpatterns as api_routes
from payments.models import Arrangement, Authorization, Checkout, Method, PayLink, Payment, Postdate
from settlements.models import Quote
from tests.conftest import NOW, make_account

OPEN = {
    "accounts:start",
    "accounts:help",
    "accounts:language",
    "accounts:sign_out",
    "accounts:session_ended",
    "accounts:extend",
    "accounts:opt_out",
    "accounts:session_link",
    "campaigns:link",
    "campaigns:verify",
    "portal:brand",
    "payments:link",
    "payments:link_review",
    "payments:link_receipt",
}
"""Consumer pages that need no visit and show nothing about any debt."""

LEVEL_1 = {
    "accounts:code",
    "portal:home",
    "portal:account",
    "payments:choose",
    "payments:age_notice",
    "payments:method",
    "payments:review",
    "payments:result",
    "payments:prepared",
    "payments:together",
    "payments:together_method",
    "payments:together_review",
    "payments:together_result",
    "payments:again",
    "payments:receipt",
    "payments:authorization",
    "payments:wrong",
    "payments:creditor",
    "payments:spanish",
}
LEVEL_2 = {
    "accounts:details",
    "accounts:preferences",
    "payments:history",
    "payments:postdates",
    "payments:cancel_postdate",
    "payments:schedule",
    "payments:dates",
    "payments:card",
    "payments:plan",
    "payments:plan_pay",
    "payments:change",
    "payments:paperless",
    "payments:promise",
    "payments:helper",
    "payments:agree",
    "payments:by_hand",
    "payments:wallet",
    "payments:add_method",
    "payments:remove_method",
    "payments:authorizations",
    "payments:revoke",
    "settlements:budget",
    "settlements:budget_section",
    "settlements:budget_review",
    "settlements:budget_result",
    "settlements:budget_pdf",
    "settlements:budget_json",
    "settlements:hardship",
    "settlements:hardship_document",
    "settlements:hardship_end",
}
SITE = {"schema", "api-docs", "health-live", "health-ready", "metrics"}
"""The portal's own host: no consumer, no agency."""

SIGNED = {"processor-hooks:webhook", "mail-webhook", "mail-reply", "texts-inbound", "texts-report"}
"""Webhooks: named by id, believed by signature (their own tests: forged, other agency's key)."""

KEYED = {
    "integrations:push-accounts",
    "integrations:host-files",
    "integrations:host-file",
    "integrations:host-file-errors",
    "integrations:claim-host-file",
    "integrations:extractions",
}
"""Host API: named by connection id, believed by key (their own tests: wrong key, other agency's key)."""

API = {f"integrations:{route.name}" for route in api_routes} - KEYED
"""Public API: believed by the agency's key (tests/integrations/test_api_isolation.py walks them)."""


def routes(resolver=None, prefix: str = "") -> dict[str, URLPattern]:
    """Flatten the URL configuration to qualified names."""
    found = {}
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            found |= routes(entry, inner)
        else:
            found[f"{prefix}{entry.name}"] = entry
    return found


def is_staff_route(name: str) -> bool:
    """Django admin has a walk of its own; allauth's pages are the staff member's own account."""
    return name.startswith(("admin:", "account_", "mfa_", "socialaccount_"))


def test_every_route_is_classified():
    named = {name for name in routes() if not is_staff_route(name)}
    assert named == OPEN | LEVEL_1 | LEVEL_2 | SITE | SIGNED | KEYED | API


def sign_in(account, *, level: int) -> Client:
    """Give a browser a live visit, as after identification and, for level 2, a code."""
    agency = account.agency
    client = Client(HTTP_HOST=f"{agency.slug}.localhost")
    now = dt.datetime.now(tz=dt.UTC)
    with acting_for(agency):
        visit = Visit.objects.create(
            consumer_id=account.consumer_id, account=account, level=level, started_at=now, seen_at=now
        )
    session = client.session
    session["visit"] = str(visit.pk)
    session.save()
    client.cookies["session"] = session.session_key
    return client


def furnish(account) -> dict[str, object]:
    """Give an account one of everything that has an address of its own."""
    consumer, agency = account.consumer, account.agency
    now = dt.datetime.now(tz=dt.UTC)
    with acting_for(agency):
        visit = Visit.objects.create(consumer=consumer, account=account, level=2, started_at=now, seen_at=now)
        checkout = Checkout.objects.create(
            account=account, consumer=consumer, visit=visit, choice="amount", lines=[], created_at=now, group=uuid7()
        )
        method = Method.objects.create(consumer=consumer, kind="card", brand="visa", last4="5556", created_at=now)
        authorization = Authorization.objects.create(
            consumer=consumer,
            account=account,
            method=method,
            kind="schedule",
            text="I agree.",
            text_sha256="0" * 64,
            version="1",
            language="en",
            total_cents=100_00,
            lines=[],
            accepted_at=now,
            time_zone="America/New_York",
            level=2,
        )
        arrangement = Arrangement.objects.create(
            account=account,
            consumer=consumer,
            authorization=authorization,
            kind="plan",
            total_cents=100_00,
            schedule=[],
            accepted_at=now,
        )
        postdate = Postdate.objects.create(
            arrangement=arrangement,
            account=account,
            method=method,
            number=2,
            of=2,
            due_on=NOW.date(),
            not_before_at=now,
            amount_cents=50_00,
            executor="host",
            notifier="portal",
            created_at=now,
        )
        quote = Quote.objects.create(
            account=account,
            choice="promise",
            frequency="once",
            lines=[[NOW.date().isoformat(), 50_00]],
            total_cents=50_00,
            terms={},
            world="0" * 64,
            made_at=now,
            made_by=f"consumer:{consumer.pk}",
            expires_at=now + dt.timedelta(hours=24),
        )
        payment = Payment.objects.create(
            account=account,
            consumer=consumer,
            method=method,
            authorization=authorization,
            idempotency_key=checkout.pk,
            group=checkout.group,
            request_hash="0" * 64,
            kind="card",
            executor="portal",
            purpose="amount",
            amount_cents=50_00,
            intended_at=now,
        )
        link = PayLink.objects.create(
            account=account,
            consumer=consumer,
            kind="agent",
            token_hash=uuid7().hex,
            amount_cents=50_00,
            made_by="staff:1",
            made_at=now,
            expires_at=now + dt.timedelta(days=1),
        )
        token = consent.stop_token(consumer.contact_points.first())
    return {
        "account_id": account.pk,
        "checkout_id": checkout.pk,
        "payment_id": payment.pk,
        "postdate_id": postdate.pk,
        "arrangement_id": arrangement.pk,
        "quote_id": quote.pk,
        "authorization_id": authorization.pk,
        "method_id": method.pk,
        "token": token,
        "section": "income",
        "group": payment.group,
        "kind": "move",
        "link_id": link.pk,
    }


def address(name: str, things: dict) -> str:
    """Build a route's address from what an account has."""
    wanted = routes()[name].pattern.converters
    return reverse(name, kwargs={key: things[key] for key in wanted})


NOTHING = (404, 405)
"""405 is said before anything is looked up, of things that exist and things that do not."""

POST_ONLY = {"payments:again", "payments:by_hand"}

WITH_OBJECTS = sorted(
    name for name, entry in routes().items() if name in LEVEL_1 | LEVEL_2 | OPEN and entry.pattern.converters
)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", WITH_OBJECTS)
def test_a_consumer_of_another_agency_finds_nothing(account, others_account, name, method):
    things = furnish(account)
    stranger = sign_in(others_account, level=2)
    answer = getattr(stranger, method)(address(name, things))
    assert answer.status_code in NOTHING


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(set(WITH_OBJECTS) - {"accounts:opt_out"}))
def test_another_consumer_of_the_same_agency_finds_nothing(agency, account, name, method):
    with acting_for(agency):
        neighbour = make_account(
            agency,
            reference="200",
            consumer=Consumer.objects.create(last_name="Roe", last_name_key="ROE", time_zone="America/New_York"),
        )
    things = furnish(account)
    answer = getattr(sign_in(neighbour, level=2), method)(address(name, things))
    assert answer.status_code in NOTHING


@pytest.mark.parametrize("name", sorted(LEVEL_1 | LEVEL_2))
def test_nobody_sees_a_page_about_a_debt_without_a_visit(account, name):
    ask = Client(HTTP_HOST="acme.localhost")
    answer = (ask.post if name in POST_ONLY else ask.get)(address(name, furnish(account)))
    assert answer.status_code == 302
    assert answer["Location"] in ("/", "/session-ended/")


@pytest.mark.parametrize("name", sorted(LEVEL_2))
def test_level_1_gets_step_up_required_where_level_2_is_needed(account, name):
    answer = sign_in(account, level=1).get(address(name, furnish(account)))
    assert answer.status_code == 403
    assert answer["X-Refusal"] == "step_up_required"


@pytest.mark.parametrize("name", sorted(OPEN | LEVEL_1 | LEVEL_2))
def test_consumer_pages_do_not_exist_on_the_portals_own_host(account, name):
    path = address(name, furnish(account))
    answer = Client(HTTP_HOST="localhost").get(path)
    # The front page of the portal's own host is the staff's.
    assert (answer.status_code, answer.get("Location")) == ((302, "/admin/") if path == "/" else (404, None))


@pytest.mark.parametrize("path", ["/admin/", "/api/v1/schema/", "/hooks/mail/x", "/metrics", "/staff/login/"])
def test_the_portals_own_pages_do_not_exist_on_an_agencys_host(agency, path):
    assert Client(HTTP_HOST="acme.localhost").get(path).status_code == 404


def test_a_visit_of_one_agency_is_nobody_at_the_other(account, others_account):
    client = sign_in(account, level=2)
    answer = client.get("/home/", headers={"host": "birch.localhost"})
    assert answer.status_code == 302
