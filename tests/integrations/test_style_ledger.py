"""A creditor's ledger: pulled, flagged, charged a lawful fee, cleared; and what the agency collects is written back."""

import datetime as dt
import json
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest

from accounts.models import Account, Consumer, Event
from accounts.tenancy import acting_for, uuid7
from integrations import hosts
from integrations.hosts import BadRecord, Outgoing, Words
from integrations.hosts.ledger import Ledger
from integrations.models import Allocation, Delivery, HostConnection, Invoice, PastDueCustomer
from integrations.services import allocate, pull, redeliver
from integrations.services import drain as drains
from integrations.services.check import test_connection as check_connection
from integrations.services.receive import fetch
from payments.models import HostItem, Payment
from payments.services import ledger as books
from payments.services import reversals
from payments.services.owed import owed
from tests.conftest import NOW
from tests.integrations.host_program import HostProgram
from tests.integrations.styles import drain, wire
from tests.payments.conftest import Shop, processor, processor_program, today

__all__ = ["processor", "processor_program"]
WORDS = Words("http://ledger", "key", hosts.defaults("ledger")["status_map"], "Cell Phone", "Good Number")
CUSTOMER = {
    "Customer": "W-101",
    "Status": "PAST DUE",
    "Company": "WISE",
    "Contact": {"First": "Vera", "Last": "Billable", "State": "NY", "Zip": "12207"},
    "Balance": "300.00",
    "AsOf": "2026-12-01T14:00:00Z",
    "Version": 2,
    "Invoices": [
        {"Number": "W-101-1", "Date": "2026-08-01", "Due": "2026-09-01", "Amount": "300.00", "Open": "300.00"}
    ],
}


WRONG = {
    "Contact": {"First": "Vera", "Last": "Billable", "State": "NY", "Zip": "12207"},
    "Company": "WISE",
    "Emails": [{"Address": "vera at example"}],
}


def test_a_customer_is_read_with_their_invoices():
    told = Ledger(WORDS).read(CUSTOMER)
    assert (told.placement.reference, told.placement.status, told.placement.balance_cents) == ("W-101", "open", 300_00)
    assert [(one.number, one.due_on, one.open_cents) for one in told.invoices] == [
        ("W-101-1", dt.date(2026, 9, 1), 300_00)
    ]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"Balance": None}, "/Balance", "required"),
        ({"Contact": {"First": "Vera"}}, "/Contact/Last", "required"),
        ({"Invoices": [CUSTOMER["Invoices"][0] | {"Due": "soon"}]}, "/Invoices/0/Due", "invalid_date"),
        ({"Invoices": CUSTOMER["Invoices"] * 2}, "/Invoices/1/Number", "duplicate"),
        (
            {"Payments": [{"ID": "R1", "Date": "2026-11-01", "Amount": "-1", "Status": "POSTED"}]},
            "/Payments/0/Amount",
            "invalid_amount",
        ),
    ],
)
def test_every_error_points_into_the_record_that_the_ledger_sent(change, pointer, code):
    with pytest.raises(BadRecord) as refused:
        Ledger(WORDS).read(CUSTOMER | change)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    ("amount", "open_ones", "lines"),
    [
        (100_00, [("A", 150_00), ("B", 50_00)], [("A", 100_00)]),
        (175_00, [("A", 150_00), ("B", 50_00)], [("A", 150_00), ("B", 25_00)]),
        (250_00, [("A", 150_00), ("B", 50_00)], [("A", 150_00), ("B", 50_00)]),
        (10_00, [("A", 0), ("B", -5_00), ("C", 10_00)], [("C", 10_00)]),
        (10_00, [], []),
    ],
)
def test_a_payment_pays_the_oldest_invoice_first(amount, open_ones, lines):
    assert allocate.share(amount, open_ones) == lines


def test_what_comes_back_is_taken_from_the_invoice_paid_last():
    paid = [("A", 150_00), ("B", 25_00)]
    assert allocate.taken_back(paid, None) == paid
    assert allocate.taken_back(paid, 40_00) == [("B", 25_00), ("A", 15_00)]


