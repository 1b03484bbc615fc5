"""One payment by card: confirmed once or many times, it is one charge, one payment, one story."""

import datetime as dt

import pytest

from accounts.models import Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Authorization, Checkout, LedgerEntry, Method, Payment, Postdate
from payments.services import age_notice, gate, pay
from payments.services import checkout as checkouts
from payments.services.owed import owed
from tests.conftest import NOW
from tests.payments.conftest import DECLINED_MASTERCARD, MASTERCARD, VISA_CREDIT, VISA_DEBIT, today


def kinds(account):
    found = Event.objects.filter(account=account).order_by("account_seq")
    return [kind for kind in found.values_list("kind", flat=True) if kind != "payment.started"]


def refused(call, *args, **more):
    with pytest.raises(pay.Refused) as caught:
        call(*args, **more)
    return [refusal.code for refusal in caught.value.refusals]


def test_a_confirmed_card_is_charged_once_and_told_in_order(shop):
    payment = shop.confirm(shop.checkout())
    assert payment.status == Payment.Status.SUCCEEDED
    (charge,) = shop.charged()
    assert (charge["amount"], charge["credential"]) == (125_00, "portal")
    assert charge["idempotency_key"] == str(payment.pk)
    assert charge["metadata"] == {"payment": str(payment.pk)}
    assert payment.processor_ref == charge["payment_intent"]
    assert kinds(shop.account) == ["authorization.created", "payment.intended", "payment.succeeded"]
    told = Event.objects.get(kind="payment.succeeded").data
    assert told["amount_cents"] == 125_00
    assert (told["brand"], told["funding"], told["last4"], told["executor"]) == ("visa", "debit", "5556", "portal")
    assert told["date"] == "2026-12-01"
    assert told["processor_ref"] == payment.processor_ref


def test_what_was_taken_lowers_what_is_owed_until_the_host_shows_it(shop):
    payment = shop.confirm(shop.checkout())
    due = owed(shop.account)
    assert (due.cents, due.waiting) == (875_00, (payment,))
    Payment.objects.update(acknowledged_at=NOW)
    assert owed(shop.account).cents == 1_000_00


def test_the_ledger_of_a_payment_sums_to_zero(shop):
    payment = shop.confirm(shop.checkout())
    entries = LedgerEntry.objects.filter(payment=payment).order_by("book").values_list("book", "amount_cents")
    assert list(entries) == [("debt", -125_00), ("processor", 125_00)]


def test_the_signed_authorization_holds_text_amount_date_and_evidence(shop):
    payment = shop.confirm(shop.checkout())
    signed = Authorization.objects.get(pk=payment.authorization_id)
    assert "my Visa debit card ending in 5556" in signed.text
    assert "$125.00" in signed.text
    assert (signed.kind, signed.total_cents, signed.lines) == ("single", 125_00, [["2026-12-01", 125_00]])
    assert (signed.ip, signed.level, signed.time_zone) == ("127.0.0.1", 2, "America/New_York")
    assert signed.evidence["facts"] == ["reference", "last_name", "ssn4"]
    assert signed.revoked_at is None


def test_a_single_payment_does_not_keep_the_card(shop):
    method = shop.confirm(shop.checkout()).method
    assert (method.stored, method.processor_method, method.processor_customer) == (False, "", "")


def test_confirming_twice_is_the_same_payment_and_one_charge(shop):
    checkout = shop.checkout()
    first, second = shop.confirm(checkout), shop.confirm(checkout)
    assert first.pk == second.pk
    assert len(shop.charged()) == 1
    assert Payment.objects.count() == 1
    assert kinds(shop.account).count("payment.succeeded") == 1


def test_a_second_checkout_begun_before_the_payment_is_refused(shop):
    one, other = shop.checkout(), shop.checkout()
    shop.confirm(one)
    assert "already_paid_since" in refused(shop.confirm, other)
    assert len(shop.charged()) == 1
    assert Payment.objects.count() == 1


