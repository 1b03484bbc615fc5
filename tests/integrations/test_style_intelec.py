"""Intelec: arrangements drive the work queues, payments of bank accounts travel in batches, an IVR takes promises."""

import datetime as dt
from itertools import islice

import pytest

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from integrations import hosts
from integrations.hosts import BadRecord, Words
from integrations.hosts.intelec import Intelec, arrangement
from payments.models import AchOrigin, Arrangement, HostItem, Method, Notice, Payment, Postdate
from payments.services import batch_files, batch_posting, batches, life
from settlements.rules.schedules import Line, payment_dates, roll
from tests.conftest import NOW
from tests.integrations.api_caller import Caller
from tests.integrations.styles import connect, drain, pushed, until, wire
from tests.payments.conftest import Shop, processor, processor_program, today

__all__ = ["processor", "processor_program"]
WORDS = Words("http://host", "key", hosts.defaults("intelec")["status_map"], "Cell Phone", "Good Number")
CASE = {
    "Case": "100234",
    "StatusCode": "ACT",
    "ClientCode": "C1",
    "Debtor": {"First": "Jane", "Last": "Doe", "SSN": "900-99-1234", "State": "NY", "Zip": "12207"},
    "BalanceDue": "1000.00",
    "AsOf": "2026-12-01T14:00:00Z",
    "Payments": [{"ItemID": "I1", "On": "2026-11-01", "Amount": "25.00", "By": "CHECK", "State": "POSTED"}],
}


def test_a_case_is_read_by_the_hosts_own_names():
    told = Intelec(WORDS).read(CASE)
    assert (told.placement.reference, told.placement.status, told.placement.person.zip) == ("100234", "open", "12207")
    assert [(line.host_id, line.status, line.method) for line in told.payments] == [("I1", "POSTED", "CHECK")]
    back = CASE["Payments"][0] | {"By": "ACH", "State": "ACH REVERSAL", "ReturnCode": "R02"}
    assert [line.return_code for line in Intelec(WORDS).read(CASE | {"Payments": [back]}).payments] == ["R02"]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"BalanceDue": ""}, "/BalanceDue", "required"),
        ({"Debtor": {"Last": "Doe", "SSN": "12"}}, "/Debtor/SSN", "invalid_ssn"),
        (
            {"Payments": [{"ItemID": "I1", "On": "yesterday", "Amount": "1", "State": "POSTED"}]},
            "/Payments/0/On",
            "invalid_date",
        ),
        (
            {"Payments": [CASE["Payments"][0] | {"ReturnCode": "NSF"}]},
            "/Payments/0/ReturnCode",
            "invalid_return_code",
        ),
        ({"PostDated": "none"}, "/PostDated", "invalid_list"),
    ],
)
def test_every_error_points_into_the_case_that_the_host_sent(change, pointer, code):
    with pytest.raises(BadRecord) as refused:
        Intelec(WORDS).read(CASE | change)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    ("frequency", "lines", "form", "down", "payment"),
    [
        (
            "monthly",
            [("2027-01-05", 100_00), ("2027-02-05", 100_00), ("2027-03-05", 100_00)],
            "STANDARD",
            None,
            "100.00",
        ),
        (
            "monthly",
            [("2026-12-01", 300_00), ("2027-01-05", 100_00), ("2027-02-05", 100_00)],
            "STANDARD",
            "300.00",
            "100.00",
        ),
        ("weekly", [("2026-12-01", 33_33), ("2026-12-08", 33_33), ("2026-12-15", 33_34)], "STANDARD", None, "33.33"),
        ("monthly", [("2026-12-01", 50_00), ("2027-01-01", 50_00), ("2027-02-01", 7_00)], "STANDARD", None, "50.00"),
        ("custom", [("2026-12-01", 50_00), ("2026-12-20", 70_00)], "NON-LINEAR", None, None),
        ("once", [("2026-12-20", 70_00)], "NON-LINEAR", None, None),
        (
            "monthly",
            [("2026-12-01", 10_00), ("2027-01-01", 20_00), ("2027-02-01", 30_00), ("2027-03-01", 9_00)],
            "NON-LINEAR",
            None,
            None,
        ),
    ],
)
def test_an_arrangement_is_told_in_one_of_two_forms(frequency, lines, form, down, payment):
    told = arrangement({"frequency": frequency, "schedule": [list(line) for line in lines], "total_cents": 1})
    assert (told["Form"], told.get("DownPayment"), told.get("Payment")) == (form, down, payment)
    assert [line["On"] for line in told["Lines"]] == [on for on, _cents in lines]


