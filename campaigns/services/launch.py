"""Run campaigns by sets: choose, judge, make offers, write, hand over. A task never stands for one message.

Each batch is two short transactions with the network between them. A campaign never risks a second copy: when the
provider's answer is lost the message waits for the provider's own word, then the provider is asked, and what it has not
is told as failed.
"""

import gc
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from accounts import clock, events
from accounts.bulk import as_read, names_of, set_foreign, update_rows, write_rows
from accounts.known import known
from accounts.models import Account, Agency, Client, Consumer, ContactPoint
from accounts.tenancy import ALL_AGENCIES, acting_for, uuid7
from campaigns.models import Campaign, Message, Recipient
from campaigns.rules import complaints
from campaigns.rules.contact import Judgement, suits_until
from campaigns.rules.facts import Denial, Facts
from campaigns.services import audience, campaigns, carriers, gate, outbox
from campaigns.services.gate import Asked
from campaigns.services.texts import NO_ROOM
from campaigns.services.writer import STREAM, Leaving, Writer
from settlements.services import many

log = logging.getLogger("quittance.campaigns")

BATCH = 1_000
"""Recipients of one batch: what the provider takes in one request."""
WITH_PROVIDER = "with_provider"
"""Why a message is still queued: the provider was asked, and no answer came so far."""
KEPT = ("status", "reason", "next_at", "message_id", "values", "body_sha256", "link_hash", "offer_id")
"""What a batch decides about a recipient."""
WRITTEN_AGAIN = ("attempts", "next_at", "queued_at", "reason", "subject", "text", "status")
"""What changes in a message that nobody took before."""


def run(*, now: datetime, batches: int = 50) -> int:
    """Move every agency's campaigns on; return how many accounts were touched.

    :param now: when it begins. A run takes minutes, so each batch is judged and each request is made by the time it is
        by then (RF-01, RF-02).
    """
    present = clock.going_on(now)
    with acting_for(ALL_AGENCIES):
        running = list(
            Campaign.objects.filter(status__in=Campaign.RUNNING).order_by("started_at").values_list("agency_id", "pk")
        )
    done = 0
    for agency_id, key in running:
        with acting_for(agency_id):
            done += advance(key, now=present(), batches=batches)
    return done + tidy(now=present())


def tidy(*, now: datetime) -> int:
    """End what halted campaigns left behind when a process died: what was never asked for waits, the rest is lost."""
    from campaigns.services import unanswered

    with acting_for(ALL_AGENCIES):
        halted = Message.objects.filter(status=Message.Status.QUEUED, stream=STREAM, next_at__lte=now).filter(
            recipients__campaign__status__in=(Campaign.Status.PAUSED, Campaign.Status.STOPPED)
        )
        found = list(halted.values_list("recipients__campaign", "agency_id").distinct()[:BATCH])
    done = 0
    for key, agency_id in found:
        with acting_for(agency_id):
            done += unanswered.decide(Campaign.objects.get(pk=key), now=now)
    return done


def advance(key: UUID, *, now: datetime, batches: int = 50) -> int:
    """Move one campaign on, at most so many batches."""
    present = clock.going_on(now)
    campaign = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=key)
    if campaign.status == Campaign.Status.SCHEDULED and not campaigns.start(campaign=campaign, now=now):
        return 0
    done = 0
    for _batch in range(batches):
        at = present()
        campaign.refresh_from_db(fields=["status", "frozen_to", "started_at"])
        if campaign.status == Campaign.Status.FREEZING:
            with transaction.atomic():
                # Under one lock: who joins a standing campaign comes before it or after it.
                number = audience.freeze(campaign, now=at)
                if not number:
                    campaigns.frozen(campaign=campaign, now=at)
        elif campaign.status == Campaign.Status.SENDING:
            number = send_batch(campaign, now=at)
            if not number:
                return done + _end(campaign, now=at)
        else:
            return done
        done += number
    return done


def _end(campaign: Campaign, *, now: datetime) -> int:
    """Decide what nobody answered for; finish when nothing waits any more, unless files may still name it."""
    from campaigns.services import unanswered

    done = unanswered.decide(campaign, now=now)
    waits = Recipient.objects.filter(campaign=campaign, status=Recipient.Status.WAITING).exists()
    open_ = Message.objects.filter(recipients__campaign=campaign, status=Message.Status.QUEUED).exists()
    if not waits and not open_ and not campaign.audience.get("joined"):
        campaigns.finish(campaign=campaign, now=now)
    return done