def test_a_checkout_begun_after_the_payment_can_be_paid(shop):
    later = NOW + dt.timedelta(minutes=1)
    shop.confirm(shop.checkout())
    payment = shop.confirm(shop.checkout(now=later), now=later)
    assert payment.status == Payment.Status.SUCCEEDED
    assert owed(shop.account).cents == 750_00


def test_a_visa_credit_card_is_refused_before_any_charge_with_the_alternatives(shop):
    checkout = shop.checkout(card=None)
    (refusal,) = shop.take_card(checkout, VISA_CREDIT)
    assert refusal.code == "visa_credit_not_accepted"
    assert refusal.sentence == (
        "Visa credit cards cannot be used to pay a debt. You can use a Visa debit or prepaid card, a Mastercard,"
        " an American Express card, a Discover card, or your bank account."
    )
    assert Checkout.objects.get(pk=checkout.pk).confirmation_token == ""
    assert refused(shop.confirm, checkout) == ["method_missing"]
    assert shop.merchant.ledger() == []


def test_a_client_may_take_visa_credit_where_its_agency_does_not(shop):
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    assert shop.confirm(shop.checkout(card=VISA_CREDIT)).status == Payment.Status.SUCCEEDED


def test_a_card_policy_that_changed_since_is_checked_again_at_confirm(shop):
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    checkout = shop.checkout(card=VISA_CREDIT)
    seen = checkouts.review(checkout, language="en", now=NOW)
    shop.account.client.allow_visa_credit = False
    shop.account.client.save()
    codes = refused(
        pay.confirm,
        checkout=checkout,
        text_sha256=seen.text_sha256,
        ip=None,
        user_agent="",
        language="en",
        now=NOW,
    )
    assert codes == ["visa_credit_not_accepted"]
    assert shop.merchant.ledger() == []


def test_a_declined_card_takes_nothing_and_says_why(shop):
    payment = shop.confirm(shop.checkout(card=DECLINED_MASTERCARD))
    assert payment.status == Payment.Status.DECLINED
    assert (payment.decline_code, payment.advice_code, payment.network_decline_code) == (
        "insufficient_funds",
        "try_again_later",
        "51",
    )
    assert gate.explain(payment).grade == "C"
    assert shop.charged() == []
    assert LedgerEntry.objects.count() == 0
    assert owed(shop.account).cents == 1_000_00
    assert kinds(shop.account) == [
        "authorization.created",
        "payment.intended",
        "payment.declined",
        "authorization.revoked",
    ]


def test_after_a_decline_another_card_can_be_used_at_once(shop):
    declined = shop.checkout(card=DECLINED_MASTERCARD)
    shop.confirm(declined)
    second = checkouts.again(checkout=declined, now=NOW)
    assert shop.take_card(second, MASTERCARD) == []
    assert shop.confirm(second).status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1


def test_a_card_that_was_refused_for_good_is_not_tried_again(shop):
    shop.program.control("POST", "cards", {
        "number": "5555555555552224", "funding": "debit", "brand": "mastercard",
        "outcome": "decline", "decline_code": "lost_card",
    })  # fmt: skip
    shop.confirm(shop.checkout(card="5555555555552224"))
    again = shop.checkout(card="5555555555552224", now=NOW + dt.timedelta(minutes=1))
    assert refused(shop.confirm, again, now=NOW + dt.timedelta(minutes=1)) == [
        "method_blocked",
        "card_never_again",
    ]
    assert len(shop.merchant.ledger()) == 1


def test_the_generic_decline_of_4000000000000002_leaves_no_arrangement(shop):
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    payment = shop.confirm(shop.checkout("parts", paper=True, card="4000000000000002"))
    assert payment.status == Payment.Status.DECLINED
    assert payment.decline_code == "generic_decline"
    assert (Arrangement.objects.count(), Postdate.objects.count()) == (0, 0)
    assert Authorization.objects.get().revoked_by == "payment declined"
    assert "postdate.scheduled" not in kinds(shop.account)
    assert Method.objects.get().stored is False


