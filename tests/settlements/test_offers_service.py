"""Offers as rows: what the host says counts as a whole, and what the consumer saw and accepted is told."""

import datetime as dt

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from settlements.models import IndividualOffer
from settlements.rules.offers import HostSettlement
from settlements.services import offers
from tests.conftest import NOW

TODAY = dt.date(2023, 1, 1)
pytestmark = pytest.mark.usefixtures("acting")


def terms(account, owed_cents=1_000_00, today=TODAY):
    return offers.terms_for(account=account, owed_cents=owed_cents, today=today)


def told(account):
    return list(Event.objects.filter(account=account).order_by("account_seq").values_list("kind", flat=True))


def test_the_global_default_gives_750_in_six_until_30_june(account):
    found = terms(account)
    assert (found.amount_cents, found.saving_cents, found.max_payments) == (750_00, 250_00, 6)
    assert found.last_date == dt.date(2023, 6, 30)
    assert (found.level, found.minimum_payment_cents) == ("global", 25_00)


def test_what_the_host_says_replaces_the_default_as_a_whole(account):
    assert offers.set_host_offer(account=account, settlement=HostSettlement(amount_cents=600_00), now=NOW) == []
    found = terms(account)
    assert (found.amount_cents, found.max_payments, found.last_date, found.level) == (600_00, 1, TODAY, "host")
    assert found.minimum_payment_cents == 0, "nothing is borrowed"


def test_the_same_settlement_again_changes_and_tells_nothing(account):
    said = HostSettlement(percent_bps=60_00, max_payments=3, max_days=90)
    for _ in range(3):
        offers.set_host_offer(account=account, settlement=said, now=NOW)
    assert IndividualOffer.objects.count() == 1
    assert told(account) == ["offer.made"]


def test_another_settlement_withdraws_the_one_before(account):
    offers.set_host_offer(account=account, settlement=HostSettlement(percent_bps=60_00), now=NOW)
    offers.set_host_offer(account=account, settlement=HostSettlement(percent_bps=50_00), now=NOW)
    assert terms(account).amount_cents == 500_00
    assert told(account) == ["offer.made", "offer.withdrawn", "offer.made"]
    assert sorted(IndividualOffer.objects.values_list("status", flat=True)) == ["made", "withdrawn"]


def test_an_absent_settlement_brings_the_default_back(account):
    offers.set_host_offer(account=account, settlement=HostSettlement(percent_bps=60_00), now=NOW)
    offers.set_host_offer(account=account, settlement=None, now=NOW)
    assert terms(account).level == "global"
    assert told(account) == ["offer.made", "offer.withdrawn"]


def test_an_unusable_settlement_is_a_row_error_and_hides_the_default(account):
    errors = offers.set_host_offer(account=account, settlement=HostSettlement(max_payments=3), now=NOW)
    assert [error.code for error in errors] == ["settlement_without_amount"]
    assert terms(account) is None


def test_rf_31_a_hosts_offer_of_one_agency_follows_the_validation_period_of_its_own_account(
    account, others_account, other_agency
):
    """Sent on 2023-01-03, a Tuesday: assumed to have arrived on 01-10, so the period ends on 02-09."""
    said = HostSettlement(percent_bps=60_00, max_date=dt.date(2023, 2, 8))
    account.validation_sent_on, others_account.validation_sent_on = dt.date(2023, 1, 3), dt.date(2022, 11, 1)
    errors = offers.set_host_offer(account=account, settlement=said, now=NOW)
    assert [(one.code, one.field) for one in errors] == [("settlement_ends_in_validation", "MaxDate")]
    assert terms(account) is None
    with acting_for(other_agency):
        assert offers.set_host_offer(account=others_account, settlement=said, now=NOW) == []
        assert terms(others_account).last_date == dt.date(2023, 2, 8)
    days = HostSettlement(percent_bps=60_00, max_days=5)
    assert offers.set_host_offer(account=account, settlement=days, now=NOW) == [], "counted from the day of acceptance"
    assert terms(account).amount_cents == 600_00


def test_an_accepted_offer_stands_and_its_repetition_makes_no_new_one(account):
    said = HostSettlement(percent_bps=60_00)
    offers.set_host_offer(account=account, settlement=said, now=NOW)
    offers.accept(account=account, terms=offers.facts(terms(account)), now=NOW, about={})
    offers.set_host_offer(account=account, settlement=said, now=NOW)
    assert IndividualOffer.objects.get().status == "accepted"
    assert terms(account).amount_cents == 600_00


def test_many_accounts_are_read_in_one_query_and_unchanged_ones_cost_nothing(account, django_assert_max_num_queries):
    said = {account: HostSettlement(percent_bps=60_00)}
    offers.set_host_offers(settlements=said, now=NOW)
    with django_assert_max_num_queries(5):
        offers.set_host_offers(settlements=said, now=NOW)
    assert told(account) == ["offer.made"]


def test_a_view_is_told_once_and_again_after_half_an_hour(account):
    offers.set_host_offer(account=account, settlement=HostSettlement(percent_bps=60_00), now=NOW)
    for minutes in (0, 1, 29, 31):
        offers.view(account=account, terms=terms(account), now=NOW + dt.timedelta(minutes=minutes))
    assert told(account) == ["offer.made", "offer.viewed", "offer.viewed"]
    assert IndividualOffer.objects.get().viewed_at == NOW
    seen = Event.objects.filter(kind="offer.viewed").first().data
    assert (seen["amount_cents"], seen["level"], seen["currency"]) == (600_00, "host", "usd")


def test_without_an_enabled_default_there_is_no_settlement(account):
    offers.set_default(values={"enabled": False}, by="test", now=NOW)
    assert terms(account) is None


def test_the_hosts_ban_on_schedules_leaves_one_payment(account):
    account.payment_options = {"recurring_card": False, "recurring_ach": False, "a_word_of_tomorrow": 1}
    assert terms(account).max_payments == 1


def test_the_other_agencys_offer_is_not_ours(account, others_account, other_agency):
    with acting_for(other_agency):
        offers.set_host_offer(account=others_account, settlement=HostSettlement(percent_bps=10_00), now=NOW)
    assert terms(account).amount_cents == 750_00
    assert IndividualOffer.objects.count() == 0
