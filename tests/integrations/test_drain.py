"""Telling hosts: in order per account, at least once, one bad event or one dead host in nobody's way."""

import datetime as dt
import functools
import hashlib
import ipaddress
from uuid import UUID

import pytest
from django.db import connection, transaction

from accounts import events
from accounts.crypto import blind_index
from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import http
from integrations.hosts import Request
from integrations.models import Delivery, DeliveryAttempt, HostConnection
from integrations.services import drain as drain_module
from integrations.services import parcels
from integrations.services.check import test_connection as check_connection
from integrations.services.drain import Drain
from integrations.services.receive import adapter_for, fetch
from integrations.services.redeliver import replay, skip
from integrations.services.route import LANES, route
from payments.models import Method
from tests.conftest import make_account
from tests.integrations.host_program import HostProgram

pytestmark = pytest.mark.django_db


class Clock:
    """A clock that only the test moves."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock(now) -> Clock:
    return Clock(now)


@pytest.fixture
def host(agency, tmp_path):
    program = HostProgram(tmp_path)
    join(program, agency)
    yield program
    program.close()


@pytest.fixture
def other_host(other_agency, tmp_path):
    program = HostProgram(tmp_path / "other")
    join(program, other_agency)
    yield program
    program.close()


def join(program: HostProgram, agency) -> None:
    """Let the agency's connection and the program know each other, and give it the cast's account."""
    with acting_for(agency):
        connection = HostConnection.objects.get()
        HostConnection.objects.update(base_url=program.url)
    program.call("/_sandbox/configure", {"outbound_key": connection.outbound_key, "push_delay_ms": 3_600_000})
    record = {"FileNumber": "100234", "CurrentBalance": "1000.00", "Status": "ACTIVE"}
    program.call("/_sandbox/accounts", [record, *({**record, "FileNumber": f"X{n}"} for n in range(9))])


def tell(name: str, /, *, account, now, **data) -> Event:
    with acting_for(account.agency_id), transaction.atomic():
        return events.record(name, account=account, now=now, data=data)


def drain(clock: Clock) -> int:
    return Drain(clock=clock).run()


def statuses() -> list[str]:
    with acting_for(ALL_AGENCIES):
        return list(Delivery.objects.order_by("sequence").values_list("status", flat=True))


def received(program: HostProgram) -> list[tuple[str, int]]:
    return [(event["Event"], event["AccountSequence"]) for event in program.received()]


PAYMENT = {
    "payment": "01930000-0000-7000-8000-000000000001",
    "amount_cents": 125_00,
    "currency": "usd",
    "kind": "card",
    "executor": "portal",
    "brand": "visa",
    "funding": "debit",
    "last4": "5556",
    "authorization": "01930000-0000-7000-8000-000000000002",
    "processor": "stripe",
    "processor_ref": "pi_1",
    "date": "2026-12-01",
}


def test_events_of_an_account_arrive_in_their_order_with_our_words_in_theirs(host, account, clock):
    for page in ("home", "offer", "pay"):
        tell("page.viewed", account=account, now=clock.now, page=page)
    event = tell("payment.succeeded", account=account, now=clock.now, **PAYMENT)
    assert drain(clock) == 4
    got = host.received()
    assert [(one["Event"], one["AccountSequence"], one["Sequence"]) for one in got] == [
        ("page.viewed", 1, 1),
        ("page.viewed", 2, 2),
        ("page.viewed", 3, 3),
        ("payment.succeeded", 4, 4),
    ]
    told = got[-1]
    assert (told["EventID"], told["FileNumber"], told["Type"], told["PostingAgent"]) == (
        str(event.pk),
        "100234",
        "PAYMENT",
        "Agency",
    )
    assert told["Payment"] == {
        "PortalID": PAYMENT["payment"],
        "Status": "APPROVED",
        "Processor": "stripe",
        "ProcessorReference": "pi_1",
        "Executor": "PORTAL",
        "Amount": "125.00",
        "Date": "2026-12-01",
        "Last4": "5556",
        "Brand": "visa",
        "Funding": "debit",
        "Method": "CARD",
        "AuthorizationID": PAYMENT["authorization"],
    }
    assert statuses() == ["delivered"] * 4
    assert host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}


def test_a_consumers_event_goes_once_to_each_account_they_hold(host, account, acting, clock):
    second = make_account(acting, consumer=account.consumer, reference="X1")
    with transaction.atomic():
        events.record("consumer.contact_changed", consumer=account.consumer, now=clock.now)
        events.record("consumer.identification_failed", now=clock.now)
    assert drain(clock) == 3
    got = host.received()
    assert sorted((one["Event"], one["FileNumber"]) for one in got if one["FileNumber"]) == [
        ("consumer.contact_changed", account.reference),
        ("consumer.contact_changed", second.reference),
    ]
    assert len({one["EventID"] for one in got}) == 3


def test_a_500_is_tried_again_and_nothing_overtakes(host, account, clock):
    host.call("/_sandbox/faults", {"path": "/events", "status": 500, "times": 2})
    tell("page.viewed", account=account, now=clock.now)
    tell("payment.succeeded", account=account, now=clock.now, **PAYMENT)
    assert drain(clock) == 0
    clock.pass_(2)
    assert drain(clock) == 0
    clock.pass_(7)
    assert drain(clock) == 2
    assert received(host) == [("page.viewed", 1), ("payment.succeeded", 2)]
    with acting_for(ALL_AGENCIES):
        assert list(DeliveryAttempt.objects.order_by("id").values_list("status", flat=True)) == [500, 500, 200, 200]


def test_retry_after_is_honoured_and_bounded(host, account, clock):
    host.call("/_sandbox/faults", {"path": "/events", "status": 429, "retry_after": 90, "times": 1})
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    with acting_for(ALL_AGENCIES):
        assert Delivery.objects.get().next_at == clock.now + dt.timedelta(seconds=90)
    host.call("/_sandbox/faults", {"path": "/events", "status": 503, "retry_after": 10**6, "times": 1})
    clock.pass_(91)
    drain(clock)
    with acting_for(ALL_AGENCIES):
        assert Delivery.objects.get().next_at == clock.now + dt.timedelta(hours=1)


def test_evt_02_an_answer_lost_after_the_effect_is_sent_again_and_counts_once(host, account, clock):
    host.call("/_sandbox/faults", {"path": "/events", "mode": "drop_after_effect", "times": 1})
    tell("payment.succeeded", account=account, now=clock.now, **PAYMENT)
    assert drain(clock) == 0
    clock.pass_(2)
    assert drain(clock) == 1
    (got,) = host.received()
    assert (got["Duplicates"], got["Outcome"]) == (1, "accepted")
    items = host.call("/_sandbox/state")["items"]
    assert [(item["status"], item["n"], item["cents"]) for item in items] == [("POSTED", 1, 125_00)]


@pytest.mark.parametrize("fault", [{"mode": "outage"}, {"mode": "wrong_body"}, {"mode": "redirect"}])
def test_silence_a_page_of_html_and_a_redirect_are_no_delivery(host, account, clock, fault):
    host.call("/_sandbox/faults", {"path": "/events", "times": 1, **fault})
    tell("page.viewed", account=account, now=clock.now)
    assert drain(clock) == 0
    assert statuses() == ["waiting"]
    clock.pass_(2)
    assert drain(clock) == 1


def test_a_timeout_is_no_delivery_and_an_endless_answer_is_cut(host, account, clock, settings):
    settings.HOST_TIMEOUT, settings.HOST_ANSWER_LIMIT = 0.3, 10_000
    host.call("/_sandbox/faults", {"path": "/events", "mode": "slow", "seconds": 1.0, "times": 1})
    host.call("/_sandbox/faults", {"path": "/events", "mode": "huge", "megabytes": 3, "times": 1})
    tell("page.viewed", account=account, now=clock.now)
    assert drain(clock) == 0
    clock.pass_(2)
    assert drain(clock) == 0
    settings.HOST_TIMEOUT = 5.0
    clock.pass_(10)
    assert drain(clock) == 1
    with acting_for(ALL_AGENCIES):
        first, second, _third = DeliveryAttempt.objects.order_by("id")
    assert (first.status, second.status) == (0, 0)
    assert "longer than 10000 bytes" in second.answer


def test_what_a_host_refuses_is_parked_and_stops_only_its_own_account(host, account, acting, clock):
    other = make_account(acting, consumer=account.consumer, reference="X1")
    bad = {**PAYMENT, "amount_cents": 0}
    tell("payment.succeeded", account=account, now=clock.now, **bad)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=other, now=clock.now)
    assert drain(clock) == 1
    assert statuses() == ["parked", "waiting", "delivered"]
    clock.pass_(7200)
    assert drain(clock) == 0
    parked = Delivery.objects.get(status="parked")
    assert parked.reason == "invalid_amount"
    replay(parked, now=clock.now)
    drain(clock)
    assert statuses() == ["parked", "waiting", "delivered"]
    skip(Delivery.objects.get(status="parked"), reason="Entered by hand.", actor="staff:kim", now=clock.now)
    assert drain(clock) == 2
    abandoned = Event.objects.get(kind="delivery.abandoned")
    assert (abandoned.actor, abandoned.data["reason"]) == ("staff:kim", "Entered by hand.")
    assert statuses() == ["skipped", "delivered", "delivered", "delivered"]


def test_a_permanent_status_parks_only_the_event_that_it_is_about(host, account, acting, clock):
    host.call("/_sandbox/faults", {"path": "/events", "status": 422, "times": 1})
    other = make_account(acting, consumer=account.consumer, reference="X1")
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=other, now=clock.now)
    assert drain(clock) == 2
    host.call("/_sandbox/faults", {"path": "/events", "status": 422, "times": 1})
    tell("page.viewed", account=account, now=clock.now)
    assert drain(clock) == 0
    parked = Delivery.objects.get(status="parked")
    assert parked.reason == "HTTP 422"
    replay(parked, now=clock.now)
    assert drain(clock) == 1


def test_a_poison_event_is_found_and_the_others_of_its_list_go_on(host, agency, account, acting, clock, monkeypatch):
    from integrations.services import parcels

    written = parcels.write

    def poisoned(batch, adapter):
        messages = written(batch, adapter)
        pairs = zip(batch, messages, strict=True)
        return [b"{" if parcel.data.get("page") == "poison" else message for parcel, message in pairs]

    monkeypatch.setattr(parcels, "write", poisoned)
    for number in range(9):
        own = make_account(acting, consumer=account.consumer, reference=f"X{number}")
        tell("page.viewed", account=own, now=clock.now, page="poison" if number == 4 else "home")
    for _ in range(6):
        drain(clock)
        clock.pass_(1)
    assert sorted(statuses()) == ["delivered"] * 8 + ["parked"]
    assert Delivery.objects.get(status="parked").account.reference == "X4"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_opens_the_circuit_and_parks_nothing(host, account, acting, clock, status):
    host.call("/_sandbox/faults", {"path": "/events", "status": status, "times": 1})
    tell("page.viewed", account=account, now=clock.now)
    assert drain(clock) == 0
    connection = HostConnection.objects.get()
    assert connection.unreachable_since == clock.now
    assert Event.objects.get(kind="host.unreachable").data["reason"] == "the host refuses our key"
    assert "parked" not in statuses()
    tell("page.viewed", account=account, now=clock.now)
    assert drain(clock) == 0
    clock.pass_(2)
    drain(clock)
    drain(clock)
    assert HostConnection.objects.get().unreachable_since is None
    assert Event.objects.filter(kind="host.recovered").count() == 1
    assert set(statuses()) == {"delivered"}
    assert [one for one in received(host) if one[1]] == [("page.viewed", 1), ("page.viewed", 2)]


def test_a_dead_host_opens_its_circuit_and_holds_no_other_up(
    host, other_host, account, others_account, other_agency, clock
):
    with acting_for(other_agency):
        HostConnection.objects.update(base_url="http://127.0.0.1:9")
    for _ in range(7):
        tell("page.viewed", account=others_account, now=clock.now)
        tell("page.viewed", account=account, now=clock.now)
        drain(clock)
        clock.pass_(750)
    assert len(received(host)) == 7
    with acting_for(other_agency):
        connection = HostConnection.objects.get()
        assert connection.unreachable_since is not None
        assert connection.failures >= 5
        assert Event.objects.filter(kind="host.unreachable").count() == 1
        HostConnection.objects.update(base_url=other_host.url)
    clock.pass_(3_700)
    drain(clock)
    drain(clock)
    assert [one for one in received(other_host) if one[1]] == [("page.viewed", n) for n in range(1, 8)]
    assert other_host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}


def test_one_agencys_events_never_reach_the_others_host(host, other_host, account, others_account, clock):
    tell("page.viewed", account=account, now=clock.now, page="ours")
    tell("page.viewed", account=others_account, now=clock.now, page="theirs")
    assert account.reference == others_account.reference
    assert drain(clock) == 2
    assert [one["Data"]["page"] for one in host.received()] == ["ours"]
    assert [one["Data"]["page"] for one in other_host.received()] == ["theirs"]


def test_evt_02_a_crash_between_routing_and_delivery_loses_nothing(host, account, everywhere, clock):
    tell("page.viewed", account=account, now=clock.now)
    assert len(route(now=clock.now).deliveries) == 1
    assert route(now=clock.now) == (0, [], False)
    assert drain(clock) == 1


def test_events_that_no_host_hears_hold_up_nothing_behind_them(
    host, account, others_account, everywhere, clock, monkeypatch
):
    Account.objects.filter(pk=others_account.pk).update(connection_id=None)
    for at in range(12):
        tell("page.viewed", account=others_account, now=clock.now, page=f"{at}")
    for page in ("first", "second", "third"):
        tell("page.viewed", account=account, now=clock.now, page=page)
    monkeypatch.setattr(drain_module, "route", functools.partial(route, limit=2))
    assert drain(clock) == 3
    assert [one["Data"]["page"] for one in host.received()] == ["first", "second", "third"]
    assert not Event.objects.filter(sequence=None).exists()


def test_a_lane_that_another_drain_holds_is_left_to_it(host, account, clock, everywhere, monkeypatch):
    tell("page.viewed", account=account, now=clock.now)
    monkeypatch.setattr(Drain, "_lock", lambda self, lanes: None)
    assert drain(clock) == 0
    monkeypatch.undo()
    assert drain(clock) == 1


def test_a_drain_that_lost_its_session_writes_nothing_more(host, account, clock):
    tell("page.viewed", account=account, now=clock.now)
    draining = Drain(clock=clock)
    heard = draining._hear

    def lose(key, answer):
        heard(key, answer)
        draining.session = object()

    draining._hear = lose
    with pytest.raises(drain_module.LaneLost):
        draining.run()
    assert statuses() == ["waiting"]


def test_a_slow_hosts_backlog_stays_in_the_database_and_goes_out_whole_and_in_order(host, account, clock, monkeypatch):
    for _event in range(60):
        tell("page.viewed", account=account, now=clock.now)
    monkeypatch.setattr(drain_module, "CLAIMED_AT_ONCE", 0)
    monkeypatch.setattr(drain_module, "EVENTS_PER_REQUEST", 16)  # a quarter of it from a lane at a time
    monkeypatch.setattr(drain_module, "READ_AHEAD", 10)
    draining, really, held = Drain(clock=clock), Drain._send, []
    monkeypatch.setattr(Drain, "_send", lambda self, now: None)  # so slow that nothing is sent
    with acting_for(ALL_AGENCIES):
        for _second in range(8):
            clock.pass_(1)
            draining._turn(woken=False)
            held.append(sum(map(len, draining.loaded.values())))
    assert held == [4, 8, 12, 12, 12, 12, 12, 12]
    monkeypatch.setattr(Drain, "_send", really)
    assert draining.run() == 60
    assert [sequence for _kind, sequence in received(host)] == list(range(1, 61))


def test_a_lane_is_read_on_before_it_runs_dry(host, account, clock, monkeypatch):
    """No look and no wake is needed for the rest of a backlog."""
    for _event in range(30):
        tell("page.viewed", account=account, now=clock.now)
    monkeypatch.setattr(drain_module, "CLAIMED_AT_ONCE", 0)
    monkeypatch.setattr(drain_module, "EVENTS_PER_REQUEST", 16)  # a quarter of it from a lane at a time
    in_hand, really = [], parcels.claim

    def claim(lanes, *, known, **more):
        known = list(known)
        found = really(lanes, known=known, **more)
        if found:
            in_hand.append((len(known), len(found)))
        return found

    monkeypatch.setattr(parcels, "claim", claim)
    assert drain(clock) == 30
    assert in_hand == [(0, 4), *[(2, 4)] * 6, (2, 2)]


class Listener:
    """A drain's ear that hears no wake; time passes while it listens."""

    def __init__(self, clock: Clock, *, deaf_for: float = 0.0) -> None:
        self.clock, self.hears_from = clock, clock.now + dt.timedelta(seconds=deaf_for)

    def __call__(self, seconds: float) -> bool:
        self.clock.pass_(seconds)
        return False

    @property
    def deaf(self) -> bool:
        return self.clock.now < self.hears_from


