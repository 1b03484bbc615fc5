"""What the host shows: the tabs, the acknowledgement of what we took, and what becomes of post-dates."""

import datetime as dt
import uuid
from typing import NamedTuple

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Event
from accounts.tenancy import acting_for
from payments.models import Arrangement, Dispute, HostItem, Incident, Method, Notice, Payment, Postdate
from payments.services import disputes, items, ledger, meters, mirror, postdates, returns, reversals
from payments.services import owed as owed_now
from payments.services.owed import owed
from tests.conftest import NOW
from tests.payments.conftest import today
from tests.payments.test_arrange import agree_to_email
from tests.payments.test_pay import kinds

LATER = NOW + dt.timedelta(days=1)


class Line(NamedTuple):
    host_id: str
    portal_id: uuid.UUID | None
    amount_cents: int
    status: str
    on: dt.date = dt.date(2026, 12, 1)
    method: str = "CARD"
    last4: str = "5556"
    updated_at: dt.datetime = NOW
    notice_sent_on: dt.date | None = None
    return_code: str = ""


def show(shop, payments=(), postdates_=(), now=LATER):
    mirror.mirror(account=shop.account, payments=payments, postdates=postdates_, now=now)


def planned(shop, **more):
    """Pay the first of two parts; return the second."""
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)], **more))
    return Postdate.objects.get()


def statuses():
    return list(HostItem.objects.order_by("host_id").values_list("kind", "host_id", "status", "matched"))


def test_the_tabs_show_the_hosts_list_and_forget_what_it_no_longer_names(shop):
    show(shop, [Line("P1", None, 50_00, "POSTED")], [Line("D1", None, 25_00, "PENDING")])
    assert statuses() == [("postdate", "D1", "PENDING", False), ("payment", "P1", "POSTED", False)]
    show(shop, [Line("P1", None, 50_00, "CHARGEBACK")])
    assert statuses() == [("payment", "P1", "CHARGEBACK", False)]


def test_the_same_list_twice_changes_nothing(shop):
    payment = shop.confirm(shop.checkout())
    for _ in range(3):
        show(shop, [Line("P1", payment.pk, 125_00, "POSTED")])
    assert kinds(shop.account).count("payment.posted") == 1
    assert HostItem.objects.count() == 1


def test_what_is_known_of_a_list_is_not_asked_line_by_line(shop):
    lines = [(today(), 675_00), *((dt.date(2026, 12, day), 25_00) for day in (2, 3, 4))]
    shop.confirm(shop.checkout("parts", lines))
    held = [
        Line(f"D{row.number}", row.pk, row.amount_cents, "PENDING", on=row.due_on)
        for row in Postdate.objects.order_by("number")
    ]
    assert len(held) == 3
    show(shop, (), held)
    with CaptureQueriesContext(connection) as seen:
        show(shop, (), held)
    assert not [one["sql"] for one in seen if 'FROM "payments_postdate"' in one["sql"] and "FOR UPDATE" in one["sql"]]
    with CaptureQueriesContext(connection) as seen:
        show(shop, (), [held[0]._replace(status="CANCELLED"), *held[1:]])
    assert Postdate.objects.filter(status="cancelled").count() == 1
    asked = [one["sql"] for one in seen if 'FROM "payments_postdate"' in one["sql"] and "FOR UPDATE" in one["sql"]]
    assert any(str(held[0].portal_id) in sql for sql in asked)


def test_a_posted_payment_is_acknowledged_and_waits_no_longer(shop):
    payment = shop.confirm(shop.checkout())
    type(shop.account).objects.update(balance_cents=875_00)
    shop.account.refresh_from_db()
    show(shop, [Line("P1", payment.pk, 125_00, "POSTED")])
    payment.refresh_from_db()
    assert (payment.status, payment.acknowledged_at) == (Payment.Status.SUCCEEDED, LATER)
    assert (owed(shop.account).cents, owed(shop.account).waiting) == (875_00, ())
    told = Event.objects.get(kind="payment.posted").data
    assert (told["origin"], told["host_id"], told["payment"]) == ("host", "P1", str(payment.pk))