@pytest.fixture
def shop(processor, transactional_db):
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.fixture
def ledger(shop, tmp_path):
    """The creditor's ledger with two customers: one owes 375.00 on three invoices, one owes 30.00."""
    program = HostProgram(tmp_path, "ledger")
    with acting_for(shop.agency):
        connection = HostConnection.objects.get()
        HostConnection.objects.update(style="ledger", base_url=program.url, **hosts.defaults("ledger"))
    program.call("/_sandbox/clock", {"now": "2026-12-01T14:00:00Z"})
    program.call("/_sandbox/configure", {"outbound_key": connection.outbound_key})
    person = {"Contact": {"First": "Vera", "Last": "Billable", "State": "NY", "Zip": "12207"}, "SolStatus": "live"}
    person |= {"Company": "WISE", "CompanyName": "Pool Service", "Description": "Pool service"}
    person |= {"OriginalCreditor": "Pool Service", "CustomerSince": "2024-01-01"}
    vera = [("V-1", "2026-08-01", "150.00"), ("V-2", "2026-09-01", "150.00"), ("V-3", "2026-11-20", "75.00")]
    walt = [("U-1", "2026-08-01", "30.00")]
    customers = [
        person | {"Customer": number, "Invoices": [{"Number": n, "Due": due, "Amount": a} for n, due, a in lines]}
        for number, lines in (("W-101", vera), ("W-102", walt))
    ]
    program.call("/_sandbox/customers", customers)
    yield program
    program.close()


def connection() -> HostConnection:
    return HostConnection.objects.get()


def customer(ledger, number="W-101") -> dict:
    return next(one for one in ledger.call("/_sandbox/customers")["Customers"] if one["Customer"] == number)


def open_of(ledger) -> dict[str, str]:
    return {one["Number"]: one["Open"] for one in customer(ledger)["Invoices"]}


def placed(shop, ledger) -> Account:
    """Pull, and put W-101 into collections; the shop's consumer is who owes."""
    pull.pull(connection=connection(), now=NOW)
    pull.place(customer=PastDueCustomer.objects.get(), by="staff:1", now=NOW)
    account = Account.objects.get(reference="W-101")
    Consumer.objects.filter(pk=account.consumer_id).update(time_zone="America/New_York")
    shop.account = Account.objects.select_related("consumer").get(pk=account.pk)
    return shop.account


def test_customers_are_pulled_by_age_and_amount_and_placed_by_staff(shop, ledger, other_agency):
    pulled = pull.pull(connection=connection(), now=NOW)
    assert pulled == (1, 0, 0, 0), "W-102 owes less than 50.00"
    (row,) = PastDueCustomer.objects.all()
    assert (row.reference, row.name, row.open_cents, row.oldest_due_on, row.status) == (
        "W-101",
        "Vera Billable",
        300_00,  # the third invoice is not 30 days overdue
        dt.date(2026, 8, 1),
        "listed",
    )
    assert not Account.objects.filter(reference="W-101").exists()
    assert customer(ledger)["Flag"] == ""
    pull.place(customer=row, by="staff:1", now=NOW)
    with pytest.raises(pull.Refused) as refused:
        pull.place(customer=row, by="staff:2", now=NOW)
    assert [one.code for one in refused.value.refusals] == ["placed_already"]
    drain()
    account = Account.objects.get(reference="W-101")
    assert (account.balance_cents, account.status, account.client.name) == (375_00, "open", "Pool Service")
    assert Invoice.objects.filter(account=account).count() == 3
    told = customer(ledger)
    assert (told["Flag"], "refer to the agency" in told["Warning"], told["Status"]) == (
        "IN COLLECTIONS",
        True,
        "COLLECTIONS",
    )
    assert len(told["Invoices"]) == 3, "no fee without a legal basis (FEE-01)"
    with acting_for(other_agency):
        assert (Account.objects.count(), PastDueCustomer.objects.count(), Invoice.objects.count()) == (0, 0, 0)


def test_a_fee_is_a_charge_on_the_customer_only_with_its_legal_basis(shop, ledger):
    terms = connection().terms | {"fee_percent": "10", "fee_basis": "Agreement, section 7", "place": "automatically"}
    HostConnection.objects.update(terms=terms)
    assert pull.pull(connection=connection(), now=NOW)[:3] == (1, 1, 1)
    drain()
    (fee,) = [one for one in customer(ledger)["Invoices"] if one["Number"].startswith("FEE-")]
    assert fee["Amount"] == "37.50"
    flag = next(one for one in wire(ledger) if one["Kind"] == "FLAG")
    assert flag["Fee"] == {"Amount": "37.50", "Basis": "Agreement, section 7"}
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=20))
    assert Account.objects.get(reference="W-101").balance_cents == 412_50


