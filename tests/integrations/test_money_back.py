"""Money that goes back and comes back: what every host hears of it, and that its books say the same as ours."""

import datetime as dt

import pytest

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from payments.models import HostItem, Payment
from payments.services import ledger, reversals
from payments.services.owed import owed
from tests.conftest import NOW
from tests.integrations.styles import connect, drain, pushed, until
from tests.payments.conftest import Shop, processor, processor_program, today

__all__ = ["processor", "processor_program"]
STYLES = ("scollect", "intelec", "collect", "smartcollect")


def at(hours: int) -> dt.datetime:
    return NOW + dt.timedelta(hours=hours)


@pytest.fixture
def shop(processor, transactional_db):
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.fixture(params=STYLES)
def host(request, shop, tmp_path, live_server):
    program = connect(shop, request.param, tmp_path, live_server)
    pushed(program)
    shop.account.refresh_from_db()
    yield program
    program.close()


def record(host) -> dict:
    return next(one for one in host.call("/_sandbox/accounts")["accounts"] if one["FileNumber"] == "100234")


def told(host) -> list[tuple[str, str]]:
    """Give what the host read of each payment's news: its word and its amount."""
    blocks = [event.get("Payment") for event in host.received()]
    return [(block["Status"], block["Amount"]) for block in blocks if block]


def lines(host) -> list[tuple[str, str]]:
    return [(line["Status"], line["Amount"]) for line in record(host)["Payments"]]


def paid(shop, host) -> Payment:
    """Pay 125.00 of the 1,000.00, until the host shows it."""
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)]))
    settled(shop, host, "875.00")
    return payment


def settled(shop, host, balance: str) -> None:
    """Tell the host what happened, and wait until both say this balance."""
    drain()
    assert record(host)["CurrentBalance"] == balance
    assert host.call("/_sandbox/state")["events"]["refused"] == 0
    cents = int(balance.replace(".", ""))
    until(lambda: Account.objects.get(pk=shop.account.pk).balance_cents == cents)
    assert owed(Account.objects.get(pk=shop.account.pk)).cents == cents


def say_again(host) -> None:
    """Let the host write something else into its record and tell all of it, its list as it stands."""
    was = record(host)["AccountDescription"]
    host.call("/_sandbox/accounts/100234", {"AccountDescription": f"{was}, again"})
    assert pushed(host, "100234") == [(200, 1)]


def kinds() -> list[str]:
    found = Event.objects.filter(kind__startswith="payment.").order_by("account_seq").values_list("kind", flat=True)
    return [kind for kind in found if kind not in ("payment.started", "payment.intended", "payment.posted")]


def test_a_dispute_after_a_partial_refund_takes_back_what_was_left_and_no_more(shop, host):
    payment = paid(shop, host)
    reversals.record_refund(payment_id=payment.pk, refunded_cents=40_00, now=at(1))
    settled(shop, host, "915.00")
    reversals.record_dispute(payment_id=payment.pk, said="opened", now=at(2))
    settled(shop, host, "1000.00")
    assert told(host)[1:] == [("APPROVED", "125.00"), ("REFUNDED", "40.00"), ("CHARGEBACK", "85.00")]
    assert Event.objects.get(kind="payment.charged_back").data["taken_back_cents"] == 85_00


def test_a_dispute_that_is_won_is_paid_again_at_every_host_and_its_old_word_takes_nothing(shop, host):
    payment = paid(shop, host)
    reversals.record_refund(payment_id=payment.pk, refunded_cents=40_00, now=at(1))
    reversals.record_dispute(payment_id=payment.pk, said="opened", now=at(2))
    settled(shop, host, "1000.00")
    reversals.record_dispute(payment_id=payment.pk, said="won", now=at(3))
    say_again(host)  # before it hears of it, the host says with every list that the money is gone
    assert Payment.objects.get().status == Payment.Status.SUCCEEDED
    settled(shop, host, "915.00")
    assert lines(host) == [("POSTED", "125.00"), ("REFUND", "40.00")]
    assert told(host)[-1] == ("APPROVED", "85.00")
    assert kinds() == ["payment.succeeded", "payment.refunded", "payment.charged_back", "payment.succeeded"]
    assert ledger.net_cents(payment) == 85_00


@pytest.mark.parametrize("cents", [125_00, 40_00])
def test_a_refund_that_fails_is_paid_again_at_every_host_and_is_not_made_again_by_its_old_line(shop, host, cents):
    payment = paid(shop, host)
    reversals.record_refund(payment_id=payment.pk, refunded_cents=cents, now=at(1))
    settled(shop, host, "1000.00" if cents == 125_00 else "915.00")
    reversals.record_refund_failed(payment_id=payment.pk, refunded_cents=0, reason="closed", now=at(2))
    say_again(host)
    assert ledger.net_cents(payment) == 125_00
    settled(shop, host, "875.00")
    assert told(host)[-1] == ("REFUND FAILED", f"{cents // 100}.00")
    say_again(host)
    assert kinds() == ["payment.succeeded", "payment.refunded", "payment.refund_failed"]
    assert Payment.objects.get().status == Payment.Status.SUCCEEDED
    assert ("POSTED", "125.00") in lines(host)
    assert "REFUND" not in [status for status, _amount in lines(host)]


def test_each_part_that_went_back_has_an_id_of_its_own_at_every_host(shop, host):
    payment = paid(shop, host)
    for in_all in (25_00, 50_00):
        reversals.record_refund(payment_id=payment.pk, refunded_cents=in_all, now=at(1))
    settled(shop, host, "925.00")
    refunds = [line["PortalID"] for line in record(host)["Payments"] if line["Status"] == "REFUND"]
    named = Event.objects.filter(kind="payment.refunded").order_by("account_seq").values_list("pk", flat=True)
    assert refunds == [str(pk) for pk in named]
    until(lambda: HostItem.objects.filter(status="REFUND").count() == 2)
