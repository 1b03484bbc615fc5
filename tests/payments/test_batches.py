"""Payments executed outside the portal: one batch ever, totals that tie, one file, posted once."""

import csv
import datetime as dt
import hashlib
import io
import re

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import HostConnection
from integrations.services import route
from payments.models import (
    AchOrigin,
    Arrangement,
    BatchItem,
    LedgerEntry,
    Method,
    Notice,
    Payment,
    PaymentBatch,
    Postdate,
)
from payments.rules.bank import routing_number_is_valid
from payments.services import batch_files, batch_posting, batches, ledger, meters, mirror
from payments.services.owed import owed
from portal.invariants import findings
from tests.conftest import NOW
from tests.payments.test_pay import kinds
from tests.payments.test_settle import at_once
from tests.payments.test_status import place

ANN, BEA = "staff:1", "staff:2"
BANK = "000123456789"
DUE = dt.datetime(2027, 1, 4, 15, 0, tzinfo=dt.UTC)
DUE_ON = DUE.date()


def serve(shop, monkeypatch, *, moment=DUE):
    """Accept a settlement in parts by bank account at a host that takes files; the second part is due."""
    monkeypatch.setattr(batches, "file_hosts", lambda: set(Account.objects.values_list("connection_id", flat=True)))
    shop.confirm(shop.checkout("parts", paper=True, bank=BANK))
    Account.objects.update(as_of=moment - dt.timedelta(hours=1))
    for notice in Notice.objects.all():
        sent_at = dt.datetime.combine(notice.target_on, dt.time(16), tzinfo=dt.UTC)
        Notice.objects.filter(pk=notice.pk).update(status="sent", sent_at=sent_at)
    AchOrigin.objects.create(
        bank_name="First Bank",
        bank_routing="021000021",
        company_name="Acme",
        company_id="1234567890",
        origin_name="Acme",
    )
    shop.account.refresh_from_db()
    return shop


@pytest.fixture
def served(shop, monkeypatch):
    return serve(shop, monkeypatch)


def collected(method="ach", until=DUE_ON, now=DUE):
    return batches.collect(method=method, until=until, by=ANN, now=now)


def approved(**more):
    return batches.approve(batch=collected(**more), by=BEA, now=DUE)


def exported(format="nacha", **more):
    batch = approved(**more)
    body = batch_files.export(batch=batch, format=format, by=BEA, now=DUE)
    batch.refresh_from_db()
    return batch, body


def codes(call):
    with pytest.raises(batches.Refused) as refused:
        call()
    return [one.code for one in refused.value.refusals]


def ties():
    """Give the totals a batch shows, after the invariant said that they tie."""
    with acting_for(ALL_AGENCIES):
        assert [name for name, _row in findings() if "batch" in name] == []
    batch = PaymentBatch.objects.get()
    return batch.items_count, batch.total_cents


def items(batch):
    """Give what is in a batch: what the host took today first, then what was planned."""
    return sorted(batches.standing_items(batch), key=lambda one: one.payment_id is None)


def read(body):
    return list(csv.DictReader(io.StringIO(body.decode())))


def test_what_is_due_is_collected_by_method_and_day_and_nothing_else(served):
    assert codes(lambda: collected("card")) == ["batch_nothing_due"]
    assert PaymentBatch.objects.count() == 0
    batch = collected()
    assert (batch.number, batch.status, ties()) == (1, "open", (2, 250_00))
    # What was taken by the host today, and the part of the first of January; those of later months wait.
    assert [(bool(one.payment), one.amount_cents) for one in items(batch)] == [(True, 125_00), (False, 125_00)]
    assert {one.on for one in items(batch)} == {dt.date(2027, 1, 4)}
    told = Event.objects.get(kind="batch.created")
    assert (told.account, told.data["items_count"], told.data["total_cents"]) == (None, 2, 250_00)


def test_a_host_that_is_told_at_once_is_never_in_a_batch(served, monkeypatch):
    monkeypatch.setattr(batches, "file_hosts", route.file_hosts)
    assert codes(collected) == ["batch_nothing_due"]


