"""Codes by mail: at once, neutral, and nowhere readable but in the mailbox (AUTH-07, ES-02)."""

import contextlib
import datetime as dt
import re
import threading
import time

import pytest
from django.db import connection, transaction

from accounts.models import Code, ContactPoint, Event, Visit
from accounts.services import codes, visits
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.models import Message
from campaigns.services import outbox, send
from tests.campaigns.conftest import digits_in_pdf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visit(acting, account, now):
    return Visit.objects.create(consumer=account.consumer, account=account, started_at=now, seen_at=now, language="en")


@pytest.fixture
def point(account, acting):
    return account.consumer.contact_points.get()


def nothing(_code: Code) -> None:
    """Do nothing with the right to do it."""


def ask(visit, point, now, purpose="step_up") -> Code:
    return codes.send(visit=visit, contact_point=point, purpose=purpose, now=now)


def test_the_code_in_the_mail_is_the_one_that_works(visit, point, provider, mails, now):
    ask(visit, point, now)
    send.drain(now=now)
    (mail,) = mails()
    assert mail["to"] == "jane@acme.example.com"
    assert mail["subject"] == "Your code from Acme Recovery"
    (text,) = re.findall(r"\b\d{6}\b", mail["text"])
    assert text in mail["html"]
    assert codes.check(visit=visit, purpose="step_up", text=text, now=now, then=nothing).used_at == now


def test_the_digits_lie_nowhere_in_the_database_not_before_and_not_after(visit, point, provider, mails, now):
    ask(visit, point, now)
    before = dump()
    send.drain(now=now)
    (text,) = re.findall(r"\b\d{6}\b", mails()[0]["text"])
    assert text not in before
    assert text not in dump()
    assert Code.objects.get().sealed_code == ""
    assert "••••••" in Message.objects.get().text


