"""Events are the record of everything: dense per account, gap-free per agency, never out of an account's order."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection, transaction

from accounts import events
from accounts.models import Account, Agency, Event
from accounts.tenancy import ALL_AGENCIES, acting_for, uuid7
from tests.conftest import NOW, make_account, make_agency


def told(account: Account, count: int = 1) -> list[Event]:
    """Write some events about an account of the acting agency."""
    with transaction.atomic():
        return [events.record("page.viewed", account=account, now=NOW, data={"page": str(at)}) for at in range(count)]


def at_once(*works) -> None:
    """Run each work in a thread with a connection of its own, all from the same moment; nothing may be raised."""
    barrier = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work) -> None:
        try:
            barrier.wait(10)
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_an_event_says_what_who_about_whom_and_in_which_request(acting, account):
    request = str(uuid.uuid4())
    with transaction.atomic(), events.context(actor="staff:ann", request_id=request):
        event = events.record("balance.changed", account=account, now=NOW, data={"from_cents": 1_000_00})
    event.refresh_from_db()
    assert (event.kind, event.actor, event.request_id) == ("balance.changed", "staff:ann", request)
    assert (event.account_id, event.consumer_id, event.agency_id) == (account.pk, account.consumer_id, acting.pk)
    assert (event.account_seq, event.sequence, event.occurred_at) == (1, None, NOW)
    assert event.data == {"v": 1, "from_cents": 1_000_00}


def test_after_the_context_the_system_acts_again(acting, account):
    with events.context(actor="staff:ann"):
        pass
    assert told(account)[0].actor == "system"


def test_an_event_about_a_consumer_only_has_no_place_in_an_accounts_sequence(acting, account):
    with transaction.atomic():
        event = events.record("optout.medium", consumer=account.consumer, now=NOW)
    assert (event.account_id, event.account_seq, event.consumer_id) == (None, None, account.consumer_id)


@pytest.mark.parametrize("kind", ["payment.succeded", "page_viewed", ""])
def test_a_kind_outside_the_catalogue_is_refused_and_nothing_is_written(acting, account, kind):
    with pytest.raises(AssertionError), transaction.atomic():
        events.record(kind, account=account, now=NOW)
    with pytest.raises(AssertionError), transaction.atomic():
        events.record_all([("page.viewed", account, {}), (kind, account, {})], now=NOW)
    account.refresh_from_db()
    assert (Event.objects.count(), account.event_seq) == (0, 0)


def test_many_events_at_once_keep_their_order_per_account_and_go_on_where_the_last_ended(acting, account):
    second = make_account(acting, reference="100235", consumer=account.consumer)
    told(account, 2)
    account.refresh_from_db()
    with transaction.atomic():
        facts = [("account.placed", account, {}), ("account.placed", second, {}), ("offer.made", account, {})]
        events.record_all(facts, now=NOW)
    told(account)
    found = list(Event.objects.filter(account=account).order_by("account_seq").values_list("account_seq", "kind"))
    assert found == [
        (1, "page.viewed"),
        (2, "page.viewed"),
        (3, "account.placed"),
        (4, "offer.made"),
        (5, "page.viewed"),
    ]
    assert list(Event.objects.filter(account=second).values_list("account_seq", flat=True)) == [1]


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_leave_a_dense_sequence():
    agency = make_agency("acme")
    account = make_account(agency)

    def write() -> None:
        with acting_for(agency):
            for _ in range(15):
                told(account)

    at_once(write, write)
    with acting_for(agency):
        sequence = list(Event.objects.order_by("account_seq").values_list("account_seq", flat=True))
        account.refresh_from_db()
    assert sequence == list(range(1, 31))
    assert account.event_seq == 30


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_leaves_no_gap():
    agency = make_agency("acme")
    account = make_account(agency)
    with acting_for(agency):
        told(account)
        with transaction.atomic():
            events.record("page.viewed", account=account, now=NOW)
            transaction.set_rollback(True)
        told(account)
        events.assign_sequences()
        rows = list(Event.objects.order_by("account_seq").values_list("account_seq", "sequence"))
    assert rows == [(1, 1), (2, 2)]


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_of_a_transaction_is_refused():
    agency = make_agency("acme")
    account = make_account(agency)
    with acting_for(agency), pytest.raises(AssertionError, match="commits with its fact"):
        events.record("page.viewed", account=account, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_two_routers_at_once_leave_no_gap_and_give_no_number_twice():
    agencies = [make_agency("acme"), make_agency("birch")]
    for agency in agencies:
        with acting_for(agency):
            told(make_account(agency), 40)

    routed: list[Event] = []

    def route() -> None:
        with acting_for(ALL_AGENCIES):
            while found := events.assign_sequences(limit=7):
                routed.extend(found)

    at_once(route, route)
    with acting_for(ALL_AGENCIES):
        for agency in agencies:
            given = Event.objects.filter(agency=agency).order_by("account_seq").values_list("sequence", flat=True)
            assert list(given) == list(range(1, 41))
            assert Agency.objects.get(pk=agency.pk).last_sequence == 40
    assert len({event.pk for event in routed}) == len(routed) == 80


def test_each_agency_has_its_own_sequence(agency, account, other_agency, others_account):
    for mine in (account, others_account, account):
        with acting_for(mine.agency_id):
            told(mine)
    with acting_for(ALL_AGENCIES):
        routed = events.assign_sequences()
    given = {(event.agency_id, event.sequence) for event in routed}
    assert given == {(agency.pk, 1), (agency.pk, 2), (other_agency.pk, 1)}


def test_a_burst_of_one_agency_leaves_room_for_the_next_ones_event(agency, account, other_agency, others_account):
    with acting_for(agency):
        for number in range(30):
            told(make_account(agency, reference=f"B{number}", consumer=account.consumer))
    with acting_for(other_agency):
        (payment,) = told(others_account)
    with acting_for(ALL_AGENCIES):
        first = events.assign_sequences(limit=20)
        assert [event.pk for event in first if event.agency_id == other_agency.pk] == [payment.pk]
        assert [event.sequence for event in first if event.agency_id == agency.pk] == list(range(1, 11))
        while events.assign_sequences(limit=20):
            pass
        assert not Event.objects.filter(sequence=None).exists()


@pytest.mark.django_db(transaction=True)
def test_what_the_same_reader_took_elsewhere_meanwhile_is_not_taken_again(monkeypatch):
    agency = make_agency("acme")
    account = make_account(agency)
    elsewhere: list[Event] = []
    real = events._read

    def take(into: list[Event]) -> None:
        with acting_for(ALL_AGENCIES), transaction.atomic():
            into += events.take("hosts")

    def tell_and_sequence(count: int) -> None:
        with acting_for(agency):
            told(account, count)
        with acting_for(ALL_AGENCIES):
            events.assign_sequences()

    def held(where, *values):
        found = real(where, *values)
        monkeypatch.setattr(events, "_read", real)
        at_once(lambda: take(elsewhere))
        return found

    tell_and_sequence(1)
    take([])
    tell_and_sequence(3)
    mine: list[Event] = []
    monkeypatch.setattr(events, "_read", held)
    take(mine)
    assert ([event.sequence for event in elsewhere], mine) == ([2, 3, 4], [])
    take(mine)
    assert mine == []


def written_with_skewed_clocks(account: Account) -> None:
    """Write two events of an account whose ids are in the other order, as two machines' clocks may make them."""
    early, late = uuid7(), uuid.UUID(int=uuid7().int + (1 << 90))
    for key, seq in ((late, 1), (early, 2)):
        Event.objects.create(
            id=key, agency_id=account.agency_id, account=account, account_seq=seq, kind="page.viewed", occurred_at=NOW
        )
    Account.objects.filter(pk=account.pk).update(event_seq=2)


