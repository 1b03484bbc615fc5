"""Say why a planned charge must be held now: one rule for whatever plans, holds and lets go.

A host charges what it holds and asks nobody. So this is read from what stands, never from what held an item before:
where one reason ends, the item stays held under the next (`items.release_all`).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import statuses
from accounts.known import known
from accounts.models import Account
from payments.models import Arrangement, Postdate
from payments.services.standstill import stands_still

Status = Arrangement.Status

BY_STATUS = "account_status"
"""What a hold is called that ends with the account's status."""
STILL = "dispute_open"
"""What it is called while collection stands still and the plan itself does not rest; the gates say the same code."""
PAUSED, REVIEW, BROKEN = "paused", "review", "arrangement_broken"
UPDATE_PENDING = "method_update_pending"
"""Holds what waits for a change to be applied; the gates say the same code."""
_ENDED = "arrangement_not_running"
_BY_PLAN = {
    Status.PAUSED: PAUSED,
    Status.REVIEW: REVIEW,
    Status.BROKEN: BROKEN,
    Status.COMPLETED: _ENDED,
    Status.CANCELLED: _ENDED,
}
_REVOKED, _REMOVED, _BLOCKED = "authorization_revoked", "method_not_live", "method_blocked"
STANDING = frozenset({BY_STATUS, STILL, UPDATE_PENDING, _REVOKED, _REMOVED, _BLOCKED, *_BY_PLAN.values()})
"""All that `standing` may say; what holds an item for any other reason is known by the item alone."""


def standing(planned: Sequence[Postdate], *, account: Account) -> dict[UUID, str]:
    """Say which of these items, whose account the caller has locked, must be held as things stand: why, by their ids.

    What the consumer pays by themselves is nobody's to hold.
    """
    charged = [item.pk for item in planned if item.method_id is not None]
    if not charged:
        return {}
    every = _by_account(account)
    found = {pk: _BY_PLAN.get(status) or every or _by_means(*means) for pk, status, *means in _facts(charged)}
    return {pk: why for pk, why in found.items() if why}


@known
def _facts(postdates: Sequence[UUID]) -> QuerySet:
    signed = ("arrangement__authorization__method", "arrangement__authorization__revoked_at")
    means = ("method", "method__removed_at", "method__blocked_at", "method__update_pending")
    return Postdate.objects.filter(pk__in=postdates).values_list("pk", "arrangement__status", *signed, *means)


def _by_account(account: Account) -> str:
    if statuses.of(account.status).charge != statuses.YES:
        return BY_STATUS
    return STILL if stands_still(account.pk) else ""


def _by_means(
    signed_for: UUID | None,
    revoked_at: datetime | None,
    method: UUID,
    removed_at: datetime | None,
    blocked_at: datetime | None,
    update: dict | None,
) -> str:
    # What was signed for another card or bank account ended what was signed for this one.
    if revoked_at or (signed_for and signed_for != method):
        return _REVOKED
    if removed_at:
        return _REMOVED
    if blocked_at:
        return _BLOCKED
    return UPDATE_PENDING if update else ""