def dump() -> str:
    """Read every text of the tables that could hold a code."""
    with connection.cursor() as cursor:
        rows = []
        for table in ("accounts_code", "accounts_event", "campaigns_message"):
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t")
            rows += [re.sub(r"\.\d{3,6}(?=[+Z])", "", row) for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_a_code_mail_says_nothing_about_a_debt_and_is_not_tracked(visit, point, provider, mails, now):
    ask(visit, point, now)
    send.drain(now=now)
    (mail,) = mails()
    for telling in ("debt", "collect", "Harbor", "balance", "100234", "$"):
        assert telling not in mail["text"].lower()
        assert telling.lower() not in re.sub(r"(?s)<style.*?</style>", "", mail["html"]).lower()
    assert mail["tracking"] == {"opens": False, "clicks": "no"}
    assert mail["variables"] == {
        "agency": str(visit.agency_id),
        "message": str(Message.objects.get().pk),
    }


def test_an_esign_code_stands_in_the_attached_document_only(visit, point, provider, sandbox, mails, now):
    code = ask(visit, point, now, purpose="esign")
    send.drain(now=now)
    (mail,) = mails()
    assert mail["subject"] == "A short document from Acme Recovery"
    assert [item["name"] for item in mail["attachments"]] == ["document.pdf"]
    assert not re.search(r"\b\d{6}\b", mail["text"])
    text = digits_in_pdf(sandbox.paper(mail))
    assert codes.check(visit=visit, purpose="esign", text=text, now=now, then=nothing).pk == code.pk


@pytest.mark.parametrize("act", ["type", "ask again"])
def test_whoever_uses_a_code_while_its_mail_is_written_down_waits_and_is_not_refused(
    visit, point, provider, now, act, monkeypatch
):
    made, answers = {}, []
    deliver = codes.sender
    monkeypatch.setattr(codes, "sender", lambda code, text: (made.update(text=text), deliver(code, text)))
    code = ask(visit, point, now)
    message = Message.objects.get()
    later = now + dt.timedelta(seconds=40)

    def use() -> None:
        with contextlib.closing(connection), acting_for(visit.agency_id):
            if act == "type":
                words = {"purpose": "step_up", "text": made["text"], "now": later}
                codes.check(visit=visit, **words, then=lambda _code: visits.step_up(visit=visit, now=later))
            else:
                ask(visit, point, later)
            answers.append(act)

    person = threading.Thread(target=use)
    with acting_for(visit.agency_id), transaction.atomic():
        outbox.locked(message.pk)
        person.start()
        wait_for_a_lock()
        Code.objects.filter(pk=code.pk).update(sealed_code="")
        assert answers == []
    person.join(20)
    assert answers == [act]


def wait_for_a_lock() -> None:
    """Wait until another session of this database waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waits)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_code_in_spanish_for_a_spanish_visit(visit, point, provider, mails, now):
    Visit.objects.update(language="es")
    visit.refresh_from_db()
    ask(visit, point, now)
    send.drain(now=now)
    assert mails()[0]["subject"] == "Su código de Acme Recovery"
    assert 'lang="es"' in mails()[0]["html"]


def test_a_person_who_stopped_our_mail_still_gets_the_code_they_ask_for(visit, point, provider, mails, now):
    ContactPoint.objects.update(opted_out_at=now)
    ask(visit, point, now)
    send.drain(now=now)
    assert len(mails()) == 1


def test_an_address_known_to_be_bad_gets_no_code(visit, point, provider, mails, now):
    ContactPoint.objects.update(bad_at=now)
    ask(visit, point, now)
    send.drain(now=now)
    assert mails() == []
    message = Message.objects.get()
    assert (message.status, message.reason) == ("held", "bad_address")


def test_a_code_nobody_can_use_any_more_is_not_sent_late(visit, point, provider, mails, now):
    ask(visit, point, now)
    send.drain(now=now + dt.timedelta(minutes=11))
    assert mails() == []
    message = Message.objects.get()
    assert (message.status, message.reason) == ("held", "code_expired")
    assert Code.objects.get().sealed_code == ""


def test_a_code_whose_answer_was_lost_is_asked_for_after_fifteen_seconds_and_comes_once(
    visit, point, provider, sandbox, mails, now
):
    ask(visit, point, now)
    sandbox.fault(provider.domain, "drop_after_effect")
    send.drain(now=now)
    assert send.drain(now=now + dt.timedelta(seconds=14)) == 0
    assert send.drain(now=now + dt.timedelta(seconds=15)) == 1
    assert send.drain(now=now + dt.timedelta(hours=1)) == 0
    assert len(mails()) == 1
    assert (Message.objects.get().status, Code.objects.get().sealed_code) == ("sent", "")


def test_a_code_goes_at_any_hour(visit, point, provider, mails, now):
    night = dt.datetime(2026, 12, 1, 7, 0, tzinfo=dt.UTC)
    ask(visit, point, night)
    send.drain(now=night)
    assert len(mails()) == 1


def test_a_code_is_told_as_a_message_of_the_account_without_its_digits(visit, point, provider, account, now):
    ask(visit, point, now)
    send.drain(now=now)
    told = list(Event.objects.order_by("id").values_list("kind", "account_id"))
    assert told == [("message.queued", account.pk), ("message.sent", account.pk)]
    data = Event.objects.order_by("id").last().data
    assert data["to"] == "j•••@acme.example.com"
    assert (data["template"], data["stream"], data["channel"]) == ("code", "security", "email")


def test_each_agency_sends_by_its_own_account(
    visit, point, provider, others_provider, others_account, other_agency, mails, sandbox, now
):
    ask(visit, point, now)
    with acting_for(other_agency):
        theirs = Visit.objects.create(
            consumer=others_account.consumer, account=others_account, started_at=now, seen_at=now
        )
        ask(theirs, others_account.consumer.contact_points.get(), now)
    send.drain(now=now)
    assert [mail["from"] for mail in mails()] == [f"Acme Recovery <{provider.from_address}>"]
    (theirs_mail,) = sandbox.call("GET", f"/_sandbox/messages?domain={others_provider.domain}")
    assert theirs_mail["to"] == "jane@birch.example.com"
    with acting_for(ALL_AGENCIES):
        assert Message.objects.filter(status="sent").count() == 2
