"""Two at once, held open where only one guard decides: exactly one outcome, and without the guard it goes wrong.

Whoever has read what the other is about to change waits there for the other. Under the guard the other never comes, and
the wait ends by itself. Every race is run without its guard too, where it must be lost: a race that cannot be lost
proves nothing.
"""

import contextlib
import datetime as dt
import threading
import uuid

import pytest
from django.db.models import QuerySet

from accounts.known import Known
from accounts.models import Account, Consumer, Event
from payments.models import Arrangement, Incident, LedgerEntry, Method, Payment, Postdate, Refund
from payments.processors import Outcome
from payments.rules.authorization import text_sha256
from payments.services import (
    charging,
    due,
    gate,
    keep,
    life,
    mirror,
    postdates,
    ready,
    refunds,
    settle,
    velocity,
    wallet,
)
from tests.conftest import NOW
from tests.payments.conftest import DECLINED_MASTERCARD, MASTERCARD, VISA_DEBIT
from tests.payments.due_cast import DAY, EIGHT, MINUTE, announce, due_item, item_of, plan, run
from tests.payments.test_due_races import hold_at, in_thread
from tests.payments.test_locks import at_once, confirming
from tests.payments.test_mirror import Line, planned, show
from tests.payments.test_pay import kinds
from tests.payments.test_settle import LATER, undecided

MEET_SECONDS = {True: 1.0, False: 5.0}
"""By guarded: under a guard the other never comes; without it they must meet, on a busy machine too."""
HELD_OR_POSTED = ("postdate.hold_requested", "payment.posted")
LOST = pytest.mark.xfail(strict=True, raises=AssertionError, reason="without its guard the race is lost")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("guarded", [True, pytest.param(False, marks=LOST)], ids=["guarded", "unguarded"]),
]


@pytest.fixture
def without_locks(guarded, monkeypatch):
    """Take the row locks of some tables away where the race is to be lost."""

    def take_away(*models):
        if guarded:
            return
        real, lock = QuerySet.select_for_update, ready.LOCK
        monkeypatch.setattr(
            QuerySet, "select_for_update", lambda rows, **more: rows if rows.model in models else real(rows, **more)
        )
        # What is known was made with its locks.
        monkeypatch.setattr(Known, "_ask", lambda one, how, values: how(one.build(*values))[1]())
        if Account in models:
            without = lock[: lock.index("FOR NO KEY UPDATE")]
            assert "SKIP LOCKED" in lock[len(without) :]
            monkeypatch.setattr(ready, "LOCK", without)

    return take_away


@pytest.fixture
def meet(guarded, monkeypatch):
    """Let whoever leaves one of these functions wait for the other one, once."""
    barrier = threading.Barrier(2)

    def at(*places):
        for module, name in places:
            monkeypatch.setattr(module, name, _waiting(getattr(module, name), barrier, MEET_SECONDS[guarded]))

    return at


def _waiting(real, barrier, seconds):
    def line(*args, **named):
        found = real(*args, **named)
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=seconds)
        return found

    return line


def test_two_tabs_with_two_cards_are_one_charge_and_a_refusal(open_shop, without_locks, meet):
    without_locks(Account)
    calls = [confirming(open_shop, open_shop.checkout()) for _tab in range(2)]
    meet((gate, "standing"))
    found = at_once(open_shop.agency, *calls)
    assert sorted(type(one).__name__ for one in found) == ["Payment", "list"], found
    assert len(open_shop.charged()) == 1
    assert Payment.objects.count() == 1


def test_two_people_who_pay_one_balance_off_at_once_pay_it_once(open_shop, without_locks, meet):
    # The host executes bank debits: neither is undecided here, so no constraint stands between them.
    without_locks(Account)
    calls = [confirming(open_shop, open_shop.checkout("full", bank="000123456789")) for _login in range(2)]
    meet((gate, "standing"))
    found = at_once(open_shop.agency, *calls)
    assert [payment.amount_cents for payment in Payment.objects.all()] == [1_000_00]
    assert sorted(type(one).__name__ for one in found) == ["Payment", "list"], found