def days(frequency: str, first: str, count: int, method: str, **anchor) -> list[str]:
    """Give the days of a schedule as they are taken."""
    planned = islice(payment_dates(dt.date.fromisoformat(first), frequency, **anchor), count)
    return [line.due_on.isoformat() for line in roll([Line(day, 50_00) for day in planned], method)]


@pytest.mark.parametrize(
    ("frequency", "taken", "form", "day"),
    [
        ("monthly", ["2027-01-31", "2027-02-28", "2027-03-31"], "STANDARD", 31),
        ("monthly", ["2028-01-30", "2028-02-29", "2028-03-30"], "STANDARD", 30),
        ("monthly", ["2027-01-31", "2027-02-28"], "STANDARD", 31),
        # Down payment today, then the last of each month.
        ("monthly", ["2027-01-15", "2027-02-28", "2027-03-31", "2027-04-30"], "STANDARD", 31),
        # Bank debits of the 2nd and of the 30th, on the days that banks are open.
        ("monthly", ["2027-01-04", "2027-02-02", "2027-03-02"], "STANDARD", 2),
        ("monthly", ["2026-12-02", "2027-01-04", "2027-02-02"], "STANDARD", 2),
        ("monthly", ["2027-02-01", "2027-03-01", "2027-03-30"], "STANDARD", 30),
        # A pace of weeks has no day of the month.
        ("weekly", ["2026-12-01", "2026-12-08", "2026-12-15"], "STANDARD", None),
        ("weekly", ["2026-12-18", "2026-12-28", "2027-01-04", "2027-01-08"], "STANDARD", None),
        ("semimonthly", ["2026-12-01", "2026-12-15", "2027-01-01"], "STANDARD", None),
        # Somebody moved a payment, or one fell out: these are any dates.
        ("monthly", ["2027-01-05", "2027-02-12", "2027-03-05"], "NON-LINEAR", None),
        ("monthly", ["2027-01-05", "2027-03-05", "2027-04-05"], "NON-LINEAR", None),
        ("weekly", ["2026-12-01", "2026-12-09", "2026-12-15"], "NON-LINEAR", None),
    ],
)
def test_cal_04_the_day_of_the_month_is_the_one_that_was_agreed(frequency, taken, form, day):
    told = arrangement({"frequency": frequency, "schedule": [[on, 50_00] for on in taken], "total_cents": 1})
    assert (told["Form"], told.get("DayOfMonth")) == (form, day)
    assert [line["On"] for line in told["Lines"]] == taken


@pytest.mark.parametrize("method", ["card", "ach"])
@pytest.mark.parametrize("agreed", range(1, 32))
def test_whatever_months_and_banks_make_of_a_day_it_is_found_again(method, agreed):
    for first in ("2026-12-01", "2027-01-30", "2027-02-27", "2028-01-29"):
        taken = days("monthly", first, 7, method, anchor_day=agreed)
        told = arrangement({"frequency": "monthly", "schedule": [[on, 50_00] for on in taken], "total_cents": 1})
        assert (told["Form"], told["DayOfMonth"]) == ("STANDARD", agreed), taken


@pytest.fixture
def shop(processor, transactional_db):
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.fixture
def host(shop, tmp_path, live_server):
    program = connect(shop, "intelec", tmp_path, live_server)
    yield program
    program.close()


def queue(host, case="100234") -> str:
    return host.call("/_sandbox/queues")["queues"][case]