def test_a_host_of_the_style_that_takes_files_is(served, monkeypatch):
    monkeypatch.setattr(batches, "file_hosts", route.file_hosts)
    HostConnection.objects.update(style="intelec")
    assert collected().items_count == 2


def test_an_item_is_in_one_batch_only_even_after_it_was_taken_out(served):
    first = collected()
    assert codes(collected) == ["batch_nothing_due"]
    for item in items(first):
        batches.remove(item=item, reason="Not theirs.", by=ANN, now=DUE)
    assert ties() == (0, 0)
    assert codes(collected) == ["batch_nothing_due"]
    taken = BatchItem.objects.exclude(postdate=None).get()
    with pytest.raises(IntegrityError, match="postdate_in_one_batch_ever"), transaction.atomic():
        BatchItem.objects.create(
            batch=first, account=taken.account, postdate=taken.postdate, amount_cents=1, on=DUE.date(), added_at=DUE
        )
    assert batches.cancel(batch=first, now=DUE).status == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_collect_at_once_share_nothing(open_shop, monkeypatch):
    serve(open_shop, monkeypatch)
    results = at_once(collected, collected, agency=open_shop.agency)
    made = [one for one in results if isinstance(one, PaymentBatch)]
    assert [type(one).__name__ for one in results if one not in made] == ["Refused"]
    assert BatchItem.objects.count() == 2
    assert ties() == (2, 250_00)


def test_what_is_taken_out_says_why_and_is_held_so_that_nobody_forgets_it(served):
    batch = collected()
    paid, planned = items(batch)
    assert codes(lambda: batches.remove(item=planned, reason=" ", by=ANN, now=DUE)) == ["batch_reason_missing"]
    out = batches.remove(item=planned, reason="Called, pays by check.", by=ANN, now=DUE)
    assert (out.removed_by, out.reason) == (ANN, "Called, pays by check.")
    assert ties() == (1, 125_00)
    planned.postdate.refresh_from_db()
    assert (planned.postdate.status, planned.postdate.held_for) == ("held", "taken_out_of_batch")
    batches.remove(item=paid, reason="Bank is closed.", by=ANN, now=DUE)
    assert paid.payment.incidents.get().kind == "taken_out_of_batch"
    assert codes(lambda: batches.remove(item=paid, reason="Again.", by=ANN, now=DUE)) == ["batch_item_gone"]


def test_what_is_taken_out_while_the_status_holds_it_stays_held_when_the_status_is_open_again(served):
    before = DUE - dt.timedelta(days=2)
    planned = items(collected(now=before))[1]
    place(served.account, "cease", now=before)
    batches.remove(item=planned, reason="Called, pays by check.", by=ANN, now=before)
    place(served.account, "open", now=before + dt.timedelta(hours=1))
    planned.postdate.refresh_from_db()
    assert (planned.postdate.status, planned.postdate.held_for) == ("held", "taken_out_of_batch")
    let_go = Event.objects.filter(kind="postdate.hold_requested", data__hold=False)
    assert not let_go.filter(data__postdate=str(planned.postdate_id)).exists()


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (dt.date(2027, 1, 3), ["batch_date_too_early"]),
        (dt.date(2027, 1, 5), dt.date(2027, 1, 5)),
        (dt.date(2027, 1, 6), dt.date(2027, 1, 6)),
        (dt.date(2027, 1, 7), ["batch_date_needs_notice"]),
    ],
)
def test_a_date_moves_to_banking_days_that_need_no_notice(served, on, expected):
    """ACH-08: a later date than that needs seven days' notice."""
    item = items(collected(now=DUE))[1]
    if on < DUE.date():
        # Sunday rolls to Monday for a bank account, so the day before that is asked for a list of the past.
        on = dt.date(2026, 12, 31)
    call = lambda: batches.move(item=item, on=on, by=ANN, now=DUE)  # noqa: E731
    assert (codes(call) if isinstance(expected, list) else call().on) == expected


