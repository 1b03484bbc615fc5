"""Promises without a method, and the checks, cash and money orders that keep them."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse

from accounts.models import Account, Event, User
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import Message
from campaigns.services import fulfil
from payments.models import Arrangement, Dispute, LedgerEntry, Method, Payment
from payments.services import by_hand, life, mirror
from portal.invariants import findings
from tests.conftest import NOW, make_account
from tests.payments.test_mirror import Line, debited, sent_back, show
from tests.staff import member, signed_in
from tests.visitor import text

DUE = dt.date(2026, 12, 10)


@pytest.fixture
def clerk(shop, other_shop, clock):
    return signed_in(member(shop.agency, "payments supervisor", "eve"))


@pytest.fixture
def promised(sure, shop) -> Arrangement:
    """$150.00 promised for December 10, without any method."""
    page = sure.get(f"/accounts/{shop.account.pk}/promise/")
    page = sure.follow(sure.submit(page, having="first_on", amount="150", first_on=DUE.isoformat()))
    sure.post(page.request["PATH_INFO"])
    return Arrangement.objects.get(kind="promise")


def write_down(clerk, shop, key=None, **values):
    where = reverse("admin:accounts_account_write_down", args=[shop.account.pk])
    said = {
        "kind": "check",
        "amount_cents": "150.00",
        "paper_number": "1042",
        "received_on": "2026-12-01",
        "reason": "In the mail of today",
        "key": str(key or uuid.uuid4()),
    }
    return clerk.post(where, said | values, follow=True)


def kinds(shop) -> list[str]:
    return list(Event.objects.filter(account=shop.account).order_by("account_seq").values_list("kind", flat=True))


def test_a_promise_is_kept_by_a_check_that_staff_write_down(sure, clerk, shop, promised):
    page = write_down(clerk, shop)
    assert "$150.00 written down" in page.content.decode()
    payment = Payment.objects.get()
    assert (payment.kind, payment.executor, payment.status, payment.paper_number) == (
        "check",
        "agency",
        "succeeded",
        "1042",
    )
    assert payment.received_on == dt.date(2026, 12, 1)
    promised.refresh_from_db()
    assert promised.status == "completed"
    assert kinds(shop).count("promise.kept") == 1
    told = Event.objects.get(kind="payment.succeeded")
    assert (told.actor, told.data["paper_number"], told.data["executor"]) == ("staff:eve", "1042", "agency")
    assert sum(LedgerEntry.objects.values_list("amount_cents", flat=True)) == 0
    assert "$850.00" in text(sure.get(f"/accounts/{shop.account.pk}/"))
    assert "check" in text(sure.get(f"/paid/{payment.pk}/")).lower()
    assert sure.get(f"/paid/{payment.pk}/receipt.pdf").content[:5] == b"%PDF-"
    fulfil.read(now=NOW)
    with acting_for(shop.agency):
        assert Message.objects.filter(template="receipt").count() == 1
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def test_a_check_that_comes_back_opens_what_it_completed(clerk, shop, promised):
    write_down(clerk, shop)
    payment = Payment.objects.get()
    where = reverse("admin:payments_payment_come_back", args=[payment.pk])
    for _time in range(2):
        clerk.post(where, {"reason": "Not sufficient funds"})
    payment.refresh_from_db()
    promised.refresh_from_db()
    assert (payment.status, promised.status) == ("returned", "performing")
    assert kinds(shop).count("payment.returned") == 1
    assert sum(LedgerEntry.objects.filter(book="debt").values_list("amount_cents", flat=True)) == 0
    with acting_for(ALL_AGENCIES):
        assert findings() == []


def test_a_promise_that_nobody_keeps_is_broken_by_the_run(shop, promised):
    with acting_for(ALL_AGENCIES):
        life.review_due(now=dt.datetime(2027, 3, 1, 15, tzinfo=dt.UTC))
    promised.refresh_from_db()
    assert promised.status == "broken"
    assert kinds(shop).count("promise.broken") == 1
    assert "promise.kept" not in kinds(shop)


def test_a_promise_is_kept_as_well_by_what_the_host_itself_writes_down(shop, promised):
    line = Line("H1", None, 150_00, "POSTED", on=dt.date(2026, 12, 4), updated_at=NOW + dt.timedelta(days=3))
    mirror.mirror(account=shop.account, payments=[line], postdates=[], now=NOW + dt.timedelta(days=3))
    life.review(arrangement=promised, now=NOW + dt.timedelta(days=3))
    promised.refresh_from_db()
    assert promised.status == "completed"
    assert kinds(shop).count("promise.kept") == 1


def test_a_form_sent_twice_and_the_same_check_typed_twice_are_one_payment(clerk, shop):
    key = uuid.uuid4()
    write_down(clerk, shop, key)
    write_down(clerk, shop, key)
    assert Payment.objects.count() == 1
    page = write_down(clerk, shop)
    assert "was written down already" in page.content.decode()
    assert Payment.objects.count() == 1
    write_down(clerk, shop, kind="cash", paper_number="", amount_cents="20.00")
    write_down(clerk, shop, kind="order", paper_number="M-7", amount_cents="30.00")
    assert sorted(Payment.objects.values_list("kind", "amount_cents")) == [
        ("cash", 20_00),
        ("check", 150_00),
        ("order", 30_00),
    ]


def test_a_form_that_was_sent_and_now_says_something_else_is_refused(clerk, shop):
    key = uuid.uuid4()
    write_down(clerk, shop, key)
    page = write_down(clerk, shop, key, amount_cents="20.00")
    assert "said something else" in page.content.decode()
    second = make_account(shop.agency, reference="200", consumer=shop.account.consumer)
    said = {"kind": "check", "amount_cents": 150_00, "received_on": NOW.date(), "paper_number": "1042"}
    found = by_hand.record(account=second, key=key, **said, by="staff:eve", reason="In the mail of today", now=NOW)
    assert [one.code for one in found] == ["key_used"]
    assert Payment.objects.get().amount_cents == 150_00


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"amount_cents": "1000.01"}, "must not be more than what is owed"),
        ({"amount_cents": "0"}, "must be more than zero"),
        ({"paper_number": ""}, "Enter the number on the check"),
        ({"received_on": "2026-12-02"}, "The day it came is from"),
        ({"received_on": "2026-09-01"}, "The day it came is from"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_written(clerk, shop, values, said):
    assert said in write_down(clerk, shop, **values).content.decode()
    assert (Payment.objects.count(), LedgerEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize("against", ["dispute", "bankruptcy"])
def test_nothing_is_written_down_on_an_account_that_may_take_nothing(clerk, shop, against):
    if against == "dispute":
        Dispute.objects.create(account=shop.account, consumer=shop.account.consumer, reason="amount", opened_at=NOW)
    else:
        Account.objects.filter(pk=shop.account.pk).update(status=against)
    write_down(clerk, shop)
    assert Payment.objects.count() == 0


def test_only_who_may_writes_down_and_only_for_their_own_agency(shop, other_shop, clerk):
    where = reverse("admin:accounts_account_write_down", args=[shop.account.pk])
    collector = signed_in(member(shop.agency, "collector", "col"))
    stranger = signed_in(member(other_shop.agency, "payments supervisor", "far"))
    assert (collector.post(where, {}).status_code, stranger.post(where, {}).status_code) == (403, 404)
    write_down(clerk, shop)
    back = reverse("admin:payments_payment_come_back", args=[Payment.objects.get().pk])
    assert stranger.post(back, {"reason": "x"}).status_code == 404
    assert Payment.objects.get().status == "succeeded"


def test_staff_say_with_a_reason_why_a_bank_sent_a_hosts_debit_back(shop, other_shop, clerk):
    payment, postdate = debited(shop)
    page, where = (reverse(f"admin:payments_payment_{name}", args=[payment.pk]) for name in ("change", "sent_back"))
    assert where in clerk.get(page).content.decode()
    show(shop, [sent_back(payment)])
    assert where in clerk.get(page).content.decode(), "the host named no code"
    collector = signed_in(member(shop.agency, "collector", "col"))
    stranger = signed_in(member(other_shop.agency, "payments supervisor", "far"))
    said = {"code": "R10", "reason": "The bank's file of today"}
    assert (collector.post(where, said).status_code, stranger.post(where, said).status_code) == (403, 404)
    clerk.post(where, said | {"reason": ""})
    assert Method.objects.get().blocked_at is None
    answer = clerk.post(where, said, follow=True).content.decode()
    assert "Taken back. It is owed again." in answer
    assert where not in answer
    for row in (payment, postdate):
        row.refresh_from_db()
    eve = User.objects.get(username="eve")
    assert (payment.network_decline_code, payment.reason) == ("R10", f"staff:{eve.pk}: The bank's file of today")
    assert (postdate.status, Method.objects.get().blocked_reason) == ("cancel_req", "R10")
    assert kinds(shop).count("payment.returned") == 1


def test_a_check_and_a_debit_of_the_portal_have_no_return_code(shop, clerk, promised):
    write_down(clerk, shop)
    payment = Payment.objects.get()
    page = clerk.get(reverse("admin:payments_payment_change", args=[payment.pk])).content.decode()
    assert reverse("admin:payments_payment_come_back", args=[payment.pk]) in page
    where = reverse("admin:payments_payment_sent_back", args=[payment.pk])
    assert where not in page
    clerk.post(where, {"code": "R10", "reason": "x"})
    payment.refresh_from_db()
    assert payment.status == "succeeded"
