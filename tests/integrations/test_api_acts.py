"""What consumer and staff pages do, done by API: each act once, its facts told, the other agency untouched."""

import datetime as dt

import pytest
import time_machine
from django.db import connection

from accounts.models import Account, Consent, Consumer, ContactPoint, Event
from accounts.tenancy import acting_for
from integrations.models import HostConnection, IdempotencyKey
from payments.models import Arrangement, Authorization, Dispute, Method, Postdate
from portal.staff import make_roles
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, counts, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(agency, others_account) -> Account:
    return make_account(agency, sol_status="live", validation_sent_on=dt.date(2026, 9, 1))


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


@pytest.fixture
def arrangement(caller, account) -> str:
    wish = {"choice": "parts", "method": "card", "parts": 3, "first_on": "2026-12-04"}
    quote = caller.post(f"accounts/{account.pk}/quotes", wish).json()["id"]
    return caller.post(f"quotes/{quote}/accept").json()["arrangement"]


def told(account, kind: str) -> list[dict]:
    with acting_for(account.agency_id):
        return [event.data for event in Event.objects.filter(kind=kind).order_by("pk")]


def test_an_arrangement_is_previewed_moved_paused_resumed_and_cancelled(caller, account, arrangement):
    at = f"arrangements/{arrangement}"
    planned = caller.get(f"post-dates?arrangement={arrangement}").json()["items"]
    first, second, _third = sorted(planned, key=lambda item: item["due_on"])
    assert (first["due_on"], first["amount_cents"], first["executor"]) == ("2026-12-04", 250_00, "consumer")
    before = counts()
    wish = {"kind": "move", "payment": second["id"], "to_on": "2027-01-08"}
    seen = caller.post(f"{at}/preview", wish, Idempotency_Key="look").json()
    assert seen["refusals"] == []
    assert [line["due_on"] for line in seen["lines"]] == ["2026-12-04", "2027-01-08", "2027-02-04"]
    assert seen["effects"][0]["code"] == "settlement_kept"
    more = {name: n - before[name] for name, n in counts().items() if n != before[name]}
    assert more == {"integrations.IdempotencyKey": 1}
    moved = caller.post(f"post-dates/{second['id']}/move", {"to_on": "2027-01-08"}, Idempotency_Key="move")
    assert moved.json()["changes"] == 1
    assert caller.post(f"post-dates/{second['id']}/move", {"to_on": "2027-01-08"}, Idempotency_Key="move").content == (
        moved.content
    )
    days = [
        item["due_on"] for item in caller.get(f"post-dates?arrangement={arrangement}&status=scheduled").json()["items"]
    ]
    assert sorted(days) == ["2026-12-04", "2027-01-08", "2027-02-04"]
    assert codes(caller.post(f"{at}/pause", {"until": "2026-11-30", "reason": "x"})) == [
        ("/until", "pause_ends_in_past")
    ]
    paused = caller.post(f"{at}/pause", {"until": "2026-12-31", "reason": "Asked for."}).json()
    assert (paused["status"], paused["paused_until"]) == ("paused", "2026-12-31")
    assert caller.post(f"{at}/resume").json()["status"] == "performing"
    assert refusal(caller.post(f"{at}/resume")) == (409, "arrangement_not_paused")
    assert caller.post(f"{at}/cancel", {"reason": "Asked for."}).json()["status"] == "cancelled"
    assert refusal(caller.post(f"{at}/changes", wish)) == (409, "arrangement_not_running")
    assert refusal(caller.post(f"{at}/pause", {"reason": "x"})) == (409, "arrangement_not_running")
    assert refusal(caller.post(f"{at}/cancel", {"reason": "Again."})) == (409, "arrangement_not_running")
    assert refusal(caller.post(f"{at}/review-after", {"instalments": 1})) == (409, "arrangement_not_running")
    (cancelled,) = told(account, "arrangement.cancelled")
    assert cancelled["by"] == f"key:{caller.key.pk}"
    with acting_for(account.agency_id):
        assert not Postdate.objects.filter(status="scheduled").exists()


@pytest.mark.parametrize(
    ("zone", "at", "over", "last"),
    [
        ("America/Los_Angeles", dt.datetime(2026, 12, 2, 1, tzinfo=dt.UTC), "2026-11-30", "2026-12-01"),
        ("Pacific/Guam", dt.datetime(2026, 12, 1, 16, tzinfo=dt.UTC), "2026-12-01", "2026-12-02"),
    ],
)
def test_a_pause_ends_on_a_day_that_is_not_over_where_the_consumer_lives(
    caller, account, arrangement, clock, zone, at, over, last
):
    clock.move_to(at)
    with acting_for(account.agency_id):
        Consumer.objects.filter(pk=account.consumer_id).update(time_zone=zone)
    pause = f"arrangements/{arrangement}/pause"
    before = counts()
    assert codes(caller.post(pause, {"until": over, "reason": "x"})) == [("/until", "pause_ends_in_past")]
    assert counts() == before
    assert caller.post(pause, {"until": last, "reason": "Asked for."}).json()["paused_until"] == last


