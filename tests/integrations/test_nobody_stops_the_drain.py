"""What one receiver cannot be told, or answers, is its own trouble: everybody else hears their events (EVT-02)."""

import ipaddress
import json

import pytest
from django.urls import reverse

from accounts.tenancy import acting_for
from integrations import http
from integrations.hosts import Request
from integrations.hosts.scollect import SCollect
from integrations.models import Delivery, DeliveryAttempt, HostConnection, WebhookEndpoint
from integrations.services import connections
from integrations.services.judge import FAILURES_TO_OPEN
from integrations.webhooks import new_secret
from tests.integrations.api_caller import Caller, codes, refusal
from tests.integrations.test_drain import clock, drain, other_host, received, tell
from tests.integrations.webhook_program import Hook
from tests.staff import member, signed_in

__all__ = ["clock", "other_host"]
pytestmark = pytest.mark.django_db
ABROAD = "https://exämple.com/hook"


@pytest.fixture(autouse=True)
def our_own_network(settings):
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
def hook():
    program = Hook()
    yield program
    program.close()


def endpoint_at(agency, url: str, now) -> WebhookEndpoint:
    """Put an endpoint straight into the table, as one that was made when any address was taken."""
    with acting_for(agency):
        HostConnection.objects.update(is_active=False)
        return WebhookEndpoint.objects.create(name="Old", url=url, secret=new_secret(), made_at=now, made_by="staff:1")


def attempts(agency) -> list[tuple[int, str]]:
    with acting_for(agency):
        return list(DeliveryAttempt.objects.order_by("id").values_list("status", "answer"))


def test_an_endpoint_that_no_request_reaches_counts_as_a_failure_and_others_are_told(
    account, others_account, other_host, clock
):
    endpoint_at(account.agency, ABROAD, clock.now)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=others_account, now=clock.now)
    assert drain(clock) == 1
    assert received(other_host) == [("page.viewed", 1)]
    assert attempts(account.agency) == [(0, http.UNSENDABLE)]
    with acting_for(account.agency):
        assert (WebhookEndpoint.objects.get().failures, Delivery.objects.get().status) == (1, "waiting")


def test_it_opens_its_circuit_like_any_other_that_is_silent(account, others_account, other_host, clock):
    endpoint_at(account.agency, ABROAD, clock.now)
    for number in range(1, FAILURES_TO_OPEN + 1):
        tell("page.viewed", account=account, now=clock.now)
        tell("page.viewed", account=others_account, now=clock.now)
        assert drain(clock) == 1, number
        clock.pass_(4_000)
    with acting_for(account.agency):
        assert WebhookEndpoint.objects.get().unreachable_since is not None
    assert len(received(other_host)) == FAILURES_TO_OPEN


@pytest.mark.parametrize(
    "values", [{"base_url": "http://höst.example"}, {"base_url": "http://127.0.0.1:9/ü"}, {"outbound_key": "“key”"}]
)
def test_a_host_whose_address_or_key_no_request_carries_is_silent_and_others_are_told(
    account, others_account, other_host, clock, values
):
    with acting_for(account.agency):
        HostConnection.objects.update(**values)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=others_account, now=clock.now)
    assert drain(clock) == 1
    assert received(other_host) == [("page.viewed", 1)]
    assert attempts(account.agency) == [(0, http.UNSENDABLE)]
    with acting_for(account.agency):
        assert HostConnection.objects.get().failures == 1


def test_an_event_that_cannot_be_written_is_its_receivers_trouble(account, others_account, other_host, clock):
    with acting_for(account.agency):
        terms = {"fee_percent": "a lot", "fee_basis": "Agreement"}
        HostConnection.objects.update(style="ledger", terms=terms)
    tell("account.placed", account=account, now=clock.now, balance_cents=100_00)
    tell("page.viewed", account=others_account, now=clock.now)
    assert drain(clock) == 1
    assert attempts(account.agency) == [(0, "not written: Wrong")]


