"""A host says in its own list when the letter about a planned payment left, and the payment is taken once (PDC-05)."""

import datetime as dt

import pytest
import time_machine

from accounts.models import Account
from accounts.tenancy import acting_for
from integrations import hosts
from integrations.hosts import BadRecord, Words
from payments.models import Notice, Payment, Postdate
from payments.services import due
from tests.integrations.styles import connect, drain, pushed, until
from tests.integrations.test_style_collect import DEBTOR
from tests.integrations.test_style_intelec import CASE
from tests.integrations.test_style_smartcollect import ENTRY
from tests.payments.conftest import Shop, processor, processor_program, today

__all__ = ["processor", "processor_program"]
DUE_ON = dt.date(2026, 12, 22)
"""A Tuesday; the letter leaves by the tenth."""
PLANNED = {
    "collect": (DEBTOR, "Transactions", {"TransactionID": "T1", "Type": "102", "Date": "2026-12-22"}, "NoticeSentOn"),
    "intelec": (CASE, "PostDated", {"ItemID": "I9", "On": "2026-12-22", "State": "PENDING"}, "NoticeSentOn"),
    "smartcollect": (
        ENTRY | ENTRY["accounts"][0],
        "plannedPayments",
        {"id": "P1", "date": "2026-12-22", "status": "PENDING"},
        "noticeSentOn",
    ),
}


@pytest.mark.parametrize("style", PLANNED)
def test_a_planned_payment_says_when_its_letter_left_in_the_hosts_own_words(style):
    start, (record, listed, item, name) = hosts.defaults(style), PLANNED[style]
    words = Words("http://host", "key", start["status_map"], "Cell Phone", "Good Number", start["vocabulary"])
    amount = {"amount" if style == "smartcollect" else "Amount": "50.00"}
    adapter = hosts.adapter(style, words)
    (line,) = adapter.read(record | {listed: [item | amount | {name: "2026-12-08"}]}).postdates
    assert (line.on, line.notice_sent_on) == (DUE_ON, dt.date(2026, 12, 8))
    with pytest.raises(BadRecord) as refused:
        adapter.read(record | {listed: [item | amount | {name: "soon"}]})
    assert [tuple(one)[:2] for one in refused.value.errors] == [(f"/{listed}/0/{name}", "invalid_date")]


@pytest.fixture
def shop(processor, transactional_db):
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.mark.parametrize("style", PLANNED)
def test_a_plan_announced_by_letter_is_charged_once_the_host_says_that_the_letter_left(
    shop, style, tmp_path, live_server
):
    host = connect(shop, style, tmp_path, live_server)
    try:
        pushed(host)
        shop.account.refresh_from_db()
        shop.confirm(shop.checkout("parts", [(today(), 700_00), (DUE_ON, 50_00)], paper=True))
        drain()
        until(lambda: Postdate.objects.get().acknowledged_at is not None)
        notice, item = Notice.objects.get(), Postdate.objects.get()
        assert (notice.channel, notice.status, item.executor) == ("letter", "due", "portal")
        with time_machine.travel(dt.datetime(2026, 12, 9, 20, tzinfo=dt.UTC)):
            host.call("/_sandbox/clock", {"now": "2026-12-09T20:00:00Z"})
            (line,) = host.call("/_sandbox/accounts")["accounts"][0]["PostDates"]
            host.call("/_sandbox/accounts/100234", {"PostDates": [line | {"NoticeSentOn": "2026-12-08"}]})
            assert pushed(host, "100234")[-1][0] == 200
            until(lambda: Notice.objects.get().status == "sent")
        at = dt.datetime(2026, 12, 22, 14, tzinfo=dt.UTC)
        Account.objects.update(as_of=at)
        assert (due.run(now=at).charged, due.run(now=at).charged) == (1, 0)
        assert Payment.objects.get(postdate=item).status == Payment.Status.SUCCEEDED
    finally:
        host.close()