def test_a_page_that_read_the_balance_before_the_host_posted_counts_the_payment_once(shop):
    read_before = type(shop.account).objects.get(pk=shop.account.pk)
    payment = shop.confirm(shop.checkout())
    show(shop, [Line("P1", payment.pk, 125_00, "POSTED")])
    type(shop.account).objects.update(balance_cents=875_00, as_of=LATER)
    assert owed(read_before).cents == 875_00
    assert (read_before.balance_cents, read_before.as_of) == (875_00, LATER)


def test_a_payment_that_the_host_posts_while_a_page_is_read_counts_once(shop, monkeypatch):
    payment = shop.confirm(shop.checkout())
    read = owed_now._read

    def post_first(keys):
        type(shop.account).objects.update(balance_cents=875_00)
        show(shop, [Line("P1", payment.pk, 125_00, "POSTED")])
        return read(keys)

    monkeypatch.setattr(owed_now, "_read", post_first)
    assert owed(shop.account).cents == 875_00


def test_a_processed_bank_debit_still_waits_until_it_is_posted(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    show(shop, [Line("P1", payment.pk, 125_00, "PROCESSED", method="ACH")])
    assert owed(shop.account).cents == 875_00
    assert Method.objects.get().number == "", "the executor has the number, so it is wiped here"
    show(shop, [Line("P1", payment.pk, 125_00, "POSTED", method="ACH")])
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert sorted(payment.entries.values_list("book", "amount_cents")) == [("debt", -125_00), ("host", 125_00)]
    assert kinds(shop.account)[-1] == "payment.posted"
    assert "payment.succeeded" not in kinds(shop.account)


@pytest.mark.parametrize("posted_first", [True, False])
def test_an_ach_reversal_gives_back_what_was_counted(shop, posted_first):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    if posted_first:
        show(shop, [Line("P1", payment.pk, 125_00, "POSTED", method="ACH")])
    show(shop, [Line("P1", payment.pk, 125_00, "ACH REVERSAL", method="ACH")])
    payment.refresh_from_db()
    assert payment.status == Payment.Status.RETURNED
    assert ledger.net_cents(payment) == 0
    assert owed(shop.account).cents == 1_000_00
    assert Event.objects.get(kind="payment.returned").data["origin"] == "host"


def debited(shop):
    """Have the host debit the first of two parts from a bank account; give the payment and the post-date."""
    payment = shop.confirm(
        shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 4), 50_00)], bank="000123456789")
    )
    return payment, Postdate.objects.get()


def sent_back(payment, code="", **more):
    return Line("P1", payment.pk, 700_00, "ACH REVERSAL", method="ACH", return_code=code, **more)


def after(payment, postdate):
    """Say what became of a plan, of what is planned, and of the bank account."""
    for row in (payment, postdate, postdate.arrangement, payment.method):
        row.refresh_from_db()
    assert payment.status == Payment.Status.RETURNED
    method = payment.method
    gone = "removed" if method.removed_at else "blocked" if method.blocked_at else "kept"
    return postdate.arrangement.status, postdate.status, gone


@pytest.mark.parametrize(
    ("code", "became"),
    [
        ("R01", ("late", "scheduled", "kept")),
        ("R02", ("paused", "held", "removed")),
        ("R07", ("cancelled", "cancel_req", "kept")),
        ("R08", ("paused", "held", "blocked")),
        ("R10", ("cancelled", "cancel_req", "blocked")),
        ("", ("late", "held", "kept")),
    ],
)
@pytest.mark.parametrize("posted_first", [True, False])
def test_a_reversal_does_what_the_return_code_says_that_the_host_names(shop, code, became, posted_first):
    payment, postdate = debited(shop)
    if posted_first:
        show(shop, [Line("P1", payment.pk, 700_00, "POSTED", method="ACH")])
    for _ in range(2):
        show(shop, [sent_back(payment, code)])
    assert after(payment, postdate) == became
    assert Event.objects.get(kind="payment.returned").data["network_decline_code"] == code
    (readings,) = meters.meters(now=LATER).values()
    assert (readings[0].name, readings[0].returned) == ("unauthorized", int(code in ("R07", "R10")))


