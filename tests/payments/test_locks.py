"""Races that only a lock can decide, each held open between the gates and what they let through."""

import contextlib
import datetime as dt
import threading

import pytest
from django.db import connections, transaction

from accounts.tenancy import acting_for
from payments.models import Arrangement, Incident, LedgerEntry, Payment
from payments.processors import Outcome
from payments.processors.stripe import Stripe
from payments.services import gate, pay, settle
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.test_agree import accept, quoted
from tests.payments.test_arrange import agree_to_email


@pytest.fixture
def both_pass_the_gates(monkeypatch):
    """Let whoever read the standing wait for the other one to read it too; under a lock the other one never comes."""
    barrier, read = threading.Barrier(2), gate.standing

    def standing(account, *, now):
        found = read(account, now=now)
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1.0)
        return found

    def hold():
        monkeypatch.setattr(gate, "standing", standing)

    return hold


def at_once(agency, *calls):
    """Run the calls at the same time; give what each returned, or its refusals."""
    found = [None] * len(calls)

    def run(index, call):
        with acting_for(agency):
            try:
                found[index] = call()
            except pay.Refused as no:
                found[index] = [one.code for one in no.refusals]
            except Exception as error:
                found[index] = error
            finally:
                connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def confirming(shop, checkout, *, now=NOW):
    """Confirm with a text that was read before the race, as a page does."""
    from payments.services import checkout as checkouts

    sha256 = checkouts.review(checkout, language="en", now=now).text_sha256
    return lambda: pay.confirm(checkout=checkout, text_sha256=sha256, ip=None, user_agent="", language="en", now=now)


@pytest.mark.django_db(transaction=True)
def test_two_bank_debits_at_once_are_handed_over_once(open_shop, both_pass_the_gates):
    # Nothing but the account's lock stands between them: the host executes both, so neither is undecided here.
    calls = [confirming(open_shop, open_shop.checkout(bank="000123456789")) for _ in range(2)]
    both_pass_the_gates()
    found = at_once(open_shop.agency, *calls)
    assert Payment.objects.count() == 1
    assert sorted(type(one).__name__ for one in found) == ["Payment", "list"]
    assert ["already_paid_since"] in found


@pytest.mark.django_db(transaction=True)
def test_the_first_request_is_refused_while_a_second_one_pays_and_that_is_one_payment(open_shop, monkeypatch):
    """Pressed twice: the processor has no time for the first request (429) while the second one is on its way."""
    confirm = confirming(open_shop, open_shop.checkout())
    first_is_there, second_is_there, refused = threading.Event(), threading.Event(), threading.Event()
    really, apply = Stripe.charge, settle.apply

    def charge(adapter, order):
        if not first_is_there.is_set():
            first_is_there.set()
            assert second_is_there.wait(10)
            return Outcome(status="not_done", reason="RateLimitError 429")
        second_is_there.set()
        assert refused.wait(10)
        return really(adapter, order)

    def record(*args, outcome, **more):
        found = apply(*args, outcome=outcome, **more)
        if outcome.status == "not_done":
            transaction.on_commit(refused.set)
        return found

    def again():
        assert first_is_there.wait(10)
        return confirm()

    monkeypatch.setattr(Stripe, "charge", charge)
    monkeypatch.setattr(settle, "apply", record)
    one, two = at_once(open_shop.agency, confirm, again)
    assert (one.pk, one.status, two.pk, two.status) == (two.pk, "intended", one.pk, "succeeded")
    with acting_for(open_shop.agency):
        assert [payment.status for payment in Payment.objects.all()] == ["succeeded"]
        assert not Incident.objects.exists()
        assert sorted(LedgerEntry.objects.values_list("amount_cents", flat=True)) == [-125_00, 125_00]
    assert [charge["amount"] for charge in open_shop.charged()] == [125_00]


@pytest.mark.django_db(transaction=True)
def test_what_was_decided_meanwhile_is_not_sent_again(open_shop, monkeypatch):
    """The second request has read that nothing is decided; before it asks, the first one is refused for good."""
    confirm = confirming(open_shop, open_shop.checkout())
    first_is_there, second_is_there, refused = threading.Event(), threading.Event(), threading.Event()
    asked, finish = [], pay.finish

    def charge(_adapter, order):
        asked.append(order.payment)
        first_is_there.set()
        assert second_is_there.wait(10)
        return Outcome(status="not_done", reason="RateLimitError 429")

    def finishing(payment, *, fresh, now):
        if fresh:
            found = finish(payment, fresh=True, now=now)
            refused.set()
            return found
        second_is_there.set()
        assert refused.wait(10)
        return finish(payment, fresh=False, now=now)

    def again():
        assert first_is_there.wait(10)
        return confirm()

    monkeypatch.setattr(Stripe, "charge", charge)
    monkeypatch.setattr(pay, "finish", finishing)
    one, two = at_once(open_shop.agency, confirm, again)
    assert (one.status, two.status, two.pk) == ("voided", "voided", one.pk)
    assert len(asked) == 1
    assert open_shop.charged() == []


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_a_plan_at_once_are_one_of_them(open_shop, both_pass_the_gates):
    agree_to_email(open_shop)
    later = open_shop.checkout("amount", [(today() + dt.timedelta(days=14), 100_00)], bank="000123456789")
    settlement = open_shop.checkout("settlement", bank="000123456789")
    calls = [confirming(open_shop, later), confirming(open_shop, settlement)]
    both_pass_the_gates()
    found = at_once(open_shop.agency, *calls)
    assert Payment.objects.count() + Arrangement.objects.count() == 1
    assert sum(isinstance(one, list) for one in found) == 1


@pytest.mark.django_db(transaction=True)
def test_two_quotes_accepted_at_once_are_one_arrangement_and_a_refusal(open_shop, both_pass_the_gates):
    one, other = quoted(open_shop), quoted(open_shop)
    both_pass_the_gates()
    found = at_once(open_shop.agency, lambda: accept(one), lambda: accept(other))
    assert Arrangement.objects.count() == 1
    assert ["arrangement_active"] in found