def test_a_payment_is_written_back_once_with_its_allocation_per_invoice(shop, ledger):
    placed(shop, ledger)
    drain()
    ledger.call("/_sandbox/faults", {"mode": "drop_after_effect", "path": "/v1/collections/entries", "times": 1})
    payment = shop.confirm(shop.checkout("amount", [(today(), 175_00)]))
    assert payment.status == Payment.Status.SUCCEEDED
    drain()
    drains.Drain(clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).run()
    assert open_of(ledger) == {"V-1": "0.00", "V-2": "125.00", "V-3": "75.00"}
    receipts = [one for one in customer(ledger)["Payments"] if one["PortalID"]]
    assert [(one["PortalID"], one["Amount"], one["Method"]) for one in receipts] == [
        (str(payment.pk), "175.00", "CARD")
    ]
    assert Allocation.objects.get().lines == [["V-1", 150_00], ["V-2", 25_00]]
    # Another payment before the ledger is pulled again counts on what the first one left.
    later = NOW + dt.timedelta(minutes=10)
    shop.confirm(shop.checkout("amount", [(today(), 130_00)], now=later), now=later)
    drain()
    assert open_of(ledger) == {"V-1": "0.00", "V-2": "0.00", "V-3": "70.00"}
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=20))
    account = Account.objects.get(reference="W-101")
    assert (account.balance_cents, HostItem.objects.filter(matched=True).count()) == (70_00, 2)
    assert Payment.objects.filter(acknowledged_at=None).count() == 0
    assert ledger.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}


def test_a_payment_made_to_the_creditor_lowers_the_balance(shop, ledger):
    account = placed(shop, ledger)
    drain()
    ledger.call("/_sandbox/clock", {"now": "2026-12-01T15:10:00Z"})
    ledger.call("/_sandbox/pay", {"Customer": "W-101", "Amount": "25.00"})
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=20))
    account.refresh_from_db()
    assert account.balance_cents == 350_00
    item = HostItem.objects.get(account=account)
    assert (item.status, item.amount_cents, item.matched) == ("POSTED", 25_00, False)
    told = Event.objects.filter(account=account, kind="balance.changed").latest("id")
    assert (told.data["before_cents"], told.data["after_cents"]) == (375_00, 350_00)


def test_out_of_collections_recalls_the_account_and_clears_the_flag_for_good(shop, ledger):
    account = placed(shop, ledger)
    drain()
    row = PastDueCustomer.objects.get()
    with pytest.raises(pull.Refused) as refused:
        pull.remove(customer=row, reason=" ", by="staff:1", now=NOW)
    assert [one.code for one in refused.value.refusals] == ["reason_missing"]
    pull.remove(customer=row, reason="The creditor forgave it.", by="staff:1", now=NOW + dt.timedelta(minutes=1))
    account.refresh_from_db()
    assert account.status == Account.Status.RECALLED
    # A pull that comes before the flag is cleared does not bring the account back.
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=2))
    account.refresh_from_db()
    assert (account.status, customer(ledger)["Flag"]) == (Account.Status.RECALLED, "IN COLLECTIONS")
    drain()
    told = customer(ledger)
    assert (told["Flag"], told["Warning"], told["Status"]) == ("", "", "REMOVED")
    assert Event.objects.filter(account=account, kind="account.recalled").count() == 1


def test_what_is_wrong_with_a_record_keeps_nobody_in_collections(shop, ledger, other_agency):
    account = placed(shop, ledger)
    drain()
    ledger.call("/_sandbox/customers", [{**WRONG, "Customer": "W-101"}])
    pull.remove(customer=PastDueCustomer.objects.get(), reason="Forgiven.", by="staff:1", now=NOW)
    account.refresh_from_db()
    assert (account.status, PastDueCustomer.objects.get().status) == (Account.Status.RECALLED, "removed")
    drain()
    assert customer(ledger)["Flag"] == ""


def test_a_customer_whose_record_is_wrong_is_not_placed_and_staff_are_told_why(shop, ledger):
    pull.pull(connection=connection(), now=NOW)
    ledger.call("/_sandbox/customers", [{**WRONG, "Customer": "W-101"}])
    row = PastDueCustomer.objects.get()
    with pytest.raises(pull.Refused) as refused:
        pull.place(customer=row, by="staff:1", now=NOW)
    (why,) = refused.value.refusals
    assert (why.code, "/Emails/0/Address: An address is name@domain." in why.sentence) == ("record_refused", True)
    assert (row.status, PastDueCustomer.objects.get().status) == ("listed", "listed")
    assert not Account.objects.filter(reference="W-101").exists()


