"""Collect!: debtors with transactions in, transactions by type and contact plans out, over real HTTP."""

import datetime as dt
from uuid import uuid4

import pytest

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations import hosts
from integrations.hosts import BadRecord, Words
from integrations.hosts.collect import Collect
from integrations.models import Delivery, HostConnection
from payments.models import HostItem, Payment, Postdate
from payments.processors import Outcome
from payments.services import by_hand, due, reversals, settle
from tests.conftest import NOW
from tests.integrations.styles import connect, drain, pushed, until, wire
from tests.payments.conftest import Shop, processor, processor_program, today
from tests.payments.test_later import publish_rules

__all__ = ["processor", "processor_program"]
WORDS = Words("http://host", "key", hosts.defaults("collect")["status_map"], "Cell Phone", "Good Number")
WORDS = Words(*[getattr(WORDS, name) for name in WORDS.__slots__[:5]], hosts.defaults("collect")["vocabulary"])
DEBTOR = {
    "File": "100234",
    "Status": "ACT",
    "Client": "C1",
    "Name": {"First": "Jane", "Last": "Doe"},
    "SSN": "900-99-1234",
    "Street": "1 Main Street",
    "State": "NY",
    "Zip": "12207",
    "Owing": "1000.00",
    "Changed": "2026-12-01T14:00:00Z",
    "Revision": 3,
    "Phones": [{"Type": "Cell Phone", "Status": "Good Number", "Number": "518-555-0101"}],
}
PAID = {
    "TransactionID": "T1",
    "PortalID": "",
    "Type": "102",
    "Date": "2026-11-01",
    "Posted": "2026-11-02",
    "Amount": "25.00",
}


def test_a_debtor_is_read_by_the_hosts_own_names_and_transactions_by_what_their_type_means():
    planned = PAID | {"TransactionID": "T2", "Type": "103", "Date": "2026-12-24", "Posted": None}
    nsf = PAID | {"TransactionID": "T3", "Type": "130", "ReturnCode": "r01"}
    told = Collect(WORDS).read(DEBTOR | {"Transactions": [PAID, planned, nsf]})
    assert (told.placement.reference, told.placement.status, told.placement.balance_cents) == (
        "100234",
        "open",
        1_000_00,
    )
    assert (told.placement.person.first_name, told.placement.person.street1) == ("Jane", "1 Main Street")
    assert (told.placement.version, told.placement.contacts[0].textable) == (3, True)
    assert [(line.host_id, line.status, line.method) for line in told.payments] == [
        ("T1", "POSTED", "CARD"),
        ("T3", "ACH REVERSAL", "ACH"),
    ]
    assert [line.return_code for line in told.payments] == ["", "R01"]
    assert [(line.host_id, line.status, line.method, line.amount_cents) for line in told.postdates] == [
        ("T2", "PENDING", "ACH", 25_00)
    ]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"Owing": "ten"}, "/Owing", "invalid_amount"),
        ({"Name": {"First": "Jane"}}, "/Name/Last", "required"),
        ({"Changed": None}, "/Changed", "required"),
        ({"Phones": [{"Number": "12"}]}, "/Phones/0/Number", "invalid_phone"),
        (
            {"Transactions": [PAID, PAID | {"Amount": "x", "TransactionID": "T2"}]},
            "/Transactions/1/Amount",
            "invalid_amount",
        ),
        ({"Transactions": [PAID | {"Type": "999"}]}, "/Transactions/0/Type", "unknown_transaction_type"),
        ({"Transactions": "none"}, "/Transactions", "invalid_list"),
        ({"Itemization": {"Balance": "1.00"}}, "/Itemization", "itemization_does_not_tie"),
        ({"Street": 7.5}, "/Street", "invalid_text"),
    ],
)
def test_every_error_points_into_the_record_that_the_host_sent(change, pointer, code):
    with pytest.raises(BadRecord) as refused:
        Collect(WORDS).read(DEBTOR | change)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


@pytest.fixture
def shop(processor, transactional_db):
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.fixture
def host(shop, tmp_path, live_server):
    program = connect(shop, "collect", tmp_path, live_server)
    yield program
    program.close()


def plans(host) -> list[tuple]:
    return [
        (plan["code"], plan["due_on"], plan["reason"], plan["ran_at"])
        for plan in host.call("/_sandbox/contact_plans")["plans"]
    ]