@pytest.mark.parametrize(
    ("deaf_for", "lasts"),
    [
        pytest.param(0, 2, id="two seconds of quiet end it where the next wake starts another"),
        pytest.param(15, 16, id="while the broker is away nobody could start another"),
        pytest.param(90, 31, id="not for ever"),
    ],
)
def test_a_drain_ends_when_another_can_be_started(account, clock, deaf_for, lasts):
    began = clock.now
    Drain(clock=clock).run(listen=Listener(clock, deaf_for=deaf_for), linger=2, longest=5, outage=30)
    assert (clock.now - began).total_seconds() == lasts


def test_without_a_broker_hosts_are_told_all_the_same(host, account, clock, monkeypatch):
    """What happens when the drain should long be over goes out at its next look."""
    looked, really = [], Drain._look

    def look(self, now):
        looked.append(now)
        if len(looked) == 20:
            tell("page.viewed", account=account, now=now)
        really(self, now)

    monkeypatch.setattr(Drain, "_look", look)
    draining = Drain(clock=clock)
    draining.run(listen=Listener(clock, deaf_for=22), linger=2, longest=5, outage=30)
    assert (draining.delivered, len(received(host))) == (1, 1)


def test_a_look_begins_every_second_however_long_the_last_one_took(account, clock, monkeypatch):
    looked: list[float] = []
    began, really = clock.now, Drain._look

    def slow(self, now):
        looked.append((now - began).total_seconds())
        really(self, now)
        clock.pass_(0.25)

    monkeypatch.setattr(Drain, "_look", slow)
    Drain(clock=clock).run(listen=Listener(clock), linger=4)
    assert looked == [0, 1, 2, 3, 4]