@pytest.mark.parametrize("outcome", ["refused", "accepted"])
def test_a_reason_that_no_database_keeps_loses_nobodys_answer(
    account, others_account, other_host, hook, clock, outcome
):
    hook.always = 200

    def say(body: bytes) -> bytes:
        lines = [
            {"EventID": one["EventID"], "Outcome": outcome, "Reason": "no\x00t \ud800"} for one in json.loads(body)
        ]
        return json.dumps({"results": lines}).encode()

    hook.say = say
    with acting_for(account.agency):
        HostConnection.objects.update(base_url=hook.url)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=others_account, now=clock.now)
    assert drain(clock) == (1 if outcome == "refused" else 2)
    assert received(other_host) == [("page.viewed", 1)]
    with acting_for(account.agency):
        told = Delivery.objects.get()
        assert (told.status, told.reason) == ({"refused": "parked", "accepted": "delivered"}[outcome], "not ?")
        assert told.log.get().answer == "not ?"


def test_an_answer_that_cannot_be_judged_is_none(account, others_account, other_host, hook, clock, monkeypatch):
    really = SCollect.read_results

    def read_results(self, body):
        return {}["nobody"] if body == "odd" else really(self, body)

    monkeypatch.setattr(SCollect, "read_results", read_results)
    hook.always, hook.say = 200, lambda body: b'"odd"'
    with acting_for(account.agency):
        HostConnection.objects.update(base_url=hook.url)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=others_account, now=clock.now)
    assert drain(clock) == 1
    assert attempts(account.agency) == [(0, "not understood: KeyError")]
    with acting_for(account.agency):
        assert (HostConnection.objects.get().failures, Delivery.objects.get().status) == (1, "waiting")


def test_a_request_that_cannot_be_made_is_answered_by_nothing():
    heard = http.ask(Request(ABROAD, ()), timeout=1, answer_limit=100)
    assert (heard.status, heard.error) == (0, http.UNSENDABLE)


# At the door ------------------------------------------------------------------------------------------------------


def test_such_an_endpoint_is_tested_without_breaking_and_cannot_be_made(account, others_account, now):
    caller = Caller(account.agency)
    row = endpoint_at(account.agency, ABROAD, now)
    tested = caller.post(f"webhook-endpoints/{row.pk}/test")
    assert (tested.status_code, tested.json()["ok"], tested.json()["reason"]) == (200, False, http.UNSENDABLE)
    asked = caller.post("webhook-endpoints", {"name": "IVR", "url": ABROAD})
    assert refusal(asked) == (422, "refused")
    assert codes(asked) == [("/url", "url_not_ascii")]
    with acting_for(account.agency):
        assert WebhookEndpoint.objects.count() == 1


def test_such_a_host_is_refused_by_api_and_by_its_page(account, others_account):
    caller, at = Caller(account.agency), f"connections/{account.connection_id}/settings"
    said = {name: value for name, value in caller.get(at).json().items() if name not in ("id", "style")}
    assert codes(caller.put(at, said | {"base_url": "https://höst.example.com"})) == [("/base_url", "url_not_ascii")]
    assert [one.code for one in connections.wrong({"outbound_key": "a\r\nHost: b"})] == ["key_not_ascii"]
    desk = signed_in(member(account.agency))
    page = reverse("admin:integrations_hostconnection_add")
    sent = {"name": "Host", "style": "scollect", "transport": "rest", "base_url": "https://host.example.com"}
    sent |= {"cell_phone_type": "Cell Phone", "cell_phone_status": "Good Number", "is_active": "on"}
    answer = desk.post(page, sent | {"outbound_key": "“key”"})
    assert "Write the key in ASCII" in answer.content.decode()
    with acting_for(account.agency):
        assert HostConnection.objects.count() == 1
        assert desk.post(page, sent | {"outbound_key": "key"}).status_code == 302
        assert HostConnection.objects.count() == 2
