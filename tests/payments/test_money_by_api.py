"""Money given back, stopped and sent in batches by API: keys of two people where two are needed, once if repeated."""

import hashlib
import time

import pytest
import time_machine
from django.db import transaction

from accounts.models import Account, Event
from integrations.models import IdempotencyKey
from payments.models import BatchItem, LedgerEntry, Method, Payment, PaymentBatch, Postdate, Refund
from payments.rules import routing
from payments.services import batch_posting, batches, meters, route
from payments.services.locks import lock_account
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, refusal
from tests.payments.test_batches import DUE, serve
from tests.payments.test_due_races import in_thread
from tests.payments.test_mirror import debited
from tests.payments.test_settle import LATER, undecided

OURS = {routing.RouteKey("ach", "immediate"): routing.Route("portal", "portal")}
PEOPLE = ("somebody", "bea")
"""Who made the keys: the one of `Caller`, and another person."""


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def given_back(shop) -> list[int]:
    return [one["amount"] for one in shop.merchant.ledger() if one["kind"] == "refund"]


@pytest.mark.django_db(transaction=True)
def test_a_small_refund_is_given_back_at_once_and_once(open_shop):
    """With transactions that really commit: it is written, asked of the processor and recorded in steps."""
    caller, payment = Caller(open_shop.agency), open_shop.confirm(open_shop.checkout())
    at, wish = f"payments/{payment.pk}/refunds", {"amount_cents": 100_00, "reason": "Paid twice."}
    made = caller.post(at, wish, Idempotency_Key="back-1")
    assert (made.status_code, made.json()["status"], made.json()["amount_cents"]) == (201, "done", 100_00)
    assert made.headers["Location"] == f"/api/v1/refunds/{made.json()['id']}"
    again = caller.post(at, wish, Idempotency_Key="back-1")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (made.content, "true")
    assert refusal(caller.post(at, wish | {"amount_cents": 1}, Idempotency_Key="back-1")) == (
        422,
        "idempotency_mismatch",
    )
    assert given_back(open_shop) == [100_00]
    assert Refund.objects.get().asked_by == f"key:{caller.key.pk}"
    assert sum(LedgerEntry.objects.filter(payment=payment).values_list("amount_cents", flat=True)) == 0
    assert codes(caller.post(at, wish)) == [("/amount_cents", "refund_too_much")]
    assert caller.get(f"accounts/{open_shop.account.pk}").json()["owed_cents"] == 975_00


def test_a_refunds_key_used_again_when_its_answer_is_forgotten_means_what_it_says_then(shop):
    caller, payment = Caller(shop.agency), shop.confirm(shop.checkout())
    second = shop.confirm(shop.checkout(now=LATER), now=LATER)
    wish = {"amount_cents": 60_00, "reason": "Paid twice."}

    def a_week_later(row: Payment, **values) -> dict:
        IdempotencyKey.objects.update(expires_at=NOW)
        answer = caller.post(f"payments/{row.pk}/refunds", wish | values, Idempotency_Key="back-1")
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
        return answer.json()

    first = a_week_later(payment)
    less, there = a_week_later(payment, amount_cents=40_00), a_week_later(second)
    assert a_week_later(payment)["id"] == first["id"], "the very same is not given back twice"
    assert [(one["payment"], one["amount_cents"], one["status"]) for one in (first, less, there)] == [
        (str(payment.pk), 60_00, "done"),
        (str(payment.pk), 40_00, "done"),
        (str(second.pk), 60_00, "done"),
    ]
    assert given_back(shop) == [60_00, 40_00, 60_00]


def test_above_the_limit_another_persons_key_approves_or_rejects(shop):
    asker = Caller(shop.agency)
    scopes = ("refunds:approve", "payments:read")
    mine, approver = (Caller(shop.agency, *scopes, by=f"staff:{one}") for one in PEOPLE)
    payment = shop.confirm(shop.checkout())
    wish = {"amount_cents": 100_01, "reason": "Paid twice."}
    first = asker.post(f"payments/{payment.pk}/refunds", wish).json()
    assert first["status"] == "asked"
    assert refusal(asker.post(f"payments/{payment.pk}/refunds", wish)) == (409, "refund_open")
    for same in (asker, mine):
        assert refusal(same.post(f"refunds/{first['id']}/approve")) == (409, "refund_second_person")
    rejected = approver.post(f"refunds/{first['id']}/reject", {"reason": "Paid once."}).json()
    assert rejected["status"] == "rejected"
    assert refusal(approver.post(f"refunds/{first['id']}/approve")) == (409, "refund_decided")
    assert given_back(shop) == []
    second = asker.post(f"payments/{payment.pk}/refunds", wish).json()
    done = approver.post(f"refunds/{second['id']}/approve", Idempotency_Key="yes")
    assert done.json()["status"] == "done"
    assert approver.post(f"refunds/{second['id']}/approve", Idempotency_Key="yes").content == done.content
    assert given_back(shop) == [100_01]
    assert approver.get(f"refunds/{second['id']}").json()["decided_by"] == f"key:{approver.key.pk}"