def bank_method(account, now) -> Method:
    with acting_for(account.agency_id):
        return Method.objects.create(
            consumer=account.consumer,
            kind="ach",
            last4="6789",
            holder="Jane Doe",
            account_type="checking",
            routing="110000000",
            number="000123456789",
            created_at=now,
        )


def test_a_bank_number_goes_to_its_executor_only_and_is_wiped_when_taken(host, account, clock):
    method = bank_method(account, clock.now)
    data = {**PAYMENT, "kind": "ach", "executor": "host", "method": str(method.pk), "last4": "6789"}
    tell("payment.pending", account=account, now=clock.now, **data)
    assert drain(clock) == 1
    got = host.received()[0]["Payment"]
    assert (got["Status"], got["Executor"], got["Bank"]["Last4"]) == ("SUBMIT", "HOST", "6789")
    assert "SHA256" in got["Bank"], "the host had the whole number"
    with acting_for(account.agency_id):
        method.refresh_from_db()
        assert (method.routing, method.number, method.wiped_at) == ("", "", clock.now)
        attempt = DeliveryAttempt.objects.get()
        assert "000123456789" not in str(attempt.request) + attempt.answer
        assert attempt.request["Payment"]["Bank"]["AccountNumber"] == "•••• 6789"
        replay(Delivery.objects.get(), now=clock.now)
    assert drain(clock) == 1
    assert host.received()[0]["Duplicates"] == 1


