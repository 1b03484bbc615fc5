"""Run campaigns by sets: choose, judge, make offers, write, hand over. A task never stands for one message.

Each batch is two short transactions with the network between them. A campaign never risks a second copy: when the
provider's answer is lost the message waits for the provider's own word, then the provider is asked, and what it has not
is told as failed.
"""

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from accounts import events
from accounts.bulk import blank, update_rows, write_rows
from accounts.calendars import local_date
from accounts.licensing import lines
from accounts.models import Account, Agency, Client, ContactPoint
from accounts.money import share
from accounts.services import consent, licences
from accounts.tenancy import ALL_AGENCIES, acting_for, uuid7
from campaigns.models import Campaign, Message, Recipient, TemplateVersion
from campaigns.rules import complaints, fields
from campaigns.rules.contact import Judgement
from campaigns.rules.facts import Denial
from campaigns.services import audience, campaigns, carriers, gate, letters, links, outbox
from campaigns.services.gate import Asked
from campaigns.services.texts import HIDDEN_LINK, NO_ROOM
from settlements.services import many

log = logging.getLogger("quittance.campaigns")

BATCH = 1_000
"""Recipients of one batch: what the provider takes in one request."""
LEASE = timedelta(minutes=30)
"""So long a message without an answer waits for the provider's own word, then the provider is asked about it."""
STREAM = "campaigns"
PREPARED, WITH_PROVIDER = "handing_over", "with_provider"
"""Why a message is still queued: written down and not yet asked for; or asked for, and no answer came so far."""
KEPT = ("status", "reason", "next_at", "message_id", "values", "body_sha256", "link_hash", "offer_id")
"""What a batch decides about a recipient."""


@dataclass(slots=True)
class Leaving:
    """Hold what leaves for one reader: the row, and the secrets that are written down nowhere."""

    recipient: Recipient
    message: Message
    address: str
    first: bool
    barred: bool
    values: dict[str, str]
    private: dict[str, str] = field(default_factory=dict)


def run(*, now: datetime, batches: int = 50) -> int:
    """Move every agency's campaigns on; return how many accounts were touched."""
    with acting_for(ALL_AGENCIES):
        running = list(
            Campaign.objects.filter(status__in=Campaign.RUNNING).order_by("started_at").values_list("agency_id", "pk")
        )
    done = 0
    for agency_id, key in running:
        with acting_for(agency_id):
            done += advance(key, now=now, batches=batches)
    return done + tidy(now=now)


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
    campaign = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=key)
    if campaign.status == Campaign.Status.SCHEDULED and not campaigns.start(campaign=campaign, now=now):
        return 0
    done = 0
    for _batch in range(batches):
        campaign.refresh_from_db(fields=["status", "frozen_to", "started_at"])
        if campaign.status == Campaign.Status.FREEZING:
            with transaction.atomic():
                # Under one lock: who joins a standing campaign comes before it or after it.
                number = audience.freeze(campaign, now=now)
                if not number:
                    campaigns.frozen(campaign=campaign, now=now)
        elif campaign.status == Campaign.Status.SENDING:
            number = send_batch(campaign, now=now)
            if not number:
                return done + _end(campaign, now=now)
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
    # A batch makes a hundred thousand objects that all live until its end: looking through them finds nothing.
    gc.disable()
    try:
        with transaction.atomic():
            touched, leaving = _prepare(campaign, now=now, limit=limit)
    finally:
        gc.enable()
    if leaving:
        handover.give(campaign, leaving, now=now)
    return touched


