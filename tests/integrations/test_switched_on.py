"""A host that was off is told what it missed, all of it, once, in each account's order, and nothing newer before."""

import threading

import pytest
from django.db import connection, transaction

from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection, Redelivery, WebhookEndpoint
from integrations.services import connections, redeliver
from integrations.services.route import route
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.test_drain import clock, drain, host, other_host, received, tell

__all__ = ["clock", "host", "other_host"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def one_at_once(monkeypatch):
    monkeypatch.setattr(redeliver.advance, "__kwdefaults__", {"limit": 1})


def change(agency, **values) -> None:
    with acting_for(agency):
        row = HostConnection.objects.get()
        assert not isinstance(connections.change(connection=row, values=values, by="staff:1", now=NOW), list)


def drain_often(clock, times: int = 12) -> None:
    for _ in range(times):
        clock.pass_(2)
        drain(clock)


def stretch(agency) -> Redelivery:
    with acting_for(agency):
        return Redelivery.objects.get()


def viewed(*numbers: int) -> list[tuple[str, int]]:
    return [("page.viewed", number) for number in numbers]


def test_a_live_event_does_not_overtake_what_its_account_missed(
    host, other_host, account, others_account, clock, one_at_once
):
    change(account.agency, is_active=False)
    for _ in range(3):
        tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    change(account.agency, is_active=True)
    tell("page.viewed", account=account, now=clock.now)
    tell("page.viewed", account=others_account, now=clock.now)
    drain(clock)
    assert received(host) == viewed(1)
    assert received(other_host) == viewed(1), "another agency's host is told as ever"
    drain_often(clock)
    assert received(host) == viewed(1, 2, 3, 4)
    assert host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}
    done = stretch(account.agency)
    assert (done.first, done.last, done.position, done.told, done.done_at is not None) == (1, 4, 4, 4, True)
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    assert received(host) == viewed(1, 2, 3, 4, 5), "caught up, it is told at once again"


@pytest.mark.parametrize("off", [{"is_active": False}, {"transport": "files"}])
def test_what_it_missed_waits_while_it_is_off_again_and_is_told_once(host, account, clock, one_at_once, off):
    on = {"is_active": True, "transport": "rest"}
    change(account.agency, is_active=False)
    for _ in range(4):
        tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    change(account.agency, **on)
    drain(clock)
    assert received(host) == viewed(1)
    change(account.agency, **off)
    tell("page.viewed", account=account, now=clock.now)
    drain_often(clock)
    assert received(host) == viewed(1)
    assert stretch(account.agency).position == 1
    change(account.agency, **on)
    drain_often(clock)
    assert received(host) == viewed(1, 2, 3, 4, 5)
    assert stretch(account.agency).told == 5
    assert {one["Duplicates"] for one in host.received()} == {0}


def test_two_agencies_stretches_go_on_side_by_side(host, other_host, account, others_account, clock, one_at_once):
    for one in (account, others_account):
        change(one.agency, is_active=False)
        for _ in range(3):
            tell("page.viewed", account=one, now=clock.now)
    drain(clock)
    for one in (account, others_account):
        change(one.agency, is_active=True)
    for told in range(1, 4):
        clock.pass_(2)
        drain(clock)
        assert (len(received(host)), len(received(other_host))) == (told, told)


def test_what_waits_for_receivers_that_are_off_takes_nothing_from_a_host_that_catches_up(account, others_account):
    for one in (account, others_account):
        change(one.agency, is_active=False)
        for _ in range(20):
            tell("page.viewed", account=one, now=NOW)
    with acting_for(ALL_AGENCIES):
        route(now=NOW)
    for number, one in enumerate((account, others_account, account) * 3):
        with acting_for(one.agency):
            told = {"url": "https://example.com", "made_at": NOW, "made_by": "staff:1", "is_active": False}
            endpoint = WebhookEndpoint.objects.create(name=str(number), **told)
            redeliver.redeliver(to=endpoint, first=1, last=None, by="staff:1", now=NOW)
    change(account.agency, is_active=True)
    with acting_for(ALL_AGENCIES):
        redeliver.advance(now=NOW, limit=10)
    with acting_for(account.agency):
        assert Redelivery.objects.get(connection__isnull=False).position == 10
    with acting_for(ALL_AGENCIES):
        assert set(Redelivery.objects.filter(connection=None).values_list("position", "done_at")) == {(0, None)}


def test_a_host_that_is_told_by_files_is_told_nothing_that_it_missed(account, clock):
    change(account.agency, is_active=False)
    tell("page.viewed", account=account, now=clock.now)
    drain(clock)
    change(account.agency, is_active=True, transport="files")
    with acting_for(account.agency):
        assert not Redelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_being_routed_past_it_while_it_is_switched_on_is_told_too():
    account = make_account(make_agency("acme"))
    change(account.agency, is_active=False)
    tell("page.viewed", account=account, now=NOW)
    routed, go_on = threading.Event(), threading.Event()

    def routing() -> None:
        with acting_for(ALL_AGENCIES), transaction.atomic():
            route(now=NOW)
            routed.set()
            go_on.wait(10)
        connection.close()

    def switching() -> None:
        change(account.agency, is_active=True)
        connection.close()

    threads = [threading.Thread(target=one) for one in (routing, switching)]
    threads[0].start()
    assert routed.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    assert threads[1].is_alive(), "it waits for what is being routed"
    go_on.set()
    for one in threads:
        one.join(10)
    assert (stretch(account.agency).first, stretch(account.agency).position) == (1, 0)
    with acting_for(ALL_AGENCIES):
        assert len(redeliver.advance(now=NOW)) == 1
    assert stretch(account.agency).told == 1