def test_what_a_change_needs_is_asked_for(caller, arrangement):
    asked = caller.post(f"arrangements/{arrangement}/changes", {"kind": "move"})
    assert refusal(asked) == (422, "invalid")
    assert sorted(codes(asked)) == [("/payment", "required"), ("/to_on", "required")]


def test_a_post_date_is_cancelled(caller, account, arrangement):
    first = caller.get(f"post-dates?arrangement={arrangement}").json()["items"][0]["id"]
    assert caller.post(f"post-dates/{first}/cancel").json()["status"] == "cancelled"
    assert caller.get(f"post-dates/{first}").json()["status"] == "cancelled"
    assert refusal(caller.post(f"post-dates/{first}/cancel")) == (409, "postdate_not_planned")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": "taken"}, "postdate_decided"),
        ({"status": "failed"}, "postdate_decided"),
        ({"status": "cancel_req", "replacement": {"batch": "1", "lines": []}}, "postdate_changing"),
    ],
)
def test_a_post_date_that_cannot_be_cancelled_is_refused_by_its_code(caller, account, arrangement, values, code):
    first = caller.get(f"post-dates?arrangement={arrangement}").json()["items"][0]["id"]
    with acting_for(account.agency_id):
        Postdate.objects.filter(pk=first).update(**values)
    assert refusal(caller.post(f"post-dates/{first}/cancel")) == (409, code)
    assert caller.get(f"post-dates/{first}").json()["status"] == values["status"]
    assert told(account, "postdate.cancelled") == []


def test_a_dispute_holds_what_is_planned_until_it_is_resolved(caller, account, arrangement):
    asked = caller.post(f"accounts/{account.pk}/disputes", {"reason": "other"})
    assert codes(asked) == [("/words", "dispute_words_missing")]
    said = {"reason": "amount", "words": "I paid half.", "amount_cents": 500_00}
    made = caller.post(f"accounts/{account.pk}/disputes", said)
    assert made.status_code == 201
    dispute = made.json()
    assert (dispute["status"], dispute["text"], dispute["amount_cents"]) == ("open", "I paid half.", 500_00)
    assert caller.get(f"arrangements/{arrangement}").json()["status"] == "paused"
    assert refusal(caller.post(f"arrangements/{arrangement}/resume")) == (409, "collection_stands_still")
    assert caller.post(f"accounts/{account.pk}/disputes", said).json()["id"] == dispute["id"]
    at = f"disputes/{dispute['id']}/resolve"
    early = caller.post(at, {"note": "Half was posted.", "verified_on": "2026-12-02"})
    assert codes(early) == [("/verified_on", "sent_in_the_future")]
    assert caller.post(at, {"note": "Half was posted."}).json()["status"] == "resolved"
    assert refusal(caller.post(at, {"note": "Again."})) == (409, "dispute_not_open")
    assert caller.get(f"arrangements/{arrangement}").json()["status"] == "performing"
    assert "I paid half" not in str(told(account, "dispute.opened"))
    with acting_for(account.agency_id):
        assert Dispute.objects.get().resolved_by == f"key:{caller.key.pk}"


def test_a_question_for_the_creditor_is_asked_once_and_answered(caller, account):
    first = caller.post(f"accounts/{account.pk}/creditor-requests")
    again = caller.post(f"accounts/{account.pk}/creditor-requests")
    assert first.json() == again.json()
    at = f"creditor-requests/{first.json()['id']}/answer"
    assert codes(caller.post(at, {"sent_on": "2026-12-02"})) == [("/sent_on", "sent_in_the_future")]
    assert codes(caller.post(at, {"sent_on": "2026-11-30"})) == [("/sent_on", "sent_too_early")]
    assert caller.post(at, {"sent_on": "2026-12-01"}).json()["answered_by"] == f"key:{caller.key.pk}"
    assert refusal(caller.post(at, {"sent_on": "2026-12-01"})) == (409, "creditor_answered")


def test_an_address_is_masked_stopped_and_stays_stopped(caller, account):
    (point,) = caller.get(f"consumers/{account.consumer_id}/contact-points").json()["items"]
    assert point["masked"] == "j•••@acme.example.com"
    at = f"contact-points/{point['id']}"
    stopped = caller.post(f"{at}/opt-out", {"scope": "address", "words": "Stop it."}).json()
    assert stopped["opted_out_at"] is not None
    assert caller.post(f"{at}/opt-out", {"scope": "address"}).json() == stopped
    (line,) = caller.get(f"consumers/{account.consumer_id}/consents").json()["items"]
    assert (line["kind"], line["granted"], line["wording"], line["source"]) == ("email", False, "Stop it.", "host")
    assert refusal(caller.ask("DELETE", at)) == (409, "contact_point_needed")
    with acting_for(account.agency_id):
        assert Consent.objects.count() == 1
        assert ContactPoint.objects.get().removed_at is None