@pytest.mark.parametrize(
    ("code", "became"), [("R01", ("late", "scheduled", "kept")), ("R10", ("cancelled", "cancel_req", "blocked"))]
)
def test_a_code_that_the_host_names_later_is_followed_then_and_once(shop, code, became):
    payment, postdate = debited(shop)
    show(shop, [sent_back(payment)])
    assert after(payment, postdate) == ("late", "held", "kept")
    for said in (code, code, "R02"):
        show(shop, [sent_back(payment, said)])
    assert after(payment, postdate) == became
    assert kinds(shop.account).count("payment.returned") == 1
    assert payment.network_decline_code == code


def test_a_post_date_that_the_bank_refused_at_the_host_follows_the_code_too_and_a_card_has_none(shop, other_shop):
    payment, postdate = debited(shop)
    for _ in range(2):
        show(shop, [Line("D1", postdate.pk, 50_00, "DECLINED", method="ACH", return_code="R10")])
    postdate.refresh_from_db()
    tried = Payment.objects.exclude(pk=payment.pk).get()
    assert (tried.status, tried.network_decline_code, postdate.status) == ("declined", "R10", "failed")
    assert (Method.objects.get().blocked_reason, Arrangement.objects.get().status) == ("R10", "cancelled")
    (readings,) = meters.meters(now=LATER).values()
    assert (readings[0].returned, readings[0].debits) == (1, 2)
    with acting_for(other_shop.agency):
        postdate = planned(other_shop)
        show(other_shop, [Line("D1", postdate.pk, 50_00, "DECLINED", return_code="R10")])
        assert Payment.objects.get(postdate=postdate).network_decline_code == ""
        assert Method.objects.get().blocked_at is None


def test_a_declined_line_that_the_host_touches_again_is_one_return_and_a_try_on_another_day_is_another_ach_11(
    shop, other_shop
):
    _payment, postdate = debited(shop)
    line = Line("D1", postdate.pk, 50_00, "DECLINED", method="ACH", return_code="R01")

    def tell(**values):
        show(shop, [line._replace(**values)])
        (readings,) = meters.meters(now=LATER).values()
        overall = next(one for one in readings if one.name == "overall")
        return overall.returned, kinds(shop.account).count("payment.declined")

    assert tell() == (1, 1)
    assert tell(updated_at=NOW + dt.timedelta(days=1)) == (1, 1)
    assert tell(on=dt.date(2026, 12, 4), updated_at=NOW + dt.timedelta(days=3)) == (2, 2)
    with acting_for(other_shop.agency):
        assert not Payment.objects.filter(status="declined").exists()


def test_what_somebody_of_the_agency_says_of_a_hosts_debit_is_followed_and_told(shop, other_shop):
    payment, postdate = debited(shop)
    said = {"reason": "The bank's file", "by": "staff:7", "now": LATER}
    (no,) = returns.tell_return(payment=payment, code="10", **said)
    assert (no.code, no.field) == ("return_code_unknown", "code")
    with acting_for(other_shop.agency), pytest.raises(Payment.DoesNotExist):
        returns.tell_return(payment=payment, code="R10", **said)
    for _ in range(2):
        told = returns.tell_return(payment=payment, code="r10", **said)
        assert told.status == "returned"
        payment.refresh_from_db()
    assert after(payment, postdate) == ("cancelled", "cancel_req", "blocked")
    assert payment.reason == "staff:7: The bank's file"
    event = Event.objects.get(kind="payment.returned").data
    assert (event["origin"], event["network_decline_code"]) == ("agency", "R10")
    show(shop, [sent_back(payment, "R01")])
    assert after(payment, postdate) == ("cancelled", "cancel_req", "blocked")


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [("CHARGEBACK", "charged_back", "payment.charged_back"), ("REFUND", "refunded", "payment.refunded")],
)
def test_a_chargeback_and_a_refund_at_the_host_undo_a_card_payment(shop, word, status, kind):
    payment = shop.confirm(shop.checkout())
    show(shop, [Line("P1", payment.pk, 125_00, "POSTED")])
    for _ in range(2):
        show(shop, [Line("P1", payment.pk, 125_00, word)])
    payment.refresh_from_db()
    assert payment.status == status
    assert ledger.net_cents(payment) == 0
    assert kinds(shop.account).count(kind) == 1


