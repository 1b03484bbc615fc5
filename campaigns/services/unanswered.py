"""Decide what became of a campaign's messages whose answer was lost, by sets: claim, ask the provider, write down.

A campaign never risks a second copy: what the provider has is sent, what it has not is told as failed. Only where a
5xx ended the request nothing of it is on its way any more: what the provider has not then waits anew.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db import models, transaction

from accounts import events
from accounts.bulk import update_rows
from accounts.models import Account
from campaigns import channels
from campaigns.models import Campaign, MailProvider, Message, Recipient
from campaigns.services import handover_texts, outbox
from campaigns.services.handover import AGAIN, BROKEN
from campaigns.services.launch import BATCH
from campaigns.services.send import NOT_THERE
from campaigns.services.writer import PREPARED

log = logging.getLogger("quittance.campaigns")

REQUESTS = 8
"""So many lost requests are asked about before it is written down: each may take 13 seconds, the claim lasts 120."""
Status = Message.Status


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what becomes of a message; `was` is the reason by which it was judged, `at` when the provider took it."""

    was: str
    status: str
    reason: str = ""
    at: datetime | None = None


def decide(campaign: Campaign, *, now: datetime) -> int:
    """Decide what a provider was asked for and never answered; let what it never saw wait again; return how many."""
    late = Message.objects.filter(recipients__campaign=campaign, status=Status.QUEUED, next_at__lte=now)
    never = late.filter(reason=PREPARED).values_list("pk", flat=True)[:BATCH]
    waits = Verdict(PREPARED, Status.HELD, "not_handed_over")
    done = _write(dict.fromkeys(never, waits), campaign=campaign, now=now)
    asked = _claimed(late.exclude(reason=PREPARED), now=now)
    if campaign.channel == "text":
        return done + handover_texts.settle(asked, now=now)
    return done + _settle(asked, campaign=campaign, now=now)


@transaction.atomic
def _claimed(late: models.QuerySet, *, now: datetime) -> list[Message]:
    """Take messages that nobody else is asking about, and keep them for a while; an undecided one comes again then."""
    mine = late.select_for_update(skip_locked=True, of=("self",)).order_by("provider_id", "pk")
    found = list(mine.select_related("contact_point", "agency", "account", "consumer")[:BATCH])
    Message.objects.filter(pk__in=[one.pk for one in found]).update(next_at=now + AGAIN)
    return found


def _settle(messages: Iterable[Message], *, campaign: Campaign, now: datetime) -> int:
    """Ask once about each request, however many readers it had, and decide about all of them."""
    provider = MailProvider.objects.filter(is_active=True).first()
    lost = [(asked_by, list(those)) for asked_by, those in groupby(messages, key=attrgetter("provider_id"))]
    done = 0
    for start in range(0, len(lost), REQUESTS):
        verdicts = {}
        for asked_by, those in lost[start : start + REQUESTS]:
            taken = _taken(provider, asked_by, since=min(one.queued_at for one in those))
            found = ((one.pk, _verdict(one, taken, now=now)) for one in those)
            verdicts |= {key: verdict for key, verdict in found if verdict is not None}
        done += _write(verdicts, campaign=campaign, now=now)
    return done


def _taken(provider: MailProvider | None, message_id: str, *, since: datetime) -> dict[str, datetime] | None:
    """Ask which messages of a request the provider has, and since when; None while it does not say."""
    if provider is None or not message_id:
        return None
    try:
        return channels.provider(provider.backend).find(
            api_key=provider.api_key,
            api_url=provider.api_url,
            domain=provider.domain,
            message_id=message_id,
            since=since,
        )
    except (channels.DoesNotSay, LookupError) as error:
        log.warning("the provider does not say whether it has %s: %s", message_id, error)
        return None


def _verdict(message: Message, taken: Mapping[str, datetime] | None, *, now: datetime) -> Verdict | None:
    """Judge one message by what the provider has of its request; None while that is not known."""
    if taken is None and now - message.queued_at < outbox.ANSWERED_WITHIN:
        return None
    if taken is not None and (at := taken.get(str(message.pk))) is not None:
        return Verdict(message.reason, Status.SENT, at=min(at, now))
    if taken is not None and message.reason.startswith(BROKEN):
        return Verdict(message.reason, Status.HELD, NOT_THERE)
    return Verdict(message.reason, Status.FAILED, "no_answer")


def _write(verdicts: Mapping[UUID, Verdict], *, campaign: Campaign, now: datetime) -> int:
    """Write verdicts with their events, all or none; what moved meanwhile stands. Return how many were still open."""
    if not verdicts:
        return 0
    with transaction.atomic():
        open_ = [one for one in _locked(list(verdicts)) if one.reason == verdicts[one.pk].was]
        facts = []
        for one in open_:
            said = verdicts[one.pk]
            one.status, one.reason, one.sent_at = said.status, said.reason, said.at
            sent = {"sent_at": said.at.isoformat(), "provider_id": one.provider_id} if said.at else {}
            told = sent or {"reason": said.reason}
            facts.append((f"message.{said.status}", one.account, outbox.about(one, **told, campaign=str(campaign.pk))))
        update_rows(Message, open_, ("status", "reason", "sent_at"))
        for reason in {one.reason for one in open_ if one.status == Status.HELD}:
            # They are judged anew before the next try.
            held = [one.pk for one in open_ if (one.status, one.reason) == (Status.HELD, reason)]
            waits = Recipient.objects.filter(message__in=held)
            waits.update(status=Recipient.Status.WAITING, next_at=None, reason=reason)
        events.record_all(facts, now=now)
    return len(open_)


def _locked(keys: Sequence[UUID]) -> models.QuerySet:
    """Lock what is still queued, their accounts first, in the order of their ids as everybody does."""
    queued = Message.objects.filter(pk__in=keys, status=Status.QUEUED)
    accounts = Account.objects.select_for_update(no_key=True).filter(pk__in=queued.values("account_id"))
    list(accounts.order_by("pk").values_list("pk"))
    return queued.select_related("contact_point", "account").select_for_update(of=("self",)).order_by("pk")