def test_a_payment_arrives_as_a_transaction_of_its_type_and_comes_back_posted(shop, host, other_agency):
    assert pushed(host) == [(200, 2)]
    assert pushed(host) == [(200, 0)]
    shop.account.refresh_from_db()
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)]))
    drain()
    told = next(one for one in wire(host) if one["Event"] == "payment.succeeded")
    assert (told["Record"], told["Operator"], told["File"]) == ("Transaction", "WEB", "100234")
    assert {name: told["Transaction"][name] for name in ("Type", "Amount", "Method", "Posted", "PortalID")} == {
        "Type": "102",
        "Amount": "125.00",
        "Method": "CARD",
        "Posted": today().isoformat(),
        "PortalID": str(payment.pk),
    }
    until(lambda: HostItem.objects.filter(matched=True).count() == 1)
    until(lambda: Account.objects.get(reference="100234").balance_cents == 875_00)
    payment.refresh_from_db()
    assert (payment.status, payment.acknowledged_at is not None) == (Payment.Status.SUCCEEDED, True)
    assert host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}
    with acting_for(other_agency):
        assert (Account.objects.count(), HostItem.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_what_the_hosts_agent_posts_comes_back_with_its_type(shop, host):
    line = {"Date": "2026-11-30", "Amount": "40.00", "Method": "CHECK", "Status": "POSTED"}
    host.call("/_sandbox/accounts/100234", {"Payments": [line]})
    assert pushed(host, "100234") == [(200, 1)]
    item = HostItem.objects.get()
    assert (item.kind, item.status, item.method, item.amount_cents, item.matched) == (
        "payment",
        "POSTED",
        "CHECK",
        40_00,
        False,
    )


def test_plan_a_is_asked_for_at_once_and_plan_b_for_the_day_after_the_last_payment(shop, host):
    publish_rules()
    pushed(host)
    shop.account.refresh_from_db()
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
    drain()
    assert plans(host) == [("PPA", today().isoformat(), "arrangement", None)]
    # Three days on the portal's own run charges the last part; Collect! only hears of it.
    later = NOW + dt.timedelta(days=3)
    Account.objects.update(as_of=later)
    until(lambda: Postdate.objects.get().acknowledged_at is not None)
    Account.objects.update(as_of=later)
    assert due.run(now=later).charged == 1
    drain()
    asked = [plan for plan in plans(host) if plan[2] == "full_or_final"]
    assert [(code, on) for code, on, _why, _ran in asked] == [("PPB", "2026-12-05")]
    ran = host.call("/_sandbox/clock", {"now": "2026-12-04T23:59:00Z"})["done"]
    assert [line["Amount"] for line in ran if line["Method"] == "PLAN"] == ["PPA"]
    ran = host.call("/_sandbox/clock", {"now": "2026-12-05T00:00:00Z"})["done"]
    assert [line["Amount"] for line in ran if line["Method"] == "PLAN"] == ["PPB"]
    drain()
    planned = host.call("/_sandbox/accounts")["accounts"][0]["PostDates"]
    assert planned == [], "the planned transaction became the payment"


def test_settled_in_full_by_one_payment_asks_for_plan_b_tomorrow(shop, host):
    publish_rules()
    pushed(host)
    shop.account.refresh_from_db()
    shop.confirm(shop.checkout("settlement", [(today(), 750_00)]))
    drain()
    assert [(code, on, why) for code, on, why, _ran in plans(host)] == [
        ("PPB", (today() + dt.timedelta(days=1)).isoformat(), "full_or_final")
    ]


def test_a_site_with_other_type_codes_is_read_and_told_in_them(shop, host):
    own = {"7A": "POSTED CARD", "7B": "POSTED ACH", "9X": "DECLINED CARD"}
    HostConnection.objects.update(vocabulary=own)
    connection = HostConnection.objects.get()
    from integrations.services.receive import adapter_for

    adapter = adapter_for(connection)
    told = adapter.read(DEBTOR | {"Transactions": [PAID | {"Type": "7b"}]})
    assert told.payments[0].method == "ACH"
    with pytest.raises(BadRecord):
        adapter.read(DEBTOR | {"Transactions": [PAID]})


def transactions(host) -> list[tuple]:
    """Give what the host was told of money that moved: its type, what it says it means, how much."""
    told = [one["Transaction"] for one in wire(host) if one["Record"] == "Transaction"]
    return [(one.get("Type"), one["Meaning"], one["Amount"]) for one in told if one["Meaning"] != "INTENDED"]


def ledger_of(host) -> tuple:
    record = next(one for one in host.call("/_sandbox/accounts")["accounts"] if one["FileNumber"] == "100234")
    assert host.call("/_sandbox/state")["events"]["refused"] == 0
    return record["CurrentBalance"], [(one["Status"], one["Method"], one["Amount"]) for one in record["Payments"]]


def test_what_goes_back_reaches_the_hosts_ledger_in_types_of_its_own(shop, host):
    pushed(host)
    shop.account.refresh_from_db()
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)]))
    for in_all in (25_00, 65_00):
        reversals.record_refund(payment_id=payment.pk, refunded_cents=in_all, now=NOW)
    drain()
    assert transactions(host) == [
        ("102", "POSTED", "125.00"),
        ("150", "REFUND", "25.00"),
        ("150", "REFUND", "40.00"),
    ]
    lines = [("POSTED", "CARD", "125.00"), ("REFUND", "CARD", "25.00"), ("REFUND", "CARD", "40.00")]
    assert ledger_of(host) == ("940.00", lines)
    until(lambda: Account.objects.get(reference="100234").balance_cents == 940_00)
    later = NOW + dt.timedelta(minutes=5)
    whole = shop.confirm(shop.checkout("amount", [(today(), 100_00)], now=later), now=later)
    reversals.record_refund(payment_id=whole.pk, refunded_cents=100_00, now=later)
    drain()
    assert ledger_of(host)[0] == "940.00"
    until(lambda: HostItem.objects.filter(portal_id=whole.pk, status="REFUND").exists())