def test_out_of_collections_and_in_again_opens_the_account_and_sets_the_flag_but_no_second_fee(shop, ledger):
    terms = connection().terms | {"fee_percent": "10", "fee_basis": "Agreement, section 7"}
    HostConnection.objects.update(terms=terms)
    account = placed(shop, ledger)
    drain()
    row = PastDueCustomer.objects.get()
    pull.remove(customer=row, reason="By mistake.", by="staff:1", now=NOW + dt.timedelta(minutes=1))
    drain()
    assert (customer(ledger)["Status"], customer(ledger)["Flag"]) == ("REMOVED", "")
    pull.place(customer=row, by="staff:1", now=NOW + dt.timedelta(minutes=2))
    account.refresh_from_db()
    assert (account.status, row.status) == (Account.Status.OPEN, "placed")
    drain()
    told = customer(ledger)
    assert (told["Status"], told["Flag"], "refer to the agency" in told["Warning"]) == (
        "COLLECTIONS",
        "IN COLLECTIONS",
        True,
    )
    assert len([one for one in told["Invoices"] if one["Number"].startswith("FEE-")]) == 1, "charged once (FEE-01)"
    ledger.call("/_sandbox/clock", {"now": "2026-12-01T15:30:00Z"})
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=30))
    account.refresh_from_db()
    assert account.status == Account.Status.OPEN


def test_out_and_in_again_before_the_ledger_heard_of_either_ends_in_collections(shop, ledger):
    account = placed(shop, ledger)
    drain()
    row = PastDueCustomer.objects.get()
    pull.remove(customer=row, reason="By mistake.", by="staff:1", now=NOW + dt.timedelta(minutes=1))
    pull.place(customer=row, by="staff:1", now=NOW + dt.timedelta(minutes=1))
    drain()
    account.refresh_from_db()
    assert (account.status, customer(ledger)["Flag"]) == (Account.Status.OPEN, "IN COLLECTIONS")


def test_a_log_in_before_the_flag_is_cleared_brings_nobody_back(shop, ledger):
    account = placed(shop, ledger)
    drain()
    HostConnection.objects.update(fetch_at_login=True)
    row = PastDueCustomer.objects.get()
    pull.remove(customer=row, reason="Forgiven.", by="staff:1", now=NOW + dt.timedelta(minutes=1))
    ledger.call("/_sandbox/clock", {"now": "2026-12-01T15:10:00Z"})
    ledger.call("/_sandbox/pay", {"Customer": "W-101", "Amount": "25.00"})
    assert customer(ledger)["Status"] == "COLLECTIONS"
    assert fetch(account, NOW + dt.timedelta(minutes=11))
    account.refresh_from_db()
    assert (account.status, account.balance_cents) == (Account.Status.RECALLED, 350_00)


def test_the_connection_test_names_what_is_missing_and_write_back_waits_for_it(shop, ledger):
    assert check_connection(connection()).code == "ok"
    ledger.call("/_sandbox/configure", {"credit_allocation": False})
    tested = check_connection(connection())
    assert (tested.ok, tested.code, "credit allocation" in tested.sentence) == (False, "requirements_missing", True)
    assert connection().missing == ["credit_allocation"]
    placed(shop, ledger)
    drain()
    shop.confirm(shop.checkout("amount", [(today(), 100_00)]))
    drain()
    parked = Delivery.objects.get(status="parked")
    assert (parked.event.kind, parked.reason) == ("payment.succeeded", "credit_allocation_off")
    assert open_of(ledger)["V-1"] == "150.00"
    ledger.call("/_sandbox/configure", {"credit_allocation": True})
    redeliver.replay(parked, now=NOW)
    drain()
    assert open_of(ledger)["V-1"] == "50.00"


def test_a_refund_takes_back_what_was_allocated_last(shop, ledger):
    placed(shop, ledger)
    drain()
    payment = shop.confirm(shop.checkout("amount", [(today(), 175_00)]))
    drain()

    reversals.record_refund(payment_id=payment.pk, refunded_cents=30_00, now=NOW)
    drain()
    assert open_of(ledger) == {"V-1": "5.00", "V-2": "150.00", "V-3": "75.00"}


