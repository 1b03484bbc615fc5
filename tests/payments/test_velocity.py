"""Card testing (AUTH-16): three declines in ten minutes of a visit, ten cards a day of an account, no more."""

import datetime as dt

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from payments.models import Checkout, Incident, Method, Payment
from payments.rules.velocity import Tried, wait_after_declines, wait_for_another_card
from payments.services import by_link, pay, pay_links
from payments.services import checkout as checkouts
from tests.conftest import NOW, make_account
from tests.payments.conftest import DECLINED_MASTERCARD, MASTERCARD, VISA_DEBIT
from tests.payments.test_pay import refused

MINUTE, SECOND, DAY = dt.timedelta(minutes=1), dt.timedelta(seconds=1), dt.timedelta(days=1)
T = NOW + 60 * MINUTE


@pytest.mark.parametrize(
    ("ago", "until"),
    [
        pytest.param([], None, id="AUTH-16 no decline"),
        pytest.param([2, 1], None, id="AUTH-16 two declines"),
        pytest.param([3, 2, 1], T + 7 * MINUTE, id="AUTH-16 three declines"),
        pytest.param([9, 5, 2, 1], T + 5 * MINUTE, id="AUTH-16 four declines wait for the third from the end"),
        pytest.param([10, 2, 1], None, id="AUTH-16 the first of three at 10:00 minutes"),
    ],
)
def test_auth_16_three_declines_within_ten_minutes_are_enough(ago, until):
    assert wait_after_declines(T, [T - minutes * MINUTE for minutes in ago]) == until


def test_auth_16_at_nine_minutes_and_59_seconds_one_waits_a_second():
    declined = [T - 10 * MINUTE + SECOND, T - MINUTE, T - MINUTE]
    assert wait_after_declines(T, declined) == T + SECOND


def tried(count: int, ago: dt.timedelta = MINUTE) -> list[Tried]:
    return [Tried(f"card{number}", T - ago) for number in range(count)]


@pytest.mark.parametrize(
    ("cards", "card", "until"),
    [
        pytest.param(tried(9), "new", None, id="AUTH-16 the tenth card"),
        pytest.param(tried(10), "new", T - MINUTE + DAY, id="AUTH-16 the eleventh card"),
        pytest.param(tried(10), "card3", None, id="AUTH-16 one of the ten"),
        pytest.param(tried(10, DAY), "new", None, id="AUTH-16 ten cards exactly a day ago"),
        pytest.param(tried(9) + tried(9), "new", None, id="AUTH-16 nine cards twice"),
        pytest.param([*tried(9), Tried("card9", T - 60 * MINUTE)], "new", T - 60 * MINUTE + DAY, id="AUTH-16 oldest"),
        pytest.param([*tried(9), Tried("", T)], "new", None, id="AUTH-16 a card without a fingerprint"),
    ],
)
def test_auth_16_ten_cards_a_day_are_enough(cards, card, until):
    assert wait_for_another_card(T, cards, card) == until


def press(shop, visit, *, card=DECLINED_MASTERCARD, account=None, now=NOW, bank=False) -> Checkout:
    """Go to the last page of a visit."""
    begun = checkouts.begin(visit=visit, account=account or shop.account, now=now)
    assert checkouts.choose(checkout=begun, choice="amount", lines=[(NOW.date(), 25_00)], now=now) == []
    found = shop.take_bank(begun, now=now) if bank else shop.take_card(begun, card, now=now)
    assert found == []
    return begun


def decline(shop, visit, times: int, *, now=NOW) -> None:
    for _time in range(times):
        assert shop.confirm(press(shop, visit, now=now), now=now).status == Payment.Status.DECLINED


def counts() -> tuple[int, int, int]:
    return Payment.objects.count(), Method.objects.count(), Event.objects.exclude(kind="incident.opened").count()


def test_auth_16_after_two_declines_the_third_card_of_a_visit_is_charged(shop):
    visit = shop.visit()
    decline(shop, visit, 2)
    assert shop.confirm(press(shop, visit, card=VISA_DEBIT)).status == Payment.Status.SUCCEEDED
    assert Incident.objects.count() == 0


def test_auth_16_after_three_declines_no_card_of_the_visit_reaches_the_processor(shop, other_shop):
    visit = shop.visit()
    decline(shop, visit, 3)
    begun = press(shop, visit, card=VISA_DEBIT)
    before = counts()
    assert refused(shop.confirm, begun) == ["too_many_declines"]
    assert refused(shop.confirm, begun, now=NOW + 10 * MINUTE - SECOND) == ["too_many_declines"]
    assert counts() == before
    assert shop.charged() == []
    (incident,) = Incident.objects.all()
    assert (incident.kind, incident.key) == ("card_testing_too_many_declines", f"visit:{visit.pk}")
    assert incident.account_id == shop.account.pk
    with acting_for(other_shop.agency):
        assert Incident.objects.count() == 0
        assert other_shop.confirm(other_shop.checkout()).status == Payment.Status.SUCCEEDED
    assert shop.confirm(begun, now=NOW + 10 * MINUTE).status == Payment.Status.SUCCEEDED