def test_a_consumer_and_the_due_run_take_together_what_is_owed_and_no_more(open_shop, without_locks, meet):
    """Owed are 250.00: 125.00 are due now, the same next month, and the consumer pays 125.00 in the same moment."""
    Account.objects.update(balance_cents=250_00)
    open_shop.account.refresh_from_db()
    arrangement = plan(open_shop, [(DAY, 125_00), (dt.date(2027, 1, 15), 125_00)])
    announce(arrangement)
    by_hand = confirming(
        open_shop, open_shop.checkout(lines=[(EIGHT.date(), 125_00)], bank="000123456789", now=EIGHT), now=EIGHT
    )
    without_locks(Account)
    meet((gate, "refusals"), (due, "_leave"))  # one has asked all its questions, the other has written what it takes
    found = at_once(open_shop.agency, by_hand, run)
    assert not [one for one in found if isinstance(one, Exception)], found
    run(EIGHT + 20 * MINUTE)
    paid = [payment.amount_cents for payment in Payment.objects.filter(status__in=Payment.COUNTED)]
    left = Postdate.objects.filter(status="scheduled").values_list("amount_cents", flat=True)
    assert sum(paid) + sum(left) == 250_00, (paid, left)
    assert item_of(arrangement, 1).status == Postdate.Status.TAKEN


def test_request_webhook_and_sweep_bring_the_same_yes_and_it_counts_once(open_shop, without_locks, meet):
    payment = undecided(open_shop)
    (charge,) = open_shop.charged()
    yes = Outcome(status="succeeded", ref=charge["payment_intent"], amount_cents=125_00, currency="usd")
    without_locks(Account, Payment)
    meet((settle.tries, "taken"))
    news = [lambda: settle.record_outcome(payment_id=payment.pk, outcome=yes, now=LATER)] * 3
    found = at_once(open_shop.agency, *news)
    assert [getattr(one, "status", one) for one in found] == ["succeeded"] * 3
    assert kinds(open_shop.account) == ["authorization.created", "payment.intended", "payment.succeeded"]
    assert sorted(LedgerEntry.objects.values_list("amount_cents", flat=True)) == [-125_00, 125_00]


def test_a_yes_and_a_no_at_once_are_one_of_them(open_shop, without_locks, meet):
    payment = undecided(open_shop)
    yes = Outcome(status="succeeded", ref="pi_x", amount_cents=125_00)
    no = Outcome(status="declined", ref="pi_x", decline_code="generic_decline")
    without_locks(Account, Payment)
    meet((settle.tries, "taken"), (settle.tries, "is_due_item"))
    news = [
        lambda said=said: settle.record_outcome(payment_id=payment.pk, outcome=said, now=LATER) for said in (yes, no)
    ]
    found = at_once(open_shop.agency, *news)
    assert not [one for one in found if isinstance(one, Exception)], found
    told = [kind for kind in kinds(open_shop.account) if kind in ("payment.succeeded", "payment.declined")]
    assert len(told) == 1
    assert told == [f"payment.{Payment.objects.get().status}"]


def test_a_plan_cancelled_between_intent_and_charge_is_never_charged(open_shop, guarded, monkeypatch):
    """The guard is the second look right before the request is sent (EFT-05)."""
    item = due_item(open_shop)
    if not guarded:
        joined = Payment.objects.select_related("method", "authorization", "postdate", "processor_account")
        monkeypatch.setattr(charging, "_still", lambda pk, new, now: joined.get(pk=pk))
    reached, go = hold_at(monkeypatch, "due_after_intent")
    thread, _ran = in_thread(run)
    assert reached.wait(timeout=20)
    life.cancel(arrangement=item.arrangement, by="consumer", reason="cancelled", now=EIGHT)
    go.set()
    thread.join(timeout=30)
    assert open_shop.merchant.ledger() == []
    assert Payment.objects.get().status == Payment.Status.VOIDED
    assert Arrangement.objects.get().status == Arrangement.Status.CANCELLED


def test_two_refunds_of_one_payment_at_once_give_back_no_more_than_was_taken(open_shop, without_locks, meet):
    payment = open_shop.confirm(open_shop.checkout())
    without_locks(Account, Payment)
    meet((refunds, "_given_back"))

    def ask():
        refund = refunds.ask(payment=payment, amount_cents=100_00, reason="by mistake", by="ann", now=LATER)
        return refunds.carry_out(refund=refund, now=LATER)

    found = at_once(open_shop.agency, ask, ask)
    assert sorted(type(one).__name__ for one in found) == ["Refund", "list"], found
    assert [refund.amount_cents for refund in Refund.objects.filter(status__in=["approved", "done"])] == [100_00]
    assert sum(row["amount"] for row in open_shop.merchant.ledger() if row["kind"] == "refund") == 100_00


