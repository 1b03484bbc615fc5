"""A pause: granted, looked at again, ended; the house is silent meanwhile, the host is told, documents stay sealed."""

import datetime as dt
import struct

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.crypto import SealedField
from accounts.models import Account, ContactPoint, Event
from accounts.tenancy import ALL_AGENCIES, NoActingAgency, acting_for
from campaigns.models import Message
from campaigns.services import outbox, send
from settlements.models import Evidence, EvidencePart, Hardship, HardshipPolicy
from settlements.services import evidence, hardship
from settlements.tasks import end_pauses, expire_budgets
from tests.conftest import NOW, make_account

TODAY = dt.date(2026, 12, 1)
DAY = dt.timedelta(days=1)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 600
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 1_000, 2_000) + b"\x08\x02\0\0\0"
BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 50_000, 50_000) + b"\x08\x02\0\0\0"


def ask(account: Account, *, now: dt.datetime = NOW, **changes):
    asked = {"cause": "income", "words": "My shift was cut.", "days": 60, "consent": "They may read it."}
    return hardship.request(account=account, now=now, **asked | changes)


def granted(account: Account, **changes) -> Hardship:
    row = ask(account)
    assert hardship.grant(hardship=row, by="staff:1", now=NOW, **changes) == []
    return row


def told(kind: str) -> list[dict]:
    return [event.data for event in Event.objects.filter(kind=kind).order_by("pk")]


@pytest.fixture
def paused(monkeypatch) -> list:
    """Stand in the place of the floor above: note what it was told."""
    heard: list = []
    monkeypatch.setattr(hardship, "on_pause", [lambda account, until: heard.append((account.reference, until))])
    return heard


# Asking and granting --------------------------------------------------------------------------------------------


def test_one_click_grants_what_was_asked_for_and_pauses_every_account_of_the_consumer(account, acting, paused):
    other = make_account(acting, reference="100999", consumer=account.consumer)
    row = granted(account)
    assert (row.status, row.starts_on, row.ends_on, row.review_on) == (
        "granted", TODAY, dt.date(2027, 1, 30), dt.date(2027, 1, 23),
    )  # fmt: skip
    assert sorted(paused) == [("100234", dt.date(2027, 1, 30)), ("100999", dt.date(2027, 1, 30))]
    assert {event.account_id for event in Event.objects.filter(kind="hardship.granted")} == {account.pk, other.pk}
    assert told("hardship.granted")[0] | {"hardship": ""} == {
        "v": 1,
        "hardship": "",
        "reference": "100234",
        "starts_on": "2026-12-01",
        "ends_on": "2027-01-30",
        "review_on": "2027-01-23",
        "automatic": False,
    }


def test_the_words_are_sealed_and_neither_they_nor_an_illness_is_told_to_the_host(account, acting):
    ask(account, cause="health", words="I am ill.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT words FROM settlements_hardship")
        assert "ill" not in cursor.fetchone()[0]
    assert "ill" not in str(told("hardship.requested"))


def test_what_the_host_hears_of_a_request_is_the_same_whatever_its_cause_uk_13(account, acting):
    for cause in Hardship.Reason.values:
        asked = ask(account, cause=cause)
        assert hardship.decline(hardship=asked, by="staff:1", reason="Call us.", now=NOW) == []
    heard = [data | {"hardship": ""} for data in told("hardship.requested")]
    assert heard == [{"v": 1, "hardship": "", "reference": "100234", "asked_days": 60}] * 6


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cause": "lottery"}, "cause_unknown"),
        ({"days": 7}, "days_not_offered"),
        ({"days": 180}, "days_not_offered"),
        ({"words": "x" * 2_001}, "words_too_long"),
        ({"consent": ""}, "consent_missing"),
    ],
)
def test_a_request_that_cannot_be_says_why_and_writes_nothing(account, acting, changes, code):
    assert [one.code for one in ask(account, **changes)] == [code]
    assert (Hardship.objects.count(), told("hardship.requested")) == (0, [])