def send_batch(campaign: Campaign, *, now: datetime, limit: int = BATCH) -> int:
    """Judge, write and hand over the next recipients; return how many were touched."""
    from campaigns.services import handover

    if campaign.channel == "text" and (provider := carriers.active()) is not None:
        limit = min(limit, carriers.room(provider, now=now))
    if not limit:
        return 0  # the carrier's rate is used up for now
    present = clock.going_on(now)
    # A batch makes a hundred thousand objects that all live until its end: looking through them finds nothing.
    gc.disable()
    try:
        with transaction.atomic():
            touched, leaving = _prepare(campaign, now=now, limit=limit)
    finally:
        gc.enable()
    if leaving:
        handover.give(campaign, leaving, now=present())
    return touched


def _prepare(campaign: Campaign, *, now: datetime, limit: int) -> tuple[int, list[Leaving]]:
    """Claim recipients and decide about each; what leaves is written with its lease, all in one transaction."""
    agency = Agency.objects.get(pk=campaign.agency_id)
    claimed = _claim(campaign, now=now, limit=limit)
    if not claimed:
        return 0, []
    ends = campaigns.expires_on(campaign.offer)
    # Ids that were made just now meet no row of before: PostgreSQL need not look for one.
    fresh = not any(recipient.message_id for recipient in claimed)
    asked = [
        Asked(
            channel=campaign.channel,
            purpose=campaign.purpose,
            consumer=recipient.account.consumer,
            account=recipient.account,
            point=recipient.contact_point,
            message=recipient.message_id or uuid7(),
            offer_expires_on=ends,
        )
        for recipient in claimed
    ]
    judged = gate.judge(asked, now=now)
    writes = Writer(campaign, agency, [recipient.account for recipient in claimed], now)
    going: list[tuple[Recipient, Asked, Facts]] = []
    decided = []
    for recipient, one, (facts, judgement) in zip(claimed, asked, judged, strict=True):
        if judgement.allowed and not writes.owed[recipient.account_id]:
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, "nothing_owed"
        elif judgement.allowed and writes.threatens(recipient):
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, "too_old_for_suit"
        elif judgement.allowed and writes.cramped(recipient, facts.first_contact):
            judgement = Judgement((Denial(NO_ROOM, ("SOL-01", "SMS-09")),), judgement.checked)
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, NO_ROOM
        elif judgement.allowed:
            going.append((recipient, one, facts))
        elif judgement.until is not None and (ends is None or judgement.until.date() <= ends):
            recipient.next_at, recipient.reason = judgement.until, judgement.reason
        else:
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, judgement.reason[:60]
        if not judgement.allowed:
            decided.append((replace(one, message=recipient.message_id), (facts, judgement)))
    told: list[tuple[str, Account, dict]] = []
    offers = _offers(campaign, [recipient for recipient, _asked, _facts in going], told, now=now)
    leaving = []
    for recipient, one, facts in going:
        offer = offers.get(recipient.account_id)
        if isinstance(offer, list):
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, offer[0].code[:60]
            continue
        written = writes.write(recipient, one.message, facts.first_contact, offer, until=suits_until(facts))
        leaving.append(written)
    _keep(campaign, claimed, leaving, told, fresh=fresh, now=now)
    by_message = {one.message: (one, judgement) for one, judgement in zip(asked, judged, strict=True)}
    left = [by_message[one.message.pk] for one in leaving]
    every = decided + left
    by = f"campaign:{campaign.pk}"
    gate.record([one for one, _j in every], [j for _one, j in every], by=by, fresh=fresh, now=now)
    return len(claimed), leaving