def test_the_work_queue_follows_the_arrangement_and_a_performing_case_leaves_the_collectors(shop, host, other_agency):
    assert pushed(host) == [(200, 2)]
    shop.account.refresh_from_db()
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)]))
    drain()
    assert (queue(host), queue(host, "100235")) == ("performing", "none")
    assert host.call("/_sandbox/collectors")["cases"] == ["100235"]
    (told,) = host.call("/_sandbox/arrangements")["arrangements"]
    assert (told["Case"], told["Status"], told["Total"], bool(told["Linked"])) == (
        "100234",
        "PERFORMING",
        "750.00",
        True,
    )
    # The second payment fails for good although nothing else is due: the case must show as late (Intelec).
    Postdate.objects.update(status="failed", decided_at=NOW + dt.timedelta(days=3))
    life.review(arrangement=Arrangement.objects.get(), now=NOW + dt.timedelta(days=4))
    drain()
    assert queue(host) == "late"
    assert host.call("/_sandbox/collectors")["cases"] == ["100234", "100235"]
    life.cancel(arrangement=Arrangement.objects.get(), by="staff:1", reason="asked", now=NOW + dt.timedelta(days=4))
    drain()
    assert queue(host) == "none"
    assert host.call("/_sandbox/state")["order"] == {"gaps": [], "out_of_order": []}
    with acting_for(other_agency):
        assert (Account.objects.count(), Event.objects.count()) == (0, 0)


def test_bank_payments_travel_in_a_batch_without_their_number_and_are_posted_once(shop, host):
    pushed(host)
    shop.account.refresh_from_db()
    payment = shop.confirm(shop.checkout("amount", [(today(), 125_00)], bank="000123456789"))
    assert payment.executor == "host"
    drain()
    assert "000123456789" not in str(wire(host))
    assert Method.objects.get().number == "000123456789", "the file that is still to be written needs it"
    AchOrigin.objects.create(
        bank_name="First Bank",
        bank_routing="021000021",
        company_name="Acme",
        company_id="1234567890",
        origin_name="Acme",
    )
    batch = batches.collect(method="ach", until=today(), by="staff:1", now=NOW)
    batch = batches.approve(batch=batch, by="staff:2", now=NOW)
    assert b"000123456789" in batch_files.export(batch=batch, format="nacha", by="staff:2", now=NOW)
    batch.refresh_from_db()
    batch_posting.post(batch=batch, by="staff:2", now=NOW)
    drain()
    (told,) = host.call("/_sandbox/batches")["batches"]
    assert {name: told[name] for name in ("Number", "Items", "Total", "By", "Step")} == {
        "Number": 1,
        "Items": 1,
        "Total": "125.00",
        "By": "ACH",
        "Step": "POSTED",
    }
    until(lambda: Account.objects.get(reference="100234").balance_cents == 875_00)
    payment.refresh_from_db()
    assert (payment.status, payment.acknowledged_at is not None) == (Payment.Status.SUCCEEDED, True)
    assert [item.status for item in HostItem.objects.all()] == ["POSTED"]
    assert (Method.objects.get().number, Method.objects.get().wiped_at is not None) == ("", True)


def test_an_ivr_sets_up_a_non_linear_arrangement_of_one_line_that_gets_a_reminder(shop, host):
    pushed(host)
    caller = Caller(shop.agency)
    host.call("/_sandbox/configure", {"api_key": caller.text, "portal_host": "localhost"})
    wish = {"choice": "promise", "amount_cents": 80_00, "first_on": "2026-12-11"}
    Account.objects.update(sol_status="live")
    said = host.call("/_sandbox/ivr", {"Case": "100234", "Wish": wish})
    assert (said["step"], said["status"]) == ("accept", 200), said
    row = Arrangement.objects.get()
    assert (row.kind, row.total_cents, row.method) == ("promise", 80_00, None)
    drain()
    (told,) = host.call("/_sandbox/arrangements")["arrangements"]
    assert (told["Form"], told["Linked"], [line["Amount"] for line in told["Lines"]]) == ("NON-LINEAR", None, ["80.00"])
    assert (queue(host), Notice.objects.count()) == ("performing", 0)