def test_a_chargeback_that_was_won_is_not_lost_again_to_the_hosts_old_word(shop):
    payment = shop.confirm(shop.checkout())
    show(shop, [Line("P1", payment.pk, 125_00, "CHARGEBACK")])
    reversals.record_dispute(payment_id=payment.pk, said="won", now=LATER)
    for _ in range(2):
        show(shop, [Line("P1", payment.pk, 125_00, "CHARGEBACK")], now=LATER + dt.timedelta(hours=1))
    payment.refresh_from_db()
    assert (payment.status, ledger.net_cents(payment)) == (Payment.Status.SUCCEEDED, 125_00)
    again = Line("P1", payment.pk, 125_00, "CHARGEBACK", updated_at=LATER + dt.timedelta(days=3))
    show(shop, [again], now=LATER + dt.timedelta(days=3))
    payment.refresh_from_db()
    assert (payment.status, ledger.net_cents(payment)) == (Payment.Status.CHARGED_BACK, 0)


def test_a_refund_at_the_host_that_is_older_than_a_dispute_won_or_a_refund_failed_gives_nothing_back_again(shop):
    payment = shop.confirm(shop.checkout())
    old = Line("P1", payment.pk, 125_00, "REFUND")

    def net(line, now) -> int:
        show(shop, [line], now=now)
        return ledger.net_cents(payment)

    reversals.record_dispute(payment_id=payment.pk, said="opened", now=NOW)
    reversals.record_dispute(payment_id=payment.pk, said="won", now=LATER)
    assert net(old, LATER + dt.timedelta(hours=1)) == 125_00
    assert net(old._replace(updated_at=LATER + dt.timedelta(hours=2)), LATER + dt.timedelta(hours=2)) == 0
    failed = LATER + dt.timedelta(days=1)
    reversals.record_refund_failed(payment_id=payment.pk, refunded_cents=0, reason="closed", now=failed)
    assert net(old._replace(updated_at=LATER + dt.timedelta(hours=2)), failed + dt.timedelta(hours=1)) == 125_00
    assert net(old._replace(updated_at=failed + dt.timedelta(hours=2)), failed + dt.timedelta(hours=2)) == 0
    assert kinds(shop.account).count("payment.refunded") == 2


def test_the_hosts_word_never_undoes_what_the_processor_took(shop):
    payment = shop.confirm(shop.checkout())
    show(shop, [Line("P1", payment.pk, 125_00, "DECLINED")])
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED


def test_a_post_date_that_the_host_shows_is_acknowledged(shop):
    postdate = planned(shop)
    show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=postdate.due_on)])
    postdate.refresh_from_db()
    assert (postdate.status, postdate.host_id, postdate.acknowledged_at) == ("scheduled", "D1", LATER)


@pytest.mark.parametrize(("on", "cents"), [(dt.date(2026, 12, 9), 50_00), (dt.date(2026, 12, 4), 60_00)])
def test_what_the_host_plans_for_another_day_or_sum_is_held_until_it_is_as_signed_eft_04_ach_08_card_06(
    shop, on, cents
):
    postdate = planned(shop)
    for _ in range(2):
        show(shop, [], [Line("D1", postdate.pk, cents, "PENDING", on=on)])
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("held", "changed_at_host")
    incident = Incident.objects.get()
    assert (incident.kind, incident.data["signed_for"], incident.data["planned_for"]) == (
        "changed_at_host",
        "2026-12-04",
        on.isoformat(),
    )
    asked = [event.data["hold"] for event in Event.objects.filter(kind="postdate.hold_requested")]
    assert asked == [True]
    show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=dt.date(2026, 12, 4))])
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("scheduled", "")