def test_nobody_approves_what_they_made_or_edited(served):
    batch = collected()
    batches.move(item=items(batch)[1], on=dt.date(2027, 1, 5), by=BEA, now=DUE)
    for by in (ANN, BEA):
        assert codes(lambda by=by: batches.approve(batch=batch, by=by, now=DUE)) == ["batch_second_person"]
    assert batches.approve(batch=batch, by="staff:3", now=DUE).status == "approved"
    assert codes(lambda: batches.remove(item=items(batch)[0], reason="x", by=ANN, now=DUE)) == ["batch_not_open"]
    assert batches.reopen(batch=batch, now=DUE).approved_by == ""


def test_nobody_approves_what_they_put_in_though_others_moved_it_after_them(served):
    Postdate.objects.filter(number=2).update(method=None, executor="consumer")
    batch = batches.collect(method="check", until=DUE_ON, by="staff:9", now=DUE)
    item = batches.add(batch=batch, postdate=Postdate.objects.get(number=2), by=ANN, now=DUE)
    for by in (BEA, "key:1"):
        batches.move(item=item, on=dt.date(2027, 1, 5), by=by, now=DUE)
    for by in (ANN, BEA, "key:1", "staff:9"):
        assert codes(lambda by=by: batches.approve(batch=batch, by=by, now=DUE)) == ["batch_second_person"]
    assert PaymentBatch.objects.get().status == "open"
    batches.remove(item=item, reason="Bounced.", by="staff:4", now=DUE)
    assert PaymentBatch.objects.get().hands == [ANN, BEA, "key:1", "staff:4"]


def test_a_closed_account_stops_approval_and_export(served):
    batch = approved()
    Account.objects.update(status="closed")
    found = codes(lambda: batch_files.export(batch=batch, format="nacha", by=BEA, now=DUE))
    assert found == ["batch_item_not_ready"]
    batches.reopen(batch=batch, now=DUE)
    assert codes(lambda: batches.approve(batch=batch, by=BEA, now=DUE)) == ["batch_item_not_ready"]
    batch.refresh_from_db()
    assert (batch.status, batch.export_sha256) == ("open", "")


def test_without_proof_of_its_notice_a_planned_payment_is_not_approved(served):
    Notice.objects.update(status="due", sent_at=None)
    batch = collected()
    (why,) = batches.problems(batch, now=DUE).values()
    assert why == ["notice_not_proven"]


def test_without_proof_that_its_changed_day_was_told_a_planned_payment_is_not_approved_ach_08(served):
    planned = Postdate.objects.get(number=2)
    Notice.objects.create(
        postdate=planned, kind="date_change", owner="portal", channel="letter", earliest_on=NOW.date(),
        target_on=NOW.date(), latest_on=NOW.date(), send_by=NOW.date(), about={"was": ["2027-01-01", 125_00]},
    )  # fmt: skip
    (why,) = batches.problems(collected(), now=DUE).values()
    assert why == ["change_notice_not_proven"]


def test_the_bank_file_holds_the_numbers_the_event_and_the_row_do_not(served):
    batch, body = exported()
    lines = body.decode().splitlines()
    assert len(lines) % 10 == 0
    entries = [line for line in lines if line[0] == "6"]
    assert [line[3:12] for line in entries] == ["110000000", "110000000"]
    assert [line[12:29].strip() for line in entries] == [BANK, BANK]
    assert [int(line[29:39]) for line in entries] == [125_00, 125_00]
    assert [line[50:53] for line in lines if line[0] == "5"] == ["WEB"]
    assert all(routing_number_is_valid(line[3:12]) for line in entries)
    control = next(line for line in lines if line[0] == "9")
    assert (int(control[13:21]), int(control[31:43])) == (batch.items_count, batch.total_cents) == (2, 250_00)
    assert batch.export_sha256 == hashlib.sha256(body).hexdigest()
    told = Event.objects.get(kind="batch.exported").data
    assert (told["sha256"], told["format"]) == (batch.export_sha256, "nacha")
    assert BANK not in str([list(Event.objects.values("data")), list(PaymentBatch.objects.values())])