def test_what_the_next_refund_takes_back_counts_on_what_the_earlier_ones_left():
    paid = [("A", 150_00), ("B", 25_00)]
    back, again = False, True
    assert allocate.follow(paid, ()) == (paid, paid)
    assert allocate.follow(paid, [(back, 25_00), (back, 40_00)]) == ([("A", 40_00)], [("A", 110_00)])
    assert allocate.follow(paid, [(back, 40_00), (back, None)]) == ([("A", 135_00)], [])
    assert allocate.follow(paid, [(back, 40_00), (again, 40_00)]) == ([("A", 15_00), ("B", 25_00)], paid)
    assert allocate.follow(paid, [(back, 25_00), (back, 40_00), (again, 25_00)])[1] == [("A", 135_00)]
    assert allocate.follow(paid, [(back, 25_00), (back, 150_00), (again, 150_00)]) == ([("A", 150_00)], [("A", 150_00)])


@pytest.fixture
def paid(shop, ledger):
    """W-101 paid 175.00: all of V-1, and 25.00 of V-2."""
    placed(shop, ledger)
    drain()
    payment = shop.confirm(shop.checkout("amount", [(today(), 175_00)]))
    drain()
    assert open_of(ledger) == {"V-1": "0.00", "V-2": "125.00", "V-3": "75.00"}
    return payment


def entries(ledger) -> list[tuple]:
    """Give what the ledger was told of money: kind, amount and allocation."""
    told = [one for one in wire(ledger) if "Allocation" in one]
    assert ledger.call("/_sandbox/state")["events"]["refused"] == 0
    return [(one["Kind"], one["Amount"], [tuple(line.values()) for line in one["Allocation"]]) for one in told]


def pulled(minutes: int) -> Account:
    pull.pull(connection=connection(), now=NOW + dt.timedelta(minutes=minutes))
    return Account.objects.get(reference="W-101")


def test_two_partial_refunds_and_a_dispute_of_the_rest_open_each_invoice_as_far_as_it_was_paid(shop, ledger, paid):
    for in_all in (25_00, 65_00):
        reversals.record_refund(payment_id=paid.pk, refunded_cents=in_all, now=NOW)
    reversals.record_dispute(payment_id=paid.pk, said="opened", now=NOW + dt.timedelta(hours=1))
    drain()
    assert entries(ledger)[1:] == [
        ("REVERSAL", "25.00", [("V-2", "25.00")]),
        ("REVERSAL", "40.00", [("V-1", "40.00")]),
        ("REVERSAL", "110.00", [("V-1", "110.00")]),
    ]
    assert open_of(ledger) == {"V-1": "150.00", "V-2": "150.00", "V-3": "75.00"}
    assert [one["Status"] for one in customer(ledger)["Payments"]] == ["REFUND"]
    assert owed(pulled(20)).cents == 375_00


def test_a_dispute_that_is_won_pays_its_invoices_again_and_the_old_line_is_no_refund(shop, ledger, paid):
    reversals.record_refund(payment_id=paid.pk, refunded_cents=25_00, now=NOW)
    reversals.record_dispute(payment_id=paid.pk, said="opened", now=NOW + dt.timedelta(hours=1))
    drain()
    assert owed(pulled(20)).cents == 375_00
    reversals.record_dispute(payment_id=paid.pk, said="won", now=NOW + dt.timedelta(hours=2))
    ledger.call("/_sandbox/pay", {"Customer": "W-101", "Amount": "10.00"})  # it tells its list anew, with the old line
    pulled(121)
    paid.refresh_from_db()
    assert (paid.status, HostItem.objects.get(portal_id=paid.pk).status) == (Payment.Status.SUCCEEDED, "REFUND")
    drain()
    assert entries(ledger)[-1] == ("REINSTATEMENT", "150.00", [("V-1", "150.00")])
    # The creditor took 10.00 for V-1 meanwhile: so much of the payment goes to the next invoice.
    assert open_of(ledger) == {"V-1": "0.00", "V-2": "140.00", "V-3": "75.00"}
    assert owed(pulled(140)).cents == 215_00
    paid.refresh_from_db()
    assert (paid.status, books.net_cents(paid)) == (Payment.Status.SUCCEEDED, 150_00)
    assert Event.objects.filter(kind="payment.refunded").count() == 1