@pytest.mark.parametrize("limit", [100, 1], ids=["in one batch", "cut between them"])
def test_an_accounts_events_keep_their_order_when_their_ids_disagree(acting, account, limit):
    written_with_skewed_clocks(account)
    while events.assign_sequences(limit=limit):
        pass
    assert list(Event.objects.order_by("account_seq").values_list("account_seq", "sequence")) == [(1, 1), (2, 2)]


def test_other_events_stay_where_their_ids_put_them(acting, account):
    def event(account_id: str | None, seq: int | None) -> Event:
        return Event(account_id=account_id and uuid.UUID(account_id * 32), account_seq=seq)

    batch = [event("a", 2), event(None, None), event("b", 1), event("a", 1), event(None, None)]
    ordered = events.in_account_order(batch)
    assert [one.account_seq for one in ordered] == [1, None, 1, 2, None]
    assert [ordered[1], ordered[4]] == [batch[1], batch[4]]


def test_an_event_never_changes_and_only_gets_its_place_once(acting, account):
    (event,) = told(account)
    events.assign_sequences()
    with pytest.raises(Exception, match="append only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(sequence=9)
    with pytest.raises(Exception, match="append only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind="page.viewed", occurred_at=NOW + dt.timedelta(days=1))


def test_listeners_are_nudged_once_after_the_commit_and_not_before(
    acting, account, monkeypatch, django_capture_on_commit_callbacks
):
    nudges: list[int] = []
    monkeypatch.setattr(events, "listeners", [lambda: nudges.append(1)])
    with django_capture_on_commit_callbacks(execute=True):
        told(account, 3)
        assert nudges == []
    assert nudges == [1]


def test_ids_of_one_thread_rise_so_that_events_of_one_transaction_keep_their_order():
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}
    assert {each.variant for each in made} == {uuid.RFC_4122}


def test_events_written_together_follow_whatever_this_transaction_wrote_before(account, acting):
    stale, other = Account.objects.get(pk=account.pk), Account.objects.get(pk=account.pk)
    with transaction.atomic():
        events.record("page.viewed", account=other, now=NOW, data={"page": "0"})
        facts = [("page.viewed", one, {"page": str(number)}) for number, one in enumerate((stale, other, stale), 1)]
        events.record_all(facts, now=NOW)
    found = Event.objects.filter(account=account).order_by("account_seq").values_list("account_seq", "data__page")
    assert list(found) == [(1, "0"), (2, "1"), (3, "2"), (4, "3")]
    assert Account.objects.get(pk=account.pk).event_seq == 4
