"""Quotes: frozen figures, the world they come from, and what is said when it moved."""

import dataclasses
import datetime as dt

import pytest
from django.db import InternalError, transaction

from accounts.tenancy import acting_for
from settlements.models import GlobalOffer, Quote, RuleSet
from settlements.rules.quotes import CHOICES, Wish
from settlements.rules.schedules import Line
from settlements.services import offers, quotes
from tests.conftest import NOW, make_account

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 12, 1)
PARTS = Wish("parts", method="card", parts=3)
BAND = {
    "owing_from_cents": 0,
    "owing_to_cents": 999_999_999_00,
    "max_months_unsettled": 12,
    "max_months_settled": 6,
    "minimum_settlement_bps": 60_00,
}


def make(account, wish=PARTS, *, owed: int = 1_000_00, today=TODAY, now=NOW):
    with acting_for(account.agency):
        return quotes.make(account=account, owed_cents=owed, today=today, wish=wish, by="key:1", now=now)


def offered(account, *, owed: int = 1_000_00, today=TODAY, now=NOW):
    with acting_for(account.agency):
        return offers.offered_to(due={account: (owed, today)}, now=now)[account.pk]


def publish(agency, *, now=NOW, client=None, **values) -> RuleSet:
    with acting_for(agency):
        version = RuleSet.objects.filter(client=client).count() + 1
        return RuleSet.objects.create(
            **{"client": client, "version": version, "status": "published", "bands": [BAND], "effective_at": now}
            | {"published_at": now}
            | values
        )


def test_a_quote_is_the_three_payments_the_saving_and_their_source(account):
    quote = make(account)
    assert quote.lines == [["2026-12-01", 250_00], ["2027-01-01", 250_00], ["2027-02-01", 250_00]]
    assert (quote.choice, quote.method, quote.frequency, quote.total_cents) == ("parts", "card", "monthly", 750_00)
    assert (quote.terms["saving_cents"], quote.terms["level"], quote.terms["version"]) == (250_00, "global", 1)
    assert ["amount_cents", "global", 1, "percent_bps", 75_00] in quote.terms["trace"]
    assert (quote.made_by, quote.made_at, quote.expires_at) == ("key:1", NOW, NOW + dt.timedelta(hours=24))


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_says_what_was_owed_and_where_it_comes_from(agency, account, choice):
    publish(agency)
    quote = make(account, Wish(choice, amount_cents=40_00 if choice == "amount" else None))
    assert isinstance(quote, Quote)
    assert quote.terms["balance_cents"] == 1_000_00
    assert quote.terms["trace"]
    assert sum(cents for _on, cents in quote.lines) == quote.total_cents
    assert quotes.what_changed(quote=quote, offered=offered(account)) == []


def test_what_is_against_a_wish_comes_all_at_once_and_nothing_is_written(account):
    lines = (Line(dt.date(2026, 11, 30), 10_00), Line(dt.date(2027, 9, 1), 20_00))
    found = make(account, Wish("parts", method="card", frequency="custom", lines=lines))
    assert {refusal.code for refusal in found} >= {
        "sum_not_exact",
        "first_date_in_past",
        "payment_below_minimum",
        "last_date_too_late",
    }
    with acting_for(account.agency):
        assert not Quote.objects.exists()


def test_a_quote_is_frozen_and_accepted_once(account):
    quote = make(account)
    with acting_for(account.agency):
        with pytest.raises(InternalError, match="frozen"), transaction.atomic():
            Quote.objects.update(total_cents=1)
        Quote.objects.update(status="accepted", accepted_at=NOW, result_id=quote.pk)
        with pytest.raises(InternalError, match="frozen"), transaction.atomic():
            Quote.objects.update(result_id=None)


def test_a_quote_is_open_until_the_minute_it_says(account):
    quote = make(account)
    day = dt.timedelta(hours=24)
    assert quotes.state(quote, now=NOW + day - dt.timedelta(seconds=1)) == "open"
    assert quotes.state(quote, now=NOW + day) == "expired"
    quote.status = "accepted"
    assert quotes.state(quote, now=NOW + day) == "accepted"
    assert quotes.expired(quote).sentence.startswith("These figures were good until December 2, 2026")


def test_a_quote_that_is_over_names_the_day_where_the_consumer_lives(account):
    quote = make(account, now=NOW + dt.timedelta(hours=12))  # ten in the evening in New York, the next day in UTC
    assert quote.expires_at.date() == dt.date(2026, 12, 3)
    assert quotes.expired(quote).sentence.startswith("These figures were good until December 2, 2026")


def test_a_quote_of_another_agency_is_not_there(account, others_account):
    quote = make(account)
    with acting_for(account.agency):
        assert quotes.get(quote_id=quote.pk, now=NOW) == (quote, "open")
    with acting_for(others_account.agency):
        assert quotes.get(quote_id=quote.pk, now=NOW) is None