def test_a_second_request_is_refused_while_one_is_open_by_rule_and_by_the_database(account, acting):
    first = ask(account)
    assert [one.code for one in ask(account)] == ["hardship_open"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Hardship.objects.create(
            account=account, consumer=account.consumer, cause="other", consent="x", asked_days=30, asked_at=NOW
        )
    hardship.decline(hardship=first, by="staff:1", reason="Call us.", now=NOW)
    assert isinstance(ask(account), Hardship)


@pytest.mark.parametrize(
    ("automatic", "days", "status"), [(60, 60, "granted"), (60, 90, "requested"), (0, 30, "requested")]
)
def test_the_agencys_policy_says_how_long_a_pause_needs_nobody(account, acting, automatic, days, status):
    HardshipPolicy.objects.create(automatic_days=automatic, longest_days=90)
    assert ask(account, days=days).status == status


def test_another_agencys_policy_counts_for_nobody_else(account, acting, other_agency):
    with acting_for(other_agency):
        HardshipPolicy.objects.create(automatic_days=90)
    assert ask(account).status == "requested"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ends_on": TODAY}, "ends_in_past"),
        ({"ends_on": TODAY + 91 * DAY}, "ends_too_late"),
        ({"ends_on": TODAY + 10 * DAY, "review_on": TODAY + 11 * DAY}, "review_after_end"),
        ({"ends_on": TODAY + 10 * DAY, "review_on": TODAY - DAY}, "review_after_end"),
    ],
)
def test_dates_that_cannot_be_are_refused_and_nothing_is_paused(account, acting, paused, changes, code):
    row = ask(account)
    assert [one.code for one in hardship.grant(hardship=row, by="staff:1", now=NOW, **changes)] == [code]
    row.refresh_from_db()
    assert (row.status, paused, told("hardship.granted")) == ("requested", [], [])


def test_a_declined_request_cannot_be_granted_nor_ended(account, acting):
    row = ask(account)
    hardship.decline(hardship=row, by="staff:1", reason="Call us.", now=NOW)
    assert [one.code for one in hardship.grant(hardship=row, by="staff:1", now=NOW)] == ["hardship_not_open"]
    assert [one.code for one in hardship.end(hardship=row, how="staff", now=NOW)] == ["hardship_not_running"]
    assert "reason" not in told("hardship.declined")[0]


# While it runs --------------------------------------------------------------------------------------------------


def test_a_pause_holds_from_its_first_to_its_last_day_whether_or_not_anybody_ended_it(account, acting):
    row = granted(account, ends_on=TODAY + 10 * DAY)
    seen = {days: hardship.active(consumer=account.consumer, today=TODAY + days * DAY) for days in (-1, 0, 10, 11)}
    assert seen == {-1: None, 0: row, 10: row, 11: None}


def queue(account: Account, template: str, now: dt.datetime = NOW) -> Message:
    return outbox.queue(
        template=template,
        consumer=account.consumer,
        contact_point=ContactPoint.objects.get(consumer=account.consumer),
        account=account,
        cause=f"test:{template}",
        language="en",
        facts={"name": "Jane", "amount": "$1.00", "day": "", "outcome": "declined", "rows": []},
        now=now,
    )


def test_everything_but_required_notices_is_held_while_a_pause_runs(account, acting):
    granted(account)
    held, sent = queue(account, "payment_failed"), queue(account, "receipt")
    assert (held.status, held.reason) == ("held", "hardship")
    assert sent.status == "queued"
    assert told("message.held")[0]["reason"] == "hardship"


def test_what_was_queued_before_the_pause_is_looked_at_again_before_it_leaves(account, acting):
    message = queue(account, "payment_failed")
    assert message.status == "queued"
    granted(account)
    assert send.drain(now=NOW) == 1
    message.refresh_from_db()
    assert (message.status, message.reason, message.attempts) == ("held", "hardship", 0)


def test_a_pause_of_one_agency_silences_nobody_at_another(account, acting, others_account, other_agency):
    granted(account)
    with acting_for(other_agency):
        assert queue(others_account, "payment_failed").status == "queued"


# Its end --------------------------------------------------------------------------------------------------------


def test_the_day_after_its_last_day_a_pause_ends_by_itself_and_asks_to_be_looked_at(account, acting, paused):
    row = granted(account, ends_on=TODAY + 10 * DAY)
    paused.clear()
    last_night = dt.datetime(2026, 12, 12, 4, 59, tzinfo=dt.UTC)  # 23:59 of the last day in New York
    with acting_for(ALL_AGENCIES):
        assert hardship.end_due(now=last_night) == 0
        assert hardship.end_due(now=last_night + dt.timedelta(minutes=1)) == 1
        assert hardship.end_due(now=last_night + dt.timedelta(minutes=2)) == 0
    row.refresh_from_db()
    assert (row.status, row.ended_how) == ("ended", "date")
    assert paused == [("100234", None)]
    assert told("hardship.ended")[0] | {"hardship": ""} == {
        "v": 1, "hardship": "", "reference": "100234", "how": "date", "ended_on": "2026-12-12", "review": True,
    }  # fmt: skip
    assert list(hardship.to_review(today=TODAY)) == [row]
    hardship.reviewed(hardship=row, by="staff:1", now=NOW)
    assert list(hardship.to_review(today=TODAY)) == []


def test_the_review_day_puts_a_running_pause_on_the_list(account, acting):
    row = granted(account, ends_on=TODAY + 20 * DAY, review_on=TODAY + 10 * DAY)
    assert list(hardship.to_review(today=TODAY + 9 * DAY)) == []
    assert list(hardship.to_review(today=TODAY + 10 * DAY)) == [row]