def test_a_hold_and_the_hosts_charge_at_once_are_told_to_staff_or_come_too_late(open_shop, without_locks, meet):
    """Portal and host at one item: whoever is second knows of the first, and what was charged after a stop is told."""
    item = planned(open_shop)
    without_locks(Account, Postdate)
    meet((mirror, "_lock"), (postdates, "_locked"))
    line = Line("SC-1", item.pk, 50_00, "POSTED")
    at_once(
        open_shop.agency,
        lambda: show(open_shop, [line]),
        lambda: postdates.hold(postdate=item, reason="paused", now=LATER),
    )
    assert Payment.objects.get(executor="host").status == "succeeded"
    assert Postdate.objects.get().status == Postdate.Status.TAKEN
    order = [kind for kind in kinds(open_shop.account) if kind in HELD_OR_POSTED]
    assert order in (["payment.posted"], ["postdate.hold_requested", "payment.posted"])
    stopped = Incident.objects.filter(kind="charged_after_stop").count()
    assert stopped == len(order) - 1


def adding(shop, visit, *, card="", bank=""):
    """Press the button of a page of its own that keeps a card or bank account."""
    asked = keep.Asked(
        key=uuid.uuid4(), text="Keep it.", text_sha256=text_sha256("Keep it."), language="en", visit=visit,
        ip="127.0.0.1", user_agent="test",
    )  # fmt: skip
    token = shop.merchant.token(card) if card else ""
    typed = {"routing": "110000000", "number": bank, "account_type": "checking", "holder": "Jane Doe"}
    if card:
        return lambda: keep.add_card(account=shop.account, confirmation_token=token, asked=asked, now=NOW)
    return lambda: keep.add_bank(account=shop.account, **typed, asked=asked, now=NOW)


@pytest.mark.parametrize("way", [{"card": VISA_DEBIT}, {"bank": "000123456789"}], ids=["card", "bank"])
def test_two_tabs_that_keep_the_same_card_or_bank_account_keep_one(open_shop, without_locks, meet, way):
    visit = open_shop.visit()
    calls = [adding(open_shop, visit, **way) for _tab in range(2)]
    without_locks(Consumer)
    meet((keep, "_is_kept"))
    assert at_once(open_shop.agency, *calls) == [[], []]
    kept = list(wallet.methods_of(open_shop.account.consumer_id))
    assert (len(kept), list(Method.objects.all())) == (1, kept)
    assert Event.objects.filter(kind="method.added").count() == 1
    assert adding(open_shop, visit, **way)() == []
    assert Method.objects.count() == 1


def test_auth_16_two_cards_at_once_are_the_tenth_of_a_day_and_the_eleventh(open_shop, without_locks, meet):
    visit = open_shop.visit()
    for number in range(9):
        Method.objects.create(
            consumer_id=open_shop.account.consumer_id, kind="card", fingerprint=f"fp{number}", last4="1111",
            stored=True, consent={"visit": str(uuid.uuid4())}, created_at=NOW,
        )  # fmt: skip
    calls = [adding(open_shop, visit, card=card) for card in (VISA_DEBIT, MASTERCARD)]
    without_locks(Consumer)
    meet((velocity, "against"))
    found = at_once(open_shop.agency, *calls)
    assert sorted([one.code for one in refusals] for refusals in found) == [[], ["too_many_cards"]]
    assert Method.objects.filter(stored=True).count() == Method.objects.count() == 10


def test_auth_16_two_cards_at_once_after_two_declines_are_asked_about_one_by_one(open_shop, without_locks, meet):
    visit = open_shop.visit()
    for _time in range(2):
        assert [one.code for one in adding(open_shop, visit, card=DECLINED_MASTERCARD)()] == ["card_not_kept"]
    calls = [adding(open_shop, visit, card=DECLINED_MASTERCARD) for _tab in range(2)]
    without_locks(Consumer)
    meet((velocity, "against"))
    found = at_once(open_shop.agency, *calls)
    assert sorted(one.code for refusals in found for one in refusals) == ["card_not_kept", "too_many_declines"]
    assert Event.objects.filter(kind="method.refused").count() == 3
    assert not Method.objects.exists()