def test_what_the_host_puts_back_after_the_last_day_for_its_notice_stays_held_and_staff_are_told_pdc_01(shop):
    agree_to_email(shop)
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (dt.date(2026, 12, 21), 50_00)]))
    postdate = Postdate.objects.get()
    Notice.objects.filter(postdate=postdate).update(status="due", send_by=dt.date(2026, 12, 16))
    show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=dt.date(2026, 12, 22))])
    late = NOW + dt.timedelta(days=17)
    show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=dt.date(2026, 12, 21))], now=late)
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("held", "changed_at_host")
    assert Incident.objects.get(kind="held_past_its_day").data["postdates"] == [str(postdate.pk)]


def test_what_somebody_else_holds_is_not_let_go_because_the_host_shows_it_as_signed(shop):
    postdate = planned(shop)
    postdates.hold(postdate=postdate, reason="dispute", now=NOW)
    show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=postdate.due_on)])
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("held", "dispute")


@pytest.mark.parametrize("ends_first", ["host", "dispute"])
@pytest.mark.parametrize("begins_first", ["host", "dispute"])
def test_what_the_host_moved_and_a_dispute_holds_waits_for_the_last_of_both_rf_32(shop, begins_first, ends_first):
    postdate = planned(shop)
    moved, back = ([Line("D1", postdate.pk, 50_00, "PENDING", on=on)] for on in (dt.date(2026, 12, 9), postdate.due_on))

    def end_dispute():
        found = {"by": "staff:1", "note": "Proof sent.", "verified_on": LATER.date()}
        assert disputes.resolve(dispute=Dispute.objects.get(), now=LATER, **found) == []

    begins = {
        "host": lambda: show(shop, [], moved),
        "dispute": lambda: disputes.open_dispute(
            account=shop.account, visit=None, reason="paid", text="", amount_cents=None, now=LATER
        ),
    }
    ends = {"host": lambda: show(shop, [], back), "dispute": end_dispute}
    for name in sorted(begins, key=lambda name: name != begins_first):
        begins[name]()
    assert Incident.objects.get().kind == "changed_at_host"
    first, last = sorted(ends, key=lambda name: name != ends_first)
    ends[first]()
    postdate.refresh_from_db()
    left = {"host": "paused", "dispute": "changed_at_host"}[first]
    assert (postdate.status, postdate.held_for) == ("held", left)
    assert not Event.objects.filter(kind="postdate.hold_requested", data__hold=False).exists()
    ends[last]()
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("scheduled", "")


def by_letter(shop):
    """Plan a payment that is announced by letter: due on Tuesday 22 December, the letter leaves by 10 December."""
    due_on = dt.date(2026, 12, 22)
    shop.confirm(shop.checkout("parts", [(today(), 700_00), (due_on, 50_00)], paper=True))
    postdate, notice = Postdate.objects.get(), Notice.objects.get()
    assert (notice.channel, notice.status, notice.send_by) == ("letter", "due", dt.date(2026, 12, 10))
    return postdate, notice


def test_a_letter_that_the_host_says_left_in_its_window_proves_the_notice_once_pdc_05(shop):
    postdate, notice = by_letter(shop)
    at = dt.datetime(2026, 12, 9, 20, tzinfo=dt.UTC)
    for _ in range(2):
        sent = Line("D1", postdate.pk, 50_00, "PENDING", on=postdate.due_on, notice_sent_on=dt.date(2026, 12, 8))
        show(shop, [], [sent], now=at)
    notice.refresh_from_db()
    assert (notice.status, notice.sent_at) == ("sent", dt.datetime(2026, 12, 8, 17, tzinfo=dt.UTC))
    told = Event.objects.get(kind="notice.sent").data
    assert (told["by"], told["sent_on"], told["channel"]) == ("host", "2026-12-08", "letter")
    assert Incident.objects.count() == 0


