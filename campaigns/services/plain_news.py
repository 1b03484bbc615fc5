"""Apply what moves nothing but a message by sets: one statement for a thousand events, in their order.

`track` applies everything else one by one, and these as well where their message has anything else among its news.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import events
from accounts.bulk import update_rows
from accounts.known import known
from accounts.models import Account
from campaigns import channels
from campaigns.channels import News
from campaigns.models import MailEvent, Message
from campaigns.services import outbox

PLAIN = frozenset({"accepted", "delivered", "opened", "clicked"})
"""News that move nothing but the message. Whatever touches an address or a campaign goes one by one."""
OUR_TOKEN = re.compile(r"(/(?:stop|m)/)[^/\s]+")
Status = Message.Status


@known
def _waiting(keys: Sequence[UUID]) -> QuerySet[MailEvent]:
    rows = MailEvent.objects.select_related("provider").select_for_update(skip_locked=True, of=("self",))
    return rows.filter(pk__in=keys, applied_at=None).order_by("pk")


def apply(keys: Sequence[UUID], *, now: datetime) -> set[UUID]:
    """Apply the plain news of messages that left; all news of a message are applied here, in order, or none."""
    with transaction.atomic():
        told: dict[UUID, list[tuple[MailEvent, News]]] = {}
        for row in _waiting(keys):
            if (news := _plainly(row)) is not None:
                told.setdefault(UUID(news.message), []).append((row, news))
        told = {key: rows for key, rows in told.items() if all(_is_plain(news) for _row, news in rows)}
        messages = _locked(told)
        facts, at, moved, applied = [], [], set(), []
        for key, message in messages.items():
            for row, news in told[key]:
                row.applied_at, row.outcome = now, news.outcome
                applied.append(row)
                when = min(news.at, now)
                if (more := _said(message, news, when)) is not None:
                    facts.append((f"message.{news.kind}", message.account, outbox.about(message, **more)))
                    at.append(when)
                    moved.add(key)
        update_rows(Message, [messages[key] for key in moved], ("status", "reason", "opened_at", "clicked_at"))
        events.record_all(facts, now=now, at=at)
        update_rows(MailEvent, applied, ("applied_at", "outcome"))
    return {row.pk for row in applied}


def _plainly(row: MailEvent) -> News | None:
    """Read news that name a message by our own id; whatever is odd about them is found out one by one."""
    try:
        news = channels.provider(row.provider.backend).read(body=row.body, signing_key=row.provider.signing_key)
        UUID(news.message)
    except (ValueError, LookupError):
        return None
    return news


def _is_plain(news: News) -> bool:
    return news.kind in PLAIN and not news.lost


@known
def _left(keys: Sequence[UUID]) -> QuerySet:
    left = Message.objects.filter(pk__in=keys).exclude(account=None).exclude(sent_at=None)
    return left.values_list("pk", "account_id")


@known
def _accounts_to_lock(keys: Sequence[UUID]) -> QuerySet[Account]:
    return Account.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")


@known
def _to_lock(keys: Sequence[UUID]) -> QuerySet[Message]:
    rows = Message.objects.select_related("contact_point").select_for_update(of=("self",))
    return rows.filter(pk__in=keys).order_by("pk")


def _locked(keys: Iterable[UUID]) -> dict[UUID, Message]:
    """Lock messages that left, about accounts, their accounts first, in the order of their ids as everybody does."""
    wanted = dict(_left(list(keys)))
    accounts = {account.pk: account for account in _accounts_to_lock(list(set(wanted.values())))}
    found = {}
    for message in _to_lock(list(wanted)):
        message.account = accounts[message.account_id]
        found[message.pk] = message
    return found


def _said(message: Message, news: News, at: datetime) -> dict[str, str] | None:
    """Move a message by plain news; give what its event says, or None where it is no news."""
    if news.machine:
        return None
    match news.kind:
        case "delivered" if message.status == Status.SENT:
            message.status, message.reason = Status.DELIVERED, ""
            return {}
        case "opened" if message.opened_at is None:
            message.opened_at = at
            return {}
        case "clicked" if message.clicked_at is None:
            message.clicked_at = at
            return {"url": shown(news.url)}
    return None


def shown(url: str) -> str:
    """Give an address without what follows the question mark, and without our tokens."""
    return OUR_TOKEN.sub(r"\1", url.partition("?")[0])