def test_the_file_is_given_again_only_if_it_is_the_same(served):
    batch, body = exported()
    again = batch_files.export(batch=batch, format="nacha", by=ANN, now=DUE + dt.timedelta(days=3))
    assert again == body
    assert codes(lambda: batch_files.export(batch=batch, format="checks", by=ANN, now=DUE)) == [
        "batch_exported_otherwise"
    ]
    Method.objects.update(holder="Janet Doe")
    assert codes(lambda: batch_files.export(batch=batch, format="nacha", by=ANN, now=DUE)) == ["batch_export_changed"]
    Method.objects.update(routing="", number="", wiped_at=DUE)
    assert codes(lambda: batch_files.export(batch=batch, format="nacha", by=ANN, now=DUE)) == ["batch_cannot_write"]
    assert Event.objects.filter(kind="batch.exported").count() == 1


def test_a_list_for_collectors_names_payments_by_our_id_and_holds_no_number(served):
    Account.objects.update(reference="=HYPERLINK(1)")
    batch, body = exported("csv")
    rows = read(body)
    assert {row["item"] for row in rows} == {str(one.postdate_id or one.payment_id) for one in items(batch)}
    assert {row["reference"] for row in rows} == {"'=HYPERLINK(1)"}
    assert [(row["amount"], row["last4"], row["date"]) for row in rows] == [("125.00", "6789", "2027-01-04")] * 2
    assert not re.search(BANK, body.decode())


def test_a_list_for_a_check_printer_has_what_a_check_needs(served):
    rows = read(exported("checks")[1])
    assert [(row["routing"], row["account"], row["pay_from"]) for row in rows] == [("110000000", BANK, "Jane Doe")] * 2


def test_a_batch_of_bank_files_needs_to_know_who_the_agency_is(served):
    AchOrigin.objects.all().delete()
    batch = approved()
    assert codes(lambda: batch_files.export(batch=batch, format="nacha", by=BEA, now=DUE)) == ["batch_origin_missing"]


def test_posting_records_payments_ledger_and_post_dates_once(served):
    batch, _body = exported()
    for _ in range(2):
        assert batch_posting.post(batch=batch, by=ANN, now=DUE).status == "posted"
    assert list(Payment.objects.order_by("id").values_list("status", "amount_cents")) == [("succeeded", 125_00)] * 2
    assert LedgerEntry.objects.filter(book="host").count() == 2
    assert sum(LedgerEntry.objects.values_list("amount_cents", flat=True)) == 0
    assert Postdate.objects.get(number=2).status == "taken"
    assert owed(served.account).cents == 750_00
    assert kinds(served.account).count("payment.succeeded") == 2
    assert Event.objects.get(kind="batch.posted").data["failed_cents"] == 0
    assert ties() == (2, 250_00)
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def test_nothing_is_posted_before_it_was_exported(served):
    assert codes(lambda: batch_posting.post(batch=approved(), by=ANN, now=DUE)) == ["batch_not_exported"]
    assert Payment.objects.get().status == "pending"


def test_what_a_bank_did_not_take_is_recorded_as_declined(served):
    batch, _body = exported()
    paid, planned = items(batch)
    for item in (paid, planned):
        batches.fail(item=item, code="R01", by=ANN, now=DUE)
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    assert sorted(Payment.objects.values_list("status", "decline_code")) == [("declined", "R01"), ("returned", "R01")]
    assert Postdate.objects.get(number=2).status == "failed"
    assert owed(served.account).cents == 1_000_00
    assert Event.objects.get(kind="batch.posted").data["failed_cents"] == 250_00
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def test_a_return_code_of_a_planned_debit_in_a_batch_is_followed_and_counted_ach_11(served):
    batch, _body = exported()
    planned = items(batch)[1]
    assert planned.postdate is not None
    batches.fail(item=planned, code="R10", by=ANN, now=DUE)
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    assert (Method.objects.get().blocked_reason, Arrangement.objects.get().status) == ("R10", "cancelled")
    (readings,) = meters.meters(now=DUE).values()
    assert (readings[0].name, readings[0].returned, readings[0].debits) == ("unauthorized", 1, 2)
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def declined(postdate, *, code="", on=DUE_ON, touched=DUE):
    """The host's own line of a try that failed."""
    line = Shown(postdate)
    line.status, line.return_code, line.on, line.updated_at = "DECLINED", code, on, touched
    return line