@pytest.mark.parametrize("sent_on", [dt.date(2026, 12, 4), dt.date(2026, 12, 11), dt.date(2026, 12, 9)])
def test_a_letter_that_left_outside_its_window_or_has_not_left_yet_proves_nothing_pdc_05(shop, sent_on):
    postdate, notice = by_letter(shop)
    at = dt.datetime(2026, 12, 8, 20, tzinfo=dt.UTC)
    line = Line("D1", postdate.pk, 50_00, "PENDING", on=postdate.due_on, notice_sent_on=sent_on)
    for _ in range(2):
        show(shop, [], [line], now=at)
    notice.refresh_from_db()
    assert (notice.status, notice.sent_at) == ("due", None)
    assert Incident.objects.get().kind == "letter_outside_window"


def test_of_two_letters_about_one_payment_each_is_proven_by_the_day_in_its_own_window_pdc_05_eft_04(shop):
    postdate, notice = by_letter(shop)
    days = {"earliest_on": today(), "target_on": today(), "latest_on": dt.date(2026, 12, 3)}
    about = {"kind": "varying", "owner": "portal", "channel": "letter", "about": {"was": ["2026-12-22", 40_00]}}
    change = Notice.objects.create(postdate=postdate, send_by=dt.date(2026, 12, 3), **days, **about)
    for sent_on, expected in [(3, ["sent", "due"]), (3, ["sent", "due"]), (8, ["sent", "sent"])]:
        sent_on = dt.date(2026, 12, sent_on)
        at = dt.datetime(2026, 12, 9, 20, tzinfo=dt.UTC)
        show(shop, [], [Line("D1", postdate.pk, 50_00, "PENDING", on=postdate.due_on, notice_sent_on=sent_on)], now=at)
        change.refresh_from_db()
        notice.refresh_from_db()
        assert [change.status, notice.status] == expected
    assert (change.proof["local_date"], notice.proof["local_date"]) == ("2026-12-03", "2026-12-08")
    assert Incident.objects.count() == 0


def test_a_post_date_taken_by_the_host_is_a_payment_and_completes_the_settlement(shop):
    postdate = planned(shop)
    for _ in range(2):
        show(shop, [Line("D1", postdate.pk, 50_00, "POSTED")])
    postdate.refresh_from_db()
    assert postdate.status == Postdate.Status.TAKEN
    taken = Payment.objects.get(postdate=postdate)
    assert (taken.status, taken.executor, taken.amount_cents) == ("succeeded", "host", 50_00)
    assert sum(taken.entries.values_list("amount_cents", flat=True)) == 0
    assert Arrangement.objects.get().status == Arrangement.Status.COMPLETED
    assert kinds(shop.account)[-3:] == ["payment.posted", "arrangement.completed", "settlement.completed"]


def test_a_post_date_declined_at_the_host_fails_and_the_settlement_is_late(shop):
    postdate = planned(shop)
    for _ in range(2):
        show(shop, [Line("D1", postdate.pk, 50_00, "DECLINED")])
    postdate.refresh_from_db()
    assert postdate.status == Postdate.Status.FAILED
    assert kinds(shop.account)[-2:] == ["payment.declined", "arrangement.late"]
    assert owed(shop.account).cents == 300_00


def test_one_failed_payment_with_later_ones_pending_still_shows_as_late(shop):
    lines = [(today(), 650_00), (dt.date(2026, 12, 4), 50_00), (dt.date(2026, 12, 5), 50_00)]
    shop.confirm(shop.checkout("parts", lines))
    second = Postdate.objects.get(number=2)
    show(shop, [Line("D2", second.pk, 50_00, "DECLINED")])
    assert Arrangement.objects.get().status == Arrangement.Status.LATE
    told = Event.objects.get(kind="arrangement.late").data
    assert (told["work_queue"], told["missing_cents"], told["make_good_by"]) == ("late", 50_00, "2026-12-12")


def test_a_charge_after_a_settled_cancel_is_an_incident(shop):
    postdate = planned(shop)
    postdates.request_cancel(postdate=postdate, now=NOW)
    postdates.settle_cancel(postdate_id=postdate.pk, cancelled=True, reason="", now=NOW)
    show(shop, [Line("D1", postdate.pk, 50_00, "POSTED")])
    assert Event.objects.get(kind="incident.opened").data["what"] == "charged_after_stop"
    postdate.refresh_from_db()
    assert postdate.status == Postdate.Status.TAKEN


