"""Permissions for hosts: they ask before they write, text or call, and the place is theirs for a while."""

from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from accounts.keys import email_key
from accounts.models import Account, ContactPoint
from accounts.services.outreach import HELD_FOR, Permission
from campaigns.models import ContactDecision
from campaigns.services import gate
from campaigns.services.gate import Asked


@transaction.atomic
def ask(
    *,
    account: Account,
    channel: str,
    purpose: str,
    address: str,
    offer_expires_on: date | None,
    by: str,
    now: datetime,
) -> Permission:
    """Judge one contact and hold its place; the account's lock lets one after the other ask (RF-09)."""
    held = Account.objects.select_for_update(no_key=True).select_related("consumer").get(pk=account.pk)
    asked = Asked(
        channel=channel,
        purpose=purpose,
        consumer=held.consumer,
        account=held,
        point=_point(held, channel, address),
        offer_expires_on=offer_expires_on,
    )
    judged = gate.judge([asked], now=now)
    (row,) = gate.record([asked], judged, by=by, now=now, expires_at=now + HELD_FOR)
    return Permission(
        id=row.pk,
        allowed=row.allowed,
        denials=row.denials,
        checked=row.checked,
        ask_again_at=row.hold_until,
        expires_at=row.expires_at,
        zones=row.zones,
    )


def settle(*, permission_id: UUID, outcome: str, now: datetime) -> bool:
    """Note what became of a permission: contacts made count from when they were asked about, others give way."""
    assert outcome in ("used", "conversation", "released"), outcome
    mine = ContactDecision.objects.filter(pk=permission_id, allowed=True, message=None)
    if mine.filter(outcome=outcome).exists():
        return True
    return bool(mine.filter(outcome=ContactDecision.Outcome.OPEN).update(outcome=outcome))


def _point(account: Account, channel: str, address: str) -> ContactPoint | None:
    """Find the address among the consumer's own; one that we do not know has no route (RF-12)."""
    if not address:
        return None
    kind = ContactPoint.Kind.EMAIL if channel == "email" else ContactPoint.Kind.PHONE
    points = ContactPoint.objects.filter(consumer_id=account.consumer_id, kind=kind)
    key = email_key(address) if kind == ContactPoint.Kind.EMAIL else address
    return points.filter(value_key=key).first()
