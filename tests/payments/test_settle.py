"""Whoever brings the news, and however often: one outcome, one ledger, one event."""

import datetime as dt
import threading

import pytest
from django.db import connection

from accounts.models import Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Incident, LedgerEntry, Method, Payment, Postdate
from payments.processors import Outcome
from payments.services import ask, ledger, pay, reversals, settle
from payments.services.owed import owed
from settlements.models import IndividualOffer
from settlements.rules.offers import HostSettlement
from settlements.services import individual, many, offers
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_later import publish_rules
from tests.payments.test_pay import kinds

LATER = NOW + dt.timedelta(minutes=2)
EXPIRED = NOW + dt.timedelta(minutes=16)


def at_once(*calls, agency):
    """Run calls in threads that start at one barrier; return what each gave or raised."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        try:
            with acting_for(agency):
                barrier.wait(timeout=10)
                results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def undecided(shop, *, mode="drop_after_effect", times=2, **more):
    """Confirm a payment whose answer never comes back."""
    fault = {"path": "/v1/payment_intents", "mode": mode, "times": times, "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    payment = shop.confirm(shop.checkout(**more))
    shop.program.control("DELETE", "faults")
    assert payment.status == Payment.Status.INTENDED
    return payment


def sweep(now=LATER):
    with acting_for(ALL_AGENCIES):
        return ask.sweep(now=now)


def fresh(payment):
    return Payment.objects.get(pk=payment.pk)


@pytest.mark.django_db(transaction=True)
def test_two_confirmations_at_once_are_one_charge_and_one_payment(open_shop):
    checkout = open_shop.checkout()
    first, second = at_once(*[lambda: open_shop.confirm(checkout)] * 2, agency=open_shop.agency)
    assert first.pk == second.pk
    sweep()
    assert fresh(first).status == Payment.Status.SUCCEEDED
    assert len(open_shop.charged()) == 1
    assert Payment.objects.count() == 1
    assert kinds(open_shop.account).count("payment.succeeded") == 1
    assert LedgerEntry.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_checkouts_confirmed_at_once_are_one_charge(open_shop):
    one, other = open_shop.checkout(), open_shop.checkout()
    results = at_once(lambda: open_shop.confirm(one), lambda: open_shop.confirm(other), agency=open_shop.agency)
    paid = [found for found in results if isinstance(found, Payment)]
    stopped = [found for found in results if isinstance(found, pay.Refused)]
    assert (len(paid), len(stopped)) == (1, 1)
    assert "already_paid_since" in [refusal.code for refusal in stopped[0].refusals]
    assert len(open_shop.charged()) == 1


@pytest.mark.django_db(transaction=True)
def test_request_webhook_and_sweep_with_the_same_news_at_once_settle_once(open_shop):
    payment = undecided(open_shop)
    (charge,) = open_shop.charged()
    news = Outcome(status="succeeded", ref=charge["payment_intent"], amount_cents=125_00, currency="usd")
    call = lambda: settle.record_outcome(payment_id=payment.pk, outcome=news, now=LATER)  # noqa: E731
    results = at_once(*[call] * 5, agency=open_shop.agency)
    assert [found.status for found in results] == [Payment.Status.SUCCEEDED] * 5
    assert kinds(open_shop.account) == ["authorization.created", "payment.intended", "payment.succeeded"]
    assert sorted(LedgerEntry.objects.values_list("amount_cents", flat=True)) == [-125_00, 125_00]


@pytest.mark.django_db(transaction=True)
def test_a_yes_and_a_no_at_once_leave_one_outcome_and_an_incident_at_most(open_shop):
    payment = undecided(open_shop)
    yes = Outcome(status="succeeded", ref="pi_x", amount_cents=125_00)
    no = Outcome(status="declined", ref="pi_x", decline_code="generic_decline")
    at_once(
        lambda: settle.record_outcome(payment_id=payment.pk, outcome=yes, now=LATER),
        lambda: settle.record_outcome(payment_id=payment.pk, outcome=no, now=LATER),
        agency=open_shop.agency,
    )
    decided = fresh(payment)
    told = kinds(open_shop.account)
    if decided.status == Payment.Status.SUCCEEDED:
        assert "payment.declined" not in told
    else:
        # Money moved after a no: that is told, and never silently swallowed.
        assert decided.status == Payment.Status.DECLINED
        assert "payment.succeeded" not in told
        assert "incident.opened" in told


def test_an_answer_lost_after_the_effect_is_asked_again_under_the_same_key(shop):
    fault = {"path": "/v1/payment_intents", "mode": "drop_after_effect", "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    payment = shop.confirm(shop.checkout())
    assert payment.status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("mode", ["drop_after_effect", "error_500_after_effect"])
def test_an_answer_that_stays_lost_is_found_by_the_sweep_as_one_charge(shop, mode):
    payment = undecided(shop, mode=mode)
    assert owed(shop.account).cents == 875_00
    assert len(shop.charged()) == 1
    assert sweep() == 1
    assert fresh(payment).status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1
    assert kinds(shop.account) == ["authorization.created", "payment.intended", "payment.succeeded"]


def test_a_request_that_never_arrived_stays_undecided_then_is_voided_and_released(shop):
    payment = undecided(shop, mode="drop_before")
    sweep()
    assert fresh(payment).status == Payment.Status.INTENDED
    sweep(EXPIRED)
    assert fresh(payment).status == Payment.Status.VOIDED
    assert shop.merchant.ledger() == []
    assert owed(shop.account).cents == 1_000_00
    assert kinds(shop.account)[-2:] == ["payment.voided", "authorization.revoked"]


def test_a_request_that_arrives_after_the_void_takes_nothing(shop):
    payment = undecided(shop, mode="drop_before")
    order = pay.order_of(Payment.objects.select_related("method", "authorization").get(pk=payment.pk))
    sweep(EXPIRED)
    adapter = ask.adapter_of(payment.processor_account)
    assert adapter.charge(order).status == "unknown"
    assert shop.merchant.ledger() == []
    assert fresh(payment).status == Payment.Status.VOIDED


def test_an_expired_intent_that_was_charged_after_all_is_not_voided(shop):
    payment = undecided(shop)
    sweep(EXPIRED)
    assert fresh(payment).status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1


def test_nothing_is_released_while_the_processor_cannot_be_asked(shop):
    payment = undecided(shop, mode="drop_before")
    shop.program.control("POST", "faults", {"path": "/v1/", "mode": "error_503", "times": 50})
    sweep(EXPIRED)
    assert fresh(payment).status == Payment.Status.INTENDED


def test_the_consumers_retry_after_a_crash_completes_the_same_payment(shop):
    payment = undecided(shop, mode="drop_before")
    again = shop.confirm_again(payment)
    assert (again.pk, again.status) == (payment.pk, Payment.Status.SUCCEEDED)
    assert len(shop.charged()) == 1


def test_a_refused_request_releases_the_account_at_once(shop):
    shop.program.control(
        "POST", "faults", {"path": "/v1/payment_intents", "mode": "rate_limit", "account": shop.merchant.id}
    )
    payment = shop.confirm(shop.checkout())
    assert payment.status == Payment.Status.VOIDED
    assert shop.merchant.ledger() == []
    second = shop.checkout(now=LATER)
    assert shop.confirm(second, now=LATER).status == Payment.Status.SUCCEEDED


def test_a_refused_request_after_a_lost_one_proves_nothing(shop):
    fault = {"path": "/v1/payment_intents", "mode": "drop_after_effect", "account": shop.merchant.id}
    shop.program.control("POST", "faults", fault)
    shop.program.control("POST", "faults", fault | {"mode": "rate_limit"})
    payment = shop.confirm(shop.checkout())
    assert payment.status == Payment.Status.INTENDED
    sweep()
    assert fresh(payment).status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1


def three_d_secure(shop):
    number = "5555550000003006"
    shop.program.control(
        "POST",
        "cards",
        {"number": number, "brand": "mastercard", "funding": "credit", "outcome": "challenge_always"},
    )
    payment = shop.confirm(shop.checkout("parts", paper=True, card=number))
    assert payment.status == Payment.Status.INTENDED
    assert payment.next_action_secret.startswith(payment.processor_ref + "_secret_")
    return payment


def test_three_d_secure_waits_and_a_passed_check_makes_the_plan(shop):
    payment = three_d_secure(shop)
    assert shop.merchant.ledger() == []
    assert shop.confirm_again(payment).status == Payment.Status.INTENDED
    shop.program.control("POST", "challenges", {"intent": payment.processor_ref, "outcome": "complete"})
    found = ask.look(payment_id=payment.pk, now=LATER)
    assert (found.status, found.next_action_secret) == (Payment.Status.SUCCEEDED, "")
    assert found.arrangement.postdates.count() == 5
    assert len(shop.charged()) == 1


def test_money_that_was_taken_is_recorded_even_when_its_plan_cannot_be_made(shop):
    payment = three_d_secure(shop)
    Arrangement.objects.create(
        account=shop.account,
        consumer=shop.account.consumer,
        authorization=payment.authorization,
        kind="plan",
        total_cents=1,
        schedule=[],
        accepted_at=NOW,
    )
    shop.program.control("POST", "challenges", {"intent": payment.processor_ref, "outcome": "complete"})
    found = ask.look(payment_id=payment.pk, now=LATER)
    assert (found.status, found.arrangement) == (Payment.Status.SUCCEEDED, None)
    assert Event.objects.get(kind="incident.opened").data["what"] == "arrangement_failed"
    assert "postdate.scheduled" not in kinds(shop.account)


def test_a_failed_check_is_voided_so_that_no_other_card_can_be_tried_on_it(shop):
    payment = three_d_secure(shop)
    shop.program.control("POST", "challenges", {"intent": payment.processor_ref, "outcome": "fail"})
    found = ask.look(payment_id=payment.pk, now=LATER)
    assert (found.status, found.decline_code) == (
        Payment.Status.DECLINED,
        "payment_intent_authentication_failure",
    )
    assert shop.merchant.v1.payment_intents.retrieve(payment.processor_ref).status == "canceled"


def test_an_abandoned_check_is_voided_when_it_expires(shop):
    payment = three_d_secure(shop)
    sweep()
    assert fresh(payment).status == Payment.Status.INTENDED
    sweep(EXPIRED)
    assert fresh(payment).status == Payment.Status.VOIDED
    assert shop.merchant.v1.payment_intents.retrieve(payment.processor_ref).status == "canceled"
    assert shop.merchant.ledger() == []


def test_an_amount_that_differs_is_an_incident_and_stays_undecided(shop):
    payment = undecided(shop, mode="drop_before")
    news = Outcome(status="succeeded", ref="pi_x", amount_cents=126_00)
    for _ in range(2):
        settle.record_outcome(payment_id=payment.pk, outcome=news, now=LATER)
    assert fresh(payment).status == Payment.Status.INTENDED
    (incident,) = Event.objects.filter(kind="incident.opened")
    assert (incident.data["what"], incident.data["said_cents"]) == ("amount_differs", 126_00)


def test_refunds_told_twice_and_out_of_order_are_booked_once(shop):
    payment = shop.confirm(shop.checkout())
    for refunded in (50_00, 50_00, 30_00):
        reversals.record_refund(payment_id=payment.pk, refunded_cents=refunded, now=LATER)
    assert fresh(payment).status == Payment.Status.SUCCEEDED
    assert owed(shop.account).cents == 925_00
    reversals.record_refund(payment_id=payment.pk, refunded_cents=125_00, now=LATER)
    assert fresh(payment).status == Payment.Status.REFUNDED
    assert owed(shop.account).cents == 1_000_00
    amounts = [event.data["refunded_cents"] for event in Event.objects.filter(kind="payment.refunded").order_by("id")]
    assert amounts == [50_00, 75_00]
    assert sum(LedgerEntry.objects.filter(payment=payment).values_list("amount_cents", flat=True)) == 0
    assert ledger.net_cents(payment) == 0


def test_a_dispute_takes_the_money_back_and_a_won_one_brings_it_again(shop):
    payment = shop.confirm(shop.checkout())
    for said in ("opened", "opened", "lost"):
        assert reversals.record_dispute(payment_id=payment.pk, said=said, now=LATER).status == "charged_back"
    assert ledger.net_cents(payment) == 0
    reversals.record_dispute(payment_id=payment.pk, said="won", now=LATER)
    assert fresh(payment).status == Payment.Status.SUCCEEDED
    assert ledger.net_cents(payment) == 125_00
    # A lost one is final: staff are told once.
    assert kinds(shop.account)[-3:] == ["payment.charged_back", "incident.opened", "payment.succeeded"]


def test_a_second_dispute_that_is_won_brings_the_money_back_once(shop):
    payment = shop.confirm(shop.checkout())
    for said in ("opened", "won", "opened", "won"):
        reversals.record_dispute(payment_id=payment.pk, said=said, now=LATER)
    assert (fresh(payment).status, ledger.net_cents(payment)) == (Payment.Status.SUCCEEDED, 125_00)
    assert owed(shop.account).cents == 875_00


@pytest.mark.parametrize("refunded", [125_00, 50_00])
def test_a_bank_that_takes_back_what_was_refunded_already_is_looked_at(shop, other_shop, refunded):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=LATER)
    reversals.record_refund(payment_id=payment.pk, refunded_cents=refunded, now=LATER)
    for _ in range(2):
        no = Outcome(status="declined", decline_code="insufficient_funds")
        settle.record_return(payment_id=payment.pk, outcome=no, now=LATER)
    (incident,) = Incident.objects.filter(kind="given_back_twice")
    assert (incident.severity, incident.payment_id) == ("urgent", payment.pk)
    assert (owed(shop.account).cents, ledger.net_cents(payment)) == (1_000_00, 0)
    with acting_for(other_shop.agency):
        assert not Incident.objects.exists()


def test_a_dispute_of_a_card_payment_that_was_refunded_already_is_looked_at(shop):
    payment = shop.confirm(shop.checkout())
    reversals.record_refund(payment_id=payment.pk, refunded_cents=125_00, now=LATER)
    for said in ("opened", "lost"):
        assert reversals.record_dispute(payment_id=payment.pk, said=said, now=LATER).status == "refunded"
    assert Incident.objects.get().kind == "given_back_twice"


@pytest.mark.parametrize("said", ["declined", "voided"])
def test_a_settlement_whose_only_debit_came_back_is_broken_and_another_can_be_offered(shop, said):
    last_on = today() + dt.timedelta(days=10)
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(amount_cents=600_00), now=NOW)
    IndividualOffer.objects.update(expires_on=last_on)
    payment = shop.confirm(shop.checkout("settlement", bank="000123456789"))
    assert (payment.status, IndividualOffer.objects.get().status) == (Payment.Status.PENDING, "accepted")
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status=said, network_decline_code="R01"), now=LATER)
    assert (fresh(payment).status, IndividualOffer.objects.get().status) == (Payment.Status.RETURNED, "broken")
    assert kinds(shop.account).count("offer.broken") == 1
    terms = offers.terms_for(account=shop.account, owed_cents=1_000_00, today=last_on + dt.timedelta(days=1), now=LATER)
    assert (terms.level, terms.amount_cents) == ("global", 750_00)
    made = individual.make(account=shop.account, origin="staff", by="staff:1", percent_bps=80_00, now=LATER)
    assert made.status == "made"


def offered(account):
    """Offer 80 percent as a campaign does."""
    said = {"campaign_id": account.pk, "by": "staff:1", "percent_bps": 80_00, "now": LATER}
    return many.make_many(accounts=[account], **said)[account.pk]


def test_nobody_is_offered_less_of_what_they_paid_and_the_host_has_not_posted(shop, other_shop):
    with acting_for(other_shop.agency):
        other_shop.confirm(other_shop.checkout(lines=[(today(), 100_00)]))
        made = offered(other_shop.account)
        assert (made.status, made.percent_bps) == ("made", 80_00)
        refused = individual.make(
            account=other_shop.account, origin="staff", by="staff:1", amount_cents=900_01, now=LATER, exceed=True,
            reason="court",
        )  # fmt: skip
        assert [(one.code, one.params["balance_cents"]) for one in refused] == [("offer_above_balance", 900_00)]
    shop.confirm(shop.checkout("settlement"))
    assert [one.code for one in offered(shop.account)] == ["nothing_owed"]
    one = individual.make(account=shop.account, origin="staff", by="staff:1", percent_bps=80_00, now=LATER)
    assert [refusal.code for refusal in one] == ["nothing_owed"]
    assert IndividualOffer.objects.count() == 0


def test_a_late_return_of_one_settlement_leaves_the_next_one_alone_ach_14(shop):
    offers.set_host_offer(account=shop.account, settlement=HostSettlement(amount_cents=600_00), now=NOW)
    payment = shop.confirm(shop.checkout("settlement", bank="000123456789"))
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=LATER)
    assert IndividualOffer.objects.get().status == "completed"
    agreed = IndividualOffer.objects.create(
        account=shop.account, origin="staff", amount_cents=500_00, status="accepted", made_at=LATER, decided_at=LATER
    )
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="declined"), now=LATER)
    assert kinds(shop.account).count("settlement.broken") == 1
    assert IndividualOffer.objects.get(pk=agreed.pk).status == "accepted"


def test_a_bank_debit_that_was_cancelled_on_its_way_is_taken_back(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    Payment.objects.filter(pk=payment.pk).update(executor="portal")
    assert (payment.status, owed(shop.account).cents) == (Payment.Status.PENDING, 875_00)
    for _ in range(2):
        settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="voided"), now=LATER)
    assert fresh(payment).status == Payment.Status.RETURNED
    assert owed(shop.account).cents == 1_000_00
    assert kinds(shop.account).count("payment.returned") == 1
    assert Incident.objects.get().kind == "cancelled_at_processor"


def test_a_bank_debit_that_was_cancelled_on_its_way_leaves_the_rest_of_its_plan_alone(shop):
    publish_rules()
    agree_to_email(shop)
    lines = [(today(), 250_00), (dt.date(2027, 1, 4), 250_00), (dt.date(2027, 2, 4), 250_00)]
    payment = shop.confirm(shop.checkout("parts", lines, bank="000123456789"))
    Payment.objects.filter(pk=payment.pk).update(executor="portal")
    planned = [item.status for item in Postdate.objects.order_by("due_on")]
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="voided"), now=LATER)
    assert fresh(payment).status == Payment.Status.RETURNED
    assert [item.status for item in Postdate.objects.order_by("due_on")] == planned == ["scheduled", "scheduled"]


def test_a_debit_that_the_host_posted_too_early_is_taken_back_when_the_processor_says_no(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=LATER, origin="host")
    assert ledger.net_cents(payment) == 125_00
    no = Outcome(status="declined", decline_code="insufficient_funds")
    for _ in range(2):
        settle.record_outcome(payment_id=payment.pk, outcome=no, now=LATER)
    assert (fresh(payment).status, ledger.net_cents(payment)) == (Payment.Status.RETURNED, 0)
    assert owed(shop.account).cents == 1_000_00
    assert sum(LedgerEntry.objects.filter(payment=payment).values_list("amount_cents", flat=True)) == 0


def test_a_bank_account_that_was_never_signed_for_is_wiped_after_a_day(shop):
    shop.checkout(bank="000123456789")
    assert Method.objects.get().number == "000123456789"
    sweep(NOW + dt.timedelta(hours=25))
    method = Method.objects.get()
    assert (method.number, method.routing, method.last4) == ("", "", "6789")