def test_a_kept_hash_gives_no_bank_number_away(host, other_host, account, others_account, clock, everywhere):
    for one in (account, others_account):
        method = bank_method(one, clock.now)
        data = {**PAYMENT, "kind": "ach", "executor": "host", "method": str(method.pk), "last4": "6789"}
        tell("payment.pending", account=one, now=clock.now, **data)
        tell("payment.succeeded", account=one, now=clock.now, **PAYMENT)
        route(now=clock.now)
        adapter = adapter_for(HostConnection.objects.get(agency=one.agency))
        claimed = parcels.claim(range(LANES), known=[], blocked=[], now=clock.now, limit=10)
        claimed = [each for each in claimed if each.agency_id == one.agency_id]
        bank, card = parcels.write(claimed, adapter)
        assert b"000123456789" in bank
        assert claimed[0].digest != hashlib.sha256(bank).hexdigest(), "a few million tries would give the number"
        kept = blind_index(hashlib.sha256(bank).hexdigest(), agency_id=one.agency_id, field="message")
        assert (claimed[0].digest, claimed[1].digest) == (kept, hashlib.sha256(card).hexdigest())
        Method.objects.filter(pk=method.pk).update(routing="", number="")
        wiped, _card = parcels.write(claimed, adapter)
        assert claimed[0].digest == hashlib.sha256(wiped).hexdigest(), "no number in it, so nothing to hide"


