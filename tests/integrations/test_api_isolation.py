"""A walk over every route of the public API: as the other agency, without the scope, and without a word of leaks."""

import uuid

import pytest
from django.db import transaction
from django.urls import get_resolver

from accounts import events
from accounts.models import Client
from accounts.tenancy import TenantManager, acting_for
from campaigns.models import Campaign, ContactDecision
from integrations import keys
from integrations.api.base import Endpoint
from integrations.models import Delivery, HostConnection, Redelivery, WebhookEndpoint
from integrations.urls import urlpatterns
from integrations.webhooks import new_secret
from settlements.models import IndividualOffer, Quote, RuleSet, Simulation
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, counts, refusal
from tests.integrations.api_things import everything
from tests.isolation.test_routes import API, KEYED

pytestmark = pytest.mark.django_db
NOBODY = "0190c0de-0000-7000-8000-000000000000"
NO_NUMBER = 2**31 - 1
NOT_YET = {"integrations:export-budget", "integrations:budget-paper", "integrations:batch-file"}
"""Papers of what is not submitted or exported yet."""
ROUTES = {f"integrations:{route.name}": route for route in urlpatterns}
BODIES = {
    "account-quotes": {"choice": "full"},
    "account-offers": {"percent_bps": 80_00},
    "withdraw-offer": {"reason": "Mine."},
    "stop-campaign": {"reason": "Mine."},
    "pause-campaign": {"reason": "Mine."},
    "take-back-campaign": {"reason": "Mine."},
    "contact-permission-outcome": {"outcome": "used"},
    "rule-set": {"bands": []},
    "webhook-endpoints": {"name": "Mine", "url": "https://example.com/"},
    "webhook-endpoint": {"name": "Mine", "url": "https://example.com/"},
    "redeliver": {"first": 1},
    "redeliver-to-host": {"first": 1},
    "skip-delivery": {"reason": "Mine."},
    "default-offer": {
        "enabled": True,
        "percent_bps": 80_00,
        "max_payments": 1,
        "max_days": 1,
        "minimum_payment_cents": 1,
    },
}


@pytest.fixture(autouse=True)
def many_requests(settings):
    """Let a walk over every operation ask more than a caller may in a minute."""
    settings.API_RATE = 10**9


def operations() -> list[tuple[str, str]]:
    """Give every (route, method) of the API."""
    return [
        (name, method)
        for name in sorted(API)
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(ROUTES[name].callback.view_class, method)
    ]


def furnish(account) -> dict[str, uuid.UUID]:
    """Give an account one of everything that has an address."""
    with acting_for(account.agency):
        rule_set = RuleSet.objects.create(client=None, version=1)
        endpoint = WebhookEndpoint.objects.create(
            name="Mine", url="http://127.0.0.1:9/", secret=new_secret(), made_at=NOW, made_by="staff:1"
        )
        told = {"asked_at": NOW, "asked_by": "staff:1", "first": 1, "last": 1, "position": 0}
        with transaction.atomic():
            event = events.record("page.viewed", account=account, now=NOW)
            events.assign_sequences()
        things = {
            "connection_id": HostConnection.objects.get(),
            "endpoint_id": endpoint,
            "redelivery_id": Redelivery.objects.create(endpoint=endpoint, **told),
            "delivery_id": Delivery.objects.create(
                endpoint=endpoint, event=event, account=account, sequence=1, lane=0, next_at=NOW, created_at=NOW
            ),
            "account_id": account,
            "rule_set_id": rule_set,
            "offer_id": IndividualOffer.objects.create(account=account, origin="staff", percent_bps=1, made_at=NOW),
            "campaign_id": Campaign.objects.create(name="December", made_by="key:1", made_at=NOW),
            "permission_id": ContactDecision.objects.create(
                consumer=account.consumer,
                account=account,
                channel="call",
                purpose="reminder",
                allowed=True,
                rules_version="1",
                asked_by="key:1",
                at=NOW,
                expires_at=NOW.replace(year=2099),
            ),
            "simulation_id": Simulation.objects.create(rule_set=rule_set, made_by="staff:1", made_at=NOW),
            "quote_id": Quote.objects.create(
                account=account,
                choice="full",
                frequency="once",
                lines=[["2099-12-01", 1_000_00]],
                total_cents=1_000_00,
                terms={"saving_cents": 0, "level": "account", "text": "", "trace": [], "balance_cents": 1},
                world="x",
                made_at=NOW,
                made_by="key:1",
                expires_at=NOW.replace(year=2099),
            ),
        }
    return everything(account.agency) | {name: row.pk for name, row in things.items()}