def test_the_world_is_the_same_on_the_next_day_while_the_rules_count_days(account):
    assert quotes.world_of(offered(account)) == quotes.world_of(offered(account, today=dt.date(2026, 12, 2)))


def test_the_world_is_another_one_when_a_limit_closes_with_the_day(agency, account):
    publish(agency, bands=[BAND | {"months_until_settlement": 6}])
    account.listed_on = dt.date(2026, 6, 2)
    same, over = offered(account), offered(account, today=dt.date(2026, 12, 2))
    assert "settlement" not in same.closed
    assert "settlement" in over.closed
    assert quotes.world_of(same) != quotes.world_of(over)


def test_two_accounts_that_are_offered_the_same_have_the_same_world(agency, account):
    other = make_account(agency, reference="200", consumer=account.consumer)
    assert quotes.world_of(offered(account)) == quotes.world_of(offered(other))


@pytest.mark.parametrize(
    "moved",
    ["owed", "percent", "payments", "methods", "minimum", "default off", "rules", "individual"],
)
def test_everything_that_matters_moves_the_world(agency, account, moved):
    before = quotes.world_of(offered(account))
    owed = 1_000_00
    with acting_for(agency):
        match moved:
            case "owed":
                owed += 1
            case "percent":
                offers.set_default(values={"percent_bps": 74_99}, by="staff:1", now=NOW)
            case "payments":
                offers.set_default(values={"max_payments": 5}, by="staff:1", now=NOW)
            case "methods":
                account.payment_options = {"recurring_card": False}
            case "minimum":
                account.payment_options = {"minimum_single_cents": 5_00}
            case "default off":
                offers.set_default(values={"enabled": False}, by="staff:1", now=NOW)
            case "rules":
                publish(agency)
            case "individual":
                from settlements.rules.offers import HostSettlement

                offers.set_host_offer(account=account, settlement=HostSettlement(percent_bps=75_00), now=NOW)
    assert quotes.world_of(offered(account, owed=owed)) != before


def test_what_is_owed_moves_the_world_where_nothing_is_offered_on_it(agency, account):
    with acting_for(agency):
        offers.set_default(values={"enabled": False}, by="staff:1", now=NOW)
    assert quotes.world_of(offered(account)) != quotes.world_of(offered(account, owed=999_99))


def test_what_changed_is_said_with_both_amounts(agency, account):
    quote = make(account)
    found = quotes.what_changed(quote=quote, offered=offered(account, owed=900_00))
    said = {refusal.code: refusal.sentence for refusal in found}
    assert said["owed_changed"] == "$1,000.00 was owed then; $900.00 is owed now."
    assert said["amount_changed"] == "The amount was $750.00 then; it is $675.00 now."
    assert "sum_not_exact" in said


def test_a_new_version_of_the_rules_is_said_even_where_its_numbers_are_the_same(agency, account):
    first = publish(agency)
    quote = make(account, Wish("plan", method="card", parts=4))
    assert quote.terms["version"] == first.version
    later = NOW + dt.timedelta(minutes=1)
    publish(agency, now=later)
    found = quotes.what_changed(quote=quote, offered=offered(account, now=later))
    assert [refusal.code for refusal in found] == ["rules_changed"]


def test_an_offer_that_is_gone_is_said_by_its_own_reason(agency, account):
    quote = make(account)
    with acting_for(agency):
        offers.set_default(values={"enabled": False}, by="staff:1", now=NOW)
    found = quotes.what_changed(quote=quote, offered=offered(account))
    assert "no_settlement" in [refusal.code for refusal in found]


def test_a_first_payment_of_yesterday_is_refused_although_nothing_else_moved(account):
    quote = make(account)
    found = quotes.what_changed(quote=quote, offered=offered(account, today=dt.date(2026, 12, 2)))
    assert [refusal.code for refusal in found] == ["first_date_in_past"]


def test_a_quote_for_tomorrow_stands_overnight(account):
    quote = make(account, dataclasses.replace(PARTS, first_on=dt.date(2026, 12, 4)))
    assert quotes.what_changed(quote=quote, offered=offered(account, today=dt.date(2026, 12, 2))) == []


def test_a_change_beside_the_chosen_offer_is_still_a_change(agency, account):
    quote = make(account, Wish("full"))
    with acting_for(agency):
        offers.set_default(values={"percent_bps": 50_00}, by="staff:1", now=NOW)
    found = quotes.what_changed(quote=quote, offered=offered(account))
    assert [refusal.code for refusal in found] == ["offer_changed"]


def test_the_default_offer_has_versions_in_quotes(agency, account):
    with acting_for(agency):
        offers.set_default(values={"percent_bps": 50_00}, by="staff:1", now=NOW)
        assert GlobalOffer.objects.count() == 2
    assert make(account).terms["version"] == 2