def test_a_changed_text_is_refused_and_nothing_is_written(shop):
    checkout = shop.checkout()
    codes = refused(
        pay.confirm,
        checkout=checkout,
        text_sha256="0" * 64,
        ip=None,
        user_agent="",
        language="en",
        now=NOW,
    )
    assert codes == ["text_changed"]
    assert Payment.objects.count() == Authorization.objects.count() == Method.objects.count() == 0


@pytest.mark.parametrize("status", ["recalled", "closed", "disputed", "bankruptcy", "unmapped"])
def test_an_account_that_closed_meanwhile_is_not_charged(shop, status):
    checkout = shop.checkout()
    type(shop.account).objects.filter(pk=shop.account.pk).update(status=status)
    assert "account_not_open" in refused(shop.confirm, checkout)
    assert shop.merchant.ledger() == []


def test_an_old_balance_and_an_unread_notice_are_refused_together(shop):
    checkout = shop.checkout()
    type(shop.account).objects.filter(pk=shop.account.pk).update(
        as_of=NOW - dt.timedelta(days=31), sol_status="expired"
    )
    assert refused(shop.confirm, checkout) == ["sol_acknowledgement_needed", "balance_not_fresh"]


def test_the_notice_about_an_old_debt_is_acknowledged_per_visit(shop):
    type(shop.account).objects.filter(pk=shop.account.pk).update(sol_status="expired")
    checkout, other = shop.checkout(), shop.checkout()
    age_notice.read_in_visit(visit=checkout.visit, account=shop.account, language="en", now=NOW)
    assert "sol_acknowledgement_needed" in refused(shop.confirm, other)
    assert shop.confirm(checkout).status == Payment.Status.SUCCEEDED


def test_a_missing_creditor_disables_cards_and_tells_the_host_once(shop):
    type(shop.account).objects.filter(pk=shop.account.pk).update(original_creditor="", contract_on=None)
    checkout = shop.checkout()
    shop.checkout()
    card, bank = checkouts.ways(checkout=checkout, now=NOW)
    assert (card.available, card.refusal.code, bank.available) == (False, "card_disclosures_missing", True)
    assert refused(shop.confirm, checkout) == ["card_disclosures_missing"]
    (told,) = Event.objects.filter(kind="account.card_disabled")
    assert told.data["missing"] == ["original_creditor", "contract_on"]


def test_more_than_is_owed_is_refused_when_it_is_chosen(shop):
    checkout = checkouts.begin(visit=shop.visit(), account=shop.account, now=NOW)
    (refusal,) = checkouts.choose(checkout=checkout, choice="amount", lines=[(today(), 1_000_01)], now=NOW)
    assert refusal.sentence == "The payment must not be more than what is owed, $1,000.00."
    assert Checkout.objects.get().lines == []


def test_the_other_agency_cannot_confirm_a_checkout(shop, other_shop):
    checkout = shop.checkout()
    seen = checkouts.review(checkout, language="en", now=NOW)
    with acting_for(other_shop.agency), pytest.raises(Checkout.DoesNotExist):
        pay.confirm(
            checkout=checkout,
            text_sha256=seen.text_sha256,
            ip=None,
            user_agent="",
            language="en",
            now=NOW,
        )
    assert Payment.objects.count() == 0
    assert shop.merchant.ledger() == other_shop.merchant.ledger() == []


def test_each_agency_is_paid_on_its_own_merchant_account(shop, other_shop):
    shop.confirm(shop.checkout())
    with acting_for(other_shop.agency):
        other_shop.confirm(other_shop.checkout(card=VISA_DEBIT))
    assert (len(shop.charged()), len(other_shop.charged())) == (1, 1)


def test_a_token_of_another_merchant_cannot_be_read(shop, other_shop):
    checkout = shop.checkout(card=None)
    token = other_shop.merchant.token(VISA_DEBIT)
    (refusal,) = checkouts.take_card(checkout=checkout, confirmation_token=token, now=NOW)
    assert refusal.code == "card_not_readable"


def test_the_text_can_be_signed_in_spanish(shop):
    payment = shop.confirm(shop.checkout(), language="es")
    assert payment.authorization.language == "es"
    assert "mi tarjeta de débito Visa terminada en 5556" in payment.authorization.text