def _prepare(campaign: Campaign, *, now: datetime, limit: int) -> tuple[int, list[Leaving]]:
    """Claim recipients and decide about each; what leaves is written with its lease, all in one transaction."""
    agency = Agency.objects.get(pk=campaign.agency_id)
    claimed = _claim(campaign, now=now, limit=limit)
    if not claimed:
        return 0, []
    ends = campaigns.expires_on(campaign.offer)
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
    writes = _Writer(campaign, agency, now)
    going: list[tuple[Recipient, Asked, bool]] = []
    decided = []
    for recipient, one, (facts, judgement) in zip(claimed, asked, judged, strict=True):
        if judgement.allowed and writes.threatens(recipient):
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, "too_old_for_suit"
        elif judgement.allowed and writes.cramped(recipient, facts.first_contact):
            judgement = Judgement((Denial(NO_ROOM, ("SOL-01", "SMS-09")),), judgement.checked)
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, NO_ROOM
        elif judgement.allowed:
            going.append((recipient, one, facts.first_contact))
        elif judgement.until is not None and (ends is None or judgement.until.date() <= ends):
            recipient.next_at, recipient.reason = judgement.until, judgement.reason
        else:
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, judgement.reason[:60]
        if not judgement.allowed:
            decided.append((replace(one, message=recipient.message_id), (facts, judgement)))
    told: list[tuple[str, Account, dict]] = []
    offers = _offers(campaign, [recipient for recipient, _asked, _first in going], told, now=now)
    leaving = []
    for recipient, one, first in going:
        offer = offers.get(recipient.account_id)
        if isinstance(offer, list):
            recipient.status, recipient.reason = Recipient.Status.LEFT_OUT, offer[0].code[:60]
            continue
        leaving.append(writes.write(recipient, one.message, first, offer))
    _keep(campaign, claimed, leaving, told, now=now)
    by_message = {one.message: (one, judgement) for one, judgement in zip(asked, judged, strict=True)}
    left = [by_message[one.message.pk] for one in leaving]
    every = decided + left
    gate.record([one for one, _j in every], [j for _one, j in every], by=f"campaign:{campaign.pk}", now=now)
    return len(claimed), leaving


def _claim(campaign: Campaign, *, now: datetime, limit: int) -> list[Recipient]:
    """Lock the next recipients, then their accounts in the order of their ids; each row is read once."""
    waiting = Recipient.objects.filter(campaign=campaign, status=Recipient.Status.WAITING)
    due = waiting.exclude(next_at__gt=now).order_by("pk")
    found = list(due.select_for_update(skip_locked=True)[:limit])
    # What left, or may have left, is not sent again whatever else happened to its row (I10).
    written = Message.objects.filter(pk__in=[one.message_id for one in found if one.message_id])
    left = set(written.exclude(status=Message.Status.HELD).values_list("pk", flat=True))
    gone = {one.pk for one in found if one.message_id in left}
    Recipient.objects.filter(pk__in=gone).update(status=Recipient.Status.LEAVING)
    claimed = [one for one in found if one.pk not in gone]
    locked = Account.objects.select_for_update(no_key=True, of=("self",)).select_related("consumer")
    accounts = {row.pk: row for row in locked.filter(pk__in=[one.account_id for one in claimed]).order_by("pk")}
    points = ContactPoint.objects.in_bulk([one.contact_point_id for one in claimed if one.contact_point_id])
    clients = Client.objects.in_bulk({account.client_id for account in accounts.values()})
    for one in claimed:
        account = accounts[one.account_id]
        account.client = clients[account.client_id]
        one.account, one.contact_point = account, points.get(one.contact_point_id)
    return claimed


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


