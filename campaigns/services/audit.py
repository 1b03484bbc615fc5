"""Save every message of an agency for whoever audits it: what was said to whom, when, why not, at what cost (RF-37).

A page of messages is read at a time, whatever the range: an export holds no more than that.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import Event
from accounts.services.outreach import MESSAGE_MOMENTS
from campaigns.models import ContactDecision, MailProvider, Message, Recipient, TextProvider

CHUNK = 500
"""Messages read at once."""


def export(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    channel: str = "",
    template: str = "",
    status: str = "",
) -> Iterator[dict[str, Any]]:
    """Give every message of the acting agency as `MESSAGE_COLUMNS`, in the order of their ids.

    :param since: queued then or later; `until`: and before.
    :param template: what it is: a receipt, a code, an answer, or the kind of a campaign's template.
    """
    asked = Q()
    for name, value in (
        ("queued_at__gte", since),
        ("queued_at__lt", until),
        ("channel", channel),
        ("template", template),
        ("status", status),
    ):
        if value:
            asked &= Q(**{name: value})
    joined = Message.objects.filter(asked).select_related("contact_point", "account").order_by("pk")
    rates, after = _rates(), None
    while found := list((joined.filter(pk__gt=after) if after else joined).defer("html", "attachments")[:CHUNK]):
        yield from _rows(found, rates)
        after = found[-1].pk


def _rates() -> dict[str, int]:
    """Give what the providers in use charge for a thousand, in cents."""
    mail = MailProvider.objects.filter(is_active=True).first()
    carrier = TextProvider.objects.filter(is_active=True).first()
    return {"email": mail.cents_per_thousand if mail else 0, "text": carrier.cents_per_thousand if carrier else 0}


def _rows(found: Sequence[Message], rates: dict[str, int]) -> Iterator[dict[str, Any]]:
    keys = [one.pk for one in found]
    moments, campaigns = _moments(found), _campaigns(keys)
    denials: dict[UUID, list] = {}
    judged = ContactDecision.objects.filter(message__in=keys, allowed=False).order_by("at", "pk")
    for key, said in judged.values_list("message_id", "denials"):
        denials[key] = said
    for one in found:
        times, sent_by = moments[str(one.pk)], campaigns.get(one.pk, {})
        thousandths = rates[one.channel] * (max(one.segments, 1) if one.channel == "text" else 1)
        yield {
            "message": str(one.pk),
            "queued_at": one.queued_at.isoformat(),
            "sent_at": one.sent_at.isoformat() if one.sent_at else "",
            **{f"{name}_at": times.get(name, "") for name in MESSAGE_MOMENTS},
            "status": one.status,
            "reason": one.reason,
            "denials": [] if one.sent_at else denials.get(one.pk, []),
            "channel": one.channel,
            "stream": one.stream,
            "template": one.template,
            "template_version": sent_by.get("version", ""),
            "campaign": sent_by.get("campaign", ""),
            "language": one.language,
            "to": one.contact_point.masked,
            "account": str(one.account_id or ""),
            "reference": one.account.reference if one.account else "",
            "consumer": str(one.consumer_id),
            "provider_id": one.provider_id,
            "attempts": one.attempts,
            "segments": one.segments,
            "cost_cents": f"{thousandths / 1000:.3f}" if one.sent_at else "0.000",
            "fee_cents": 0,  # nobody pays for being written to (RF-24)
            "body_sha256": sent_by.get("body", ""),
        }


def _moments(found: Sequence[Message]) -> dict[str, dict[str, str]]:
    """Say when each thing befell these messages first, by their events."""
    keys, kinds = {str(one.pk) for one in found}, [f"message.{name}" for name in MESSAGE_MOMENTS]
    accounts = {one.account_id for one in found if one.account_id}
    people = {one.consumer_id for one in found if one.account_id is None}
    mine = Q(account__in=accounts) | Q(account=None, consumer__in=people)
    told = Event.objects.filter(mine, kind__in=kinds, occurred_at__gte=min(one.queued_at for one in found))
    times: dict[str, dict[str, str]] = defaultdict(dict)
    lines = told.order_by("pk").values_list("data__message", "kind", "occurred_at")
    for key, kind, at in lines.iterator(chunk_size=CHUNK):
        if key in keys:
            times[key].setdefault(kind.partition(".")[2], at.isoformat())
    return times


def _campaigns(keys: Sequence[UUID]) -> dict[UUID, dict[str, str]]:
    """Say by which campaign and by which version of its template these messages were written."""
    joined = Recipient.objects.filter(message__in=keys).values_list(
        "message_id", "campaign__name", "variant", "campaign__version_a__number", "campaign__version_b__number",
        "body_sha256",
    )  # fmt: skip
    return {
        key: {"campaign": name, "version": str(second if variant == "b" else first), "body": body}
        for key, name, variant, first, second, body in joined
    }