def test_a_method_is_shown_without_a_number_and_removed_with_what_was_signed_for_it(caller, account):
    with acting_for(account.agency_id):
        method = Method.objects.create(
            consumer=account.consumer, kind="ach", last4="6789", account_type="checking", routing="021000021",
            number="000123456789", holder="Jane Doe", created_at=NOW,
        )  # fmt: skip
        signed = Authorization.objects.create(
            consumer=account.consumer, account=account, method=method, kind="schedule", text="I authorize.",
            text_sha256="0" * 64, version="1", language="en", total_cents=1, lines=[["2026-12-04", 1]],
            accepted_at=NOW, time_zone="America/New_York", level=2,
        )  # fmt: skip
    listed = caller.get(f"consumers/{account.consumer_id}/methods")
    assert [one["label"] for one in listed.json()["items"]] == ["Checking account ending 6789"]
    for text in (listed.content, caller.get(f"methods/{method.pk}").content):
        assert b"000123456789" not in text
        assert b"021000021" not in text
    copy = caller.get(f"authorizations/{signed.pk}/copy")
    assert (copy["Content-Type"], copy.content[:5]) == ("application/pdf", b"%PDF-")
    assert caller.post(f"methods/{method.pk}/default").json()["is_default"] is True
    assert caller.ask("DELETE", f"methods/{method.pk}").json()["removed_at"] is not None
    assert caller.ask("DELETE", f"methods/{method.pk}").status_code == 200
    assert caller.get(f"authorizations/{signed.pk}").json()["revoked_by"] == f"key:{caller.key.pk}"
    assert caller.post(f"authorizations/{signed.pk}/revoke").json()["cancelled"] == 0


def test_five_hundred_accounts_are_placed_in_one_request_and_one_by_its_id(caller, account):
    with acting_for(account.agency_id):
        connection = str(HostConnection.objects.get().pk)
    record = {
        "Status": "ACTIVE", "CurrentBalance": "640.00", "LastName": "Doe", "ClientNumber": "C1",
        "ClientName": "Harbor Medical", "AsOf": "2026-12-01T14:30:00Z",
    }  # fmt: skip
    records = [{**record, "FileNumber": f"N{number}"} for number in range(499)] + [{"FileNumber": "bad"}]
    said = caller.post("accounts", {"connection": connection, "records": records}).json()
    assert (said["received"], said["accepted"], said["refused"]) == (500, 499, 1)
    assert {(error["index"], error["reference"]) for error in said["errors"]} == {(499, "bad")}
    assert codes(caller.post("accounts", {"connection": connection, "records": records * 2})) == [
        ("/records", "max_length")
    ]
    at = f"accounts/{account.pk}"
    assert codes(caller.put(at, {"record": {**record, "FileNumber": "N1"}})) == [
        ("/record/FileNumber", "another_account")
    ]
    assert caller.put(at, {"record": {**record, "FileNumber": "100234"}}).json()["accepted"] == 1
    assert caller.get(at).json()["balance_cents"] == 640_00


def test_the_agencys_face_is_changed_and_colours_that_nobody_can_read_are_not(caller):
    shown = caller.get("agency").json()
    form = {name: shown[name] for name in (
        "name", "legal_name", "address", "phone", "email", "hours", "licences", "time_zone", "brand", "accent"
    )}  # fmt: skip
    asked = caller.put("agency", form | {"brand": "#ffff00", "time_zone": "Mars/Base"})
    assert sorted(codes(asked)) == [("/brand", "colour_unreadable"), ("/time_zone", "time_zone_unknown")]
    assert caller.put("agency", form | {"brand": "#003344"}).json()["branding_version"] == shown["branding_version"] + 1
    assert Caller(caller.agency, "agency:read").get("agency").json()["brand"] == "#003344"
    spanish = caller.put("agency", form | {"hours_es": "Lun a vie, 8 a. m. a 6 p. m."}).json()
    assert spanish["hours_es"] == "Lun a vie, 8 a. m. a 6 p. m."
    assert caller.put("agency", form).json()["hours_es"] == spanish["hours_es"]


def test_staff_are_invited_with_a_role_and_kept_out(caller, other_agency):
    assert codes(caller.post("users", {"username": "sam", "password": "a long pass phrase", "role": "king"})) == [
        ("/role", "role_unknown")
    ]
    make_roles()
    made = caller.post("users", {"username": "sam", "password": "a long pass phrase", "role": "collector"}).json()
    assert made["roles"] == ["collector"]
    changed = caller.put(f"users/{made['id']}", {"role": "auditor", "is_active": False}).json()
    assert (changed["roles"], changed["is_active"]) == (["auditor"], False)
    stranger = Caller(other_agency)
    assert refusal(stranger.get(f"users/{made['id']}")) == (404, "not_found")
    assert stranger.get("users").json()["items"] == []


def test_a_kept_answer_is_sealed(caller, account):
    caller.post("webhook-endpoints", {"name": "x", "url": "https://example.com/"}, Idempotency_Key="sealed")
    with acting_for(account.agency_id):
        kept = IdempotencyKey.objects.get(key="sealed")
    with acting_for(account.agency_id), connection.cursor() as cursor:
        cursor.execute("SELECT body FROM integrations_idempotencykey WHERE id = %s", [kept.pk])
        (stored,) = cursor.fetchone()
    assert "whsec_" in kept.body
    assert "whsec_" not in stored
    with acting_for(account.agency_id):
        assert not Arrangement.objects.exists()
