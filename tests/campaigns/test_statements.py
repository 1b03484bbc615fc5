"""New York's statements reach the consumer, by mail or by letter, and one that is late is told (ST-03, ST-04)."""

import datetime as dt

import pytest
import time_machine

from accounts.models import Account, Event
from campaigns.models import Message
from payments.models import Arrangement, Incident, LedgerEntry, Payment, Postdate, Statement
from payments.services import statements
from tests.campaigns.conftest import make_payment, make_plan, run, told
from tests.integrations.api_caller import Caller, codes, refusal

pytestmark = pytest.mark.django_db
PLAN = [["2026-12-01", 125_00], ["2027-01-15", 125_00], ["2027-02-15", 125_01]]
SEVENTH = dt.timedelta(days=83)
"""A week before the ninetieth day."""


@pytest.fixture
def plan(acting, account, now) -> Arrangement:
    """A plan whose first payment was made on the first of December, and a second one in January."""
    payment = make_payment(account, now=now, lines=PLAN, told=False)
    plan = make_plan(payment, now=now, notices=False)
    later = now + dt.timedelta(days=45)
    make_payment(account, now=later, told=False, arrangement=plan)
    return plan


def paid_up(account, now, **values) -> Payment:
    """Pay what an account owes, and let the host say so."""
    payment = make_payment(account, now=now, told=False, **values)
    Account.objects.filter(pk=account.pk).update(status="paid", balance_cents=0)
    return payment


def test_st_03_who_pays_a_plan_reads_after_a_quarter_what_was_paid_and_what_is_left(
    plan, agreed, provider, mails, sandbox, now
):
    owes = Account.objects.get().balance_cents
    statements.run(now=now + SEVENTH - dt.timedelta(days=1))
    assert Statement.objects.count() == 0
    assert statements.run(now=now + SEVENTH) == 1
    row = Statement.objects.get()
    assert (row.kind, row.channel, row.owner) == ("accounting", "email", "portal")
    assert row.lines == [["2027-01-15", 125_00]]
    assert (row.since, row.until, row.send_by) == (dt.date(2026, 12, 1), dt.date(2027, 2, 22), dt.date(2027, 3, 1))
    run(now + SEVENTH)
    (mail,) = [one for one in mails() if "statement" in one["subject"]]
    assert mail["subject"] == "Your statement from Acme Recovery"
    for words in ("What you paid so far", "December 1, 2026 to February 22, 2027", "January 15, 2027", "$125.00"):
        assert words in mail["text"], mail["text"]
    # The two payments are not shown by the host yet, so they are taken off what it says is owed.
    assert f"What is left to pay: ${(owes - 250_00) / 100:,.2f}." in mail["text"]
    assert [item["name"] for item in mail["attachments"]] == ["statement-2027-02-22.pdf"]
    assert sandbox.paper(mail).startswith(b"%PDF")
    row.refresh_from_db()
    assert (row.status, row.proof["local_date"]) == ("sent", "2027-02-22")
    assert told("statement.due", "statement.sent", "letter.required") == ["statement.due", "statement.sent"]


def test_st_03_the_next_one_comes_a_quarter_after_the_last_and_counts_from_there(plan, agreed, provider, now):
    statements.run(now=now + SEVENTH)
    run(now + SEVENTH)
    assert statements.run(now=now + SEVENTH) == 0
    make_payment(plan.account, now=now + dt.timedelta(days=90), told=False, arrangement=plan)
    assert statements.run(now=now + SEVENTH * 2 - dt.timedelta(days=1)) == 0
    assert statements.run(now=now + SEVENTH * 2) == 1
    second = Statement.objects.order_by("until").last()
    assert second.since == dt.date(2027, 2, 22)
    assert second.lines == [["2027-03-01", 125_00]]


def test_st_03_what_went_back_is_taken_off_and_what_was_returned_is_not_counted(plan, agreed, now):
    payment = Payment.objects.order_by("intended_at").last()
    LedgerEntry.objects.create(
        payment=payment, account=plan.account, book="debt", amount_cents=25_00, reason="refund", at=now
    )
    make_payment(plan.account, now=now + dt.timedelta(days=60), status="returned", told=False)
    statements.run(now=now + SEVENTH)
    assert Statement.objects.get().lines == [["2027-01-15", 100_00]]


@pytest.mark.parametrize("state", ["NJ", ""])
def test_st_03_elsewhere_nobody_is_owed_one(plan, agreed, now, state):
    consumer = plan.consumer
    consumer.state = state
    consumer.save(update_fields=["state"])
    assert statements.run(now=now + SEVENTH * 2) == 0


@pytest.mark.parametrize("status", ["bankruptcy", "deceased"])
def test_sts_01_sts_03_nothing_is_sent_and_no_letter_is_asked_for_where_no_receipt_may_go(plan, agreed, now, status):
    Account.objects.update(status=status)
    assert statements.run(now=now + SEVENTH) == 0
    assert told("statement.due", "letter.required") == []


def test_st_03_on_the_ninety_first_day_without_a_statement_staff_are_told_once(plan, provider, now):
    # Without consent to electronic documents it is a letter, and nobody said that it left.
    statements.run(now=now + SEVENTH)
    letter = Event.objects.get(kind="letter.required")
    assert (letter.data["type"], letter.data["send_by"]) == ("accounting", "2027-03-01")
    statements.run(now=now + dt.timedelta(days=90))
    assert Incident.objects.count() == 0
    for _again in range(2):
        statements.run(now=now + dt.timedelta(days=91))
    assert Incident.objects.values_list("kind", "account").get() == ("statement_late", plan.account_id)
    assert Message.objects.filter(template="accounting").count() == 0


