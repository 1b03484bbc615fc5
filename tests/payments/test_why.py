"""Why this offer: any moment comes back as it was, to the cent, whatever changed since."""

import datetime as dt
import uuid

import pytest
from django.db import transaction

from accounts import events
from accounts.models import Account
from accounts.tenancy import acting_for
from payments.models import Payment
from payments.services import gate, why
from settlements.models import IndividualOffer
from settlements.services import offers, rulesets
from tests.conftest import NOW

DAY = dt.timedelta(days=1)
BAND = {"owing_from_cents": 0, "owing_to_cents": 5_000_00, "minimum_cents": 25_00, "max_months_unsettled": 12}


@pytest.fixture(autouse=True)
def scope(agency):
    with acting_for(agency):
        yield


@pytest.fixture
def account(account):
    Account.objects.filter(pk=account.pk).update(created_at=NOW, updated_at=NOW)
    offers.set_default(values={}, by="staff:1", now=NOW)  # version 2, whatever the clock on the wall says
    account.refresh_from_db()
    return account


def rules(now, **band):
    made = rulesets.draft(client=None, by="staff:1", now=now)
    assert rulesets.save_draft(rule_set=made, values={}, bands=[BAND | band], by="staff:1", now=now) == []
    return rulesets.publish(rule_set=made, by="staff:1", now=now)


def said(account, at, number, offer="settlement"):
    """Give what a number was, and the level, version and field that gave it."""
    found = why.explain(account=account, at=at)
    line = next(one for one in found.numbers if (one.choice, one.number) == (offer, number))
    return line.value, line.level, line.version, line.field, line.said


def change(account, at, **values):
    Account.objects.filter(pk=account.pk).update(updated_at=at, **values)
    account.refresh_from_db()


def test_three_changes_of_the_rules_and_each_moment_between_them_comes_back(account):
    offers.set_default(values={"percent_bps": 70_00}, by="staff:1", now=NOW + DAY)
    rules(NOW + 2 * DAY, minimum_settlement_bps=60_00)
    rules(NOW + 3 * DAY, minimum_settlement_bps=50_00, offered_settlement_bps=55_00)
    moments = [NOW + n * DAY + dt.timedelta(hours=1) for n in range(4)]
    assert [said(account, at, "amount_cents") for at in moments] == [
        (750_00, "global", 2, "percent_bps", 75_00),
        (700_00, "global", 3, "percent_bps", 70_00),
        (600_00, "agency", 1, "minimum_settlement_bps", 60_00),
        (550_00, "agency", 2, "offered_settlement_bps", 55_00),
    ]


def test_the_moment_itself_belongs_to_the_new_version(account):
    rules(NOW + DAY, minimum_settlement_bps=60_00)
    assert said(account, NOW + DAY, "amount_cents")[:3] == (600_00, "agency", 1)
    assert said(account, NOW + DAY - dt.timedelta(microseconds=1), "amount_cents")[:3] == (750_00, "global", 2)


def test_a_withdrawn_version_is_remembered_for_as_long_as_it_stood(account):
    row = rules(NOW + DAY, minimum_settlement_bps=60_00)
    rulesets.withdraw(rule_set=row, by="staff:1", now=NOW + 2 * DAY)
    at = [said(account, NOW + n * DAY + dt.timedelta(hours=1), "amount_cents")[0] for n in range(3)]
    assert at == [750_00, 600_00, 750_00]


def test_the_balance_and_the_placement_are_those_of_the_moment(account):
    rules(NOW, minimum_settlement_bps=50_00, months_before_settlement=6)
    change(account, NOW + DAY, balance_cents=800_00, listed_on=dt.date(2026, 1, 1))
    change(account, NOW + 2 * DAY, balance_cents=600_00)
    found = [why.explain(account=account, at=NOW + n * DAY + dt.timedelta(hours=1)) for n in range(3)]
    assert [one.facts.owed_cents for one in found] == [1_000_00, 800_00, 600_00]
    first = dict(found[0].closed)["settlement"]
    assert [reason.code for reason in first] == ["listed_date_unknown"]
    assert [one.offered.settlement.amount_cents for one in found[1:]] == [400_00, 300_00]


