"""Placing accounts: the host's picture lands once, in order, linked to the right person."""

import datetime as dt

import msgspec
import pytest

from accounts.crypto import blind_index
from accounts.models import Account, Consumer, ContactPoint, Event, Visit
from accounts.placement import Contact, Part, Person, Placement
from accounts.services.place import place_accounts
from accounts.tenancy import acting_for
from integrations.models import HostConnection

pytestmark = pytest.mark.django_db
AS_OF = dt.datetime(2026, 12, 1, 14, 0, tzinfo=dt.UTC)
ADA = Person(
    first_name="Ada",
    last_name="Examplova",
    host_consumer_id="A-0001",
    ssn="900990001",
    dob="1961-02-03",
    zip="60601",
    state="IL",
)
MAIL = Contact("email", "ada@example.com", "ada@example.com", route="RF-13", evidence={"Source": "call"})
PHONE = Contact("phone", "+12125550101", "+12125550101", "Cell Phone", "Good Number", textable=True)


def placement(reference="100234", **values) -> Placement:
    told = Placement(
        reference=reference,
        client_number="C-010",
        client_name="Northwind Family Dental",
        person=ADA,
        status="open",
        host_status="ACTIVE",
        balance_cents=1_000_00,
        as_of=AS_OF,
        version=1,
        contacts=(MAIL, PHONE),
        original_creditor="Northwind",
        description="Account ending 0234",
        contract_on=dt.date(2025, 3, 14),
        body_hash="one",
    )
    return msgspec.structs.replace(told, **values)


def newer(told: Placement, **values) -> Placement:
    values = {"version": told.version + 1, "as_of": told.as_of + dt.timedelta(hours=1), "body_hash": "two"} | values
    return msgspec.structs.replace(told, **values)


@pytest.fixture
def other_host(acting) -> HostConnection:
    return HostConnection.objects.create(name="Second", base_url="http://127.0.0.1:9", outbound_key="out-2")


def place(*placements, now, host=None) -> list[str]:
    host = (host or HostConnection.objects.order_by("pk").first()).pk
    return [outcome.verdict for outcome in place_accounts(connection_id=host, placements=placements, now=now)]


def kinds() -> list[tuple[str, int]]:
    return list(Event.objects.order_by("account_seq").values_list("kind", "account_seq"))


def lives(**values) -> Person:
    return msgspec.structs.replace(ADA, **values)


def names(field: str) -> Part:
    """Be an update that names one field of the person."""
    return Part(frozenset(), frozenset({field}), frozenset())


def state() -> str:
    return Consumer.objects.get().state


@pytest.mark.parametrize(
    ("said", "zip_code", "kept"),
    [("", "12207-0001", "NY"), ("NJ", "12207", "NJ"), ("ny", "07302", "NY"), ("??", "12207", "NY"), ("", "", "")],
)
def test_who_is_placed_without_a_state_has_that_of_the_zip_code_st_02_sol_01(acting, now, said, zip_code, kept):
    for verdict, told in (("placed", placement(body_hash="0")), ("updated", newer(placement()))):
        who = lives(state=said, zip=zip_code)
        assert place(msgspec.structs.replace(told, person=who), now=now) == [verdict]
        assert state() == kept


def test_who_moves_takes_the_state_of_the_new_zip_code_unless_the_host_says_one(acting, now):
    place(placement(person=lives(state="", zip="12207")), now=now)
    told = newer(placement(person=lives(state="", zip="07302"), part=names("zip")))
    place(told, now=now)
    assert state() == "NJ"
    told = newer(msgspec.structs.replace(told, person=lives(state="PA"), part=names("state")))
    place(told, now=now)
    assert state() == "PA"
    told = newer(msgspec.structs.replace(told, person=lives(zip="07030"), part=names("zip")))
    place(told, now=now)
    assert state() == "PA"


def test_a_new_account_lands_with_its_person_contacts_and_one_event(acting, now):
    assert place(placement(), now=now) == ["placed"]
    account = Account.objects.select_related("consumer", "client").get()
    consumer = account.consumer
    assert (account.balance_cents, account.status, account.reference_key) == (1_000_00, "open", "100234")
    assert (account.client.number, account.as_of, account.host_version) == ("C-010", AS_OF, 1)
    assert (consumer.ssn, consumer.last_name_key, consumer.time_zone) == ("900990001", "EXAMPLOVA", "America/Chicago")
    assert consumer.ssn4_index == blind_index("0001", agency_id=acting.pk, field="ssn4")
    assert consumer.zip_index == blind_index("60601", agency_id=acting.pk, field="zip")
    points = {point.kind: point for point in consumer.contact_points.all()}
    assert (points["email"].route, points["email"].evidence["Source"]) == ("RF-13", "call")
    assert points["phone"].textable
    assert kinds() == [("account.placed", 1)]