class _Writer:
    """Fill messages and make their rows; the links are secrets of this process until they are handed over."""

    def __init__(self, campaign: Campaign, agency: Agency, now: datetime) -> None:
        self.campaign, self.agency, self.now = campaign, agency, now
        self.licences = licences.of_agency(agency.pk)
        self.link, self.stop = links.pattern(agency, "campaigns:link"), links.pattern(agency, "accounts:opt_out")

    def version(self, recipient: Recipient) -> TemplateVersion:
        return self.campaign.version_b if recipient.variant == "b" else self.campaign.version_a

    def barred(self, account: Account) -> bool:
        """Tell whether a debt is, or may be, too old to sue for."""
        return letters.too_old(account, now=self.now)

    def cramped(self, recipient: Recipient, first: bool) -> bool:
        """Tell whether a text about an old debt has no room for the notice of its age (SOL-01, SMS-09)."""
        account = recipient.account
        if self.campaign.channel != "text" or not self.barred(account):
            return False
        language = account.consumer.language[:2] if account.consumer.language[:2] in ("en", "es") else "en"
        version = self.version(recipient)
        compiled = letters.compile_text(
            version=version, agency=self.agency, language=language, first=first, barred=True
        )
        values = fields.samples(language) | values_of(self.agency, account, None, language)
        link = links.link_url(self.agency, links.token_of(recipient.pk))
        return not letters.has_room(compiled.write(values | {"link": link})[1])

    def threatens(self, recipient: Recipient) -> bool:
        """Tell whether the message speaks of a suit about a debt that may be too old for one (RF-25)."""
        return self.version(recipient).template.litigation and self.barred(recipient.account)

    def write(self, recipient: Recipient, message_id: UUID, first: bool, offer) -> Leaving:
        """Write one message: its row, what its reader's fields say, and its secrets."""
        campaign, account, point = self.campaign, recipient.account, recipient.contact_point
        consumer, now, version = account.consumer, self.now, self.version(recipient)
        language = consumer.language[:2] if consumer.language[:2] in ("en", "es") else "en"
        barred = self.barred(account)
        values = values_of(self.agency, account, offer, language) | {"check_code": links.check_code(message_id)}
        stop, subject, text = consent.stop_token(point), "", ""
        if campaign.channel == "text":
            # Short, so it is kept as it went, its link left out; whoever asks the carrier about it writes it again.
            token = links.token_of(message_id)
            compiled = letters.compile_text(
                version=version, agency=self.agency, language=language, first=first, barred=barred
            )
            kept = text = compiled.write(values | {"link": HIDDEN_LINK})[1]
        else:
            token = links.new_token()
            if self.licences:
                today = local_date(now, consumer.time_zone)
                values[letters.LICENCE] = "; ".join(lines(self.licences, consumer.state, today))
            compiled = letters.compile_mail(
                version=version,
                agency=self.agency,
                language=language,
                first=first,
                barred=barred,
                licensed=bool(self.licences),
            )
            subject, _text, kept = compiled.write(values)
        message = blank(
            Message,
            id=message_id,
            agency_id=campaign.agency_id,
            channel=campaign.channel,
            consumer_id=consumer.pk,
            account_id=account.pk,
            contact_point_id=point.pk,
            template=version.template.kind[:40],
            stream=STREAM,
            language=language,
            subject=subject[:200],
            text=text,
            html="",
            cause=f"campaign:{campaign.pk}:{account.pk}",
            token=links.hash_of(stop),
            check_hash=links.hash_of(values["check_code"]),
            attempts=1,
            next_at=now + LEASE,
            queued_at=now,
            reason=PREPARED,
        )
        message.contact_point, message.account, message.consumer = point, account, consumer
        message.agency = self.agency
        recipient.status, recipient.reason = Recipient.Status.LEAVING, ""
        recipient.message_id, recipient.values = message_id, values
        recipient.body_sha256, recipient.link_hash = links.hash_of(kept), links.hash_of(token)
        recipient.offer_id = offer.pk if offer is not None else None
        private = {"link": self.link.replace(links.PLACE, token), "stop_url": self.stop.replace(links.PLACE, stop)}
        return Leaving(recipient, message, point.value, first, barred, values, private)


def values_of(agency: Agency, account: Account, offer, language: str) -> dict[str, str]:
    """Say what the fields of a template are for one account, as the portal says it."""
    raw = {
        "first_name": account.consumer.first_name or str(account.consumer),
        "agency": agency.name,
        "agency_phone": agency.phone,
        "agency_hours": agency.hours_in(language),
        "creditor": account.original_creditor or account.client.name,
        "reference": account.reference,
        "description": account.description,
        "balance": account.balance_cents,
    }
    if offer is not None:
        amount = offer_cents(account, offer)
        raw |= {
            "offer_amount": amount,
            "offer_saving": account.balance_cents - amount,
            "offer_payments": offer.max_payments,
            "offer_expires": offer.expires_on,
        }
    return {
        name: " ".join(fields.written(name, value, currency=account.currency, language=language).split())
        for name, value in raw.items()
    }


def offer_cents(account: Account, offer) -> int:
    """Give an offer's amount as the portal's own pages work it out."""
    return offer.amount_cents if offer.percent_bps is None else share(account.balance_cents, offer.percent_bps)


def _keep(campaign, claimed: list[Recipient], leaving: list[Leaving], told: list, *, now: datetime) -> None:
    # In the order of accounts, as everybody locks them; they have been locked since the claim.
    messages = sorted((one.message for one in leaving), key=lambda message: message.account_id)
    write_rows(Message, messages, update=("attempts", "next_at", "queued_at", "reason", "subject", "text", "status"))
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