def path(name: str, things: dict) -> str:
    pattern = ROUTES[name].pattern
    found = str(pattern)
    for key in pattern.converters:
        never = things[key] == NOBODY
        found = found.replace(f"<uuid:{key}>", str(things[key]))
        found = found.replace(f"<int:{key}>", str(NO_NUMBER if never else things[key]))
    return found


def test_every_route_of_the_api_is_walked_here_and_is_an_endpoint():
    assert ROUTES.keys() - KEYED == API
    for name in API:
        assert issubclass(ROUTES[name].callback.view_class, Endpoint), name
    assert get_resolver()


def test_every_operation_has_a_scope_and_every_post_needs_an_idempotency_key():
    for name, method in operations():
        handler = getattr(ROUTES[name].callback.view_class, method)
        assert handler.scope in keys.SCOPES, (name, method)
        assert handler.once is (method == "post"), (name, method)
        assert handler.scope.endswith(":read") is (method == "get"), (name, method)


@pytest.mark.parametrize("fences", ["both", "database only"])
def test_another_agencys_thing_is_answered_like_one_that_never_was(account, others_account, monkeypatch, fences):
    things, stranger = furnish(account), Caller(others_account.agency)
    if fences == "database only":
        monkeypatch.setattr(TenantManager, "get_queryset", lambda manager: manager._queryset_class(manager.model))
    before = counts()
    for name, method in operations():
        if not ROUTES[name].pattern.converters:
            continue
        body = BODIES.get(name.split(":")[1], {}) if method != "get" else None
        theirs = stranger.ask(method.upper(), path(name, things), body)
        never = stranger.ask(method.upper(), path(name, dict.fromkeys(things, NOBODY)), body)
        assert refusal(theirs) == (404, "not_found"), (name, method)
        assert theirs.json() == never.json(), (name, method)
    assert counts() == before


def test_ones_own_things_are_there(account):
    things, caller = furnish(account), Caller(account.agency)
    for name, method in operations():
        if method == "get":
            expected = 409 if name in NOT_YET else 200
            assert caller.get(path(name, things)).status_code == expected, name


def test_a_foreign_client_or_version_in_a_body_or_query_is_not_there_either(account, others_account):
    things, stranger = furnish(account), Caller(others_account.agency)
    with acting_for(account.agency):
        client = Client.objects.get().pk
    before = counts()
    for body in ({"client": str(client)}, {"copy_of": str(things["rule_set_id"])}, {"client": NOBODY}):
        assert refusal(stranger.post("rule-sets", body)) == (404, "not_found")
    assert refusal(stranger.get(f"rule-sets/export?client={client}")) == (404, "not_found")
    assert stranger.get(f"rule-sets?client={client}").json()["items"] == []
    assert stranger.get(f"accounts?connection={account.connection_id}").json()["items"] == []
    assert counts() == before


def test_no_list_of_one_agency_shows_an_id_of_the_other(account, others_account):
    things, stranger = furnish(account), Caller(others_account.agency)
    furnish(others_account)
    for name, method in operations():
        if method == "get" and not ROUTES[name].pattern.converters:
            text = stranger.get(path(name, {})).content.decode()
            ids = [pk for pk in things.values() if isinstance(pk, uuid.UUID)]
            assert not [pk for pk in ids if str(pk) in text], name
            assert "acme-api" not in text, name


def test_no_operation_answers_without_its_scope(account):
    things = furnish(account)
    before = None
    for name, method in operations():
        scope = getattr(ROUTES[name].callback.view_class, method).scope
        others = Caller(account.agency, *(set(keys.SCOPES) - {scope}))
        before = counts()
        answer = others.ask(method.upper(), path(name, things), BODIES.get(name.split(":")[1], {}))
        assert refusal(answer) == (403, "scope_missing"), (name, method)
        assert scope in answer.json()["detail"]
        assert counts() == before


def test_no_operation_answers_without_a_key(account):
    things, caller = furnish(account), Caller(account.agency)
    before = counts()
    for name, method in operations():
        answer = caller.ask(method.upper(), path(name, things), {}, Authorization=None)
        assert refusal(answer) == (401, "key_missing"), (name, method)
    assert counts() == before


def test_another_method_is_405_and_says_which_there_are(account):
    things, caller = furnish(account), Caller(account.agency)
    known = set(operations())
    for name in sorted(API):
        for method in ("get", "post", "put", "patch", "delete", "options"):
            if (name, method) not in known:
                answer = caller.ask(method.upper(), path(name, things), {})
                assert refusal(answer) == (405, "method_not_allowed"), (name, method)
