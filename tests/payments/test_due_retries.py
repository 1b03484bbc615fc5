"""A due item whose try failed: tried again at its exact time, by its class, or given up; the same try is one charge."""

import datetime as dt
from itertools import count

import pytest

from accounts.models import Account
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Authorization, Incident, Method, Notice, Payment, Postdate
from payments.processors import Outcome
from payments.processors.stripe import Stripe
from payments.services import ask, due, life, refunds, settle
from payments.services.owed import owed
from tests.payments.due_cast import EIGHT, MINUTE, due_item, fresh, keep_bank, keep_card, run, told
from tests.payments.test_pay import kinds

SECOND, HOUR, DAYS_3 = dt.timedelta(seconds=1), dt.timedelta(hours=1), dt.timedelta(hours=72)
_numbers = count(1)


def number_of(prefix="555555"):
    """Make a card number nobody scripted yet, with its check digit."""
    digits = f"{prefix}{next(_numbers):09}"
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def script(shop, number, **values):
    given = {"number": number, "brand": "mastercard", "funding": "debit", "outcome": "decline_on_charge"}
    shop.program.control("POST", "cards", given | values)


def card_that(shop, decline_code, **values):
    """Keep a card that every later charge declines."""
    number = number_of()
    script(shop, number, decline_code=decline_code, **values)
    return number, keep_card(shop, number)


def tried(shop):
    return [one for one in shop.merchant.ledger() if one["kind"] == "charge"]


def test_a_card_without_funds_is_tried_three_times_at_exact_moments_and_given_up_card_07(shop):
    _number, card = card_that(shop, "insufficient_funds", advice_code="try_again_later", network_code="51")
    item = due_item(shop, method=card)
    moments = [EIGHT, EIGHT + DAYS_3, EIGHT + 2 * DAYS_3]
    for index, moment in enumerate(moments):
        assert run(moment - SECOND).claimed == 0
        assert run(moment).charged == 1
        after = fresh(item)
        assert (after.tries, after.claimed_until) == (index + 1, None)
        if index < 2:
            assert (after.status, after.run_at) == (Postdate.Status.SCHEDULED, moments[index + 1])
    assert (fresh(item).status, fresh(item).run_at) == (Postdate.Status.FAILED, None)
    payments = list(Payment.objects.order_by("intended_at"))
    assert [one.status for one in payments] == ["declined"] * 3
    assert [one.idempotency_key for one in payments] == [due.key_of(item.pk, number) for number in (1, 2, 3)]
    assert [one.retry_of for one in payments] == [None, payments[0].pk, payments[0].pk]
    assert [one["idempotency_key"] for one in tried(shop)] == [str(one.pk) for one in payments]
    said = told(shop.account, "payment.declined")
    assert [(one["try"], one["next_try_at"], one["gave_up"]) for one in said] == [
        (1, moments[1].isoformat(), ""),
        (2, moments[2].isoformat(), ""),
        (3, None, "retries_used_up"),
    ]
    assert shop.charged() == []
    assert owed(shop.account).cents == 1_000_00
    # What was signed stays signed: the plan is what the consumer agreed to.
    assert Authorization.objects.get().revoked_at is None
    assert Arrangement.objects.get().status == Arrangement.Status.BROKEN


def test_funds_that_came_meanwhile_take_the_second_try(shop):
    number, card = card_that(shop, "insufficient_funds")
    item = due_item(shop, method=card)
    run(EIGHT)
    script(shop, number, outcome="approve")
    assert run(EIGHT + DAYS_3).charged == 1
    assert fresh(item).status == Postdate.Status.TAKEN
    assert [one["amount"] for one in shop.charged()] == [125_00]
    assert owed(shop.account).cents == 875_00
    assert Arrangement.objects.get().status == Arrangement.Status.COMPLETED


def test_an_unexplained_decline_is_tried_once_more_card_07(shop):
    _number, card = card_that(shop, "do_not_honor")
    item = due_item(shop, method=card)
    run(EIGHT)
    assert fresh(item).run_at == EIGHT + DAYS_3
    run(EIGHT + DAYS_3)
    assert fresh(item).status == Postdate.Status.FAILED
    assert told(shop.account, "payment.declined")[-1]["gave_up"] == "retries_used_up"
    assert run(EIGHT + 2 * DAYS_3).claimed == 0
    assert len(tried(shop)) == 2