def test_the_consumer_ends_it_early_and_planned_payments_go_on(account, acting, paused):
    row = granted(account)
    paused.clear()
    assert hardship.end(hardship=row, how="consumer", now=NOW) == []
    assert (row.status, row.ended_how, paused) == ("ended", "consumer", [("100234", None)])
    assert told("hardship.ended")[0]["review"] is False
    assert hardship.active(consumer=account.consumer, today=TODAY) is None


def test_a_request_that_is_taken_back_pauses_and_resumes_nothing(account, acting, paused):
    row = ask(account)
    assert hardship.end(hardship=row, how="consumer", now=NOW) == []
    assert (row.status, paused, told("hardship.ended")[0]["how"]) == ("withdrawn", [], "withdrawn")


def test_a_floor_that_cannot_pause_undoes_the_whole_grant(account, acting, monkeypatch):
    def fails(account, until):
        raise RuntimeError("no")

    monkeypatch.setattr(hardship, "on_pause", [fails])
    row = ask(account)
    with pytest.raises(RuntimeError):
        hardship.grant(hardship=row, by="staff:1", now=NOW)
    row.refresh_from_db()
    assert (row.status, told("hardship.granted")) == ("requested", [])


def test_the_tasks_run_over_all_agencies(account, others_account):
    for one in (account, others_account):
        with acting_for(one.agency_id):
            row = ask(one, now=NOW - 400 * DAY)
            hardship.grant(hardship=row, by="staff:1", now=NOW - 400 * DAY)
    assert end_pauses() == 2
    assert expire_budgets() == 0


# Documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "pdf"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, "jpeg"),
        (PNG, "png"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "heic"),
        (b"\0\0\0\x18ftypmif1" + b"\0" * 40, "heic"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 40, ""),  # a film
        (b" %PDF-1.7", ""),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT", ""),
        (b"<svg onload=alert(1)>", ""),
        (b"\xff\xd8", ""),
        (b"", ""),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content, kind):
    assert evidence.kind_of(content) == kind


def test_a_document_is_cut_sealed_and_given_back_as_it_was(account, acting):
    row = evidence.add(hardship=ask(account), content=PDF, name="C:\\me\\letter\u202efdp.exe", now=NOW)
    assert (row.number, row.size_bytes, row.label) == (1, len(PDF), "letterfdp.exe")
    assert evidence.content_of(row) == PDF
    assert evidence.file_name(row).endswith("-1.pdf")
    assert EvidencePart.objects.filter(evidence=row).count() == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(content, '') FROM settlements_evidencepart")
        assert "JVBERi" not in cursor.fetchone()[0]  # %PDF- in base64
    assert isinstance(EvidencePart._meta.get_field("content"), SealedField)


def test_a_document_that_was_tampered_with_is_not_given_out(account, acting):
    row = evidence.add(hardship=ask(account), content=PDF, name="a.pdf", now=NOW)
    EvidencePart.objects.filter(evidence=row, number=1).delete()
    with pytest.raises(evidence.Damaged):
        evidence.content_of(row)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "evidence_too_large"),
        (b"", "evidence_empty"),
        (b"PK\x03\x04" + b"\0" * 100, "evidence_kind"),
        (BOMB, "evidence_pixels"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "evidence_pixels"),
        (b"%PDF-" + b"0" * evidence.LIMIT_BYTES, "evidence_too_large"),
    ],
)
def test_what_is_no_document_is_refused_and_nothing_is_kept(account, acting, content, code):
    found = evidence.add(hardship=ask(account), content=content, name="x", now=NOW)
    assert [one.code for one in found] == [code]
    assert (Evidence.objects.count(), EvidencePart.objects.count(), told("document.uploaded")) == (0, 0, [])


def test_a_document_at_the_limit_is_taken(account, acting):
    content = b"%PDF-".ljust(evidence.LIMIT_BYTES, b"0")
    assert evidence.check(content) == []


def test_five_documents_are_enough_and_none_is_kept_twice(account, acting):
    row = ask(account)
    for number in range(5):
        evidence.add(hardship=row, content=PDF + bytes([number]), name="", now=NOW)
    again = evidence.add(hardship=row, content=PDF + b"\x09", name="", now=NOW)
    assert [one.code for one in again] == ["evidence_too_many"]
    Evidence.objects.filter(number=5).first().parts.all().delete()
    Evidence.objects.filter(number=5).delete()
    twice = evidence.add(hardship=row, content=PDF + b"\x00", name="", now=NOW)
    assert [one.code for one in twice] == ["evidence_twice"]


def test_after_the_end_no_document_is_taken(account, acting):
    row = ask(account)
    hardship.end(hardship=row, how="consumer", now=NOW)
    assert [one.code for one in evidence.add(hardship=row, content=PDF, name="", now=NOW)] == ["hardship_closed"]


def test_without_a_scope_there_is_no_pause_to_find(account):
    with pytest.raises(NoActingAgency):
        hardship.active(consumer=account.consumer, today=TODAY)
