"""A batch writes set-wise what would be written one by one; connections are shared, a silent processor rests."""

import datetime as dt
import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Event
from payments.models import Payment, Postdate
from payments.processors import Outcome
from payments.services import charging, moves
from tests.conftest import make_account
from tests.payments.due_cast import EIGHT, announce, due_item, fresh, item_of, keep_card, plan, run


def several(shop, count, names="Q"):
    """Plan one payment on each of several accounts of one consumer with one card."""
    card, made = keep_card(shop), []
    for number in range(count):
        reference = f"{names}{number}"
        account = make_account(shop.agency, consumer=shop.account.consumer, reference=reference, sol_status="live")
        arrangement = plan(shop, account=account, method=card)
        announce(arrangement)
        made.append(item_of(arrangement))
    return made


def test_the_payment_and_its_event_are_what_the_models_themselves_would_say(shop):
    due_item(shop)
    assert run(charge=False).intended == 1
    payment = Payment.objects.select_related("method", "account__consumer").get()
    event = Event.objects.get(kind="payment.intended")
    assert event.data == {"v": 1} | moves.snapshot(payment, payment.account, EIGHT, origin="portal")
    blank = Payment()
    given = [
        "id",
        "agency",
        "account",
        "consumer",
        "method",
        "authorization",
        "arrangement",
        "postdate",
        "processor_account",
        "idempotency_key",
        "request_hash",
        "kind",
        "executor",
        "purpose",
        "amount_cents",
        "currency",
        "status",
        "intended_at",
        "expires_at",
    ]
    others = [line for line in Payment._meta.concrete_fields if line.name not in given]
    assert [getattr(payment, line.attname) for line in others] == [getattr(blank, line.attname) for line in others]
    assert payment.expires_at == EIGHT + dt.timedelta(minutes=15)
    assert len(payment.request_hash) == 64
    assert payment.processor_account_id == payment.method.processor_account_id


def test_events_stay_dense_per_account_between_the_run_and_everything_else(shop):
    due_item(shop)
    run()
    seqs = Event.objects.filter(account=shop.account).order_by("account_seq").values_list("account_seq", flat=True)
    assert list(seqs) == list(range(1, len(seqs) + 1))
    assert Account.objects.get().event_seq == len(seqs)


def test_the_statements_of_a_batch_do_not_grow_with_its_items(shop):
    counts = []
    for count in (2, 8):
        several(shop, count, names=f"S{count}-")
        with CaptureQueriesContext(connection) as seen:
            assert run(charge=False).intended == count
        counts.append(len(seen))
        Postdate.objects.update(status="taken")
        Payment.objects.update(status="succeeded", decided_at=EIGHT)
    assert counts[0] == counts[1] <= 20


class Watched:
    """A processor that counts who speaks to it at once, and answers what it is told."""

    def __init__(self, *, silent=0, meet=0) -> None:
        self.lock, self.now, self.most, self.asked = threading.Lock(), 0, 0, []
        self.silent, self.barrier = silent, threading.Barrier(meet) if meet else None

    def charge(self, order) -> Outcome:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(order.payment)
            first = len(set(self.asked))
        if self.barrier and first <= self.barrier.parties:
            self.barrier.wait(timeout=20)
        with self.lock:
            self.now -= 1
        if first <= self.silent:
            return Outcome(status="unknown", reason="silence")
        return Outcome(status="succeeded", ref=f"pi_{order.payment}", amount_cents=order.amount_cents)


@pytest.fixture
def watched(monkeypatch):
    def put(**more) -> Watched:
        processor = Watched(**more)
        monkeypatch.setattr(charging, "adapter_of", lambda account: processor)
        return processor

    return put


def test_several_are_asked_for_at_once_and_never_more_than_a_merchant_account_may(shop, watched, settings):
    settings.DUE_CONNECTIONS_PER_MERCHANT = 3
    items = several(shop, 9)
    processor = watched(meet=3)
    assert run().charged == 9
    assert processor.most == 3
    assert {fresh(item).status for item in items} == {"taken"}


def test_after_five_silences_the_rest_waits_for_the_next_run(shop, watched, settings):
    settings.DUE_CONNECTIONS_PER_MERCHANT = 1
    several(shop, 9)
    processor = watched(silent=99)
    ran = run()
    assert (ran.intended, ran.charged, ran.left) == (9, charging.SILENCES, True)
    assert len(set(processor.asked)) == charging.SILENCES
    assert set(Payment.objects.values_list("status", flat=True)) == {"intended"}
    # The processor is back: those that it did not answer are sent again at once, the others when their lease ends.
    back = watched()
    assert run(EIGHT + dt.timedelta(minutes=1)).resumed == charging.SILENCES
    ran = run(EIGHT + dt.timedelta(minutes=5))
    assert (ran.resumed, ran.intended, ran.charged, ran.left) == (4, 0, 4, False)
    assert len(set(back.asked)) == 9
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}


def test_a_run_whose_time_is_over_leaves_the_rest_to_the_next(shop, watched, settings):
    settings.DUE_SECONDS = 0.0
    several(shop, 3)
    processor = watched()
    ran = run()
    assert (ran.intended, ran.charged, ran.left) == (3, 0, True)
    assert processor.asked == []
    settings.DUE_SECONDS = 25.0
    ran = run(EIGHT + dt.timedelta(minutes=5))
    assert (ran.resumed, ran.charged) == (3, 3)


def test_a_fault_of_one_answer_leaves_the_others_alone(shop, watched, monkeypatch):
    items = several(shop, 3)
    processor = watched()
    broken = str(items[1].account_id)
    real = processor.charge

    def charge(order):
        if order.payment == chosen["payment"]:
            raise RuntimeError("a fault of the adapter")
        return real(order)

    chosen = {"payment": ""}
    monkeypatch.setattr(processor, "charge", charge)
    run(charge=False)
    chosen["payment"] = str(Payment.objects.get(account_id=broken).pk)
    ran = run(EIGHT + dt.timedelta(minutes=5))
    assert (ran.resumed, ran.charged) == (3, 3)
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["intended", "succeeded", "succeeded"]
