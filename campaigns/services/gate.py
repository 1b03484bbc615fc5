"""The one gate: read what is known about many contacts at once, ask the rules, write each decision down."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import statuses
from accounts.bulk import blank, write_rows
from accounts.calendars import local_date, validation_ends_on
from accounts.known import known
from accounts.licensing import missing
from accounts.models import Account, Code, Consent, Consumer, ContactPoint, Event, QuietTime
from accounts.services import licences, record_consent, streams
from accounts.tenancy import acting
from campaigns.models import ContactDecision, ContactPolicy, Message
from campaigns.rules import addresses, contact, packs, revocation_scope, zones
from campaigns.rules.contact import Judgement
from campaigns.rules.facts import COUNTED, WEEK, Facts, Past, Point, Policy, Quiet
from campaigns.services import carriers, silence
from payments.services import standstill
from settlements.models import Hardship

CHANNEL_OF = {ContactPoint.Kind.EMAIL: "email", ContactPoint.Kind.PHONE: "text"}
KIND_OF = {"email": Consent.Kind.EMAIL, "text": Consent.Kind.TEXT}
PURPOSE_OF = {
    "security": "code",
    "receipts": "receipt",
    "campaigns": "campaign",
    "answers": "confirmation",
    "replies": "service",
}
"""By stream; of notices some are wanted by the law and the others only tell what went wrong."""
RENEWED = ("checked", "zones", "rules_version", "at")
"""What a permission says of the moment when it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Ask about one contact; several of one batch know nothing of each other."""

    channel: str
    purpose: str
    consumer: Consumer
    account: Account | None = None
    point: ContactPoint | None = None
    message: UUID | None = None
    answers: bool = False
    offer_expires_on: date | None = None


def judge(asked: Sequence[Asked], *, now: datetime) -> list[tuple[Facts, Judgement]]:
    """Judge contacts of the acting agency; reads a fixed number of times, however many are asked about."""
    if not asked:
        return []
    batch = _Known(asked, now)
    found = [(facts := batch.facts(one), contact.judge(facts)) for one in asked]
    return found


def record(
    asked: Sequence[Asked],
    judged: Sequence[tuple[Facts, Judgement]],
    *,
    by: str,
    now: datetime,
    expires_at: datetime | None = None,
    fresh: bool = False,
) -> list[ContactDecision]:
    """Write the decisions down; a permission without an end counts as a contact at once.

    A message has one permission. Only what did not leave is judged again, and then that permission is renewed.

    :param fresh: the messages have just been made, so that none has a permission yet.
    """
    # Thousands of decisions name the same rules and zones: one list each is written as JSON once.
    lists: dict[tuple, list] = {}
    rows = [
        blank(
            ContactDecision,
            agency_id=one.consumer.agency_id,
            consumer_id=one.consumer.pk,
            account_id=one.account.pk if one.account else None,
            contact_point_id=one.point.pk if one.point else None,
            message_id=one.message,
            channel=one.channel,
            purpose=one.purpose,
            allowed=judgement.allowed,
            denials=told(judgement),
            checked=lists.setdefault(judgement.checked, list(judgement.checked)),
            hold_until=judgement.until,
            zones=lists.setdefault(facts.zones, list(facts.zones)),
            rules_version=packs.VERSION,
            asked_by=by,
            at=now,
            expires_at=expires_at if judgement.allowed else None,
            outcome=ContactDecision.Outcome.USED if judgement.allowed and expires_at is None else "",
        )
        for one, (facts, judgement) in zip(asked, judged, strict=True)
    ]
    # A message that did not leave on its permission leaves on this one: it counts from now (RF-02, RF-09), and what is
    # kept names the hour, the zones and the rules by which it went.
    write_rows(ContactDecision, rows, update=() if fresh else RENEWED, there_by='("message_id") WHERE allowed')
    return rows


def told(judgement: Judgement) -> list[dict[str, Any]]:
    """Say what is against a contact, as data."""
    return [
        {"code": one.code, "rules": list(one.rules)} | ({"until": one.until.isoformat()} if one.until else {})
        for one in judgement.denials
    ]


def of_message(message: Message, *, required: Collection[str], now: datetime) -> Asked:
    """Ask about a message that is about to leave.

    :param required: the templates of notices that the law wants sent.
    """
    purpose = PURPOSE_OF.get(message.stream) or ("notice" if message.template in required else "service")
    return Asked(
        channel=CHANNEL_OF[message.contact_point.kind],
        purpose=purpose,
        consumer=message.consumer,
        account=message.account,
        point=message.contact_point,
        message=message.pk,
        answers=message.anytime_until is not None and now < message.anytime_until,
    )


@known
def _policies() -> QuerySet[ContactPolicy]:
    return ContactPolicy.objects.all()


def policy_of_agency() -> Policy:
    """Read the acting agency's own hours and numbers, and what its carrier lets it do; else the law's hold."""
    row = _policies.first()
    texts = carriers.standing(carriers.active())
    if row is None:
        return Policy(texts=texts)
    return Policy(
        opens=row.opens,
        closes=row.closes,
        most_in_week=row.most_in_week,
        employers=frozenset(line.strip().lower() for line in row.employers.splitlines() if line.strip()),
        texts=texts,
    )


@known
def _phones(consumers: Sequence[UUID]) -> QuerySet:
    return ContactPoint.objects.filter(
        consumer__in=consumers, kind=ContactPoint.Kind.PHONE, bad_at=None, removed_at=None
    ).values_list("consumer_id", "value")


@known
def _quiet(consumers: Sequence[UUID]) -> QuerySet[QuietTime]:
    return QuietTime.objects.filter(consumer__in=consumers, ended_at=None)


@known
def _proven(points: Sequence[UUID]) -> QuerySet:
    return Code.objects.filter(contact_point__in=points, used_at__isnull=False).values_list(
        "contact_point_id", flat=True
    )


class _Known:
    """What the database says about a batch of contacts: one query for each kind of fact."""

    def __init__(self, asked: Sequence[Asked], now: datetime) -> None:
        assert acting(), "the gate judges for one agency"
        self.now = now
        self.policy = policy_of_agency()
        self.licences = licences.asked_for()
        consumers = list({one.consumer.pk for one in asked})
        accounts = list({one.account.pk for one in asked if one.account})
        self.phones = _grouped(_phones(consumers))
        self.stopped, self.agreed = _ledger(consumers)
        self.quiet = _grouped((row.consumer_id, Quiet(row.weekday, row.starts, row.ends)) for row in _quiet(consumers))
        self.past = _grouped(_past(accounts, now))
        self.spoken = _spoken(accounts)
        self.still = standstill.still(accounts)
        self.paused = _paused(consumers)
        # Whoever ceased stopped a medium altogether too: of few consumers events are read.
        self.ceased = _ceased({consumer for consumer, _kind in self.stopped})
        self.silent = silence.since({one.point.value_key for one in asked if one.point and one.channel == "text"})
        # What reaches further than a number is looked for only where a text or a call is asked about.
        spoken = {one.consumer.pk for one in asked if one.channel in ("text", "call")}
        self.revoked = silence.consumers(spoken) if revocation_scope.at(now) == revocation_scope.ALL else set()
        self.streams = streams.stopped({one.point.pk for one in asked if one.point})
        routeless = {one.point.pk for one in asked if one.point and not one.point.route}
        self.proven = set(_proven(list(routeless)) if routeless else ())

    def facts(self, one: Asked) -> Facts:
        consumer, account, point = one.consumer, one.account, one.point
        agreed_at = self.agreed.get((point.pk if point else None, KIND_OF.get(one.channel, "")))
        where = zones.may_be_in(
            zip_code=consumer.zip,
            state=consumer.state,
            phones=self.phones.get(consumer.pk, ()),
            known=consumer.time_zone,
        )
        sent_on = account.validation_sent_on if account else None
        paused = self.paused.get(consumer.pk)
        today = local_date(self.now, consumer.time_zone)
        return Facts(
            channel=one.channel,
            purpose=one.purpose,
            now=self.now,
            zones=where,
            answers=one.answers,
            status=self._status(consumer, account),
            disputed=account is not None and account.pk in self.still,
            hardship=any(starts <= today <= ends for starts, ends in paused or ()),
            point=self._point(point) if point else None,
            medium_stopped=self._stopped(one, agreed_at),
            revoked_all=consumer.pk in self.revoked,
            quiet=tuple(self.quiet.get(consumer.pk, ())),
            past=self._past(account, one.message),
            unlicensed=missing(self.licences, consumer.state, today),
            state=consumer.state,
            zip_code=consumer.zip,
            consented=agreed_at is not None or bool(point and addresses.ROUTES.get(point.route) == addresses.USED),
            consented_debt=_covers(account, point, agreed_at),
            first_contact=account is not None and account.pk not in self.spoken,
            validation_sent=sent_on is not None,
            validation_ends_on=validation_ends_on(sent_on) if sent_on else None,
            offer_expires_on=one.offer_expires_on,
            policy=self.policy,
        )

    def _status(self, consumer: Consumer, account: Account | None) -> str:
        """Give the account's status, or that of a cease; one that allows not even a receipt stays what it is."""
        status = account.status if account else "open"
        return "cease" if consumer.pk in self.ceased and statuses.may(status, "receipt") else status

    def _point(self, point: ContactPoint) -> Point:
        return Point(
            value=point.value_key,
            bad=bool(point.bad_at or point.removed_at),
            unconfirmed=point.unconfirmed,
            opted_out=point.opted_out_at is not None,
            streams=frozenset(self.streams.get(point.pk, ())),
            typed=point.source == ContactPoint.TYPED,
            proven=point.pk in self.proven,
            route=point.route,
            evidence=point.evidence,
            mobile=point.kind == ContactPoint.Kind.EMAIL or point.textable,
        )

    def _past(self, account: Account | None, message: UUID | None) -> tuple[Past, ...]:
        """Give the account's contacts; a message that is handed over once more does not count itself."""
        found = self.past.get(account.pk, ()) if account else ()
        return tuple(past for key, past in found if key is None or key != message)

    def _stopped(self, one: Asked, agreed_at: datetime | None) -> bool:
        """A medium stays stopped for every address, later ones too, until the consumer opens one again (RF-07)."""
        stopped_at = self.stopped.get((one.consumer.pk, KIND_OF.get(one.channel, "")))
        if one.channel == "text" and one.point and (said_at := self.silent.get(one.point.value_key)):
            # Whose number it was then does not matter: the number asked for silence (SMS-04).
            stopped_at = max(stopped_at or said_at, said_at)
        return stopped_at is not None and (agreed_at is None or agreed_at <= stopped_at)


