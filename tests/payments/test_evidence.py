"""The evidence of a payment or an arrangement: its exact content, masked, and nothing of another agency (ACH-06)."""

import datetime as dt
import io
import json
import zipfile

import pytest
from django.db import transaction
from django.urls import reverse

from accounts import events
from accounts.models import Consent
from accounts.tenancy import acting_for
from payments.models import Authorization, Notice, Postdate
from payments.services import age_notice, change, evidence
from payments.services.change import Wish
from tests.conftest import NOW
from tests.payments.test_life import three_parts
from tests.staff import member, signed_in


def opened(content: bytes) -> tuple[set[str], dict]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        for name in packed.namelist():
            assert not name.endswith(".pdf") or packed.read(name).startswith(b"%PDF-")
        return set(packed.namelist()), json.loads(packed.read("evidence.json"))


def test_an_arrangement_comes_with_what_was_shown_accepted_planned_notified_and_charged(shop):
    plan = three_parts(shop)
    payment = plan.payments.get()
    names, told = opened(evidence.pack(arrangement=plan, now=NOW))
    assert names == {"evidence.json", "authorization-1.pdf", f"receipt-{payment.reference}.pdf"}
    assert set(told) == {
        *("version", "made_at", "of", "account", "shown", "accepted"),
        *("planned", "notified", "delivered", "charged", "events"),
    }
    assert told["of"] == {"arrangement": str(plan.pk)}
    assert told["account"]["agency"] == shop.agency.legal_name
    assert told["shown"]["arrangement"]["schedule"] == plan.schedule
    assert told["shown"]["checkouts"][0]["choice"] == "parts"
    signed = Authorization.objects.get()
    (accepted,) = told["accepted"]
    assert (accepted["text"], accepted["text_sha256"], accepted["version"], accepted["ip"]) == (
        signed.text,
        signed.text_sha256,
        signed.version,
        "127.0.0.1",
    )
    assert accepted["text_is_unchanged"] is True
    assert accepted["file"] == "authorization-1.pdf"
    assert accepted["method"] == {"kind": "card", "brand": "visa", "funding": "debit", "last4": "5556"}
    assert [(one["due_on"], one["amount_cents"]) for one in told["planned"]] == [
        ("2027-01-04", 250_00),
        ("2027-02-04", 250_00),
    ]
    assert {one["postdate_id"] for one in told["notified"]} == {str(one.pk) for one in Postdate.objects.all()}
    (charged,) = told["charged"]
    assert (charged["status"], charged["amount_cents"], charged["reference"]) == (
        "succeeded",
        250_00,
        payment.reference,
    )
    assert sum(entry["amount_cents"] for entry in charged["ledger"]) == 0
    kinds = [one["kind"] for one in told["events"]]
    assert {"authorization.created", "payment.intended", "payment.succeeded", "arrangement.created"} <= set(kinds)


def test_all_five_parts_are_there_shown_accepted_notified_delivered_charged(shop):
    """ACH-06, ES-01, SOL-02: what a bank or a court asks for is in the one file, with its words."""
    age_notice.read_in_visit(visit=shop.visit(), account=shop.account, language="en", now=NOW)
    plan = three_parts(shop)
    notice = Notice.objects.order_by("send_by").first()
    Notice.objects.filter(pk=notice.pk).update(status="sent", sent_at=NOW, proof={"message": "m1"})
    with transaction.atomic():
        about = {"message": "m1", "template": "predebit", "postdate": str(notice.postdate_id)}
        events.record("message.delivered", account=shop.account, now=NOW, data=about)
    _names, told = opened(evidence.pack(arrangement=plan, now=NOW))
    shown = told["shown"]
    assert shown["arrangement"]["total_cents"] == 750_00
    kept = Consent.objects.get(kind="esign")
    assert [(one["wording"], one["demonstrated"]) for one in shown["consents"]] == [(kept.wording, True)]
    read = age_notice.write("en")
    said = [(one["wording"], one["version"]) for one in shown["age_notices"]]
    assert said == [(" ".join(read.text.split()), read.version)]
    assert told["accepted"][0]["text"] == plan.authorization.text
    assert next((one["status"], one["proof"]) for one in told["notified"]) == ("sent", {"message": "m1"})
    assert [one["kind"] for one in told["delivered"]] == ["message.delivered"]
    assert [one["status"] for one in told["charged"]] == ["succeeded"]


def test_what_was_signed_before_a_change_is_in_it_too(shop):
    plan = three_parts(shop)
    first = plan.authorization
    last = plan.postdates.order_by("due_on").last()
    wish = Wish(kind="move", payment=last.pk, to_on=last.due_on + dt.timedelta(days=3))
    seen = change.preview(arrangement=plan, wish=wish, now=NOW, by="consumer")
    change.confirm(arrangement=plan, wish=wish, text_sha256=seen.text_sha256, by="consumer", now=NOW)
    plan.refresh_from_db()
    names, told = opened(evidence.pack(arrangement=plan, now=NOW))
    assert [one["id"] for one in told["accepted"]] == [str(first.pk), str(plan.authorization_id)]
    assert {"authorization-1.pdf", "authorization-2.pdf"} <= names


def test_a_payment_comes_without_what_is_planned_beside_it(shop):
    payment = three_parts(shop).payments.get()
    _names, told = opened(evidence.pack(payment=payment, now=NOW))
    assert told["of"] == {"payment": str(payment.pk)}
    assert (told["planned"], told["notified"], len(told["charged"])) == ([], [], 1)


def test_no_number_no_token_and_no_secret_is_in_it(shop):
    payment = shop.confirm(shop.checkout(bank="000123456789"))
    whole = evidence.pack(payment=payment, now=NOW)
    with zipfile.ZipFile(io.BytesIO(whole)) as packed:
        text = packed.read("evidence.json").decode()
    method = payment.method
    for secret in ("000123456789", "110000000", method.fingerprint, method.processor_method, method.processor_customer):
        assert not secret or secret not in text
    assert '"last4": "6789"' in text


def test_it_is_the_same_file_each_time(shop):
    plan = three_parts(shop)
    one, other = (opened(evidence.pack(arrangement=plan, now=NOW)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("model", ["payment", "arrangement"])
def test_staff_save_it_and_another_agencys_staff_find_nothing(shop, other_shop, model):
    plan = three_parts(shop)
    row = plan if model == "arrangement" else plan.payments.get()
    path = reverse(f"admin:payments_{model}_evidence", args=[row.pk])
    answer = signed_in(member(shop.agency)).get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert opened(answer.content)[1]["of"] == {model: str(row.pk)}
    with acting_for(other_shop.agency):
        stranger = signed_in(member(other_shop.agency))
    assert stranger.get(path).status_code == 404
    assert signed_in(member(shop.agency, "collector")).get(path).status_code in (302, 403)


def test_staff_revoke_with_a_reason(shop):
    signed = three_parts(shop).authorization
    path = reverse("admin:payments_authorization_revoke", args=[signed.pk])
    staff = member(shop.agency)
    browser = signed_in(staff)
    assert "Revoke this authorization" in browser.get(path).content.decode()
    browser.post(path, {"reason": ""})
    assert Authorization.objects.get().revoked_at is None
    browser.post(path, {"reason": "Asked by phone."})
    assert Authorization.objects.get().revoked_by == f"staff:{staff.pk}"