def test_nothing_of_ssn_or_birth_date_is_readable_in_the_database(acting, now):
    place(placement(), now=now)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT ssn || dob || ssn_index || dob_index FROM accounts_consumer")
        (stored,) = cursor.fetchone()
    assert "900990001" not in stored
    assert "1961" not in stored


def test_the_same_push_again_changes_nothing(acting, now):
    place(placement(), now=now)
    assert place(placement(), now=now) == ["unchanged"]
    assert kinds() == [("account.placed", 1)]


def test_an_older_push_is_stale_and_changes_nothing(acting, now):
    place(newer(placement()), now=now)
    assert place(placement(balance_cents=5_00), now=now) == ["stale"]
    assert Account.objects.get().balance_cents == 1_000_00


def test_an_older_push_without_a_version_is_judged_by_its_time(acting, now):
    place(placement(version=None), now=now)
    early = placement(version=None, as_of=AS_OF - dt.timedelta(seconds=1), balance_cents=5_00)
    assert place(early, now=now) == ["stale"]


def test_a_picture_may_be_a_day_ahead_of_our_clock_and_no_more(acting, now):
    ahead = now + dt.timedelta(hours=24)
    assert place(placement(as_of=ahead + dt.timedelta(seconds=1)), now=now) == ["future"]
    assert (Account.objects.count(), Event.objects.count()) == (0, 0)
    assert place(placement(as_of=ahead), now=now) == ["placed"]


def test_one_version_with_two_bodies_is_a_conflict_and_the_first_stays(acting, now):
    place(placement(), now=now)
    assert place(placement(balance_cents=5_00, body_hash="two"), now=now) == ["conflict"]
    assert Account.objects.get().balance_cents == 1_000_00


def test_what_changed_is_told_in_dense_order(acting, now):
    place(placement(), now=now)
    change = newer(placement(), balance_cents=875_00, status="recalled", host_status="RECALL", debt_type="MEDICAL")
    assert place(change, now=now) == ["updated"]
    assert kinds() == [
        ("account.placed", 1),
        ("balance.changed", 2),
        ("account.status_changed", 3),
        ("account.recalled", 4),
        ("account.updated", 5),
    ]
    changed = Event.objects.get(kind="balance.changed").data
    assert (changed["before_cents"], changed["after_cents"]) == (1_000_00, 875_00)
    assert Event.objects.get(kind="account.updated").data["changed"] == ["debt_type", "host_status"]
    assert Account.objects.get().event_seq == 5


def test_the_same_version_told_again_with_a_newer_as_of_makes_the_picture_fresh_sts_07(acting, now):
    told = placement()
    place(told, placement("100235"), now=now)
    before = kinds()
    later = msgspec.structs.replace(told, as_of=AS_OF + dt.timedelta(hours=20))
    assert place(later, placement("100235", as_of=AS_OF - dt.timedelta(hours=1)), now=now) == ["unchanged"] * 2
    # An older look at the same version takes nothing back, and a day that nothing happened on is nobody's news.
    looked = dict(Account.objects.values_list("reference", "as_of"))
    assert looked == {"100234": AS_OF + dt.timedelta(hours=20), "100235": AS_OF}
    assert kinds() == before
    assert place(told, now=now) == ["unchanged"]
    assert Account.objects.get(reference="100234").as_of == AS_OF + dt.timedelta(hours=20)


def test_a_newer_look_at_the_same_facts_moves_as_of_and_tells_nobody(acting, now):
    place(placement(), now=now)
    assert place(newer(placement(), body_hash="one"), now=now) == ["updated"]
    assert Account.objects.get().as_of == AS_OF + dt.timedelta(hours=1)
    assert kinds() == [("account.placed", 1)]


def test_one_list_may_hold_several_versions_of_an_account_in_their_order(acting, now):
    third = newer(newer(placement(), balance_cents=2_00), balance_cents=3_00, body_hash="three")
    assert place(third, newer(placement(), balance_cents=2_00), placement(), now=now) == ["placed", "stale", "stale"]
    assert Account.objects.get().balance_cents == 3_00


@pytest.mark.parametrize(
    ("blank", "missing"),
    [
        ({"original_creditor": ""}, ["original_creditor"]),
        ({"description": "", "contract_on": None}, ["description", "contract_on"]),
    ],
)
def test_blanks_that_disable_cards_are_told_to_the_host(acting, now, blank, missing):
    place(placement(**blank), now=now)
    assert Event.objects.get(kind="account.card_disabled").data["missing"] == missing
    place(newer(placement(**blank), balance_cents=1_00), now=now)
    assert Event.objects.filter(kind="account.card_disabled").count() == 1