def test_an_individual_offer_counts_while_it_stood(account):
    offer = IndividualOffer.objects.create(
        account=account, origin="host", amount_cents=500_00, made_at=NOW + DAY, status="withdrawn",
        decided_at=NOW + 2 * DAY,
    )  # fmt: skip
    at = [said(account, NOW + n * DAY + dt.timedelta(hours=1), "amount_cents")[:3] for n in range(3)]
    assert at == [(750_00, "global", 2), (500_00, "host", str(offer.pk)), (750_00, "global", 2)]


def test_an_offer_past_its_last_day_does_not_count_even_before_it_is_swept_up(account):
    IndividualOffer.objects.create(
        account=account, origin="staff", amount_cents=500_00, made_at=NOW, expires_on=NOW.date() + DAY
    )
    at = [said(account, NOW + n * DAY + dt.timedelta(hours=1), "amount_cents")[0] for n in range(3)]
    assert at == [500_00, 500_00, 750_00]


def test_a_payment_counts_from_its_intent_until_the_host_shows_it_or_it_is_declined(account):
    def pay(cents, **values):
        return Payment.objects.create(
            account=account,
            consumer=account.consumer,
            idempotency_key=uuid.uuid4(),
            request_hash="",
            kind="card",
            executor="portal",
            purpose="amount",
            amount_cents=cents,
            intended_at=NOW + DAY,
            **values,
        )

    shown = pay(100_00, status="succeeded", decided_at=NOW + DAY, acknowledged_at=NOW + 3 * DAY)
    declined = pay(40_00, status="declined", decided_at=NOW + 2 * DAY)
    for payment, status, at in ((shown, "succeeded", NOW + DAY), (declined, "declined", NOW + 2 * DAY)):
        with transaction.atomic():
            told = {"payment": str(payment.pk), "status": status}
            events.record(f"payment.{status}", account=account, now=at, data=told)
    change(account, NOW + 3 * DAY, balance_cents=900_00)
    hours = dt.timedelta(hours=1)
    facts = [why.explain(account=account, at=NOW + n * DAY + hours).facts for n in range(4)]
    assert [one.unposted_cents for one in facts] == [0, 140_00, 100_00, 0]
    assert [one.owed_cents for one in facts] == [1_000_00, 860_00, 900_00, 900_00]


def test_every_choice_that_is_closed_says_why(account):
    rules(NOW, minimum_settlement_bps=0)
    found = why.explain(account=account, at=NOW + DAY)
    assert {one.choice: [reason.code for reason in one.reasons] for one in found.closed} == {
        "settlement": ["settlement_off_in_band"],
        "parts": ["settlement_off_in_band"],
    }


def test_every_number_of_an_open_offer_has_a_level_a_field_and_a_sentence(account):
    rules(NOW, minimum_settlement_bps=60_00)
    found = why.explain(account=account, at=NOW + DAY)
    lines = [one for one in found.numbers if one.choice == "plan"]
    minimum = next(one for one in lines if one.number == "monthly_minimum_cents")
    assert minimum.sentence.sentence == "The agency's rules, version 1: minimum is $25.00."
    assert (minimum.value, minimum.said) == (25_00, 25_00)
    assert all(one.level and one.field and one.sentence for one in found.numbers)


def test_before_it_was_placed_nothing_was_offered(account):
    with pytest.raises(why.NotYet):
        why.explain(account=account, at=NOW - DAY)


def test_what_it_says_of_now_is_what_the_consumer_is_offered(account):
    rules(NOW, minimum_settlement_bps=60_00)
    now = NOW + DAY
    account = Account.objects.select_related("consumer", "client", "agency").get(pk=account.pk)
    standing = gate.standing(account, now=now)
    found = why.explain(account=account, at=now)
    assert found.offered.settlement == standing.offered.settlement
    assert found.offered.plan == standing.offered.plan
    assert found.offered.closed == standing.offered.closed