@pytest.mark.parametrize(("code", "why"), [("lost_card", "card_never_again"), ("expired_card", "card_needs_consumer")])
def test_a_card_that_is_gone_or_wrong_is_not_tried_again_card_07(shop, code, why):
    _number, card = card_that(shop, code)
    item = due_item(shop, method=card)
    run(EIGHT)
    assert (fresh(item).status, fresh(item).run_at) == (Postdate.Status.FAILED, None)
    (said,) = told(shop.account, "payment.declined")
    assert (said["next_try_at"], said["gave_up"]) == (None, why)
    assert run(EIGHT + DAYS_3).claimed == 0
    assert len(tried(shop)) == 1


def test_a_bank_that_wants_to_see_the_consumer_gets_no_machine_again_card_12(shop):
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    item = due_item(shop, method=keep_card(shop, "4000002760003184"))
    run(EIGHT)
    payment = Payment.objects.get()
    assert (payment.status, payment.decline_code) == (Payment.Status.DECLINED, "authentication_required")
    assert fresh(item).status == Postdate.Status.FAILED
    assert told(shop.account, "payment.declined")[0]["gave_up"] == "authentication_required"
    assert run(EIGHT + DAYS_3).claimed == 0


def settle_bank(shop, code=None):
    """End the latest debit at the bank."""
    given = {"payment_intent": Payment.objects.latest("intended_at").processor_ref}
    given |= {"return_code": code} if code else {}
    shop.program.control("POST", "settle", given)


def look(payment, now):
    return ask.look(payment_id=payment.pk, now=now)


def test_a_returned_debit_is_sent_again_twice_three_banking_days_apart_and_called_so_ach_09(shop):
    item = due_item(shop, method=keep_bank(shop))
    moments = [
        EIGHT,
        dt.datetime(2026, 12, 21, 13, 0, tzinfo=dt.UTC),
        dt.datetime(2026, 12, 28, 13, 0, tzinfo=dt.UTC),
    ]
    for index, moment in enumerate(moments):
        assert run(moment - SECOND).claimed == 0
        assert run(moment).charged == 1
        assert fresh(item).status == Postdate.Status.TAKEN
        payment = Payment.objects.order_by("-intended_at").first()
        assert payment.status == Payment.Status.PENDING
        settle_bank(shop, "R01")
        returned = look(payment, moment + dt.timedelta(days=1))
        assert (returned.status, returned.network_decline_code) == (Payment.Status.RETURNED, "R01")
        if index < 2:
            assert (fresh(item).status, fresh(item).run_at) == (Postdate.Status.SCHEDULED, moments[index + 1])
    assert fresh(item).status == Postdate.Status.FAILED
    payments = list(Payment.objects.order_by("intended_at"))
    assert [one.retry_of for one in payments] == [None, payments[0].pk, payments[0].pk]
    sent = [shop.merchant.v1.payment_intents.retrieve(one.processor_ref) for one in payments]
    assert [one.statement_descriptor for one in sent] == [None, "RETRY PYMT", "RETRY PYMT"]
    assert [one.amount for one in sent] == [125_00] * 3
    assert told(shop.account, "payment.returned")[-1]["gave_up"] == "retries_used_up"
    assert owed(shop.account).cents == 1_000_00


def test_a_debit_that_comes_back_after_its_plan_was_cancelled_is_planned_no_more_pdc_07(shop, other_shop):
    item = due_item(shop, method=keep_bank(shop))
    with acting_for(other_shop.agency):
        theirs = due_item(other_shop, method=keep_bank(other_shop))
    run(EIGHT)
    settle_bank(shop, "R01")
    life.cancel(arrangement=item.arrangement, by="consumer:1", reason="cancelled", now=EIGHT + HOUR)
    returned = look(Payment.objects.get(), EIGHT + dt.timedelta(days=1))
    assert returned.status == Payment.Status.RETURNED
    assert (fresh(item).status, fresh(item).run_at) == (Postdate.Status.FAILED, None)
    assert told(shop.account, "payment.returned")[0]["gave_up"] == "arrangement_not_running"
    due_now = owed(shop.account)
    assert (due_now.cents, due_now.single_most_cents) == (1_000_00, 1_000_00)
    with acting_for(other_shop.agency):
        settle_bank(other_shop, "R01")
        look(Payment.objects.get(), EIGHT + dt.timedelta(days=1))
        assert fresh(theirs).status == Postdate.Status.SCHEDULED