def shown(shop, line):
    mirror.mirror(account=shop.account, payments=[line], postdates=[], now=DUE)


def returned():
    """How many debits came back, of how many, and how often a no was told."""
    (readings,) = meters.meters(now=DUE).values()
    overall = next(one for one in readings if one.name == "overall")
    return overall.returned, overall.debits, Event.objects.filter(kind="payment.declined").count()


def failed_in_batch(code):
    batch, _body = exported()
    planned = items(batch)[1]
    batches.fail(item=planned, code=code, by=ANN, now=DUE)
    return batch, planned.postdate


@pytest.mark.parametrize("code", ["R01", "NSF"])
@pytest.mark.parametrize("first", ["batch", "host"])
def test_a_try_that_failed_in_a_batch_and_is_shown_by_the_host_is_one_try_ach_11(served, other_shop, first, code):
    batch, postdate = failed_in_batch(code)
    said = [
        lambda: batch_posting.post(batch=batch, by=ANN, now=DUE),
        lambda: shown(served, declined(postdate, code="R01")),
    ]
    for tell in said if first == "batch" else reversed(said):
        tell()
    assert returned() == (1, 2, 1)
    tried = Payment.objects.get(postdate=postdate)
    assert (tried.status, tried.acknowledged_at) == ("declined", DUE)
    assert BatchItem.objects.get(postdate=postdate).payment_id == tried.pk
    for line in (declined(postdate, code="R01"), declined(postdate, code="R01", touched=DUE + dt.timedelta(days=1))):
        shown(served, line)
        batch_posting.post(batch=batch, by=ANN, now=DUE)
    assert returned() == (1, 2, 1)
    shown(served, declined(postdate, code="R01", on=dt.date(2027, 1, 7)))
    assert returned() == (2, 3, 2)
    with acting_for(other_shop.agency):
        assert not Payment.objects.exists()


def test_the_code_that_a_host_names_after_its_line_belongs_to_the_try_that_failed_in_a_batch(served):
    batch, postdate = failed_in_batch("R01")
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    for code in ("", "R01", "R01"):
        shown(served, declined(postdate, code=code))
    assert returned() == (1, 2, 1)
    assert Method.objects.get().blocked_at is None


def test_what_the_host_says_of_a_try_that_a_batch_called_refused_is_followed_once(served):
    batch, postdate = failed_in_batch("NSF")
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    assert Method.objects.get().blocked_at is None
    for _push in range(2):
        shown(served, declined(postdate, code="R10"))
    assert (Method.objects.get().blocked_reason, Arrangement.objects.get().status) == ("R10", "cancelled")
    assert returned() == (1, 2, 1)


def test_a_debit_that_a_batch_called_taken_and_the_host_calls_declined_came_back_once_ach_11(served):
    batch, _body = exported()
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    postdate = Postdate.objects.get(number=2)
    assert owed(served.account).cents == 750_00
    for touched in (DUE, DUE + dt.timedelta(days=1)):
        shown(served, declined(postdate, code="R10", touched=touched))
    taken = Payment.objects.get(postdate=postdate)
    assert (taken.status, taken.network_decline_code, ledger.net_cents(taken)) == ("returned", "R10", 0)
    assert (returned(), kinds(served.account).count("payment.returned")) == ((1, 2, 0), 1)
    assert Method.objects.get().blocked_reason == "R10"
    assert owed(served.account).cents == 875_00
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def test_posting_that_was_interrupted_goes_on_where_it_stopped(served, monkeypatch):
    batch, _body = exported()
    real, calls = batch_posting._post_item, []

    def dies(pk, now):
        calls.append(pk)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(pk, now)

    monkeypatch.setattr(batch_posting, "_post_item", dies)
    with pytest.raises(KeyboardInterrupt):
        batch_posting.post(batch=batch, by=ANN, now=DUE)
    monkeypatch.setattr(batch_posting, "_post_item", real)
    assert batch_posting.post(batch=batch, by=ANN, now=DUE).status == "posted"
    assert Payment.objects.count() == 2
    assert kinds(served.account).count("payment.succeeded") == 2