def _grouped(pairs: Iterable[tuple[UUID, Any]]) -> dict[UUID, list]:
    found: dict[UUID, list] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


@known
def _lines(consumers: Sequence[UUID]) -> QuerySet:
    lines = Consent.objects.filter(consumer__in=consumers, kind__in=KIND_OF.values()).order_by("at", "id")
    return lines.values_list("consumer_id", "contact_point_id", "kind", "granted", "at", "source")


def _ledger(consumers: Sequence[UUID]) -> tuple[dict, dict]:
    """Read the consent ledger: when each medium was stopped, and when each address was agreed to and still is.

    What a host wrote down names no debt and no employer: it makes a route (RF-13) and is no consent to a debt (ST-05).
    """
    stopped: dict[tuple[UUID, str], datetime] = {}
    agreed: dict[tuple[UUID | None, str], datetime] = {}
    for consumer, point, kind, granted, at, source in _lines(consumers):
        if point is None and not granted:
            stopped[consumer, kind] = at
        elif granted:
            if not source.startswith(record_consent.HOST):
                agreed[point, kind] = at
        else:
            agreed.pop((point, kind), None)
    return stopped, agreed


@known
def _contacts(accounts: Sequence[UUID], now: datetime, since: datetime) -> QuerySet:
    held = Q(outcome=ContactDecision.Outcome.OPEN, expires_at__gt=now)
    used = Q(outcome__in=[ContactDecision.Outcome.USED, ContactDecision.Outcome.CONVERSATION])
    return ContactDecision.objects.filter(
        held | used, account__in=accounts, allowed=True, purpose__in=COUNTED, at__gt=since
    ).values_list("account_id", "message_id", "channel", "at", "outcome")