def _claim(campaign: Campaign, *, now: datetime, limit: int) -> list[Recipient]:
    """Lock the next recipients, then their accounts in the order of their ids; each row is read once."""
    waiting = Recipient.objects.filter(campaign=campaign, status=Recipient.Status.WAITING)
    due = waiting.exclude(next_at__gt=now).order_by("pk")
    names = names_of(Recipient)
    found = as_read(Recipient, names, due.select_for_update(skip_locked=True).values_list(*names)[:limit])
    # What left, or may have left, is not sent again whatever else happened to its row (I10).
    written = Message.objects.filter(pk__in=[one.message_id for one in found if one.message_id])
    left = set(written.exclude(status=Message.Status.HELD).values_list("pk", flat=True))
    gone = {one.pk for one in found if one.message_id in left}
    Recipient.objects.filter(pk__in=gone).update(status=Recipient.Status.LEAVING)
    claimed = [one for one in found if one.pk not in gone]
    accounts = {row.pk: row for row in _accounts([one.account_id for one in claimed])}
    consumers = {row.pk: row for row in _consumers(list({row.consumer_id for row in accounts.values()}))}
    points = {row.pk: row for row in _points([one.contact_point_id for one in claimed if one.contact_point_id])}
    clients = {row.pk: row for row in _clients(list({row.client_id for row in accounts.values()}))}
    for account in accounts.values():
        set_foreign(account, "client", clients[account.client_id])
        set_foreign(account, "consumer", consumers[account.consumer_id])
    for one in claimed:
        set_foreign(one, "account", accounts[one.account_id])
        if (point := points.get(one.contact_point_id)) is not None:
            set_foreign(one, "contact_point", point)
        else:
            one.contact_point = None
    return claimed


@known
def _accounts(keys: Sequence[UUID]) -> QuerySet[Account]:
    return Account.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").defer("itemization")


@known
def _consumers(keys: Sequence[UUID]) -> QuerySet[Consumer]:
    # What is sealed is not opened: no message says it.
    return Consumer.objects.filter(pk__in=keys).defer("ssn", "dob")


@known
def _points(keys: Sequence[UUID]) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.filter(pk__in=keys)


@known
def _clients(keys: Sequence[UUID]) -> QuerySet[Client]:
    return Client.objects.filter(pk__in=keys)


def _offers(campaign: Campaign, recipients: Sequence[Recipient], told: list, *, now: datetime) -> dict[UUID, object]:
    if not campaign.offer or not recipients:
        return {}
    return many.make_many(
        accounts=[recipient.account for recipient in recipients],
        locked=True,
        told=told,
        campaign_id=campaign.pk,
        by=f"campaign:{campaign.approved_by}"[:80],
        now=now,
        percent_bps=campaign.offer["percent_bps"],
        max_payments=campaign.offer.get("max_payments", 1),
        max_days=campaign.offer.get("max_days"),
        expires_on=campaigns.expires_on(campaign.offer),
    )


def _keep(
    campaign, claimed: list[Recipient], leaving: list[Leaving], told: list, *, fresh: bool, now: datetime
) -> None:
    # In the order of accounts, as everybody locks them; they have been locked since the claim.
    messages = sorted((one.message for one in leaving), key=lambda message: message.account_id)
    write_rows(Message, messages, update=() if fresh else WRITTEN_AGAIN)
    update_rows(Recipient, claimed, KEPT)
    more = {"campaign": str(campaign.pk)}
    told += [("message.queued", message.account, outbox.about(message, **more)) for message in messages]
    events.record_all(told, now=now)


# What complaints do ---------------------------------------------------------------------------------------------


def watch_complaints(message_id: UUID | None, *, now: datetime) -> str:
    """Pause or end the campaign of a message that was complained about, by its rate (EML-03)."""
    recipient = Recipient.objects.filter(message_id=message_id).select_related("campaign").first()
    if recipient is None:
        return ""
    counts = dict(
        Message.objects.filter(recipients__campaign=recipient.campaign_id)
        .exclude(sent_at=None)
        .values_list("status")
        .annotate(number=Count("pk"))
    )
    verdict = complaints.verdict(sent=sum(counts.values()), complained=counts.get(Message.Status.COMPLAINED, 0))
    reason = f"complaints: {counts.get(Message.Status.COMPLAINED, 0)} of {sum(counts.values())}"
    if verdict == "stop":
        campaigns.stop(campaign=recipient.campaign, reason=reason, now=now)
    elif verdict == "pause":
        campaigns.pause(campaign=recipient.campaign, reason=reason, now=now)
    return verdict
