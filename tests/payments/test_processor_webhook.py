"""The processor's webhooks: signed, stored once, answered, applied by a worker; hints, never the truth itself."""

import datetime as dt
import json
from types import SimpleNamespace

import pytest
import stripe
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.tenancy import ALL_AGENCIES, acting_for
from payments import tasks
from payments.models import Payment, ProcessorAccount, ProcessorEvent
from payments.services import ask
from tests.conftest import NOW
from tests.payments.conftest import VISA_DEBIT
from tests.payments.due_cast import plan
from tests.payments.test_settle import LATER, undecided


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    calls = []
    monkeypatch.setattr(tasks, "wake", lambda: calls.append(1))
    return calls


def post(shop, event, *, secret=None, merchant=None, body=None):
    with acting_for(shop.agency):
        merchant = merchant or ProcessorAccount.objects.get()
    body = body or json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(body, secret or merchant.webhook_secret)
    return Client().post(
        f"/hooks/processor/{merchant.pk}",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": header, "Host": "localhost"},
    )


def news(shop, kind, **about):
    """Take the newest event of a kind from the sandbox's own list."""
    found = shop.merchant.v1.events.list({"type": kind, "limit": 1}).data
    return found[0].to_dict(for_json=True) | about


def work():
    with acting_for(ALL_AGENCIES):
        return ask.apply_events(now=timezone.now())


def test_a_webhook_settles_what_the_request_never_heard(shop, woken):
    payment = undecided(shop)
    assert post(shop, news(shop, "payment_intent.succeeded")).status_code == 200
    assert woken == [1]
    payment.refresh_from_db()
    assert payment.status == Payment.Status.INTENDED, "the endpoint stores and answers; the worker applies"
    assert work() == 1
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert ProcessorEvent.objects.get().outcome == "succeeded"


def test_a_webhook_delivered_twice_is_stored_and_applied_once(shop):
    undecided(shop)
    event = news(shop, "payment_intent.succeeded")
    for _ in range(3):
        assert post(shop, event).status_code == 200
    assert work() == 1
    assert work() == 0
    assert ProcessorEvent.objects.count() == 1


def test_old_news_after_the_outcome_changes_nothing(shop):
    payment = shop.confirm(shop.checkout())
    created = news(shop, "payment_intent.created")
    refuted = created | {"id": "evt_old", "type": "payment_intent.payment_failed"}
    post(shop, created)
    post(shop, refuted)
    work()
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED


def test_a_refund_and_a_dispute_are_applied(shop):
    one = shop.confirm(shop.checkout())
    shop.merchant.v1.refunds.create({"payment_intent": one.processor_ref, "amount": 25_00})
    post(shop, news(shop, "charge.refunded"))
    work()
    assert sum(one.entries.filter(reason="refund", book="debt").values_list("amount_cents", flat=True)) == 25_00
    shop.program.control("POST", "disputes", {"payment_intent": one.processor_ref})
    post(shop, news(shop, "charge.dispute.created"))
    work()
    one.refresh_from_db()
    assert one.status == Payment.Status.CHARGED_BACK


def test_a_merchant_account_that_was_switched_off_is_still_heard(shop):
    payment = shop.confirm(shop.checkout())
    with acting_for(shop.agency):
        ProcessorAccount.objects.update(is_active=False)
    shop.program.control("POST", "disputes", {"payment_intent": payment.processor_ref})
    assert post(shop, news(shop, "charge.dispute.created")).status_code == 200
    work()
    payment.refresh_from_db()
    assert payment.status == Payment.Status.CHARGED_BACK


@pytest.mark.parametrize("secret", ["whsec_wrong", "whsec_birch"])
def test_a_wrong_signature_is_refused_and_nothing_is_stored(shop, other_shop, secret):
    event = {"id": "evt_1", "object": "event", "type": "x", "data": {"object": {"object": "charge"}}}
    assert post(shop, event, secret=secret).status_code == 400
    assert ProcessorEvent.objects.count() == 0


def test_the_other_agencys_signed_event_never_moves_our_payment(shop, other_shop):
    payment = undecided(shop)
    event = news(shop, "payment_intent.succeeded")
    with acting_for(other_shop.agency):
        theirs = ProcessorAccount.objects.get()
    assert post(other_shop, event, merchant=theirs).status_code == 200
    assert work() == 1
    payment.refresh_from_db()
    assert payment.status == Payment.Status.INTENDED
    with acting_for(other_shop.agency):
        assert ProcessorEvent.objects.get().outcome == "not ours"


def test_an_unknown_merchant_account_and_a_read_are_refused(shop):
    assert Client().post("/hooks/processor/00000000-0000-7000-8000-000000000000").status_code == 404
    with acting_for(shop.agency):
        merchant = ProcessorAccount.objects.get()
    assert Client().get(f"/hooks/processor/{merchant.pk}").status_code == 405


def test_a_charge_by_the_hosts_own_credential_is_not_ours(shop):
    shop.merchant.host.v1.payment_intents.create(shop.merchant.payment(VISA_DEBIT))
    post(shop, news(shop, "payment_intent.succeeded"))
    assert work() == 1
    assert ProcessorEvent.objects.get().outcome == "not ours"


def test_an_event_that_cannot_be_read_does_not_hold_up_the_next(shop):
    payment = undecided(shop)
    post(shop, {"id": "evt_bad", "object": "event", "type": "x", "data": {}})
    post(shop, news(shop, "payment_intent.succeeded"))
    assert work() == 2
    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert ProcessorEvent.objects.get(external_id="evt_bad").outcome == "unreadable: KeyError"


def test_while_the_processor_cannot_be_asked_an_event_waits(shop):
    undecided(shop)
    event = news(shop, "payment_intent.succeeded")
    post(shop, event)
    shop.program.control("POST", "faults", {"path": "/v1/", "mode": "error_503", "times": 5})
    assert work() == 0
    shop.program.control("DELETE", "faults")
    assert work() == 1


def test_the_sweep_task_works_for_every_agency(shop, other_shop, monkeypatch):
    monkeypatch.setattr(tasks, "clock", SimpleNamespace(now=lambda: LATER))
    payment = undecided(shop)
    with acting_for(other_shop.agency):
        theirs = undecided(other_shop)
    tasks.sweep()
    for found in (payment, theirs):
        with acting_for(found.agency_id):
            assert Payment.objects.get(pk=found.pk).status == Payment.Status.SUCCEEDED


def test_whoever_looks_at_a_page_is_asked_about_before_what_a_due_run_left_behind(shop, other_shop, monkeypatch):
    planned = undecided(shop)
    with acting_for(shop.agency):
        item = plan(shop).postdates.get()
        # It was asked for first, by a due run.
        Payment.objects.filter(pk=planned.pk).update(postdate=item, intended_at=NOW - dt.timedelta(minutes=1))
    with acting_for(other_shop.agency):
        waiting = undecided(other_shop)
    asked = []
    monkeypatch.setattr(ask, "look", lambda *, payment_id, now: asked.append(payment_id))
    with acting_for(ALL_AGENCIES):
        ask.sweep(now=LATER)
    assert asked == [waiting.pk, planned.pk]


def test_what_the_beat_asked_for_is_dropped_when_the_next_one_is_there():
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        if isinstance(entry["schedule"], float):
            assert entry["options"]["expires"] == max(entry["schedule"], 10.0), name
    # A sweep waits for one due run at most, on the shortest of workers.
    assert settings.CELERY_BEAT_SCHEDULE["due-payments"]["schedule"] >= settings.DUE_SECONDS
