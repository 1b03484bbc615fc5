"""The inbox and the carrier as hosts see them through the API (the ports of accounts/services/talk.py)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from accounts.refusals import Refusal
from accounts.scope import acting
from campaigns.models import Conversation, MessageTemplate, TextProvider
from campaigns.services import carriers, inbox, templates

KEYS = ("token", "signing_key")
SHOWN = ("name", "backend", "account", "number", "api_url", "per_second", "keywords", "third_party")
SHOWN += ("permit", "registration", "approved_on", "cents_per_thousand", "is_active")


def conversations() -> QuerySet:
    """Give the agency's conversations."""
    return Conversation.objects.all()


def shown(row: Conversation) -> dict[str, Any]:
    """Give a conversation with its texts."""
    return all_shown([row])[0]


def all_shown(rows: Sequence[Conversation]) -> list[dict[str, Any]]:
    """Give conversations with their texts, read at once."""
    accounts, lines = inbox.accounts_of(rows), inbox.lines_of(rows)
    return [_shown(row, accounts.get(row.pk), lines[row.pk]) for row in rows]


def _shown(row: Conversation, account: Account | None, lines: list[inbox.Line]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "consumer": row.consumer_id,
        "account": account.pk if account else None,
        "number": row.number,
        "status": row.status,
        "assigned_to": row.assigned_to,
        "unread": row.unread,
        "last_at": row.last_at,
        "texts": [
            {
                "id": one.id,
                "at": one.at,
                "from_consumer": one.theirs,
                "channel": one.channel,
                "text": one.text,
                "status": one.status,
            }
            for one in lines
        ],
    }


def ways(row: Conversation, *, now: datetime) -> list[dict[str, Any]]:
    """Say by which media a conversation can be answered now, and what is against each."""
    return [
        {
            "channel": way.channel,
            "open": not way.closed,
            "not_before": way.judgement.until,
            "denials": [{"code": one.code, "rules": list(one.rules)} for one in way.judgement.denials],
        }
        for way in inbox.ways(conversation=row, now=now)
    ]


def reply(
    *, conversation_id: UUID, template: str, channel: str, key: str, by: str, now: datetime
) -> dict[str, Any] | list[Refusal] | None:
    """Answer in approved words, by the template's name."""
    row = Conversation.objects.select_related("consumer").filter(pk=conversation_id).first()
    if row is None:
        return None
    known = MessageTemplate.objects.filter(name=template, channel=channel, retired_at=None).first()
    version = templates.published(template=known) if known else None
    made = inbox.reply(conversation=row, version=version, key=key, by=by, now=now)
    return made if isinstance(made, list) else {"message": made.pk, "status": made.status, "text": made.text}


def settle(*, conversation_id: UUID, closed: bool, assigned_to: str) -> bool:
    """Close a conversation or open it again, and say whose it is."""
    row = Conversation.objects.filter(pk=conversation_id).first()
    if row is None:
        return False
    inbox.close(conversation=row, closed=closed)
    inbox.assign(conversation=row, to=assigned_to)
    return True


def revoke(*, conversation_id: UUID, wish: str, words: str, by: str, now: datetime) -> bool | list[Refusal] | None:
    """Write down what the consumer asked."""
    row = Conversation.objects.select_related("consumer").filter(pk=conversation_id).first()
    return None if row is None else inbox.revoke(conversation=row, wish=wish, words=words, by=by, now=now)


def carrier() -> dict[str, Any]:
    """Give the carrier in use, without its keys; empty words where there is none."""
    row = carriers.active()
    own = {name: getattr(row or TextProvider(is_active=False), name) for name in SHOWN}
    return own | {"standing": carriers.standing(row), "inbound_url": carriers.hook_url(row) if row else ""}


@transaction.atomic
def put_carrier(values: Mapping[str, Any]) -> dict[str, Any] | list[Refusal]:
    """Set the carrier up, or change it; keys that are left out stay."""
    row = TextProvider.objects.select_for_update().filter(is_active=True).first() or TextProvider()
    row.agency_id = row.agency_id or UUID(acting())
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.full_clean(exclude=["agency"])
    except ValidationError as error:
        return [
            Refusal("invalid", " ".join(texts), name if name in (*SHOWN, *KEYS) else None)
            for name, texts in error.message_dict.items()
        ]
    row.save()
    return carrier()