def test_a_bank_number_stays_while_another_event_needs_it(host, account, clock):
    method = bank_method(account, clock.now)
    data = {**PAYMENT, "kind": "ach", "executor": "host", "method": str(method.pk), "last4": "6789"}
    host.call("/_sandbox/faults", {"path": "/events", "status": 422, "times": 1})
    tell("payment.pending", account=account, now=clock.now, **data)
    tell("payment.pending", account=account, now=clock.now, **{**data, "payment": str(UUID(int=7))})
    drain(clock)
    assert statuses() == ["parked", "waiting"]
    with acting_for(account.agency_id):
        assert Method.objects.get().number == "000123456789"


def test_testing_a_connection_tells_key_and_silence_apart(host, agency, acting):
    connection = HostConnection.objects.get()
    assert check_connection(connection).code == "ok"
    connection.outbound_key = "wrong"
    assert check_connection(connection).code == "key_refused"
    connection.base_url = "http://127.0.0.1:9"
    assert check_connection(connection).code == "no_answer"


def test_a_host_is_not_looked_for_in_networks_that_are_not_for_hosts(host, other_host, account, clock, settings):
    settings.HOST_NETWORKS = [ipaddress.ip_network("10.0.0.0/8")]
    tell("page.viewed", account=account, now=clock.now)
    with acting_for(account.agency):
        connection = HostConnection.objects.get()
        assert check_connection(connection).code == "no_answer"
        assert not fetch(account, clock.now)
    drain(clock)
    assert (host.received(), statuses()) == ([], ["waiting"])
    settings.HOST_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    clock.pass_(3600)
    drain(clock)
    assert statuses() == ["delivered"]
    assert other_host.received() == []


