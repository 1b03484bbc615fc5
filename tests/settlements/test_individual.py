"""Offers for one account by staff and campaigns: held to the rules, one open at a time, each with one clear end."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Account, Agency, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from settlements.models import GlobalOffer, IndividualOffer
from settlements.rules.offers import HostSettlement
from settlements.services import individual, many, offers, rulesets
from tests.accounts.test_events import at_once
from tests.conftest import NOW, make_account

pytestmark = pytest.mark.usefixtures("acting")
TODAY = dt.date(2026, 12, 1)
DAY = dt.timedelta(days=1)
BAND = {
    "owing_from_cents": 0,
    "owing_to_cents": 999_999_999_00,
    "minimum_settlement_bps": 80_00,
    "max_months_settled": 3,
}


def make(account, now=NOW, origin="staff", by="staff:1", **values):
    values = values or {"percent_bps": 80_00}
    return individual.make(account=account, origin=origin, by=by, now=now, **values)


def refused(account, **values):
    found = make(account, **values)
    assert isinstance(found, list), f"made {found}"
    return [one.code for one in found]


def rule(client=None, now=NOW, **values):
    draft = rulesets.draft(client=client, by="staff:1", now=now)
    assert rulesets.save_draft(rule_set=draft, values={}, bands=[BAND | values], by="staff:1", now=now) == []
    return rulesets.publish(rule_set=draft, by="staff:1", now=now)


def settlement(account, today=TODAY, now=NOW):
    return offers.terms_for(account=account, owed_cents=1_000_00, today=today, now=now)


def told(account):
    found = Event.objects.filter(account=account, kind__startswith="offer.").order_by("account_seq")
    return list(found.values_list("kind", flat=True))


def statuses(account):
    return list(
        IndividualOffer.objects.filter(account=account).order_by("made_at", "pk").values_list("status", flat=True)
    )


def test_an_offer_of_staff_stands_before_the_rules_and_the_default(account):
    rule()
    offer = make(account, percent_bps=85_00, max_payments=3, max_days=60, text="For you", methods=["ach"])
    found = settlement(account)
    assert (found.amount_cents, found.max_payments, found.last_date) == (850_00, 3, TODAY + 60 * DAY)
    assert (found.level, found.version, found.text, found.methods) == ("staff", str(offer.pk), "For you", ("ach",))
    assert (offer.made_by, offer.exceeds, offer.origin, offer.status) == ("staff:1", False, "staff", "made")
    data = Event.objects.get(kind="offer.made").data
    assert (data["offer"], data["percent_bps"], data["by"]) == (str(offer.pk), 85_00, "staff:1")


def test_a_campaigns_offer_names_its_campaign(account):
    rule()
    offer = make(account, origin="campaign", percent_bps=90_00, campaign_id=account.pk)
    assert (offer.campaign_id, settlement(account).level) == (account.pk, "campaign")


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"percent_bps": 79_99}, ["offer_below_minimum"]),
        ({"amount_cents": 799_99}, ["offer_below_minimum"]),
        ({"percent_bps": 80_00, "max_payments": 14, "max_days": 20}, ["offer_too_many_payments"]),
        ({"percent_bps": 80_00, "max_days": 91}, ["offer_too_long"]),
        ({"percent_bps": 80_00, "max_on": dt.date(2027, 3, 2)}, ["offer_too_long"]),
        (
            {"percent_bps": 1_00, "max_payments": 99, "max_days": 300},
            ["offer_below_minimum", "offer_too_many_payments", "offer_too_long"],
        ),
    ],
)
def test_an_offer_beyond_the_band_needs_the_permission_and_a_reason(account, values, codes):
    rule()
    assert refused(account, **values) == codes
    assert refused(account, **values, exceed=True) == ["reason_needed"]
    assert (IndividualOffer.objects.count(), told(account)) == (0, [])
    offer = make(account, **values, exceed=True, reason="Supervisor Ann agreed")
    assert (offer.exceeds, offer.reason) == (True, "Supervisor Ann agreed")
    assert Event.objects.get(kind="offer.made").data["exceeds"] is True


@pytest.mark.parametrize(
    "values",
    [
        {"percent_bps": 80_00},
        {"amount_cents": 800_00},
        {"amount_cents": 1_000_00},
        {"percent_bps": 80_00, "max_payments": 13, "max_days": 90},
        {"percent_bps": 80_00, "max_on": dt.date(2027, 3, 1)},
        {"percent_bps": 80_00, "max_days": 400, "max_on": dt.date(2027, 3, 1)},
    ],
)
def test_an_offer_on_the_limit_is_within_it_and_exceeds_nothing(account, values):
    rule()
    assert make(account, **values, exceed=True).exceeds is False


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"percent_bps": 74_99}, ["offer_below_minimum"]),
        ({"percent_bps": 75_00, "max_payments": 7, "max_days": 180}, ["offer_too_many_payments"]),
        ({"percent_bps": 75_00, "max_payments": 6, "max_days": 181}, ["offer_too_long"]),
    ],
)
def test_without_rules_the_default_offer_is_the_limit(account, values, codes):
    assert refused(account, **values) == codes
    assert make(account, percent_bps=75_00, max_payments=6, max_days=180).exceeds is False


def test_where_nothing_is_offered_nothing_may_be_without_the_permission(account):
    offers.set_default(values={"enabled": False}, by="test", now=NOW)
    assert refused(account, percent_bps=99_00) == ["no_settlement"]
    rule(minimum_settlement_bps=0)
    assert refused(account, percent_bps=99_00) == ["settlement_off_in_band"]
    rule(owing_from_cents=5_000_00)
    assert refused(account, percent_bps=99_00) == ["no_band"]
    assert make(account, percent_bps=50_00, exceed=True, reason="court").exceeds is True
    assert settlement(account).amount_cents == 500_00


def test_the_window_of_the_band_is_kept_and_ends_the_offer(account):
    Account.objects.update(listed_on=dt.date(2026, 7, 1))
    rule(months_before_settlement=6, months_until_settlement=12)
    assert refused(account) == ["settlement_not_yet"]
    open_now = dt.datetime(2027, 1, 1, 15, tzinfo=dt.UTC)
    late = {"percent_bps": 80_00, "expires_on": dt.date(2027, 7, 1)}
    assert [one.code for one in make(account, now=open_now, **late)] == ["offer_outlives_window"]
    assert make(account, now=open_now, percent_bps=80_00).expires_on == dt.date(2027, 6, 30)
    assert make(account, now=open_now, **late, exceed=True, reason="court").expires_on == dt.date(2027, 7, 1)
    over = dt.datetime(2027, 7, 1, 15, tzinfo=dt.UTC)
    assert [one.code for one in make(account, now=over)] == ["settlement_over"]


def test_the_clients_own_band_is_the_limit(account):
    rule()
    rule(account.client, minimum_settlement_bps=60_00)
    assert make(account, percent_bps=60_00, max_days=90).exceeds is False
    assert refused(account, percent_bps=59_99) == ["offer_below_minimum"]


ALWAYS_WRONG = [
    ({"max_payments": 1}, "settlement_without_amount", "/amount_cents"),
    ({"amount_cents": 0}, "settlement_amount_not_positive", "/amount_cents"),
    ({"amount_cents": -1}, "settlement_amount_not_positive", "/amount_cents"),
    ({"amount_cents": 1_000_01}, "offer_above_balance", "/amount_cents"),
    ({"amount_cents": 10**18}, "offer_above_balance", "/amount_cents"),
    ({"percent_bps": 0}, "settlement_percent_out_of_range", "/percent_bps"),
    ({"percent_bps": 100_01}, "settlement_percent_out_of_range", "/percent_bps"),
    ({"amount_cents": 900_00, "percent_bps": 90_00}, "amount_or_percent", "/percent_bps"),
    ({"percent_bps": 90_00, "max_payments": 0}, "settlement_payments_out_of_range", "/max_payments"),
    ({"percent_bps": 90_00, "max_payments": 10_000}, "settlement_payments_out_of_range", "/max_payments"),
    ({"percent_bps": 90_00, "max_days": -1}, "settlement_days_out_of_range", "/max_days"),
    ({"percent_bps": 90_00, "max_on": TODAY - DAY}, "last_day_in_past", "/max_on"),
    ({"percent_bps": 90_00, "expires_on": TODAY - DAY}, "expires_in_past", "/expires_on"),
    ({"percent_bps": 90_00, "methods": ["cash"]}, "method_unknown", "/methods"),
    ({"percent_bps": 90_00, "text": "x" * 501}, "text_too_long", "/text"),
    ({"percent_bps": 90_00, "text": "a\x00b"}, "text_unprintable", "/text"),
    ({"percent_bps": 90_00, "reason": "x" * 301}, "text_too_long", "/reason"),
]


@pytest.mark.parametrize(("values", "code", "field"), ALWAYS_WRONG)
def test_what_is_wrong_in_itself_no_permission_makes_right(account, values, code, field):
    values = {"reason": "court"} | values
    found = make(account, **values, exceed=True)
    assert [(one.code, one.field) for one in found] == [(code, field)]
    assert found[0].sentence
    assert (IndividualOffer.objects.count(), Event.objects.count()) == (0, 0)


def test_a_ban_on_methods_binds_staff_too(account):
    rule(card_disabled=True)
    assert refused(account, percent_bps=80_00, methods=["card"], exceed=True, reason="x") == ["method_not_allowed"]
    make(account, percent_bps=80_00, methods=["card", "ach"])
    assert settlement(account).methods == ("ach",)


@pytest.mark.parametrize("age", ["expired", "unknown", ""])
def test_a_debt_too_old_for_parts_is_offered_one_payment_only_whatever_the_permission_sol_04(account, age):
    Account.objects.filter(pk=account.pk).update(sol_status=age)
    several = {"percent_bps": 80_00, "max_payments": 6, "max_days": 180}
    assert refused(account, **several, exceed=True, reason="court") == ["too_old_for_parts"]
    assert IndividualOffer.objects.count() == 0
    said = {"accounts": [account], "by": "staff:1", "now": NOW}
    (found,) = many.make_many(campaign_id=account.pk, **said, **several).values()
    assert (found.max_payments, found.percent_bps) == (1, 80_00), "a campaign offers it all the same"
    Agency.objects.update(old_debt_parts_states="NY")
    (found,) = many.make_many(campaign_id=account.client_id, **said, **several).values()
    assert found.max_payments == 6
    Agency.objects.update(old_debt_parts_states="")
    assert make(account, percent_bps=80_00).max_payments == 1


def test_who_asked_not_to_be_written_to_may_still_be_offered_less_section_14(account):
    Account.objects.filter(pk=account.pk).update(status="cease")
    assert make(account).status == "made"


@pytest.mark.parametrize("name", ["expires_on", "max_on"])
def test_no_offer_ends_before_the_validation_period_does_rf_31(account, name):
    # Sent on Tuesday, 2026-12-01: assumed to have arrived on 12-08, so the period ends on 2027-01-07.
    Account.objects.filter(pk=account.pk).update(validation_sent_on=TODAY)
    early = {"percent_bps": 80_00, "exceed": True, "reason": "x", name: dt.date(2027, 1, 6)}
    assert refused(account, **early) == ["offer_ends_in_validation"]
    assert told(account) == []
    assert make(account, **early | {name: dt.date(2027, 1, 7)}).status == "made"


def test_no_window_ends_an_offer_before_the_validation_period_does_rf_31(account):
    rule(months_until_settlement=1)
    Account.objects.filter(pk=account.pk).update(validation_sent_on=TODAY, listed_on=TODAY)
    account.refresh_from_db()
    assert refused(account, percent_bps=80_00) == ["offer_ends_in_validation"]
    Account.objects.filter(pk=account.pk).update(validation_sent_on=TODAY - dt.timedelta(days=60))
    assert make(account, percent_bps=80_00).expires_on < dt.date(2027, 1, 7)


def test_no_window_ends_an_offer_of_a_campaign_before_the_validation_period_does_rf_31(account):
    rule(months_until_settlement=1)
    other = make_account(account.agency, reference="100999")
    Account.objects.update(validation_sent_on=TODAY - dt.timedelta(days=60), listed_on=TODAY)
    Account.objects.filter(pk=account.pk).update(validation_sent_on=TODAY)
    before = make(account, percent_bps=90_00, exceed=True, reason="x", expires_on=dt.date(2027, 1, 7))
    found = many.make_many(
        accounts=[account, other], campaign_id=uuid.uuid4(), by="campaign:staff:1", now=NOW, percent_bps=80_00
    )
    assert [one.code for one in found[account.pk]] == ["offer_ends_in_validation"]
    assert IndividualOffer.objects.get(account=account).pk == before.pk, "nothing is withdrawn for it"
    assert found[other.pk].expires_on == dt.date(2026, 12, 31)


@pytest.mark.parametrize("status", [one for one in Account.Status.values if one not in ("open", "cease")])
def test_an_account_that_is_not_open_gets_no_offer(account, status):
    Account.objects.update(status=status)
    assert refused(account, percent_bps=80_00, exceed=True, reason="x") == ["account_not_open"]


def test_nothing_owed_is_nothing_to_settle(account):
    Account.objects.update(balance_cents=0)
    assert refused(account, percent_bps=80_00, exceed=True, reason="x") == ["nothing_owed"]


def test_a_new_offer_withdraws_the_open_one(account):
    first = make(account, percent_bps=80_00)
    offers.view(account=account, terms=settlement(account), now=NOW)
    make(account, origin="campaign", percent_bps=90_00)
    assert statuses(account) == ["withdrawn", "made"]
    assert settlement(account).amount_cents == 900_00
    assert told(account) == ["offer.made", "offer.viewed", "offer.withdrawn", "offer.made"]
    gone = Event.objects.get(kind="offer.withdrawn").data
    assert (gone["offer"], gone["reason"]) == (str(first.pk), "replaced by campaign")


def test_a_refused_offer_leaves_the_open_one_alone(account):
    make(account)
    assert refused(account, percent_bps=1_00) == ["offer_below_minimum"]
    assert (statuses(account), told(account)) == (["made"], ["offer.made"])


def test_the_database_holds_one_open_offer_per_account(account):
    make(account)
    values = {"account": account, "origin": "campaign", "percent_bps": 50_00, "made_at": NOW}
    with pytest.raises(IntegrityError, match="one_open_offer_per_account"), transaction.atomic():
        IndividualOffer.objects.create(**values, status="viewed")


def test_while_an_accepted_offer_stands_no_other_is_made(account):
    make(account, percent_bps=80_00)
    offers.accept(account=account, terms=offers.facts(settlement(account)), now=NOW, about={})
    assert refused(account, percent_bps=90_00, exceed=True, reason="x") == ["offer_accepted_stands"]
    assert settlement(account).amount_cents == 800_00


@pytest.mark.parametrize("status", ["completed", "broken", "withdrawn"])
def test_an_accepted_offer_ends_once_with_its_arrangement(account, status):
    offer = make(account, percent_bps=80_00)
    assert individual.close(account=account, status=status, now=NOW) is None, "not accepted yet"
    offers.accept(account=account, terms=offers.facts(settlement(account)), now=NOW, about={})
    assert individual.close(account=account, status=status, now=NOW + DAY).pk == offer.pk
    assert individual.close(account=account, status=status, now=NOW + DAY) is None
    assert told(account) == ["offer.made", "offer.accepted", f"offer.{status}"]
    assert (statuses(account), settlement(account).level) == ([status], "global")


def test_an_offer_is_never_closed_as_something_else(account):
    with pytest.raises(AssertionError):
        individual.close(account=account, status="made", now=NOW)
    with pytest.raises(ValueError, match="paid"):
        individual.close(account=account, status="paid", now=NOW)


def test_a_declined_offer_leaves_what_the_levels_below_say(account):
    offer = make(account, percent_bps=80_00)
    assert individual.decline(account=account, by="consumer:1", now=NOW + DAY).pk == offer.pk
    assert individual.decline(account=account, by="consumer:1", now=NOW + DAY) is None
    offer.refresh_from_db()
    assert (offer.status, offer.decided_at) == ("declined", NOW + DAY)
    assert (settlement(account).level, told(account)) == ("global", ["offer.made", "offer.declined"])
    assert Event.objects.get(kind="offer.declined").data["by"] == "consumer:1"


def test_a_withdrawn_offer_says_why_and_is_withdrawn_once(account):
    offer = make(account, percent_bps=80_00)
    assert individual.withdraw(offer=offer, reason="Wrong account", by="staff:2", now=NOW) == []
    (again,) = individual.withdraw(offer=offer, reason="", by="staff:2", now=NOW)
    assert (again.code, settlement(account).level) == ("offer_not_open", "global")
    data = Event.objects.get(kind="offer.withdrawn").data
    assert (data["reason"], data["by"]) == ("Wrong account", "staff:2")
    offer = make(account)
    (long,) = individual.withdraw(offer=offer, reason="x" * 301, by="staff:2", now=NOW)
    assert (long.code, statuses(account)) == ("text_too_long", ["withdrawn", "made"])


class TestTheHost:
    """Whoever says something new last is heard; repeating oneself is saying nothing."""

    def says(self, account, percent_bps, now=NOW):
        said = HostSettlement(percent_bps=percent_bps) if percent_bps else None
        assert offers.set_host_offer(account=account, settlement=said, now=now) == []

    def test_its_silence_withdraws_its_own_open_offer_and_no_others(self, account):
        make(account, percent_bps=80_00)
        self.says(account, None)
        assert (settlement(account).level, told(account)) == ("staff", ["offer.made"])
        self.says(account, 70_00, NOW + DAY)
        assert settlement(account).level == "host"
        make(account, percent_bps=90_00, now=NOW + 2 * DAY)
        self.says(account, None, NOW + 3 * DAY)
        assert (settlement(account).level, settlement(account).amount_cents) == ("staff", 900_00)
        assert statuses(account) == ["withdrawn", "withdrawn", "made"]

    def test_repeating_itself_does_not_displace_a_newer_offer(self, account):
        self.says(account, 70_00)
        make(account, percent_bps=90_00, now=NOW + DAY)
        for days in (2, 3):
            self.says(account, 70_00, NOW + days * DAY)
        assert (settlement(account).level, statuses(account)) == ("staff", ["withdrawn", "made"])

    def test_news_displaces_an_older_offer(self, account):
        self.says(account, 70_00)
        make(account, percent_bps=90_00, now=NOW + DAY)
        self.says(account, 65_00, NOW + 2 * DAY)
        assert (settlement(account).amount_cents, settlement(account).level) == (650_00, "host")
        self.says(account, None, NOW + 3 * DAY)
        self.says(account, 70_00, NOW + 4 * DAY)
        assert settlement(account).amount_cents == 700_00, "said again after silence it is news"

    @pytest.mark.parametrize("end", ["declined", "withdrawn", "expired", "completed", "broken"])
    def test_repeating_itself_brings_no_ended_offer_back(self, account, end):
        self.says(account, 70_00)
        IndividualOffer.objects.update(status=end, decided_at=NOW)
        self.says(account, 70_00, NOW + DAY)
        assert (statuses(account), settlement(account).level) == ([end], "global")
        self.says(account, 69_00, NOW + DAY)
        assert settlement(account).level == "host"

    def test_an_accepted_offer_stands_whatever_it_says(self, account):
        self.says(account, 70_00)
        offers.accept(account=account, terms=offers.facts(settlement(account)), now=NOW, about={})
        for days, percent_bps in enumerate((70_00, None, 60_00, None)):
            self.says(account, percent_bps, NOW + (days + 1) * DAY)
        assert statuses(account) == ["accepted", "withdrawn"]
        assert settlement(account).amount_cents == 700_00

    def test_it_is_not_held_to_the_rules_but_to_their_bans(self, account):
        rule(card_disabled=True)
        self.says(account, 5_00)
        assert (settlement(account).amount_cents, settlement(account).methods) == (50_00, ("ach",))

    def test_it_says_one_thing_at_a_time_by_constraint(self, account):
        self.says(account, 70_00)
        values = {"account": account, "origin": "host", "percent_bps": 50_00, "made_at": NOW, "status": "declined"}
        with pytest.raises(IntegrityError, match="a_host_says_one_offer"), transaction.atomic():
            IndividualOffer.objects.create(**values)


class TestExpiry:
    """The last day is a day where the consumer lives."""

    @pytest.fixture
    def offer(self, account):
        return make(account, percent_bps=80_00, expires_on=TODAY)

    def expire(self, now):
        with acting_for(ALL_AGENCIES):
            return individual.expire(now=now)

    def test_it_is_over_when_that_day_is_over_in_new_york(self, account, offer):
        midnight = dt.datetime(2026, 12, 2, 5, 0, tzinfo=dt.UTC)
        assert self.expire(midnight - dt.timedelta(seconds=1)) == 0
        assert self.expire(midnight) == 1
        assert self.expire(midnight) == 0
        offer.refresh_from_db()
        assert (offer.status, offer.decided_at) == ("expired", midnight)
        assert (told(account), settlement(account).level) == (["offer.made", "offer.expired"], "global")

    def test_it_is_not_offered_after_that_day_even_before_the_sweep(self, account, offer):
        assert settlement(account, TODAY).level == "staff"
        assert settlement(account, TODAY + DAY).level == "global"
        offers.accept(account=account, terms=offers.facts(settlement(account, TODAY)), now=NOW, about={})
        assert settlement(account, TODAY + DAY).level == "staff", "an accepted one does not expire"
        assert self.expire(NOW + 9 * DAY) == 0

    def test_without_a_last_day_it_expires_with_the_last_day_to_pay(self, account):
        assert make(account, percent_bps=80_00).expires_on is None
        assert make(account, percent_bps=80_00, max_on=TODAY + 5 * DAY).expires_on == TODAY + 5 * DAY
        both = {"max_on": TODAY + 5 * DAY, "expires_on": TODAY + 2 * DAY}
        assert make(account, percent_bps=80_00, **both).expires_on == TODAY + 2 * DAY

    def test_each_consumer_has_a_midnight_of_their_own(self, account, offer, others_account, other_agency):
        with acting_for(other_agency):
            others_account.consumer.time_zone = "Pacific/Honolulu"
            others_account.consumer.save()
            theirs = make(others_account, percent_bps=80_00, expires_on=TODAY)
        assert self.expire(dt.datetime(2026, 12, 2, 9, 59, tzinfo=dt.UTC)) == 1
        assert self.expire(dt.datetime(2026, 12, 2, 10, 0, tzinfo=dt.UTC)) == 1
        with acting_for(other_agency):
            theirs.refresh_from_db()
            assert (theirs.status, told(others_account)) == ("expired", ["offer.made", "offer.expired"])

    def test_many_go_in_few_statements(self, account, monkeypatch, django_assert_max_num_queries):
        for number in range(7):
            one = make_account(account.agency, reference=f"2{number}", consumer=account.consumer)
            make(one, percent_bps=80_00, expires_on=TODAY)
        monkeypatch.setattr(individual, "EXPIRED_AT_ONCE", 3)
        assert self.expire(NOW + 2 * DAY) == 7
        assert Event.objects.filter(kind="offer.expired").count() == 7
        monkeypatch.setattr(individual, "EXPIRED_AT_ONCE", 1_000)
        for one in Account.objects.exclude(pk=account.pk):
            make(one, percent_bps=80_00, expires_on=TODAY)
        with django_assert_max_num_queries(9):
            assert self.expire(NOW + 2 * DAY) == 7


@pytest.mark.django_db(transaction=True)
def test_the_sweep_leaves_what_somebody_holds(acting):
    account = make_account(acting)
    make(account, percent_bps=80_00, expires_on=TODAY)
    held, done = threading.Event(), threading.Event()

    def hold():
        with acting_for(acting), transaction.atomic():
            Account.objects.select_for_update().get(pk=account.pk)
            held.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        with acting_for(ALL_AGENCIES):
            assert individual.expire(now=NOW + 2 * DAY) == 0
    finally:
        done.set()
        thread.join(20)
    with acting_for(ALL_AGENCIES):
        assert individual.expire(now=NOW + 2 * DAY) == 1


@pytest.mark.django_db(transaction=True)
def test_offers_made_at_once_leave_one_open(acting):
    GlobalOffer.objects.all()
    account = make_account(acting)

    def run():
        with acting_for(acting):
            assert isinstance(make(account, percent_bps=80_00), IndividualOffer)

    at_once(run, run, run)
    assert sorted(statuses(account)) == ["made", "withdrawn", "withdrawn"]
    assert sorted(told(account)) == ["offer.made"] * 3 + ["offer.withdrawn"] * 2


def test_the_other_agencys_account_and_offer_are_unknown(account, others_account, other_agency):
    with acting_for(other_agency):
        theirs = make(others_account, percent_bps=80_00)
    assert refused(others_account, percent_bps=80_00) == ["account_unknown"]
    found = individual.withdraw(offer=theirs, reason="", by="staff:1", now=NOW)
    assert [one.code for one in found] == ["offer_unknown"]
    assert individual.decline(account=others_account, by="consumer:1", now=NOW) is None
    assert individual.close(account=others_account, status="broken", now=NOW) is None
    assert settlement(account).level == "global"
    with acting_for(other_agency):
        assert (statuses(others_account), told(others_account)) == (["made"], ["offer.made"])


def test_what_is_open_to_many_accounts_takes_three_queries(account, django_assert_max_num_queries):
    due = {account: (1_000_00, TODAY)}
    for number in range(5):
        one = make_account(account.agency, reference=f"3{number}", consumer=account.consumer)
        due[one] = (1_000_00, TODAY)
    make(account, percent_bps=80_00)
    with django_assert_max_num_queries(3):
        found = offers.offered_to(due=due, now=NOW)
    assert sorted(one.settlement.level for one in found.values()) == ["global"] * 5 + ["staff"]


def test_a_sweep_over_all_agencies_reads_each_account_by_its_own_rules(account, others_account, other_agency):
    rule(minimum_settlement_bps=60_00)
    with acting_for(other_agency):
        rule(minimum_settlement_bps=20_00)
    with acting_for(ALL_AGENCIES):
        found = offers.offered_to(due={account: (1_000_00, TODAY), others_account: (1_000_00, TODAY)}, now=NOW)
    amounts = {key: at.settlement.amount_cents for key, at in found.items()}
    assert amounts == {account.pk: 600_00, others_account.pk: 200_00}