def _past(accounts: Sequence[UUID], now: datetime) -> Iterable[tuple[UUID, tuple[UUID | None, Past]]]:
    """Give what counts as a contact in the last seven days, with its message: what was used, and places still held."""
    for account, message, channel, at, outcome in _contacts(accounts, now, now - WEEK):
        yield account, (message, Past(channel, at, outcome == ContactDecision.Outcome.CONVERSATION))


@known
def _left(accounts: Sequence[UUID]) -> QuerySet:
    left = Message.objects.filter(account__in=accounts, sent_at__isnull=False).exclude(stream="security")
    return left.values_list("account_id", flat=True).distinct()


def _spoken(accounts: Sequence[UUID]) -> set[UUID]:
    """Say about which accounts something was said to the consumer before, by a message that left."""
    return set(_left(accounts))


@known
def _pauses(consumers: Sequence[UUID]) -> QuerySet:
    running = Hardship.objects.filter(consumer__in=consumers, status=Hardship.Status.GRANTED, ends_on__isnull=False)
    return running.values_list("consumer_id", "starts_on", "ends_on")


def _paused(consumers: Sequence[UUID]) -> dict[UUID, list[tuple[date, date]]]:
    return _grouped((key, (starts, ends)) for key, starts, ends in _pauses(consumers))


@known
def _wishes(consumers: Sequence[UUID]) -> QuerySet:
    return Event.objects.filter(consumer__in=consumers, kind="cease.received").values_list("consumer_id", flat=True)


def _ceased(consumers: Collection[UUID]) -> set[UUID]:
    """Say who told us not to communicate with them at all, by whatever way it was written down (RF-06)."""
    return set(_wishes(list(consumers))) if consumers else set()


def _covers(account: Account | None, point: ContactPoint | None, agreed_at: datetime | None) -> bool:
    """Tell whether the consumer agreed to this address for this debt, and said that it is not the employer's (ST-05).

    On our page both stand in the wording, for the debts that were here by then; a host says so in its evidence.
    """
    if account is None or point is None:
        return False
    if agreed_at is not None and agreed_at >= account.created_at:
        return True
    said = {str(point.evidence.get(name, "")).lower() for name in ("AccountConsent", "NotEmployer")}
    return bool(said) and said <= {"yes", "true", "1"}