def test_a_kept_connection_is_not_used_into_a_network_that_is_not_for_hosts(host, settings):
    wire, heard = http.Wire(), []
    for networks in (settings.HOST_NETWORKS, []):
        settings.HOST_NETWORKS = networks
        wire.send("one", Request(f"{host.url}/accounts/1", ()), timeout=5, answer_limit=1_000)
        while wire.calls:
            heard += [answer.status for _key, answer in wire.wait(1.0)]
    wire.close()
    assert heard == [401, 0]


def test_the_hosts_own_figures_are_fetched_at_login_or_what_we_have_stands(host, account, acting, clock):
    assert not fetch(account, clock.now), "switched off in the cast's connection"
    HostConnection.objects.update(fetch_at_login=True)
    host.call("/_sandbox/clock", {"now": "2026-12-02T12:00:00Z"})
    person = {"LastName": "Doe", "ClientNumber": "C1", "ClientName": "Harbor Medical"}
    host.call("/_sandbox/accounts/100234", {**person, "CurrentBalance": "640.00"})
    assert fetch(account, clock.now)
    account.refresh_from_db()
    assert (account.balance_cents, account.as_of) > (640_00 - 1, clock.now)
    assert account.balance_cents == 640_00
    host.call("/_sandbox/faults", {"path": "/accounts", "mode": "slow", "seconds": 1.5, "times": 1})
    assert not fetch(account, clock.now)


def test_a_backlog_is_read_in_order_of_its_size_when_statistics_say_that_the_queue_is_empty(account, acting, clock):
    accounts = [make_account(acting, consumer=account.consumer, reference=f"B{number}") for number in range(20)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integrations_delivery")
    with transaction.atomic():
        for one in accounts:
            events.record_all([("page.viewed", one, {"page": "home"})] * 20, now=clock.now)
    with acting_for(ALL_AGENCIES):
        route(now=clock.now)
        touched = []

        def explain(execute, sql, params, many, context):
            touched.append(_rows(execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params, many, context), context))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            found = parcels.claim(range(LANES), known=[], blocked=[], now=clock.now, limit=1_000)
    assert len(found) == 400
    # Each delivery once and each account once; comparing them with one another would be 160,000.
    assert max(touched) <= 400 + len(accounts)


def _rows(_done, context) -> float:
    """Give the most rows that any step of a plan looked at."""

    def most(node: dict) -> float:
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
        return max(seen * node["Actual Loops"], *(most(one) for one in node.get("Plans", [])), 0)

    return most(context["cursor"].fetchone()[0][0]["Plan"])