def test_another_return_is_not_sent_again_ach_09(shop):
    item = due_item(shop, method=keep_bank(shop))
    run(EIGHT)
    settle_bank(shop, "R03")
    look(Payment.objects.get(), EIGHT + dt.timedelta(days=1))
    assert fresh(item).status == Postdate.Status.FAILED
    assert told(shop.account, "payment.returned")[0]["gave_up"] == "return_not_retryable"
    assert run(EIGHT + dt.timedelta(days=10)).claimed == 0


def test_a_debit_that_arrives_completes_the_plan_and_not_before_ach_19(shop):
    item = due_item(shop, method=keep_bank(shop))
    run(EIGHT)
    assert Arrangement.objects.get().status == Arrangement.Status.PERFORMING
    settle_bank(shop)
    assert look(Payment.objects.get(), EIGHT + dt.timedelta(days=4)).status == Payment.Status.SUCCEEDED
    assert Arrangement.objects.get().status == Arrangement.Status.COMPLETED
    assert fresh(item).status == Postdate.Status.TAKEN


def fault(shop, mode, times=1):
    given = {"path": "/v1/payment_intents", "mode": mode, "times": times, "account": shop.merchant.id}
    shop.program.control("POST", "faults", given)


def test_a_request_that_the_processor_refuses_is_made_anew_after_an_hour_and_counts_for_no_limit(shop):
    item = due_item(shop)
    fault(shop, "rate_limit")
    run(EIGHT)
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert (fresh(item).status, fresh(item).run_at) == (Postdate.Status.SCHEDULED, EIGHT + HOUR)
    assert run(EIGHT + HOUR - SECOND).claimed == 0
    assert run(EIGHT + HOUR).charged == 1
    taken = Payment.objects.get(status=Payment.Status.SUCCEEDED)
    assert (taken.idempotency_key, taken.retry_of) == (due.key_of(item.pk, 2), None)
    assert len(shop.charged()) == 1


def test_after_five_refused_requests_somebody_must_look(shop):
    item = due_item(shop)
    fault(shop, "rate_limit", times=5)
    for number in range(5):
        run(EIGHT + number * HOUR)
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "processor_refuses")
    assert told(shop.account, "payment.voided")[-1]["gave_up"] == "processor_refuses"
    assert told(shop.account, "incident.opened")[-1]["what"] == "processor_refuses"
    shop.program.control("DELETE", "faults")
    assert run(EIGHT + 6 * HOUR).claimed == 0
    assert shop.charged() == []


def test_a_try_that_a_person_stopped_is_not_made_anew_an_hour_later(shop):
    item = due_item(shop)
    fault(shop, "drop_before", times=2)
    run(EIGHT)
    shop.program.control("DELETE", "faults")
    stopped = refunds.void(payment=Payment.objects.get(), reason="They asked us to.", by="staff:1", now=EIGHT + MINUTE)
    assert stopped.status == Payment.Status.VOIDED
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "stopped_by_staff")
    said = told(shop.account, "payment.voided")[-1]
    assert (said["gave_up"], said["next_try_at"]) == ("stopped_by_staff", None)
    assert [run(EIGHT + hours * HOUR).claimed for hours in (1, 2, 24)] == [0, 0, 0]
    assert shop.charged() == []
    assert Incident.objects.get().kind == "stopped_by_staff"


@pytest.mark.parametrize("answered", [True, False])
def test_what_a_person_stops_stays_stopped_whoever_brings_the_end_of_its_try(shop, monkeypatch, answered):
    """The webhook of the cancelled intent may come before the processor's own answer, or instead of it."""
    item = due_item(shop)
    fault(shop, "drop_before", times=2)
    run(EIGHT)
    shop.program.control("DELETE", "faults")
    really = Stripe.void

    def void(self, **about):
        outcome = really(self, **about)
        settle.record_outcome(payment_id=Payment.objects.get().pk, outcome=outcome, now=EIGHT + MINUTE)
        return outcome if answered else Outcome(status="unknown")

    monkeypatch.setattr(Stripe, "void", void)
    stopped = refunds.void(payment=Payment.objects.get(), reason="They asked us to.", by="staff:1", now=EIGHT + MINUTE)
    assert stopped.status == Payment.Status.VOIDED
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "stopped_by_staff")
    assert run(EIGHT + HOUR + MINUTE).claimed == 0
    assert shop.charged() == []


