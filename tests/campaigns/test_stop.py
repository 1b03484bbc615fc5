"""A running campaign is stopped: nothing begins afterwards, and of every account it is known whether it was sent to."""

import csv
import datetime as dt
import io
import threading
import time

import pytest
from django.db import connection, transaction

from accounts.tenancy import acting_for
from campaigns.models import Campaign, Message, Recipient
from campaigns.services import audience, campaigns, handover, launch, results, writer
from tests.benchmarks.crowd import crowd
from tests.campaigns.campaign_cast import approved, template
from tests.campaigns.conftest import make_provider
from tests.conftest import make_account, make_agency
from tests.staff import member, signed_in

EVERYBODY, BATCH = 300, 50
Status = Campaign.Status


@pytest.fixture
def agency(transactional_db, sandbox):
    """An agency whose campaign to three hundred people is about to be sent; another agency is in the room."""
    agency = make_agency("acme")
    make_account(make_agency("birch"))
    provider = make_provider(agency, sandbox)
    with acting_for(agency):
        crowd(agency, make_account(agency, status="recalled"), EVERYBODY)
    agency.mails = lambda: sandbox.call("GET", f"/_sandbox/messages?domain={provider.domain}&limit=1000")
    return agency


def begun(now) -> Campaign:
    campaign = approved(offer={}, version=template("reminder"), audience={"statuses": ["open"]})
    assert campaigns.start(campaign=campaign, now=now)
    while audience.freeze(campaign, now=now):
        pass
    campaigns.frozen(campaign=campaign, now=now)
    return Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=campaign.pk)


def test_when_the_stop_returns_no_hand_over_begins_and_everybody_is_accounted_for(agency, monkeypatch, now):
    """Held open: two batches are sent, the third is with the provider, a fourth is written and not yet asked for."""
    with acting_for(agency):
        campaign = begun(now)
    order, asked, written, go_on = [], threading.Event(), threading.Event(), threading.Event()
    real_ask, real_give = handover._ask, handover.give

    def ask(transport, mail):
        order.append("hand-over begins")
        if order.count("hand-over begins") == 3:
            asked.set()
            time.sleep(0.5)
        outcome = real_ask(transport, mail)
        order.append("hand-over ends")
        return outcome

    def give(campaign, leaving, *, now):
        if threading.current_thread().name == "second":
            written.set()
            assert go_on.wait(30)
        real_give(campaign, leaving, now=now)

    monkeypatch.setattr(handover, "_ask", ask)
    monkeypatch.setattr(handover, "give", give)

    def send():
        try:
            with acting_for(agency):
                mine = Campaign.objects.get(pk=campaign.pk)
                while launch.send_batch(mine, now=now, limit=BATCH) and mine.status == Status.SENDING:
                    mine.refresh_from_db()
        finally:
            connection.close()

    first, second = (threading.Thread(target=send, name=name) for name in ("first", "second"))
    second.start()
    assert written.wait(30)
    first.start()
    assert asked.wait(30)
    with acting_for(agency):
        assert campaigns.stop(campaign=campaign, reason="wrong text", now=now) == []
    order.append("stopped")
    go_on.set()
    first.join()
    second.join()
    assert order == ["hand-over begins", "hand-over ends"] * 3 + ["stopped"]
    with acting_for(agency):
        campaign.refresh_from_db()
        assert campaign.status == Status.STOPPED
        places = results.whereabouts(campaign)
        assert places == {
            "sent": 3 * BATCH,
            "with_provider": 0,
            "no_answer": 0,
            "not_taken": 0,
            "not_sent": EVERYBODY - 3 * BATCH,
            "left_out": 0,
        }
        assert not launch.run(now=now + dt.timedelta(hours=1))
        assert [one.code for one in campaigns.stop(campaign=campaign, reason="", now=now)] == ["already_over"]
        sent = {reference for reference, place, _why, _at in results.each(campaign) if place == "sent"}
    assert {mail["to"] for mail in agency.mails()} == {f"{reference}@example.com".lower() for reference in sent}


def test_what_was_with_the_provider_at_the_stop_is_told_apart_from_what_was_never_asked_for(agency, monkeypatch, now):
    """Two processes die: one after it asked the provider, one before; the sweep tells what became of either."""
    with acting_for(agency):
        campaign = begun(now)
        monkeypatch.setattr(handover, "_ask", lambda *_: "unknown")
        assert launch.send_batch(campaign, now=now, limit=BATCH) == BATCH
        with transaction.atomic():
            launch._prepare(campaign, now=now, limit=BATCH)
        assert campaigns.stop(campaign=campaign, reason="wrong text", now=now) == []
        places = results.whereabouts(campaign)
        assert (places["with_provider"], places["not_sent"]) == (BATCH, EVERYBODY - BATCH)
        page = f"/admin/campaigns/campaign/{campaign.pk}/"
    client = signed_in(member(agency, "campaign manager"))
    shown = " ".join(client.get(f"{page}change/").content.decode().split())
    assert f'With the provider, no answer yet</th> <td class="number">{BATCH}</td>' in shown
    saved = client.get(f"{page}everybody/").content.decode()
    rows = list(csv.DictReader(io.StringIO(saved)))
    assert len({row["reference"] for row in rows}) == EVERYBODY
    assert sum(row["where"] == "with_provider" for row in rows) == BATCH
    with acting_for(agency):
        later = now + writer.LEASE + dt.timedelta(minutes=1)
        assert launch.run(now=later) == 2 * BATCH
        places = results.whereabouts(campaign)
        assert (places["with_provider"], places["no_answer"], places["not_sent"]) == (0, BATCH, EVERYBODY - BATCH)
        assert set(Message.objects.values_list("status", "reason")) == {
            ("failed", "no_answer"),
            ("held", "not_handed_over"),
        }
        assert Recipient.objects.filter(status="waiting").count() == EVERYBODY - BATCH
        assert agency.mails() == []
