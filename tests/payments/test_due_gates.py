"""Every gate that stops a due item says so: one event with its reasons, no payment, and the item waits or is held."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from payments.models import (
    Arrangement,
    Authorization,
    Checkout,
    Dispute,
    Incident,
    Method,
    Notice,
    Payment,
    Postdate,
    ProcessorAccount,
)
from payments.services import life, postdates
from tests.conftest import NOW
from tests.payments.due_cast import (
    DAY,
    EIGHT,
    due_item,
    fresh,
    item_of,
    keep_bank,
    keep_card,
    plan,
    run,
    told,
)
from tests.payments.test_pay import kinds

HOUR = dt.timedelta(hours=1)


def account(**values):
    Account.objects.update(**values)


def dispute(shop):
    common = {"account": shop.account, "consumer_id": shop.account.consumer_id, "opened_at": NOW}
    Dispute.objects.create(reason="amount", **common)


def another_attempt(shop):
    Payment.objects.create(
        account=shop.account,
        consumer_id=shop.account.consumer_id,
        idempotency_key=Checkout().pk,
        request_hash="",
        kind="card",
        executor="portal",
        purpose="amount",
        amount_cents=10_00,
        intended_at=EIGHT,
        expires_at=EIGHT + HOUR,
    )


def declined(shop, code, count=1, at=NOW):
    """Write failed tries of the same card by the consumer themselves."""
    for _ in range(count):
        Payment.objects.create(
            account=shop.account,
            consumer_id=shop.account.consumer_id,
            method=Method.objects.get(),
            idempotency_key=Checkout().pk,
            request_hash="",
            kind="card",
            executor="portal",
            purpose="amount",
            amount_cents=125_00,
            status="declined",
            decline_code=code,
            intended_at=at,
            decided_at=at,
        )


def revoke(shop):
    Authorization.objects.update(revoked_at=NOW, revoked_by="test")


def stopped(shop, item, reasons, *, now=EIGHT):
    """Run, and show that nothing was charged and why; return the item and what was told."""
    before = Payment.objects.count()
    ran = run(now)
    assert (ran.claimed, ran.skipped, ran.intended, ran.charged) == (1, 1, 0, 0)
    assert shop.charged() == []
    assert Payment.objects.count() == before
    (said,) = told(item.account, "postdate.skipped")
    assert said["reasons"] == reasons
    assert (said["postdate"], said["amount_cents"], said["date"]) == (str(item.pk), 125_00, item.due_on.isoformat())
    assert "payment.intended" not in kinds(item.account)
    after = fresh(item)
    assert (after.tries, after.claimed_until) == (0, None)
    # The same moment once more finds nothing to do, and tells nothing again.
    assert run(now).claimed == 0
    assert len(told(item.account, "postdate.skipped")) == 1
    return after, said


def take_another_card(shop):
    """Charge a card that nothing was signed for."""
    card = Method.objects.get()
    card.pk = None
    card._state.adding = True
    card.save()
    Postdate.objects.update(method=card)


HELD = [
    (lambda shop: account(status="attorney"), ["account_not_open"], ""),
    (lambda shop: account(status="cease"), ["account_not_open"], ""),
    (lambda shop: account(status="blocked"), ["account_not_open"], ""),
    (lambda shop: account(status="unmapped"), ["account_not_open"], ""),
    (lambda shop: account(status="disputed"), ["account_not_open", "dispute_open"], ""),
    (dispute, ["dispute_open"], ""),
    (lambda shop: account(sol_status="expired"), ["sol_acknowledgement_needed"], ""),
    (lambda shop: account(balance_cents=0), ["nothing_owed"], ""),
    (lambda shop: account(balance_cents=124_99), ["more_than_owed"], "more_planned_than_owed"),
    (lambda shop: Method.objects.update(removed_at=NOW), ["method_not_live"], ""),
    (lambda shop: Method.objects.update(blocked_at=NOW), ["method_blocked"], ""),
    (lambda shop: account(payment_options={"single_card": False}), ["method_not_allowed"], ""),
    (lambda shop: Method.objects.update(funding="credit"), ["visa_credit_not_accepted"], ""),
    (lambda shop: account(debt_type="Payday loan"), ["visa_not_accepted"], ""),
    (lambda shop: account(original_creditor=""), ["card_disclosures_missing"], "card_disclosures_missing"),
    (lambda shop: Method.objects.update(stored=False), ["stored_credential_missing"], "charge_without_authorization"),
    (revoke, ["authorization_revoked"], ""),
    (take_another_card, ["authorization_revoked"], ""),  # EFT-05, PDC-07
    (lambda shop: declined(shop, "lost_card"), ["card_never_again"], ""),
    (lambda shop: declined(shop, "insufficient_funds", 15), ["too_many_tries_month"], ""),
    (lambda shop: Notice.objects.update(status="due", sent_at=None), ["notice_not_proven"], "charge_without_notice"),
    (lambda shop: Notice.objects.update(status="failed"), ["notice_not_proven"], "charge_without_notice"),
    (lambda shop: Notice.objects.update(sent_at=EIGHT), ["notice_too_late"], "charge_without_notice"),
    (lambda shop: Notice.objects.update(sent_at=NOW), ["notice_too_early"], "charge_without_notice"),
    (lambda shop: Arrangement.objects.update(status="paused"), ["arrangement_not_running"], ""),
    (lambda shop: Arrangement.objects.update(status="broken"), ["arrangement_not_running"], ""),
    (lambda shop: ProcessorAccount.objects.update(is_active=False), ["no_processor"], ""),
    (lambda shop: Method.objects.update(processor_method=""), ["no_processor"], ""),
]


@pytest.mark.parametrize(
    ("spoil", "reasons", "incident"), HELD, ids=[f"{n} {' '.join(h[1])}" for n, h in enumerate(HELD)]
)
def test_what_does_not_mend_itself_is_held_with_its_reason(shop, spoil, reasons, incident):
    item = due_item(shop)
    spoil(shop)
    after, said = stopped(shop, item, reasons)
    assert (after.status, after.held_for, after.run_at) == (Postdate.Status.HELD, reasons[0], None)
    assert (said["status"], said["next_try_at"]) == ("held", None)
    opened = list(Incident.objects.values_list("kind", "key"))
    assert opened == ([(incident, str(item.pk))] if incident else [])


def update_pending(shop):
    Method.objects.update(update_pending={"code": "C01"})


WAITS = [
    (lambda shop: account(as_of=EIGHT - dt.timedelta(hours=721)), ["balance_not_fresh"], HOUR),
    (another_attempt, ["attempt_undecided"], HOUR / 4),
    (update_pending, ["method_update_pending"], dt.timedelta(days=1)),
]


@pytest.mark.parametrize(("spoil", "reasons", "wait"), WAITS, ids=[wait[1][0] for wait in WAITS])
def test_what_may_mend_itself_is_looked_at_again_later(shop, spoil, reasons, wait):
    item = due_item(shop)
    spoil(shop)
    after, said = stopped(shop, item, reasons)
    assert (after.status, after.held_for, after.run_at) == (Postdate.Status.SCHEDULED, "", EIGHT + wait)
    assert (said["status"], said["next_try_at"]) == ("scheduled", (EIGHT + wait).isoformat())
    assert Incident.objects.count() == 0


def test_a_fresh_balance_lets_it_go_on_within_the_hour(shop):
    item = due_item(shop)
    account(as_of=EIGHT - dt.timedelta(hours=721))
    run(EIGHT)
    account(as_of=EIGHT)
    assert run(EIGHT + HOUR - dt.timedelta(seconds=1)).claimed == 0
    assert run(EIGHT + HOUR).charged == 1
    assert (fresh(item).status, fresh(item).tries) == (Postdate.Status.TAKEN, 1)


def test_after_three_days_a_balance_that_stays_old_is_held_for_staff(shop):
    item = due_item(shop)
    account(as_of=EIGHT - dt.timedelta(hours=721))
    run(EIGHT)
    run(EIGHT + dt.timedelta(days=2))
    assert fresh(item).status == Postdate.Status.SCHEDULED
    run(EIGHT + dt.timedelta(days=3))
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "balance_not_fresh")
    assert Incident.objects.get().kind == "balance_not_fresh"
    assert shop.charged() == []


def test_several_reasons_are_all_told_and_the_gravest_names_the_hold(shop):
    item = due_item(shop)
    Notice.objects.update(status="failed")
    account(status="attorney", as_of=EIGHT - dt.timedelta(hours=721))
    after, _said = stopped(shop, item, ["account_not_open", "balance_not_fresh", "notice_not_proven"])
    assert (after.status, after.held_for) == (Postdate.Status.HELD, "notice_not_proven")


def test_an_amount_or_a_date_that_was_not_signed_is_not_charged(shop):
    item = due_item(shop)
    Postdate.objects.update(amount_cents=124_00)
    run()
    (said,) = told(shop.account, "postdate.skipped")
    assert said["reasons"] == ["authorization_not_covering"]
    assert fresh(item).status == Postdate.Status.HELD
    assert Incident.objects.get().kind == "charge_without_authorization"
    assert shop.charged() == []


def test_within_five_days_of_the_signature_no_notice_is_owed_pd_5(shop):
    near, far = NOW.date() + dt.timedelta(days=5), NOW.date() + dt.timedelta(days=6)
    arrangement = plan(shop, [(near, 100_00), (far, 100_00)])
    run(dt.datetime(2026, 12, 7, 13, 0, tzinfo=dt.UTC))
    assert fresh(item_of(arrangement, 1)).status == Postdate.Status.TAKEN
    run(dt.datetime(2026, 12, 7, 13, 1, tzinfo=dt.UTC))
    assert fresh(item_of(arrangement, 2)).status == Postdate.Status.HELD
    assert [one["amount"] for one in shop.charged()] == [100_00]


def test_a_letter_must_have_left_in_its_own_window_pdc_05(shop):
    item = due_item(shop)
    Notice.objects.update(channel="letter")
    after, _said = stopped(shop, item, ["notice_too_late"])
    assert after.status == Postdate.Status.HELD


def test_the_old_debts_notice_that_was_read_lets_the_charge_through_sol_02(shop):
    due_item(shop)
    account(sol_status="expired")
    Event.objects.create(
        agency_id=shop.agency.pk,
        account=shop.account,
        consumer_id=shop.account.consumer_id,
        account_seq=999,
        kind="sol_notice.acknowledged",
        actor="consumer",
        occurred_at=NOW,
    )
    assert run().charged == 1


@pytest.mark.parametrize("executor", ["host", "consumer"])
def test_what_somebody_else_executes_is_never_looked_at_pdc_06(shop, executor):
    item = due_item(shop)
    method = None if executor == "consumer" else item.method_id
    Postdate.objects.update(executor=executor, method=method)
    assert run().claimed == 0
    assert kinds(shop.account).count("postdate.skipped") == 0
    assert shop.charged() == []


@pytest.mark.parametrize("status", ["held", "cancelled", "taken", "failed"])
def test_what_is_not_scheduled_any_more_is_never_looked_at(shop, status):
    due_item(shop)
    Postdate.objects.update(status=status)
    assert run().claimed == 0
    assert shop.charged() == []


def test_a_bank_account_must_be_validated_ach_02(shop):
    item = due_item(shop, method=keep_bank(shop))
    Method.objects.update(validated_at=None)
    after, _said = stopped(shop, item, ["bank_not_validated"])
    assert after.status == Postdate.Status.HELD
    assert shop.merchant.ledger() == []


def test_a_merchant_account_whose_debits_are_paused_takes_none_ach_11(shop):
    item = due_item(shop, method=keep_bank(shop))
    ProcessorAccount.objects.update(debits_paused_at=NOW)
    after, _said = stopped(shop, item, ["bank_payments_paused"])
    assert (after.status, after.run_at) == (Postdate.Status.SCHEDULED, EIGHT + dt.timedelta(days=1))
    assert shop.merchant.ledger() == []


def test_a_paused_merchant_account_still_charges_cards(shop):
    due_item(shop)
    ProcessorAccount.objects.update(debits_paused_at=NOW)
    assert run().charged == 1


def test_a_client_that_takes_visa_credit_lets_it_through(shop):
    due_item(shop, method=keep_card(shop, "4242424242424242"))
    shop.account.client.allow_visa_credit = True
    shop.account.client.save()
    assert run().charged == 1
    assert EIGHT.date() == DAY


def test_another_agencys_trouble_stops_nobody_here(shop, other_shop):
    mine = due_item(shop)
    with acting_for(other_shop.agency):
        theirs = due_item(other_shop)
        account(status="attorney")
    ran = run()
    assert (ran.claimed, ran.charged, ran.skipped) == (2, 1, 1)
    assert fresh(mine).status == Postdate.Status.TAKEN
    with acting_for(other_shop.agency):
        assert fresh(theirs).status == Postdate.Status.HELD
        assert Payment.objects.count() == 0
        assert Event.objects.get(kind="postdate.skipped").agency_id == other_shop.agency.pk
    assert (len(shop.charged()), len(other_shop.charged())) == (1, 0)


def test_a_host_that_refuses_to_hold_what_is_not_its_own_lets_nothing_loose(shop):
    """The host is told of the pause as of everything; only what it executes is its to refuse."""
    item = due_item(shop)
    life.pause(account=shop.account, until=None, reason="hardship", now=NOW)
    postdates.settle_hold(postdate_id=item.pk, held=False, reason="already_charged", now=NOW)
    assert (fresh(item).status, fresh(item).held_for) == (Postdate.Status.HELD, "paused")
    assert run().claimed == 0
    assert shop.charged() == []