def test_an_undecided_payment_is_stopped_and_a_decided_one_is_not(shop):
    caller, payment = Caller(shop.agency), undecided(shop, mode="drop_before")
    stopped = caller.post(f"payments/{payment.pk}/void", {"reason": "Typed wrongly."}, Idempotency_Key="stop")
    assert (stopped.status_code, stopped.json()["status"]) == (200, "voided")
    again = caller.post(f"payments/{payment.pk}/void", {"reason": "Typed wrongly."}, Idempotency_Key="stop")
    assert again.content == stopped.content
    assert refusal(caller.post(f"payments/{payment.pk}/void", {"reason": "Again."})) == (409, "void_too_late")
    assert shop.merchant.ledger() == []
    assert Payment.objects.get().reason == f"key:{caller.key.pk}: Typed wrongly."


def test_a_return_code_of_a_hosts_debit_is_told_by_api_and_followed_once(shop, other_shop):
    host = Caller(shop.agency, "payments:record", "payments:read")
    payment, _postdate = debited(shop)
    at, said = f"payments/{payment.pk}/return", {"reason": "The bank's file of today.", "code": "R10"}
    assert refusal(Caller(other_shop.agency).post(at, said)) == (404, "not_found")
    assert codes(host.post(at, said | {"code": "10"})) == [("/code", "return_code_unknown")]
    assert refusal(host.post(at, {"reason": "It came back."})) == (409, "not_by_hand")
    assert Payment.objects.get().status == "pending"
    for _time in range(2):
        answer = host.post(at, said)
        assert (answer.status_code, answer.json()["status"]) == (200, "returned")
    assert Payment.objects.get().reason == f"key:{host.key.pk}: The bank's file of today."
    assert Postdate.objects.get().status == "cancel_req"
    assert Method.objects.get().blocked_reason == "R10"
    (readings,) = meters.meters(now=NOW).values()
    assert (readings[0].name, readings[0].returned) == ("unauthorized", 1)
    assert Event.objects.filter(kind="payment.returned").count() == 1
    assert refusal(host.post(at, said | {"code": "R01"})) == (409, "not_debited_by_host")


def test_what_the_portal_debits_takes_no_return_code_by_api(shop, monkeypatch):
    monkeypatch.setattr(route, "table", lambda account: routing.SCOLLECT | OURS)
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    answer = Caller(shop.agency).post(f"payments/{payment.pk}/return", {"reason": "x", "code": "R10"})
    assert refusal(answer) == (409, "not_debited_by_host")
    assert Payment.objects.get().status == "pending"


def test_a_batch_is_collected_edited_approved_exported_and_posted(shop, monkeypatch, clock):
    serve(shop, monkeypatch)
    clock.move_to(DUE)
    clerk = Caller(shop.agency)
    scopes = ("batches:approve", "batches:export", "batchfiles:read", "batches:read")
    mine, approver = (Caller(shop.agency, *scopes, by=f"staff:{one}") for one in PEOPLE)
    made = clerk.post("batches", {"method": "ach", "until": "2027-01-04"})
    assert made.status_code == 201
    batch = made.json()
    assert (batch["number"], batch["status"], batch["items_count"], batch["total_cents"]) == (1, "open", 2, 250_00)
    at = f"batches/{batch['id']}"
    listed = clerk.get(f"{at}/items").json()["items"]
    assert sorted(one["amount_cents"] for one in listed) == [125_00, 125_00]
    planned = next(one for one in listed if one["postdate"])
    moved = clerk.post(f"batch-items/{planned['id']}/move", {"on": "2027-01-05"}).json()
    assert moved["on"] == "2027-01-05"
    for same in (clerk, mine):
        assert refusal(same.post(f"{at}/approve")) == (409, "batch_second_person")
    assert refusal(approver.get(f"{at}/file")) == (409, "batch_not_exported")
    assert approver.post(f"{at}/approve").json()["status"] == "approved"
    exported = approver.post(f"{at}/export", {"format": "nacha"}).json()
    assert (exported["status"], exported["export_format"]) == ("exported", "nacha")
    file = approver.get(f"{at}/file")
    assert hashlib.sha256(file.content).hexdigest() == exported["export_sha256"]
    assert approver.get(f"{at}/file").content == file.content
    assert refusal(Caller(shop.agency, "batches:read").get(f"{at}/file")) == (403, "scope_missing")
    posted = clerk.post(f"{at}/post", Idempotency_Key="post")
    assert posted.json()["status"] == "posted"
    assert clerk.post(f"{at}/post", Idempotency_Key="post").content == posted.content
    paid = clerk.get(f"payments?account={shop.account.pk}").json()["items"]
    assert [one["amount_cents"] for one in paid] == [125_00, 125_00]
    assert {one["status"] for one in paid} == {"succeeded"}
    assert Event.objects.filter(kind="batch.posted").count() == 1