@pytest.mark.django_db(transaction=True)
def test_two_people_who_post_at_once_record_each_payment_once(open_shop, monkeypatch):
    serve(open_shop, monkeypatch)
    batch, _body = exported()
    call = lambda: batch_posting.post(batch=batch, by=ANN, now=DUE)  # noqa: E731
    results = at_once(call, call, agency=open_shop.agency)
    assert [getattr(one, "status", one) for one in results] == ["posted", "posted"]
    assert Payment.objects.filter(status="succeeded").count() == 2
    assert LedgerEntry.objects.count() == 4
    assert Event.objects.filter(kind="batch.posted").count() == 1


def test_what_the_host_shows_of_a_posted_batch_is_counted_once(served):
    batch, _body = exported()
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    line = Shown(Postdate.objects.get(number=2))
    for _ in range(2):
        mirror.mirror(account=served.account, payments=[line], postdates=[], now=DUE)
    Account.objects.update(balance_cents=875_00)
    served.account.refresh_from_db()
    assert Payment.objects.count() == 2
    assert owed(served.account).cents == 750_00


class Shown:
    """One line of the host's list for a post-date that it took."""

    host_id, method, last4, status, updated_at = "H1", "ACH", "6789", "POSTED", DUE

    def __init__(self, postdate):
        self.portal_id, self.on, self.amount_cents = postdate.pk, postdate.due_on, postdate.amount_cents


def test_a_payment_stopped_after_the_export_is_recorded_and_looked_at(served):
    batch, _body = exported()
    Postdate.objects.filter(number=2).update(status="held", held_for="dispute")
    batch_posting.post(batch=batch, by=ANN, now=DUE)
    payment = Payment.objects.get(postdate__number=2)
    assert payment.status == "succeeded"
    assert payment.incidents.get().kind == "charged_after_stop"


def test_a_check_that_came_by_mail_is_put_in_by_hand_and_posted(served):
    postdate = Postdate.objects.get(number=2)
    Postdate.objects.filter(pk=postdate.pk).update(method=None, executor="consumer")
    batch = collected("check")
    assert batch.items_count == 0
    batches.add(batch=batch, postdate=postdate, by=ANN, now=DUE)
    assert codes(lambda: batches.add(batch=batch, postdate=postdate, by=ANN, now=DUE)) == ["batch_item_elsewhere"]
    by_host = Postdate.objects.get(number=3)
    assert codes(lambda: batches.add(batch=batch, postdate=by_host, by=ANN, now=DUE)) == [
        "batch_item_executed_elsewhere"
    ]
    assert codes(lambda: batches.approve(batch=batch, by=ANN, now=DUE)) == ["batch_second_person"]
    batches.approve(batch=batch, by=BEA, now=DUE)
    (row,) = read(batch_files.export(batch=batch, format="csv", by=BEA, now=DUE))
    assert (row["method"], row["amount"], row["last4"]) == ("check", "125.00", "")
    batch_posting.post(batch=batch, by=BEA, now=DUE)
    payment = Payment.objects.get(postdate=postdate)
    assert (payment.status, ledger.net_cents(payment)) == ("succeeded", 125_00)


def test_totals_that_do_not_tie_are_found(served):
    batch = collected()
    PaymentBatch.objects.filter(pk=batch.pk).update(total_cents=1)
    with acting_for(ALL_AGENCIES):
        assert [row[0] for name, row in findings() if "batch" in name] == [batch.pk]


def test_another_agencys_payments_are_in_no_batch_of_ours_and_numbers_are_their_own(served, other_shop, monkeypatch):
    mine = collected()
    with acting_for(other_shop.agency):
        serve(other_shop, monkeypatch)
        theirs = collected()
        assert (theirs.number, theirs.items_count) == (1, 2)
    assert (mine.number, mine.items_count) == (1, 2)
    assert BatchItem.objects.count() == 2
    with pytest.raises(PaymentBatch.DoesNotExist):
        batches.approve(batch=theirs, by=BEA, now=DUE)
    assert NOW < DUE
