"""Give a campaign's messages to the provider: many in one request where it takes that, and write down what it said."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import formataddr
from uuid import UUID

from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from accounts import clock, events
from accounts.ids import in_one_text
from accounts.known import known
from accounts.models import Account, Agency, ContactPoint
from accounts.tenancy import acting, uuid7
from campaigns import channels
from campaigns.channels import Many
from campaigns.models import Campaign, MailProvider, Message, Recipient
from campaigns.rules.linter import lint
from campaigns.services import campaigns, letters, outbox
from campaigns.services.launch import WITH_PROVIDER
from campaigns.services.send import BROKE, NOT_TAKEN
from campaigns.services.send_texts import NO_ANSWER
from campaigns.services.writer import STREAM, Leaving

log = logging.getLogger("quittance.campaigns")

AGAIN = timedelta(minutes=2)
"""After a clear no of the provider; a campaign has time."""
BROKEN = f"{NO_ANSWER}: http_"
"""How the reason of a message begins whose request the provider ended with a 5xx: it took effect, or it did not."""

BEGUN = """
UPDATE campaigns_message SET reason = %s, provider_id = %s
WHERE agency_id = %s AND id = ANY(%s::uuid[]) AND status = 'queued'
"""
SENT = """
UPDATE campaigns_message SET status = 'sent', sent_at = %s, reason = '', provider_id = %s
WHERE agency_id = %s AND id = ANY(%s::uuid[]) AND status = 'queued' RETURNING id
"""
"""Who comes first decides about a message: the other one waits for its row and finds it decided. No ORM here, which
writes a thousand ids into each statement and asks for the rows it has just changed."""


def give(campaign: Campaign, leaving: Sequence[Leaving], *, now: datetime) -> None:
    """Hand messages over, group by group; none begins when the campaign was paused or stopped meanwhile.

    A request may take as long as the provider lets it: each begins by the time it is by then, and what is out of its
    hours then waits (RF-01); it is also when its messages are said to have left (RF-02).
    """
    if campaign.channel == "text":
        from campaigns.services import handover_texts

        handover_texts.give(campaign, leaving, now=now)
        return
    agency = Agency.objects.get(pk=campaign.agency_id)
    provider = MailProvider.objects.filter(is_active=True).first()
    if provider is None:
        put_back(leaving, reason="no_provider", until=now + AGAIN, now=now)
        return
    present = clock.going_on(now)
    channel = channels.provider(provider.backend)
    transport = channel.transport(api_key=provider.api_key, api_url=provider.api_url, domain=provider.domain)
    try:
        for group in _groups(leaving):
            _give_group(campaign, agency, provider, channel, transport, group, present=present)
    finally:
        transport.close()


def _groups(leaving: Iterable[Leaving]) -> list[list[Leaving]]:
    """Put together what is the same letter to different addresses."""
    found: dict[tuple, list[Leaving]] = {}
    seen: dict[tuple, int] = {}
    for one in leaving:
        letter = (one.recipient.variant, one.message.language, one.first, one.barred, letters.LICENCE in one.values)
        # The same address twice, for two accounts, goes in two requests.
        times = seen[(*letter, one.address.lower())] = seen.get((*letter, one.address.lower()), -1) + 1
        found.setdefault((*letter, times), []).append(one)
    return list(found.values())


def _give_group(
    campaign, agency, provider, channel, transport, group: list[Leaving], *, present: Callable[[], datetime]
) -> None:
    at = present()
    group = in_hours(_without_silent(group, now=at), at=at)
    mails = _mails(campaign, agency, provider, channel, group) if group else []
    for mail, those in mails:
        at = present()
        if any(over(one, at=at) for one in those):
            # Requests before this one took that long; this one is made anew for whom it still suits.
            _give_group(campaign, agency, provider, channel, transport, those, present=present)
            continue
        with campaigns.handing_over(campaign.pk) as sends:
            mine = mail.extra_headers["Message-Id"]
            begins = sends and begun(those, provider_id=mine)
            outcome = _ask(transport, mail) if begins else "late" if sends else "not_running"
        # Written down after the lock is gone: whoever stops the campaign waits for the network only.
        match outcome:
            case "taken":
                sent(those, provider_id=str(getattr(mail.anymail_status, "message_id", "") or ""), at=at, now=at)
            case "unknown" | "late":
                log.warning("campaign %s: no answer for %s messages", campaign.pk, len(those))
            case broken if broken.startswith(BROKEN):
                log.warning("campaign %s: %s for %s messages", campaign.pk, broken, len(those))
                asked = Message.objects.filter(pk__in=[one.message.pk for one in those], reason=WITH_PROVIDER)
                asked.filter(status=Message.Status.QUEUED).update(reason=broken)
            case "refused" if len(those) > 1:
                # One address spoils a request: halves find it.
                for half in (those[: len(those) // 2], those[len(those) // 2 :]):
                    _give_group(campaign, agency, provider, channel, transport, half, present=present)
            case "refused":
                outbox.failed(message_id=those[0].message.pk, reason="refused_by_provider", now=at)
            case "not_running":
                put_back(those, reason="campaign_halted", until=None, now=at)
            case _:
                put_back(those, reason=outcome, until=at + AGAIN, now=at)


def over(one: Leaving, *, at: datetime) -> bool:
    """Tell whether the hours have ended in which a message may leave."""
    return one.until is not None and one.until <= at


def in_hours(those: list[Leaving], *, at: datetime) -> list[Leaving]:
    """Let those wait whose hours have ended since the batch was judged (RF-01); nothing is read for it."""
    if ended := [one for one in those if over(one, at=at)]:
        put_back(ended, reason="outside_hours", until=None, now=at)
    return [one for one in those if not over(one, at=at)]


def _without_silent(group: list[Leaving], *, now: datetime) -> list[Leaving]:
    """Leave out who opted out since the batch was judged: requests before this one may have taken minutes (EML-04)."""
    silent = set(_silent([one.message.contact_point_id for one in group]))
    if not silent:
        return group
    leave_out([one for one in group if one.message.contact_point_id in silent], reason="opted_out", now=now)
    return [one for one in group if one.message.contact_point_id not in silent]


@known
def _silent(points: Sequence[UUID]) -> QuerySet:
    stopped = ContactPoint.objects.filter(pk__in=points, opted_out_at__isnull=False)
    return stopped.values_list("pk", flat=True)


def begun(those: Sequence[Leaving], *, provider_id: str = "") -> bool:
    """Write down that the provider is asked from now on; False when somebody gave these up meanwhile.

    :param provider_id: what it can be asked by when its answer is lost.
    """
    keys = [one.message.pk for one in those]
    with connection.cursor() as cursor:
        cursor.execute(BEGUN, [WITH_PROVIDER, provider_id, UUID(acting()), in_one_text(keys)])
        return cursor.rowcount == len(keys)


def _ask(transport, mail: AnymailMessage) -> str:
    """Ask the provider once: `taken`, `refused`, `unknown`, what broke, or the reason of a clear no that may change."""
    try:
        transport.open()
        transport.send_messages([mail])
    except AnymailAPIError as error:
        status = error.status_code
        if status is None or status < 400:
            # No answer, or a yes that cannot be read.
            return "no_connection" if channels.never_connected(error.__cause__) else "unknown"
        if status >= BROKE:
            return f"{BROKEN}{status}"
        return f"http_{status}" if status in NOT_TAKEN else "refused"
    except DatabaseError:
        raise
    except Exception:
        log.exception("a campaign's messages cannot be built")
        return "refused"
    return "taken"


def _mails(campaign, agency, provider, channel, group) -> list[tuple[AnymailMessage, list[Leaving]]]:
    """Build the requests of a group: one for all, or one each where the provider takes no lists."""
    first = group[0]
    version = campaign.version_b if first.recipient.variant == "b" else campaign.version_a
    compiled = letters.compile_mail(
        version=version,
        agency=agency,
        language=first.message.language,
        first=first.first,
        barred=first.barred,
        licensed=letters.LICENCE in first.values,
    )
    sender = provider.from_name if not lint(provider.from_name) else ""
    many = Many(
        subject=compiled.subject,
        text=compiled.text,
        html=compiled.html,
        from_email=formataddr((sender, provider.from_address)) if sender else provider.from_address,
        reply_to=provider.replies_to or agency.email,
        tags=(STREAM, first.message.template),
        metadata={"agency": str(campaign.agency_id), "campaign": str(campaign.pk)},
        readers={one.address: one.values | one.private | {"message": str(one.message.pk)} for one in group},
        message_id=f"<{uuid7().hex}@{provider.domain}>",
    )
    if hasattr(channel, "batch"):
        return [(channel.batch(many), group)]
    each = [replace(many, message_id=f"<{one.message.pk.hex}@{provider.domain}>") for one in group]
    return [(channels.single(mine, one.address), [one]) for mine, one in zip(each, group, strict=True)]


def sent(those: Sequence[Leaving], *, provider_id: str, at: datetime, now: datetime) -> None:
    """Record that the provider took messages, all in one go; what its webhook told meanwhile stands."""
    keys = [one.message.pk for one in those]
    with transaction.atomic():
        accounts = _locked_accounts(those)
        with connection.cursor() as cursor:
            cursor.execute(SENT, [at, provider_id[:200], UUID(acting()), in_one_text(keys)])
            open_ = {key for (key,) in cursor.fetchall()}
        told = {"sent_at": at.isoformat(), "provider_id": provider_id}
        events.record_all(
            [
                ("message.sent", accounts[one.message.account_id], outbox.about(one.message, **told, **_of(one)))
                for one in those
                if one.message.pk in open_
            ],
            now=now,
        )


def put_back(those: Sequence[Leaving], *, reason: str, until: datetime | None, now: datetime) -> None:
    """Let messages that nobody took wait again; they are judged anew before the next try."""
    keys = [one.message.pk for one in those]
    with transaction.atomic():
        accounts = _locked_accounts(those)
        Message.objects.filter(pk__in=keys, status=Message.Status.QUEUED).update(
            status=Message.Status.HELD, reason=reason
        )
        Recipient.objects.filter(message__in=keys).update(status=Recipient.Status.WAITING, next_at=until, reason=reason)
        events.record_all(
            [
                ("message.held", accounts[one.message.account_id], outbox.about(one.message, reason=reason, **_of(one)))
                for one in those
            ],
            now=now,
        )


@transaction.atomic
def leave_out(those: Sequence[Leaving], *, reason: str, now: datetime) -> None:
    """Keep messages back that nobody took, and write to these accounts no more."""
    if not those:
        return
    put_back(those, reason=reason, until=None, now=now)
    for one in those:
        one.recipient.status, one.recipient.reason = Recipient.Status.LEFT_OUT, reason
        one.recipient.save(update_fields=["status", "reason"])


def _of(one: Leaving) -> dict[str, str]:
    return {"campaign": str(one.recipient.campaign_id)}


def _locked_accounts(those: Sequence[Leaving]) -> dict:
    """Lock the accounts in the order of their ids and give them as they are in hand, with their events counted."""
    mine = {one.message.account_id: one.message.account for one in those}
    for key, counted in _counted(list(mine)):
        mine[key].event_seq = counted
    return mine


@known
def _counted(accounts: Sequence[UUID]) -> QuerySet:
    rows = Account.objects.select_for_update(no_key=True).filter(pk__in=accounts).order_by("pk")
    return rows.values_list("pk", "event_seq")