def test_an_item_of_another_agencys_payment_matches_nothing(shop, other_shop):
    with acting_for(other_shop.agency):
        theirs = other_shop.confirm(other_shop.checkout())
    show(shop, [Line("P1", theirs.pk, 125_00, "POSTED")])
    assert statuses() == [("payment", "P1", "POSTED", False)]
    with acting_for(other_shop.agency):
        assert Payment.objects.get().acknowledged_at is None


def test_a_cancel_is_asked_of_the_host_once_and_settled_by_its_answer(shop):
    postdate = planned(shop)
    for _ in range(2):
        assert postdates.request_cancel(postdate=postdate, now=NOW).status == "cancel_req"
    assert kinds(shop.account).count("postdate.cancel_requested") == 1
    postdates.settle_cancel(postdate_id=postdate.pk, cancelled=True, reason="", now=LATER)
    postdate.refresh_from_db()
    assert (postdate.status, postdate.decided_at) == ("cancelled", LATER)
    assert Arrangement.objects.get().status == Arrangement.Status.CANCELLED
    assert kinds(shop.account)[-2:] == ["postdate.cancelled", "arrangement.cancelled"]


def test_a_refused_cancel_is_scheduled_again_and_says_why(shop):
    postdate = planned(shop)
    postdates.request_cancel(postdate=postdate, now=NOW)
    postdates.settle_cancel(postdate_id=postdate.pk, cancelled=False, reason="being_charged", now=LATER)
    postdate.refresh_from_db()
    assert postdate.status == "scheduled"
    told = Event.objects.get(kind="postdate.changed").data
    assert (told["cancel_refused"], told["reason"]) == (True, "being_charged")


@pytest.mark.parametrize("all_of_it", [False, True], ids=["the payment", "the plan"])
def test_what_only_the_payment_knew_holds_it_still_after_a_cancel_that_the_host_refused(shop, all_of_it):
    postdate = planned(shop)
    postdates.hold(postdate=postdate, reason="taken_out_of_batch", now=NOW)
    if all_of_it:
        account = Account.objects.get()
        items.stop_all([Postdate.objects.get()], "covered", postdate.arrangement, account=account, now=NOW)
    else:
        postdates.request_cancel(postdate=postdate, now=NOW)
    postdates.settle_cancel(postdate_id=postdate.pk, cancelled=False, reason="being_charged", now=LATER)
    postdate.refresh_from_db()
    assert (postdate.status, postdate.held_for) == ("held", "taken_out_of_batch")
    assert kinds(shop.account)[-2:] == ["postdate.changed", "postdate.hold_requested"]


def test_a_hold_is_asked_of_the_host(shop):
    postdate = planned(shop)
    postdates.hold(postdate=postdate, reason="notice_not_proven", now=NOW)
    assert Event.objects.get(kind="postdate.hold_requested").data["reason"] == "notice_not_proven"
    postdates.settle_hold(postdate_id=postdate.pk, held=False, reason="already_charged", now=NOW)
    postdate.refresh_from_db()
    assert postdate.status == "scheduled"


@pytest.mark.parametrize(("reason", "kinds_"), [("notice_not_proven", ["hold_refused"]), ("dispute", [])])
def test_staff_are_told_of_a_host_that_charges_what_nobody_was_told_of_pdc_01(shop, reason, kinds_):
    postdate = planned(shop)
    postdates.hold(postdate=postdate, reason=reason, now=NOW)
    postdates.settle_hold(postdate_id=postdate.pk, held=False, reason="already_charged", now=NOW)
    assert [(one.kind, one.key) for one in Incident.objects.all()] == [(kind, str(postdate.pk)) for kind in kinds_]


def test_a_post_date_cancelled_in_the_host_is_cancelled_here(shop):
    postdate = planned(shop)
    show(shop, [], [Line("D1", postdate.pk, 50_00, "CANCELLED")])
    postdate.refresh_from_db()
    assert postdate.status == "cancelled"
    assert Event.objects.get(kind="postdate.cancelled").data["origin"] == "host"