def test_accounts_of_one_host_consumer_id_belong_to_one_consumer(acting, now):
    place(placement("1"), placement("2"), now=now)
    assert Consumer.objects.get().accounts.count() == 2


def test_the_same_host_consumer_id_at_another_host_is_another_person(acting, other_host, now):
    stranger = msgspec.structs.replace(ADA, ssn="900990099", last_name="Other")
    place(placement(), now=now)
    place(placement(person=stranger), now=now, host=other_host)
    assert Consumer.objects.count() == 2


def test_full_equality_of_three_facts_links_across_hosts(acting, other_host, now):
    unnamed = msgspec.structs.replace(ADA, host_consumer_id="", last_name="EXAMPLOVA")
    place(placement(), now=now)
    place(placement(person=unnamed), now=now, host=other_host)
    assert Consumer.objects.get().accounts.count() == 2


@pytest.mark.parametrize("blank", [{"ssn": ""}, {"dob": ""}, {"dob": "1961-02-04"}, {"last_name": "Exampl"}])
def test_any_blank_or_different_fact_leaves_accounts_unlinked(acting, now, blank):
    unnamed = msgspec.structs.replace(ADA, host_consumer_id="", **blank)
    place(placement("1"), placement("2", person=unnamed), placement("3", person=unnamed), now=now)
    by_consumer = Account.objects.values("consumer").distinct().count()
    assert by_consumer == (3 if "" in blank.values() else 2)


def test_two_consumer_ids_of_one_host_stay_two_people_even_with_equal_facts(acting, now):
    place(placement("1"), placement("2", person=msgspec.structs.replace(ADA, host_consumer_id="A-0002")), now=now)
    assert Consumer.objects.count() == 2


def test_a_change_of_link_ends_the_visits_of_both(acting, now):
    other = msgspec.structs.replace(ADA, host_consumer_id="A-0002", ssn="900990002")
    place(placement("1"), placement("2"), placement("3", person=other), now=now)
    for account in Account.objects.filter(reference__in=["1", "3"]):
        Visit.objects.create(consumer_id=account.consumer_id, account=account, started_at=now, seen_at=now)
    place(newer(placement("2"), person=other), now=now)
    assert list(Visit.objects.values_list("end_reason", flat=True)) == ["relinked", "relinked"]
    assert Account.objects.get(reference="2").consumer.host_consumer_id == "A-0002"
    assert "consumer_id" in Event.objects.get(kind="account.updated").data["changed"]


def test_a_person_whose_number_was_corrected_is_asked_again(acting, now):
    place(placement(), now=now)
    account = Account.objects.get()
    Visit.objects.create(consumer_id=account.consumer_id, account=account, started_at=now, seen_at=now)
    place(newer(placement(), person=msgspec.structs.replace(ADA, ssn="900990077")), now=now)
    assert Visit.objects.get().end_reason == "relinked"
    assert Consumer.objects.get().ssn == "900990077"


def test_a_withdrawn_contact_is_removed_unless_another_account_lists_it(acting, now):
    place(placement("1"), placement("2"), now=now)
    place(newer(placement("1"), contacts=(PHONE,)), now=now)
    assert ContactPoint.objects.filter(removed_at__isnull=False).count() == 0
    place(newer(placement("2"), contacts=(PHONE,)), now=now)
    assert ContactPoint.objects.get(removed_at__isnull=False).value == "ada@example.com"
    place(newer(newer(placement("1"))), now=now)
    assert ContactPoint.objects.filter(removed_at__isnull=False).count() == 0


def test_an_address_the_consumer_gave_is_not_the_hosts_to_withdraw(acting, now):
    place(placement(), now=now)
    ContactPoint.objects.filter(kind="email").update(source="consumer", opted_out_at=now)
    place(newer(placement(), contacts=()), now=now)
    point = ContactPoint.objects.get(kind="email")
    assert (point.removed_at, point.opted_out_at) == (None, now)


def test_two_agencies_with_the_same_references_never_meet(agency, other_agency, now):
    with acting_for(agency):
        place(placement(), now=now)
    with acting_for(other_agency):
        assert place(placement(balance_cents=7_00), now=now) == ["placed"]
        assert Account.objects.get().balance_cents == 7_00
    with acting_for(agency):
        assert Account.objects.get().balance_cents == 1_000_00
        assert Consumer.objects.count() == 1


def test_a_chunk_costs_the_same_queries_whatever_its_size(acting, now, django_assert_max_num_queries):
    many = [placement(str(n), person=msgspec.structs.replace(ADA, host_consumer_id=str(n))) for n in range(100)]
    with django_assert_max_num_queries(24):
        place(*many, now=now)
