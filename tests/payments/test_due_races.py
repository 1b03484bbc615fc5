"""The due run beside everything else: another run, a consumer who pays, a revocation, a death at any line."""

import datetime as dt
import threading

import pytest
from django.db import connection, transaction

from accounts.models import Account, Consumer, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments import crash
from payments.models import Arrangement, LedgerEntry, Payment, Postdate
from payments.services import ask, authority, due, life
from payments.services.locks import lock_account
from payments.services.owed import owed
from tests.conftest import make_account
from tests.payments.due_cast import DAY, EIGHT, MINUTE, announce, due_item, fresh, item_of, keep_card, plan, run, told
from tests.payments.test_pay import kinds
from tests.payments.test_pay_crash import die_at

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls):
    """Run calls in threads that start at one barrier; return what each gave or raised."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def work(index, call):
        try:
            barrier.wait(timeout=20)
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def others(shop, count):
    """Plan one payment on each of several more accounts, all of the same consumer and card."""
    card, made = keep_card(shop), []
    for number in range(count):
        account = make_account(shop.agency, consumer=shop.account.consumer, reference=f"R{number}", sol_status="live")
        arrangement = plan(shop, account=account, method=card)
        announce(arrangement)
        made.append(item_of(arrangement))
    return made


def hold_at(monkeypatch, name):
    """Hold whoever first comes to a named line; give the events `reached` and `go`."""
    reached, go, real, first = threading.Event(), threading.Event(), crash.point, threading.Lock()

    def point(at):
        if at == name and first.acquire(blocking=False):
            reached.set()
            assert go.wait(timeout=30)
        real(at)

    monkeypatch.setattr(crash, "point", point)
    return reached, go


def in_thread(call):
    result = []

    def work():
        try:
            result.append(call())
        except Exception as error:
            result.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, result


def test_two_runs_at_once_share_the_work_and_charge_each_item_once(open_shop):
    items = others(open_shop, 12)
    ran = at_once(*[lambda: run(limit=3)] * 3)
    assert all(isinstance(one, due.Ran) for one in ran), ran
    assert sum(one.intended for one in ran) == 12
    assert sum(one.charged for one in ran) == 12
    assert len(open_shop.charged()) == 12
    assert Payment.objects.count() == 12
    assert sorted(one["idempotency_key"] for one in open_shop.charged()) == sorted(
        str(pk) for pk in Payment.objects.values_list("pk", flat=True)
    )
    assert {fresh(item).status for item in items} == {"taken"}
    assert {fresh(item).tries for item in items} == {1}
    assert Event.objects.filter(kind="postdate.due").count() == 12
    assert LedgerEntry.objects.count() == 24


def test_two_runs_in_the_same_claim_never_claim_the_same_item(open_shop, monkeypatch):
    """The first has claimed and not committed when the second comes: it finds nothing, and does not wait."""
    item = due_item(open_shop)
    reached, go = hold_at(monkeypatch, "due_after_claim")
    thread, first = in_thread(run)
    assert reached.wait(timeout=20)
    second = run()
    assert (second.claimed, second.charged) == (0, 0)
    go.set()
    thread.join(timeout=30)
    assert (first[0].claimed, first[0].charged) == (1, 1)
    assert len(open_shop.charged()) == 1
    assert fresh(item).tries == 1


def test_a_run_that_comes_while_another_charges_leaves_its_items_alone(open_shop, monkeypatch):
    due_item(open_shop)
    reached, go = hold_at(monkeypatch, "due_after_intent")
    thread, first = in_thread(run)
    assert reached.wait(timeout=20)
    assert run().claimed == 0
    go.set()
    thread.join(timeout=30)
    assert first[0].charged == 1
    assert len(open_shop.charged()) == 1


def test_a_consumer_who_pays_off_in_the_same_moment_never_pays_more_than_is_owed(open_shop):
    """Owed are 250.00: 125.00 are due now, 125.00 next month, and the consumer pays those by hand, whoever is first."""
    Account.objects.update(balance_cents=250_00)
    open_shop.account.refresh_from_db()
    arrangement = plan(open_shop, [(DAY, 125_00), (dt.date(2027, 1, 15), 125_00)])
    announce(arrangement)
    checkout = open_shop.checkout(lines=[(EIGHT.date(), 125_00)], now=EIGHT)
    at_once(run, lambda: _confirm(open_shop, checkout, EIGHT))
    by_hand = Payment.objects.filter(postdate=None, status="succeeded").count()
    # Whoever was second may have been told to wait for the first; the item has its turn a little later.
    run(EIGHT + 20 * MINUTE)
    taken = [one["amount"] for one in open_shop.charged()]
    assert taken == [125_00] * (1 + by_hand)
    assert sum(taken) == 250_00 - owed(open_shop.account).cents
    assert fresh(item_of(arrangement, 1)).status == Postdate.Status.TAKEN
    left = Postdate.objects.filter(status="scheduled").values_list("amount_cents", flat=True)
    assert sum(left) == owed(open_shop.account).cents
    assert len(taken) == Payment.objects.filter(status="succeeded").count() == LedgerEntry.objects.count() / 2


def _confirm(shop, checkout, now):
    with acting_for(shop.agency):
        return shop.confirm(checkout, now=now)


def test_what_a_consumer_paid_off_meanwhile_is_not_charged_again(open_shop, monkeypatch):
    """The host says that nothing is owed any more between the claim and the gates: they read it under the lock."""
    item = due_item(open_shop)
    reached, go = hold_at(monkeypatch, "due_after_claim")
    thread, ran = in_thread(run)
    assert reached.wait(timeout=20)
    Account.objects.update(balance_cents=0)
    go.set()
    thread.join(timeout=30)
    assert ran[0].skipped == 1
    assert told(open_shop.account, "postdate.skipped")[0]["reasons"] == ["nothing_owed"]
    assert open_shop.charged() == []
    assert fresh(item).status == Postdate.Status.HELD


def test_an_authorization_revoked_between_claim_and_intent_is_not_charged_pdc_07(open_shop, monkeypatch):
    item = due_item(open_shop)
    reached, go = hold_at(monkeypatch, "due_after_claim")
    thread, ran = in_thread(run)
    assert reached.wait(timeout=20)
    with transaction.atomic():
        account = lock_account(open_shop.account.pk)
        authority.revoke(item.arrangement.authorization, account=account, by="consumer", now=EIGHT)
    go.set()
    thread.join(timeout=30)
    assert (ran[0].intended, ran[0].skipped) == (0, 1)
    assert told(open_shop.account, "postdate.skipped")[0]["reasons"] == ["authorization_revoked"]
    assert Payment.objects.count() == 0
    assert open_shop.merchant.ledger() == []


def test_a_plan_cancelled_between_intent_and_charge_is_not_charged_eft_05(open_shop, monkeypatch):
    item = due_item(open_shop)
    reached, go = hold_at(monkeypatch, "due_after_intent")
    thread, ran = in_thread(run)
    assert reached.wait(timeout=20)
    life.cancel(arrangement=item.arrangement, by="consumer", reason="cancelled", now=EIGHT)
    go.set()
    thread.join(timeout=30)
    assert (ran[0].intended, ran[0].charged) == (1, 0)
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert open_shop.merchant.ledger() == []
    assert fresh(item).status == Postdate.Status.CANCELLED
    assert Arrangement.objects.get().status == Arrangement.Status.CANCELLED
    assert kinds(open_shop.account)[-1] == "payment.voided"


def test_an_account_that_somebody_works_on_is_left_for_the_next_run_without_waiting(open_shop):
    item = due_item(open_shop)
    held, go = threading.Event(), threading.Event()

    def work():
        with acting_for(open_shop.agency), transaction.atomic():
            lock_account(open_shop.account.pk)
            held.set()
            assert go.wait(timeout=30)

    thread, _result = in_thread(work)
    assert held.wait(timeout=20)
    ran = run()
    assert (ran.claimed, ran.intended, ran.skipped) == (1, 0, 0)
    left = fresh(item)
    assert (left.tries, left.claimed_until, left.run_at) == (0, None, None)
    go.set()
    thread.join(timeout=30)
    assert run(EIGHT + MINUTE).charged == 1
    assert len(open_shop.charged()) == 1


CRASHES = [("due_after_claim", 0, 0), ("due_after_intent", 1, 0), ("due_after_charge", 1, 1)]


@pytest.mark.parametrize(("point", "payments", "charges"), CRASHES, ids=[one[0] for one in CRASHES])
def test_a_run_that_dies_at_any_line_is_continued_and_charges_once(open_shop, point, payments, charges):
    item = due_item(open_shop)
    die_at(point, run)
    assert (Payment.objects.count(), len(open_shop.charged())) == (payments, charges)
    # What a dead run holds is left alone until its lease ends; what it never committed is free at once.
    assert run(EIGHT + MINUTE).charged == 1 - payments
    ran = run(EIGHT + due.LEASE)
    assert (ran.resumed, ran.charged) == (payments, payments)
    (charge,) = open_shop.charged()
    payment = Payment.objects.get()
    assert (payment.status, charge["idempotency_key"]) == (Payment.Status.SUCCEEDED, str(payment.pk))
    assert (fresh(item).status, fresh(item).tries) == (Postdate.Status.TAKEN, 1)
    assert LedgerEntry.objects.count() == 2
    counted = kinds(open_shop.account)
    assert [counted.count(kind) for kind in ("postdate.due", "payment.intended", "payment.succeeded")] == [1, 1, 1]
    assert run(EIGHT + 2 * due.LEASE).claimed == 0


@pytest.mark.parametrize(("point", "payments", "charges"), CRASHES, ids=[one[0] for one in CRASHES])
def test_after_a_death_the_sweep_and_the_next_run_agree(open_shop, point, payments, charges):
    """The sweep asks between the two: what was taken is found, what was not is charged by the run, once."""
    item = due_item(open_shop)
    die_at(point, run)
    with acting_for(ALL_AGENCIES):
        # What a run has in its hands is not asked about; when the lease is over, whoever comes first finds out.
        assert ask.sweep(now=EIGHT + MINUTE) == 0
        assert ask.sweep(now=EIGHT + due.LEASE) == payments
    assert Payment.objects.filter(status="succeeded").count() == charges
    run(EIGHT + due.LEASE)
    assert fresh(item).status == Postdate.Status.TAKEN
    assert len(open_shop.charged()) == Payment.objects.filter(status="succeeded").count() == 1


def test_a_dead_run_that_nobody_continues_in_time_is_ended_and_made_anew(open_shop):
    item = due_item(open_shop)
    die_at("due_after_intent", run)
    expired = EIGHT + 16 * MINUTE
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=expired)
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert run(expired).claimed == 0
    assert run(expired + dt.timedelta(hours=1)).charged == 1
    assert [one["amount"] for one in open_shop.charged()] == [125_00]
    assert fresh(item).status == Postdate.Status.TAKEN


def test_an_item_that_breaks_the_run_is_put_aside_and_the_others_are_charged(open_shop, monkeypatch):
    """A zone that no computer knows: its item alone waits, staff are told, seven others are taken."""
    items = others(open_shop, 8)
    bad = make_account(open_shop.agency, reference="BAD", consumer=_nowhere(open_shop))
    Account.objects.filter(pk=items[3].account_id).update(consumer_id=bad.consumer_id)
    ran = run()
    assert (ran.charged, ran.claimed, ran.skipped) == (7, 8, 1)
    assert len(open_shop.charged()) == 7
    put_aside = fresh(items[3])
    assert (put_aside.status, put_aside.run_at) == (Postdate.Status.SCHEDULED, EIGHT + dt.timedelta(hours=1))
    opened = told(items[3].account, "incident.opened")
    assert [one["what"] for one in opened] == ["due_item_failed"]
    assert EIGHT.date() == DAY


def _nowhere(shop):
    return Consumer.objects.create(
        connection_id=shop.account.connection_id, last_name="No", last_name_key="NO", time_zone="Mars/Base"
    )
