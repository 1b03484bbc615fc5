"""A host that was off is told what it missed, all of it, once, in each account's order, and nothing newer before."""

import threading

import pytest
from django.db import connection, transaction
from django.urls import reverse

from accounts import events
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import Delivery, HostConnection, Redelivery, WebhookEndpoint
from integrations.services import connections, extract, redeliver
from integrations.services.route import route
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.test_drain import clock, drain, host, other_host, received, tell
from tests.staff import member, signed_in

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
    routed()
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


@pytest.fixture
def newcomer(account):
    """Give an account of a second host of the agency, which was never switched on."""
    with acting_for(account.agency):
        values = {"name": "New", "base_url": "http://127.0.0.1:9", "outbound_key": "out-new", "is_active": False}
        connection = HostConnection.objects.create(**values)
    return make_account(account.agency, reference="N-1", connection_id=connection.pk)


def switch_on(account) -> None:
    with acting_for(account.agency_id):
        row = HostConnection.objects.get(pk=account.connection_id)
        connections.change(connection=row, values={"is_active": True}, by="staff:1", now=NOW)


def routed() -> None:
    with acting_for(ALL_AGENCIES):
        route(now=NOW)


def looked(limit: int) -> int:
    """Let the drain look once; give where the only stretch is then."""
    with acting_for(ALL_AGENCIES):
        redeliver.advance(now=NOW, limit=limit)
        return Redelivery.objects.get().position


def numbers(account) -> list[int]:
    """List what was put on its way to an account's host."""
    with acting_for(account.agency_id):
        told = Delivery.objects.filter(connection_id=account.connection_id).order_by("sequence")
        return list(told.values_list("sequence", flat=True))


def test_a_host_that_is_new_hears_from_its_own_first_event_on_and_no_other_hosts(account, newcomer, others_account):
    for _ in range(30):
        tell("page.viewed", account=account, now=NOW)
    tell("page.viewed", account=newcomer, now=NOW)
    for _ in range(20):
        tell("page.viewed", account=account, now=NOW)
        tell("page.viewed", account=others_account, now=NOW)
    with acting_for(newcomer.agency), transaction.atomic():
        events.record("optout.stream", consumer=newcomer.consumer_id, now=NOW)
        events.record("optout.stream", consumer=account.consumer_id, now=NOW)
        events.record("host.unreachable", now=NOW)
    routed()
    switch_on(newcomer)
    assert looked(10) == 54
    done = stretch(newcomer.agency)
    assert (done.first, done.last, done.told, done.done_at) == (31, 54, 3, NOW)
    assert numbers(newcomer) == [31, 52, 54]
    assert (len(numbers(account)), len(numbers(others_account))) == (52, 20), "all but the newcomer's, once"


def test_a_host_of_which_nothing_was_ever_told_hears_live_at_once(account, newcomer):
    tell("page.viewed", account=account, now=NOW)
    routed()
    switch_on(newcomer)
    with acting_for(ALL_AGENCIES):
        assert not Redelivery.objects.exists()
    tell("page.viewed", account=newcomer, now=NOW)
    routed()
    assert numbers(newcomer) == [2]


def test_one_look_passes_by_so_many_events_of_others_and_no_more(account, newcomer):
    for told in [newcomer] + [account] * 120 + [newcomer]:
        tell("page.viewed", account=told, now=NOW)
    routed()
    switch_on(newcomer)
    assert [looked(1) for _ in range(5)] == [1, 51, 101, 122, 122]
    assert stretch(newcomer.agency).done_at == NOW
    assert numbers(newcomer) == [1, 122]


@pytest.mark.parametrize(("transport", "told"), [("rest", [3, 4]), ("mixed", [])])
def test_a_host_that_was_told_by_files_hears_what_is_in_none(
    account, others_account, settings, tmp_path, transport, told
):
    settings.FILES_DIR = tmp_path
    for one in (account, others_account):
        change(one.agency, transport="files")
        for number in range(4):
            tell("page.viewed", account=one, now=NOW)
            if number == 1:
                with acting_for(one.agency):
                    extract.extract(connection=HostConnection.objects.get(), by="test", now=NOW)
    routed()
    change(account.agency, transport=transport)
    with acting_for(ALL_AGENCIES):
        redeliver.advance(now=NOW)
    assert (numbers(account), numbers(others_account)) == (told, [])


def test_staff_who_take_a_host_from_files_have_it_told_what_is_in_none(account, others_account):
    for one in (account, others_account):
        change(one.agency, transport="files")
        tell("page.viewed", account=one, now=NOW)
    routed()
    desk = signed_in(member(account.agency))
    page = reverse("admin:integrations_hostconnection_change", args=[account.connection_id])
    form = desk.get(page).context["adminform"].form
    said = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    assert desk.post(page, said | {"transport": "rest"}).status_code == 302
    with acting_for(ALL_AGENCIES):
        redeliver.advance(now=NOW)
    assert (numbers(account), numbers(others_account)) == ([1], [])


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
