"""A broken invariant is found: each one that the database would let through is broken here once."""

import datetime as dt
import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import events
from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import MailEvent, MailProvider
from integrations.models import Delivery, HostConnection
from payments.models import (
    Arrangement,
    Authorization,
    LedgerEntry,
    Method,
    Payment,
    Postdate,
    ProcessorAccount,
    ProcessorEvent,
)
from portal.invariants import INVARIANTS, findings
from tests.conftest import NOW


def broken() -> set[str]:
    """Return the names of the invariants that do not hold."""
    with acting_for(ALL_AGENCIES):
        return {name for name, _row in findings()}


def named(words: str) -> str:
    """Find the one invariant whose name holds these words."""
    (name,) = [name for name in INVARIANTS if words in name]
    return name


class Books:
    """Write payments and what belongs to them past the services, right or wrong."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.owner = {"account": account, "consumer_id": account.consumer_id}

    def payment(self, status: str = "succeeded", *, booked: bool = True, told: int = 1, **values) -> Payment:
        """Write a payment, by default with its two ledger entries and its one event."""
        payment = Payment.objects.create(
            **self.owner
            | {
                "idempotency_key": uuid.uuid4(),
                "kind": Method.Kind.CARD,
                "executor": "portal",
                "amount_cents": 125_00,
                "status": status,
                "intended_at": timezone.now(),
            }
            | values
        )
        if booked and status in ("succeeded", "returned", "charged_back", "refunded"):
            for book, cents in (("debt", -125_00), ("processor", 125_00)):
                self.entry(payment, book, cents)
        if status != "intended":
            for _ in range(told):
                self.tell(payment, f"payment.{status}")
        return payment

    def entry(self, payment: Payment, book: str, cents: int) -> None:
        LedgerEntry.objects.create(
            payment=payment, account=self.account, book=book, amount_cents=cents, reason="payment", at=NOW
        )

    def tell(self, payment: Payment, kind: str, **data) -> None:
        with transaction.atomic():
            events.record(kind, account=self.account, now=NOW, data={"payment": str(payment.pk)} | data)

    def postdate(self, *, executor: str = "host", total_cents: int = 125_00, schedule=None) -> Postdate:
        """Write a post-date with its arrangement, authorization and method."""
        method = Method.objects.create(
            consumer_id=self.account.consumer_id, kind=Method.Kind.CARD, last4="5556", created_at=NOW
        )
        authorization = Authorization.objects.create(
            **self.owner,
            method=method,
            kind="schedule",
            text="I agree.",
            text_sha256="0" * 64,
            version="1",
            language="en",
            total_cents=total_cents,
            lines=[],
            accepted_at=NOW,
            time_zone="America/New_York",
            level=2,
        )
        arrangement = Arrangement.objects.create(
            **self.owner,
            authorization=authorization,
            kind="plan",
            total_cents=total_cents,
            schedule=[["2026-12-01", 125_00]] if schedule is None else schedule,
            accepted_at=NOW,
        )
        return Postdate.objects.create(
            arrangement=arrangement,
            account=self.account,
            method=method,
            number=1,
            of=1,
            due_on=NOW.date(),
            not_before_at=NOW,
            amount_cents=125_00,
            executor=executor,
            notifier="portal",
            created_at=NOW,
        )


@pytest.fixture
def books(acting, account) -> Books:
    return Books(account)


def test_nothing_is_found_in_a_clean_house(books, others_account):
    books.payment()
    books.payment("declined")
    books.payment("intended")
    books.payment(postdate=books.postdate(), executor="host")
    with acting_for(others_account.agency_id):
        Books(others_account).payment()
    with acting_for(ALL_AGENCIES):
        events.assign_sequences()
        assert findings() == []


def test_a_ledger_that_does_not_sum_to_zero_is_found(books):
    books.entry(books.payment(), "debt", 1)
    assert broken() == {named("sum to zero")}


@pytest.mark.parametrize("status", ["succeeded", "returned", "charged_back", "refunded"])
def test_money_that_moved_without_the_ledger_is_found(books, status):
    books.payment(status, booked=False)
    assert broken() == {named("has ledger entries")}


def test_a_hole_in_an_accounts_sequence_is_found(books, account):
    Event.objects.create(account=account, account_seq=2, kind="page.viewed", occurred_at=NOW)
    assert broken() == {named("of each account is dense")}


def test_a_hole_in_an_agencys_sequence_is_found(books):
    Event.objects.create(sequence=2, kind="page.viewed", occurred_at=NOW)
    assert broken() == {named("of each agency is gap-free")}


@pytest.mark.parametrize("told", [0, 2])
@pytest.mark.parametrize("status", ["succeeded", "declined", "pending", "voided"])
def test_an_outcome_that_was_not_told_exactly_once_is_found(books, status, told):
    books.payment(status, told=told)
    assert broken() == {named("exactly one event")}


def test_a_dispute_that_was_won_is_told_again_and_is_fine(books):
    payment = books.payment()
    books.tell(payment, "payment.charged_back")
    books.tell(payment, "payment.succeeded", reinstated=True)
    assert broken() == set()


def test_a_refund_in_parts_is_told_in_parts_and_is_fine(books):
    payment = books.payment()
    books.tell(payment, "payment.refunded", whole=False)
    assert broken() == set()
    Payment.objects.filter(pk=payment.pk).update(status="refunded")
    assert broken() == {named("exactly one event")}
    books.tell(payment, "payment.refunded", whole=True)
    assert broken() == set()


def test_a_post_date_that_was_paid_twice_is_found(books):
    postdate = books.postdate(executor="portal")
    for _ in range(2):
        books.payment(postdate=postdate)
    assert broken() == {named("one successful payment per post-date")}


def test_a_charge_of_ours_on_the_hosts_post_date_is_found(books):
    books.payment(postdate=books.postdate(executor="host"), executor="portal")
    assert broken() == {named("nothing that the host executes")}


@pytest.mark.parametrize("schedule", [[["2026-12-01", 125_01]], [["2026-12-01", 62_50]], []])
def test_parts_that_are_not_what_was_accepted_are_found(books, schedule):
    books.postdate(schedule=schedule)
    assert broken() == {named("exactly what was accepted")}


def test_a_webhook_that_lies_around_is_found(books):
    long_ago, just_now = timezone.now() - dt.timedelta(minutes=11), timezone.now()
    processor = ProcessorAccount.objects.get()
    inbox = {"processor_account": processor, "kind": "charge.refunded", "body": {}}
    ProcessorEvent.objects.create(external_id="evt_1", received_at=just_now, **inbox)
    ProcessorEvent.objects.create(external_id="evt_2", received_at=long_ago, applied_at=just_now, **inbox)
    assert broken() == set()
    ProcessorEvent.objects.create(external_id="evt_3", received_at=long_ago, **inbox)
    assert broken() == {named("webhook is applied")}


def test_a_mail_webhook_that_lies_around_is_found(books):
    provider = MailProvider.objects.create(
        name="Mail", domain="x.test", from_name="x", from_address="x@x.test", api_key="k", signing_key="s"
    )
    long_ago = timezone.now() - dt.timedelta(minutes=11)
    MailEvent.objects.create(provider=provider, external_id="m1", body={}, received_at=long_ago)
    assert broken() == {named("webhook is applied")}


@pytest.mark.parametrize(("minutes", "found"), [(29, False), (31, True)])
def test_a_payment_that_stays_undecided_is_found(books, minutes, found):
    books.payment("intended", intended_at=timezone.now() - dt.timedelta(minutes=minutes))
    assert broken() == ({named("no outcome stays unknown")} if found else set())


def test_the_database_itself_keeps_the_others(books, account, others_account):
    """I4, I7 and I9: the violation cannot be written, the query is a second pair of eyes."""
    payment = books.payment()
    with pytest.raises(IntegrityError, match="one_payment_per_key"), transaction.atomic():
        books.payment(idempotency_key=payment.idempotency_key)
    delivery = {"connection": HostConnection.objects.get(), "event": Event.objects.first(), "account": account}
    delivery |= {"sequence": 1, "lane": 0, "next_at": NOW, "created_at": NOW}
    Delivery.objects.create(**delivery)
    with pytest.raises(IntegrityError, match="one_delivery_per_event_and_account"), transaction.atomic():
        Delivery.objects.create(**delivery)
    with pytest.raises(IntegrityError, match="same_agency"), transaction.atomic():
        Books(others_account).payment(booked=False, told=0)


def test_every_agency_is_looked_at(others_account, books):
    with acting_for(others_account.agency_id):
        theirs = Books(others_account)
        theirs.entry(theirs.payment(), "debt", 1)
    assert broken() == {named("sum to zero")}


def test_the_number_of_findings_is_bounded(books):
    for _ in range(5):
        books.payment("declined", told=0)
    with acting_for(ALL_AGENCIES):
        assert len(findings(limit=3)) == 3


def test_reconcile_says_that_all_holds(books):
    said = StringIO()
    call_command("reconcile", stdout=said)
    assert said.getvalue() == f"{len(INVARIANTS)} invariants, 0 findings\n"


def test_reconcile_names_what_does_not_and_ends_with_status_1(books):
    payment = books.payment("declined", told=0)
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", stdout=said)
    assert ended.value.code == 1
    assert said.getvalue().splitlines() == [
        f"{named('exactly one event')}: {payment.pk}, declined, 0",
        f"{len(INVARIANTS)} invariants, 1 findings",
    ]
