"""The whole circle with a real host: it places an account, hears of a payment, posts it, and the portal sees it."""

import datetime as dt
import time

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations.models import HostConnection
from integrations.services.drain import Drain
from integrations.services.receive import make_inbound_key
from payments.models import HostItem, Payment, Postdate
from payments.services import items, ledger, life, postdates, refunds
from payments.services.locks import lock_account
from tests.conftest import NOW
from tests.integrations.host_program import HostProgram
from tests.payments.conftest import Shop, processor, processor_program, today

__all__ = ["processor", "processor_program"]
pytestmark = pytest.mark.django_db(transaction=True)
PERSON = {
    "FirstName": "Jane",
    "LastName": "Doe",
    "SSN": "900991234",
    "ClientNumber": "C1",
    "ClientName": "Harbor Medical",
    "OriginalCreditor": "Harbor Medical Group",
    "AccountDescription": "Emergency room visit",
    "ContractDate": "2025-03-14",
    "Address": {"Zip": "12207", "State": "NY"},
    "SolStatus": "live",
}


@pytest.fixture
def shop(processor):
    return Shop(processor, "acme")


@pytest.fixture
def host(shop, tmp_path, live_server):
    """A host that knows the shop's account and whose clock stands an hour after the portal's picture."""
    program = HostProgram(tmp_path)
    with acting_for(shop.agency):
        connection = HostConnection.objects.get()
        key = make_inbound_key(connection)
        HostConnection.objects.update(base_url=program.url)
    program.call("/_sandbox/clock", {"now": "2026-12-01T15:00:00Z"})
    program.call(
        "/_sandbox/configure",
        {
            "outbound_key": connection.outbound_key,
            "inbound_key": key,
            "connection_id": str(connection.pk),
            "portal_url": live_server.url,
            "push_delay_ms": 0,
        },
    )
    record = {"FileNumber": "100234", "Status": "ACTIVE", "CurrentBalance": "1000.00", **PERSON}
    program.call("/_sandbox/accounts", [record, record | {"FileNumber": "100235", "SSN": "900991235"}])
    yield program
    program.close()


def drain() -> int:
    return Drain(clock=timezone.now).run()


def until(true, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_payment_goes_out_comes_back_posted_and_a_cancel_is_the_hosts_to_grant(shop, host):
    pushed = host.call("/_sandbox/push", {"FileNumbers": "all", "gzip": True})["answers"]
    assert [(one["status"], one["answer"]["accepted"]) for one in pushed] == [(200, 2)]
    pushed = host.call("/_sandbox/push", {"FileNumbers": "all"})["answers"]
    assert pushed[0]["answer"]["unchanged"] == 2
    with acting_for(shop.agency):
        assert Account.objects.count() == 2
        shop.account.refresh_from_db()
        payment = shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
        assert drain() > 5
        until(lambda: HostItem.objects.count() == 2)
        payment.refresh_from_db()
        assert (payment.status, payment.acknowledged_at is not None) == (Payment.Status.SUCCEEDED, True)
        shown = {item.kind: (item.status, item.amount_cents, item.matched) for item in HostItem.objects.all()}
        assert shown == {"payment": ("POSTED", 700_00, True), "postdate": ("PENDING", 50_00, True)}
        until(lambda: Account.objects.get(reference="100234").balance_cents == 300_00)
        postdate = Postdate.objects.get()
        postdates.request_cancel(postdate=postdate, now=NOW)
        drain()
        postdate.refresh_from_db()
        assert postdate.status == Postdate.Status.CANCELLED
        drain()
        kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"postdate.cancel_requested", "postdate.cancelled", "balance.changed", "payment.posted"} <= kinds
    assert host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}


def test_a_refused_cancel_schedules_again_and_says_why(shop, host):
    host.call("/_sandbox/configure", {"refuse_cancels": True})
    host.call("/_sandbox/push", {"FileNumbers": "all"})
    with acting_for(shop.agency):
        shop.account.refresh_from_db()
        shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
        drain()
        until(lambda: HostItem.objects.count() == 2)
        postdate = Postdate.objects.get()
        postdates.request_cancel(postdate=postdate, now=NOW)
        drain()
        postdate.refresh_from_db()
        assert postdate.status == Postdate.Status.SCHEDULED
        changed = Event.objects.filter(kind="postdate.changed").order_by("-id").first()
    assert (changed.data["cancel_refused"], changed.data["reason"]) == (True, "refused_by_script")


def test_a_host_that_lets_go_of_a_hold_says_nothing_about_the_next_one_that_was_asked_meanwhile(shop, host):
    host.call("/_sandbox/push", {"FileNumbers": "all"})
    with acting_for(shop.agency):
        shop.account.refresh_from_db()
        shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
        drain()
        until(lambda: HostItem.objects.count() == 2)
        life.pause(account=shop.account, until=None, reason="dispute", now=NOW)
        drain()
        # The dispute ends while the account is blocked: both requests wait for the host at once.
        with transaction.atomic():
            account = lock_account(shop.account.pk)  # as whoever holds and lets go does: the host pushes meanwhile
            life.resume(account=account, now=NOW)
            items.hold_all(Postdate.objects.all(), "account_status", account=account, now=NOW)
        drain()
        postdate = Postdate.objects.get()
        assert (postdate.status, postdate.held_for) == (Postdate.Status.HELD, "account_status")
        with transaction.atomic():
            items.release_all([postdate], "account_status", account=lock_account(shop.account.pk), now=NOW)
        drain()
        assert Postdate.objects.get().status == Postdate.Status.SCHEDULED
        asked = Event.objects.filter(kind="postdate.hold_requested").order_by("account_seq")
        assert [event.data["hold"] for event in asked] == [True, False, True, False]
        assert not Event.objects.filter(kind="postdate.changed").exists()


def test_a_part_that_is_given_back_raises_the_hosts_balance_by_that_part_only(shop, host):
    host.call("/_sandbox/push", {"FileNumbers": "all"})
    with acting_for(shop.agency):
        payment = shop.confirm(shop.checkout(lines=[(today(), 100_00)]))
        drain()
        until(lambda: _record(host)["CurrentBalance"] == "900.00")
        for cents in (25_00, 30_00):
            asked = refunds.ask(payment=payment, amount_cents=cents, reason="by mistake", by="ann", now=NOW)
            refunds.carry_out(refund=asked, now=NOW)
        drain()
    until(lambda: _record(host)["CurrentBalance"] == "955.00")
    shown = [(item["Amount"], item["Status"]) for item in _record(host)["Payments"]]
    assert shown == [("100.00", "POSTED"), ("25.00", "REFUND"), ("30.00", "REFUND")]
    # What the host shows of it changes nothing here: the payment stands, less what went back.
    until(lambda: _seen(shop, "balance_cents") == 955_00)
    with acting_for(shop.agency):
        payment.refresh_from_db()
        assert (payment.status, ledger.net_cents(payment)) == (Payment.Status.SUCCEEDED, 45_00)
        asked = refunds.ask(payment=payment, amount_cents=45_00, reason="all of it", by="ann", now=NOW)
        refunds.carry_out(refund=asked, now=NOW)
        drain()
        payment.refresh_from_db()
        assert payment.status == Payment.Status.REFUNDED
    until(lambda: _record(host)["CurrentBalance"] == "1000.00")


def _record(host) -> dict:
    return next(one for one in host.call("/_sandbox/accounts")["accounts"] if one["FileNumber"] == "100234")


def _seen(shop, name):
    with acting_for(shop.agency):
        return Account.objects.values_list(name, flat=True).get(pk=shop.account.pk)