def test_an_agency_that_did_not_run_for_months_writes_it_late_and_is_told(plan, agreed, provider, mails, now):
    late = now + dt.timedelta(days=140)
    assert statements.run(now=late) == 1
    assert Incident.objects.get().kind == "statement_late"
    run(late)
    assert "Your statement from Acme Recovery" in [mail["subject"] for mail in mails()]


def test_a_mail_that_bounces_becomes_a_letter(plan, agreed, provider, mails, sandbox, now):
    statements.run(now=now + SEVENTH)
    run(now + SEVENTH)
    row = Statement.objects.get()
    assert row.status == "sent"
    statements.as_letter(row=row, reason="bounced", now=now + SEVENTH)
    row.refresh_from_db()
    assert (row.channel, row.status, row.sent_at) == ("letter", "due", None)
    assert Event.objects.get(kind="letter.required").data["reason"] == "bounced"


def test_an_address_that_wants_no_mail_gets_none_and_a_letter_is_asked_for(plan, agreed, provider, mails, now):
    agreed.contact_point.opted_out_at = now
    agreed.contact_point.save(update_fields=["opted_out_at"])
    statements.run(now=now + SEVENTH)
    run(now + SEVENTH)
    assert mails() == []
    row = Statement.objects.get()
    assert (row.channel, row.status) == ("letter", "due")


def test_where_the_host_notifies_it_is_told_and_no_mail_leaves(plan, agreed, provider, mails, now):
    Postdate.objects.update(notifier="host")
    statements.run(now=now + SEVENTH)
    run(now + SEVENTH)
    assert mails() == []
    told_to = Event.objects.get(kind="statement.due").data
    assert (told_to["owner"], told_to["payments"], told_to["paid_cents"]) == ("host", [["2027-01-15", 125_00]], 125_00)


def test_st_04_five_business_days_after_the_last_payment_the_letter_says_that_nothing_is_owed(
    account, agreed, provider, mails, acting, now
):
    paid_up(account, now)
    assert statements.run(now=now + dt.timedelta(days=6)) == 0
    certain = now + dt.timedelta(days=7)
    assert statements.run(now=certain) == 1
    assert statements.run(now=certain + dt.timedelta(days=1)) == 0
    run(certain)
    (mail,) = [one for one in mails() if one["subject"] == "A letter to keep, from Acme Recovery"]
    for words in ("You owe nothing more", "this debt is satisfied", "Harbor Medical Group", account.reference):
        assert words in mail["text"], mail["text"]
    row = Statement.objects.get()
    assert (row.kind, row.status, row.send_by, row.balance_cents) == (
        "satisfaction",
        "sent",
        dt.date(2026, 12, 30),
        0,
    )


@pytest.mark.parametrize("status", ["pending", "intended", "returned"])
def test_st_04_nothing_is_called_satisfied_while_money_is_on_its_way_or_came_back(account, agreed, acting, now, status):
    paid_up(account, now, status=status, kind="ach")
    assert statements.run(now=now + dt.timedelta(days=10)) == 0


def test_st_04_part_of_a_debt_satisfies_nothing(account, agreed, acting, now):
    make_payment(account, now=now, told=False)
    assert statements.run(now=now + dt.timedelta(days=10)) == 0


def test_st_04_a_settlement_that_was_paid_satisfies_the_debt_whatever_balance_the_host_still_shows(plan, agreed, now):
    Postdate.objects.update(status="taken")
    Arrangement.objects.update(kind="settlement", status="completed")
    assert Account.objects.get().balance_cents > 0
    assert statements.run(now=now + dt.timedelta(days=60)) == 1
    row = Statement.objects.get()
    assert (row.kind, row.paid_cents, row.balance_cents) == ("satisfaction", 250_00, 0)


def test_st_04_a_recalled_account_gets_no_letter_from_us(account, agreed, acting, now):
    paid_up(account, now)
    Account.objects.update(status="recalled")
    assert statements.run(now=now + dt.timedelta(days=10)) == 0


def test_a_printer_lists_the_letters_and_says_which_left(plan, other_agency, now):
    with time_machine.travel(now + SEVENTH, tick=False):
        statements.run(now=now + SEVENTH)
        row = Statement.objects.get()
        printer = Caller(plan.agency, "payments:read", "payments:record")
        stranger = Caller(other_agency, "payments:read", "payments:record")
        (found,) = printer.get("statements?status=due&channel=letter").json()["items"]
        assert (found["id"], found["paid_cents"], found["send_by"]) == (str(row.pk), 125_00, "2027-03-01")
        assert stranger.get("statements").json()["items"] == []
        path = f"statements/{row.pk}/sent"
        assert refusal(stranger.post(path, {"sent_on": "2027-02-22"})) == (404, "not_found")
        assert codes(printer.post(path, {"sent_on": "2027-02-23"})) == [("/sent_on", "sent_in_the_future")]
        assert codes(printer.post(path, {"sent_on": "2027-02-21"})) == [("/sent_on", "sent_too_early")]
        for _told_again in range(2):
            assert printer.post(path, {"sent_on": "2027-02-22"}).json()["status"] == "sent"
    row.refresh_from_db()
    assert row.sent_at == dt.datetime(2027, 2, 22, 17, 0, tzinfo=dt.UTC)
    assert told("statement.sent") == ["statement.sent"]
    assert statements.run(now=now + dt.timedelta(days=91)) == 0
    assert Incident.objects.count() == 0