def exported(shop, monkeypatch, clock) -> tuple[Caller, str, list[BatchItem]]:
    """Export a batch of three accounts and more by API; give who posts it, where, and its items in their order."""
    first = shop.account
    for reference in ("B", "C"):
        shop.account = make_account(shop.agency, reference=reference, sol_status="live")
        shop.confirm(shop.checkout(bank="000123456789"))
    shop.account = first
    serve(shop, monkeypatch)
    clock.move_to(DUE)
    clerk, approver = (Caller(shop.agency, by=f"staff:{one}") for one in PEOPLE)
    batch = clerk.post("batches", {"method": "ach", "until": "2027-01-04"}).json()
    at = f"batches/{batch['id']}"
    assert approver.post(f"{at}/approve").json()["status"] == "approved"
    assert approver.post(f"{at}/export", {"format": "csv"}).json()["status"] == "exported"
    items = list(batches.standing_items(PaymentBatch.objects.get()))
    assert [item.account.reference for item in items[:3]] == ["100234", "B", "C"]
    return clerk, at, items


def posted() -> list[str]:
    return [one.account.reference for one in batches.standing_items(PaymentBatch.objects.get()).filter(status="posted")]


@pytest.mark.django_db(transaction=True)
def test_posting_that_breaks_off_keeps_what_it_posted_and_the_same_request_goes_on(open_shop, monkeypatch, clock):
    clerk, at, items = exported(open_shop, monkeypatch, clock)
    real, third = batch_posting._post_item, items[2].pk

    def dies(pk, now):
        if pk == third:
            raise RuntimeError("power cut")
        real(pk, now)

    with monkeypatch.context() as patched:
        patched.setattr(batch_posting, "_post_item", dies)
        assert clerk.post(f"{at}/post", Idempotency_Key="post").status_code == 500
    assert posted() == ["100234", "B"]
    again = clerk.post(f"{at}/post", Idempotency_Key="post")
    assert (again.status_code, again.json()["status"]) == (200, "posted")
    assert clerk.post(f"{at}/post", Idempotency_Key="post").content == again.content
    assert len(posted()) == len(items) == Payment.objects.filter(status="succeeded").count()
    assert Event.objects.filter(kind="batch.posted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_posting_holds_no_account_longer_than_its_own_item(open_shop, monkeypatch, clock):
    clerk, at, items = exported(open_shop, monkeypatch, clock)
    with transaction.atomic():
        lock_account(items[2].account_id)
        posting, answers = in_thread(lambda: clerk.post(f"{at}/post"))
        for _look in range(200):
            if len(posted()) == 2:
                break
            time.sleep(0.05)
        assert posted() == ["100234", "B"]
        Account.objects.select_for_update(nowait=True).get(pk=items[0].account_id)
    posting.join(20)
    assert answers[0].json()["status"] == "posted"


def test_what_is_taken_out_of_a_batch_leaves_one_that_can_be_cancelled_when_empty(shop, monkeypatch, clock):
    serve(shop, monkeypatch)
    clock.move_to(DUE)
    clerk = Caller(shop.agency)
    at = f"batches/{clerk.post('batches', {'method': 'ach', 'until': '2027-01-04'}).json()['id']}"
    assert refusal(clerk.post(f"{at}/cancel")) == (409, "batch_not_empty")
    for one in clerk.get(f"{at}/items").json()["items"]:
        gone = clerk.post(f"batch-items/{one['id']}/remove", {"reason": "Asked by the consumer."}).json()
        assert gone["removed_by"] == f"key:{clerk.key.pk}"
    assert clerk.get(at).json()["items_count"] == 0
    assert clerk.post(f"{at}/cancel").json()["status"] == "cancelled"
    assert refusal(clerk.post("batches", {"method": "ach", "until": "2027-01-04"})) == (409, "batch_nothing_due")