def test_a_refund_that_fails_pays_its_invoices_again(shop, ledger, paid):
    reversals.record_refund(payment_id=paid.pk, refunded_cents=175_00, now=NOW)
    drain()
    assert owed(pulled(20)).cents == 375_00
    reversals.record_refund_failed(
        payment_id=paid.pk, refunded_cents=0, reason="closed", now=NOW + dt.timedelta(hours=1)
    )
    ledger.call("/_sandbox/pay", {"Customer": "W-101", "Amount": "10.00"})
    pulled(61)
    drain()
    assert entries(ledger)[-1] == ("REINSTATEMENT", "175.00", [("V-1", "150.00"), ("V-2", "25.00")])
    assert owed(pulled(80)).cents == 190_00
    assert (books.net_cents(paid), Event.objects.filter(kind="payment.refunded").count()) == (175_00, 1)


def test_a_payment_counts_on_what_an_earlier_one_gave_back_before_the_ledger_is_pulled(shop, ledger, paid):
    reversals.record_refund(payment_id=paid.pk, refunded_cents=40_00, now=NOW)
    later = NOW + dt.timedelta(minutes=10)
    shop.confirm(shop.checkout("amount", [(today(), 100_00)], now=later), now=later)
    drain()
    assert entries(ledger)[-1] == ("RECEIPT", "100.00", [("V-1", "15.00"), ("V-2", "85.00")])
    assert open_of(ledger) == {"V-1": "0.00", "V-2": "65.00", "V-3": "75.00"}


def test_a_debit_that_came_back_before_it_was_paid_takes_nothing_back():
    event = Outgoing(uuid7(), 7, 3, "W-101", "payment.returned", NOW, NOW, {"payment": "p", "amount_cents": 50_00})
    assert Ledger(WORDS).write(event._replace(data=event.data | {"taken_back_cents": 0}))["Kind"] == "NOTE"
    assert Ledger(WORDS).write(event._replace(data=event.data | {"taken_back_cents": 40_00}))["Amount"] == "40.00"


@pytest.mark.parametrize(
    ("kind", "amount", "invoice", "part", "reason"),
    [
        ("REVERSAL", "150.01", "V-1", "150.00", "more_than_stands"),
        ("REVERSAL", "25.00", "V-2", "25.00", "allocation_does_not_fit"),
        ("REVERSAL", "25.00", "V-1", "25.01", "allocation_does_not_fit"),
        ("REINSTATEMENT", "25.01", "V-2", "25.01", "more_than_was_taken_back"),
        ("REINSTATEMENT", "25.00", "V-3", "25.00", "allocation_does_not_fit"),
    ],
)
def test_the_ledger_takes_no_more_back_than_stands_and_no_more_again_than_went(
    shop, ledger, paid, kind, amount, invoice, part, reason
):
    reversals.record_refund(payment_id=paid.pk, refunded_cents=25_00, now=NOW)
    drain()
    before = customer(ledger)
    words = Words(ledger.url, connection().outbound_key, {}, "", "")
    entry = {"EventID": "e1", "Event": "payment.refunded", "Kind": kind, "Customer": "W-101"}
    entry |= {"PortalID": str(paid.pk), "Amount": amount, "Allocation": [{"Invoice": invoice, "Amount": part}]}
    asked = Ledger(words).events_request([json.dumps(entry).encode()])
    headers = dict(line.split(": ", 1) for line in asked.headers)
    with urlopen(UrlRequest(asked.url, asked.body, headers), timeout=10) as heard:
        (result,) = json.load(heard)["results"]
    assert (result["Outcome"], result["Reason"]) == ("refused", reason)
    assert customer(ledger) == before


def test_a_silent_ledger_changes_nothing_and_holds_up_no_other(shop, ledger):
    ledger.call("/_sandbox/faults", {"mode": "status", "status": 500, "times": 100})
    with pytest.raises(pull.Unanswered):
        pull.pull(connection=connection(), now=NOW)
    assert pull.pull_due(now=NOW) == 0
    assert (PastDueCustomer.objects.count(), connection().pulled_at) == (0, None)
    ledger.call("/_sandbox/faults", {"clear": 1})
    assert pull.pull_due(now=NOW) == 1
    assert pull.pull_due(now=NOW + dt.timedelta(minutes=14)) == 0
    assert pull.pull_due(now=NOW + dt.timedelta(minutes=15)) == 1