def test_auth_16_the_refusal_says_when_and_what_is_open_now_in_both_languages(shop):
    visit = shop.visit()
    decline(shop, visit, 3)
    (said,) = checkouts.review(press(shop, visit, card=VISA_DEBIT), language="en", now=NOW).refusals
    assert said.sentence == (
        "Your bank said no several times. A card can be tried again from 10:10 AM. Other ways to pay stay open, and "
        "you can call us."
    )
    assert said.say(lambda text: text, "es").count("10:10") == 1
    begun = checkouts.begin(visit=visit, account=shop.account, now=NOW)
    assert checkouts.choose(checkout=begun, choice="amount", lines=[(NOW.date(), 25_00)], now=NOW) == []
    card, bank = checkouts.ways(checkout=begun, now=NOW)
    assert (card.refusal.code, bank.refusal) == ("too_many_declines", None)


def test_auth_16_a_bank_account_stays_open_in_the_same_visit_and_a_card_in_another(shop):
    visit = shop.visit()
    decline(shop, visit, 3)
    assert shop.confirm(press(shop, visit, bank=True)).status == Payment.Status.PENDING
    Payment.objects.update(acknowledged_at=NOW)
    later = NOW + MINUTE
    assert shop.confirm(press(shop, shop.visit(), card=VISA_DEBIT, now=later), now=later).status == "succeeded"


def test_auth_16_the_declines_of_a_visit_count_over_all_of_its_accounts(shop):
    visit = shop.visit()
    decline(shop, visit, 3)
    other = make_account(shop.agency, reference="B2", consumer=shop.account.consumer, sol_status="live")
    assert refused(shop.confirm, press(shop, visit, card=VISA_DEBIT, account=other)) == ["too_many_declines"]


def cards_before(shop, count: int, *, at=NOW - MINUTE) -> None:
    """Ten people's cards, or one person's ten, as they are written down."""
    for number in range(count):
        method = Method.objects.create(
            consumer_id=shop.account.consumer_id,
            kind="card",
            fingerprint=f"fp{number}",
            last4="1111",
            created_at=at,
        )
        Payment.objects.create(
            account=shop.account,
            consumer_id=shop.account.consumer_id,
            method=method,
            idempotency_key=method.pk,
            request_hash="",
            kind="card",
            executor="portal",
            purpose="amount",
            amount_cents=25_00,
            status="declined",
            intended_at=at,
            decided_at=at,
        )


def test_auth_16_the_tenth_card_of_a_day_is_charged_and_the_eleventh_is_not(shop, other_shop):
    cards_before(shop, 9)
    assert shop.confirm(press(shop, shop.visit(), card=VISA_DEBIT)).status == Payment.Status.SUCCEEDED
    later = NOW + MINUTE
    begun = press(shop, shop.visit(), card=MASTERCARD, now=later)
    before = counts()
    assert refused(shop.confirm, begun, now=later) == ["too_many_cards"]
    assert counts() == before
    assert [one["amount"] for one in shop.charged()] == [25_00]
    (incident,) = Incident.objects.all()
    assert (incident.kind, incident.key) == ("card_testing_too_many_cards", f"account:{shop.account.pk}")
    again = press(shop, shop.visit(), card=VISA_DEBIT, now=later)
    assert shop.confirm(again, now=later).status == Payment.Status.SUCCEEDED
    with acting_for(other_shop.agency):
        assert other_shop.confirm(other_shop.checkout(card=MASTERCARD)).status == Payment.Status.SUCCEEDED


def test_auth_16_ten_cards_of_the_day_before_are_over(shop):
    cards_before(shop, 10, at=NOW - DAY)
    assert shop.confirm(press(shop, shop.visit(), card=VISA_DEBIT)).status == Payment.Status.SUCCEEDED


def test_auth_16_a_link_is_a_session_too_and_who_holds_it_reads_when_to_try_again(shop):
    link, _token = pay_links.make_helper(account=shop.account, visit=shop.visit(), amount_cents=50_00, now=NOW)

    def last_page(card: str) -> Checkout:
        begun = by_link.begin(link=link, said={"channel": by_link.HELPER, "payer": "Sam Friend"}, now=NOW)
        token = shop.merchant.token(card)
        assert by_link.take_card(checkout=begun, confirmation_token=token, now=NOW) == []
        return begun

    def go(begun: Checkout) -> Payment:
        seen = by_link.review(made=begun, language="en", now=NOW)
        return by_link.confirm(made=begun, text_sha256=seen.text_sha256, ip=None, user_agent="", language="en", now=NOW)

    for _time in range(3):
        assert go(last_page(DECLINED_MASTERCARD)).status == Payment.Status.DECLINED
    before = counts()
    begun = last_page(VISA_DEBIT)
    with pytest.raises(pay.Refused) as caught:
        go(begun)
    assert [one.code for one in caught.value.refusals] == ["too_many_declines"]
    assert (counts(), shop.charged()) == (before, [])
    assert Incident.objects.get().key == f"link:{link.pk}"