@pytest.mark.parametrize("mode", ["drop_after_effect", "error_500_after_effect"])
def test_a_lost_answer_stays_undecided_until_the_processor_is_asked(shop, mode):
    item = due_item(shop)
    fault(shop, mode, times=2)
    assert run(EIGHT).charged == 1
    payment = Payment.objects.get()
    assert payment.status == Payment.Status.INTENDED
    assert fresh(item).status == Postdate.Status.SCHEDULED
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=EIGHT + MINUTE)
    assert Payment.objects.get().status == Payment.Status.SUCCEEDED
    assert fresh(item).status == Postdate.Status.TAKEN
    assert len(shop.charged()) == 1


def test_a_charge_that_nobody_ever_got_is_ended_and_made_anew(shop):
    item = due_item(shop)
    fault(shop, "drop_before", times=2)
    run(EIGHT)
    shop.program.control("DELETE", "faults")
    expired = EIGHT + 16 * MINUTE
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=expired)
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert fresh(item).run_at == expired + HOUR
    run(expired + HOUR)
    assert fresh(item).status == Postdate.Status.TAKEN
    assert len(shop.charged()) == 1


def test_a_charge_whose_key_holds_an_error_is_ended_and_made_anew_under_another_key(shop):
    """Stripe gives the first answer under a key to whoever asks again, 500 included, for a day."""
    item = due_item(shop)
    fault(shop, "error_500_kept")
    run(EIGHT)
    run(EIGHT + MINUTE)
    expired = EIGHT + 16 * MINUTE
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=expired)
    assert (Payment.objects.get().status, Payment.objects.get().processor_ref) == (Payment.Status.VOIDED, "")
    run(expired + HOUR)
    assert fresh(item).status == Postdate.Status.TAKEN
    assert len(shop.charged()) == 1


def test_a_charge_that_the_search_does_not_show_is_found_in_the_list_before_its_key_is_given_up(shop, monkeypatch):
    due_item(shop)
    fault(shop, "error_500_after_effect")
    run(EIGHT)
    monkeypatch.setattr(Stripe, "find", lambda self, **about: Outcome(status="unknown"))
    Payment.objects.update(intended_at=dt.datetime.now(dt.UTC))  # as the processor's own clock has it
    with acting_for(ALL_AGENCIES):
        ask.look(payment_id=Payment.objects.get().pk, now=EIGHT + 16 * MINUTE)
    assert Payment.objects.get().status == Payment.Status.SUCCEEDED
    assert len(shop.charged()) == 1


@pytest.mark.parametrize("mode", ["drop_before", "drop_after_effect"])
def test_a_try_whose_answer_was_lost_is_sent_again_under_its_key_by_the_next_run(shop, mode):
    item = due_item(shop)
    fault(shop, mode, times=2)
    run(EIGHT)
    shop.program.control("DELETE", "faults")
    ran = run(EIGHT + MINUTE)
    assert (ran.resumed, ran.intended, ran.charged) == (1, 0, 1)
    payment = Payment.objects.get()
    assert payment.status == Payment.Status.SUCCEEDED
    assert [one["idempotency_key"] for one in shop.charged()] == [str(payment.pk)]
    assert (fresh(item).status, fresh(item).tries) == (Postdate.Status.TAKEN, 1)


def test_the_same_outcome_told_again_changes_nothing_more(shop):
    _number, card = card_that(shop, "insufficient_funds")
    item = due_item(shop, method=card)
    run(EIGHT)
    payment, before = Payment.objects.get(), fresh(item)
    said = Outcome(status="declined", ref=payment.processor_ref, decline_code="insufficient_funds")
    for _ in range(2):
        settle.record_outcome(payment_id=payment.pk, outcome=said, now=EIGHT + HOUR)
    after = fresh(item)
    assert (after.run_at, after.tries) == (before.run_at, 1)
    assert kinds(shop.account).count("payment.declined") == 1


def test_a_stopped_item_that_was_taken_after_all_is_an_incident_pdc_07(shop):
    item = due_item(shop)
    fault(shop, "drop_after_effect", times=2)
    run(EIGHT)
    Postdate.objects.filter(pk=item.pk).update(status=Postdate.Status.CANCELLED)
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=EIGHT + MINUTE)
    assert fresh(item).status == Postdate.Status.TAKEN
    assert "charged_after_stop" in [one["what"] for one in told(shop.account, "incident.opened")]
    assert Account.objects.get().balance_cents == 1_000_00
    assert Method.objects.count() == Notice.objects.count() == 1
    assert Incident.objects.filter(kind="charged_after_stop").count() <= 1