@pytest.mark.parametrize(("kind", "came", "back"), [("check", "101", "131"), ("order", "105", "132")])
def test_a_check_or_money_order_that_came_and_went_back_is_posted_and_returned(shop, host, kind, came, back):
    pushed(host)
    said = {"paper_number": "1001", "received_on": today(), "by": "staff:1", "reason": "By mail"}
    account = Account.objects.get(reference="100234")
    paper = by_hand.record(account=account, key=uuid4(), kind=kind, amount_cents=80_00, now=NOW, **said)
    drain()
    assert ledger_of(host) == ("920.00", [("POSTED", kind.upper(), "80.00")])
    by_hand.came_back(payment=paper, by="staff:1", reason="Not honored", now=NOW)
    drain()
    assert transactions(host) == [(came, "POSTED", "80.00"), (back, "ACH REVERSAL", "80.00")]
    assert ledger_of(host) == ("1000.00", [("ACH REVERSAL", kind.upper(), "80.00")])
    until(lambda: HostItem.objects.filter(portal_id=paper.pk, status="ACH REVERSAL", method=kind.upper()).exists())
    until(lambda: Account.objects.get(reference="100234").balance_cents == 1_000_00)


def test_a_bank_debit_on_its_way_is_a_transaction_that_counts_when_it_is_posted(shop, host):
    pushed(host)
    shop.account.refresh_from_db()
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)], bank="000123456789"))
    drain()
    assert (payment.executor, payment.status) == ("portal", "pending")
    assert transactions(host) == [("110", "PROCESSED", "125.00")]
    assert ledger_of(host) == ("1000.00", [("PROCESSED", "ACH", "125.00")])
    settle.record_outcome(payment_id=payment.pk, outcome=Outcome(status="succeeded"), now=NOW)
    drain()
    assert ledger_of(host) == ("875.00", [("POSTED", "ACH", "125.00")])


def test_where_a_site_has_no_type_the_meaning_counts_and_a_type_that_it_does_not_know_is_refused(shop, host):
    HostConnection.objects.update(vocabulary={"102": "POSTED CARD"})
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)]))
    reversals.record_refund(payment_id=payment.pk, refunded_cents=25_00, now=NOW)
    drain()
    assert transactions(host) == [("102", "POSTED", "125.00"), (None, "REFUND", "25.00")]
    assert ledger_of(host) == ("900.00", [("POSTED", "CARD", "125.00"), ("REFUND", "CARD", "25.00")])
    HostConnection.objects.update(vocabulary={"7A": "REFUND CARD"})
    reversals.record_refund(payment_id=payment.pk, refunded_cents=50_00, now=NOW)
    drain()
    parked = Delivery.objects.get(status="parked")
    assert (parked.event.kind, parked.reason) == ("payment.refunded", "unknown_status")
