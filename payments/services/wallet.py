"""The wallet: the cards and bank accounts a consumer keeps here, and the authorizations that use them.

Revoking and removing work at once (PDC-07, EFT-05): what is ours is cancelled in the same transaction, what the host
executes is held here and asked back. Lock order: accounts by id, then the method.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.models import Account, Consumer
from accounts.tenancy import acting_for
from payments.models import Arrangement, Authorization, Method, Payment, Postdate
from payments.services import authority, postdates
from payments.services.locks import lock_account
from payments.services.methods import wipe_acknowledged

FINISHED = (Account.Status.PAID, Account.Status.CLOSED, Account.Status.RECALLED)
"""What is paid or not ours any more needs no card and no bank account."""
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Consequences:
    """Say what ends with a method or an authorization: planned payments, their sum, the plans they belong to."""

    payments: int
    cents: int
    plans: tuple[Arrangement, ...]
    authorizations: tuple[Authorization, ...]

    @property
    def settling(self) -> bool:
        return any(plan.kind == Arrangement.Kind.SETTLEMENT for plan in self.plans)


def methods_of(consumer_id: UUID) -> QuerySet[Method]:
    """List what a consumer keeps here: cards stored with consent, and bank accounts that something was signed for."""
    signed = Q(authorizations__isnull=False) | Q(stored=True)
    kept = Q(kind=Method.Kind.CARD, stored=True) | (Q(kind=Method.Kind.ACH) & signed)
    rows = Method.objects.filter(kept, consumer_id=consumer_id, removed_at=None).distinct()
    return rows.order_by("-is_default", "-created_at")


def planned_with(authorizations: list[Authorization]) -> QuerySet[Postdate]:
    """List what these authorizations would still let somebody take."""
    rows = Postdate.objects.filter(arrangement__authorization__in=authorizations, status__in=Postdate.OPEN)
    return rows.exclude(method=None).select_related("arrangement")


def _live(method: Method) -> list[Authorization]:
    """List the authorizations that end with a method: what was signed for it, or now charges it."""
    signed = Q(method=method) | Q(arrangements__postdates__method=method, arrangements__status__in=Arrangement.LIVE)
    return list(Authorization.objects.filter(signed, revoked_at=None).distinct().order_by("account_id", "pk"))


def is_helpers(authorization: Authorization) -> bool:
    """Tell whether somebody else signed it, by a link: their name and card are not the consumer's to read."""
    return authorization.evidence.get("channel") == "helper"


def consequences(*, method: Method | None = None, authorization: Authorization | None = None) -> Consequences:
    """Say what would end, before anybody confirms it."""
    live = _live(method) if method is not None else [authorization]
    planned = list(planned_with(live))
    plans = {item.arrangement_id: item.arrangement for item in planned}
    return Consequences(len(planned), sum(item.amount_cents for item in planned), tuple(plans.values()), tuple(live))


@transaction.atomic
def make_default(*, method: Method, now: datetime) -> None:
    """Make a method the one that is proposed first; the consumer's lock keeps it the only one."""
    Consumer.objects.select_for_update(no_key=True).only("pk").get(pk=method.consumer_id)
    if not methods_of(method.consumer_id).filter(pk=method.pk).exists():
        return
    Method.objects.filter(consumer_id=method.consumer_id, is_default=True).exclude(pk=method.pk).update(
        is_default=False
    )
    Method.objects.filter(pk=method.pk).update(is_default=True)


@transaction.atomic
def revoke(*, authorization: Authorization, by: str, now: datetime) -> int:
    """Revoke an authorization and cancel all that it would still let somebody take; return how many payments.

    A second time it changes nothing (PDC-07).
    """
    account = lock_account(authorization.account_id)
    row = Authorization.objects.select_for_update().get(pk=authorization.pk)
    if row.revoked_at is not None:
        return 0
    authority.revoke(row, account=account, by=by, now=now)
    planned = list(planned_with([row]))
    for item in planned:
        # What the host was asked for already is let go for good: `settle_cancel` sees the plan withdrawn.
        if item.status != Postdate.Status.CANCEL_REQUESTED:
            postdates.request_cancel(postdate=item, now=now)
    return len(planned)


@transaction.atomic
def remove(*, method: Method, by: str, now: datetime) -> Method:
    """Remove a method: end the authorizations that use it, forget its numbers; a removed one stays removed.

    Numbers that a host still has to acknowledge are wiped with its answer.
    """
    live = _live(method)
    for account_id in sorted({row.account_id for row in live}):
        lock_account(account_id)
    row = Method.objects.select_for_update().get(pk=method.pk)
    if row.removed_at is not None:
        return row
    for authorization in live:
        revoke(authorization=authorization, by=by, now=now)
    _forget(row, by=by, reason="removed", now=now)
    return row


def _forget(row: Method, *, by: str, reason: str, now: datetime) -> None:
    row.removed_at, row.is_default, row.stored = now, False, False
    row.save(update_fields=["removed_at", "is_default", "stored"])
    if row.kind == Method.Kind.ACH:
        wipe_acknowledged(method_id=row.pk, now=now)
    about = {"method": str(row.pk), "kind": row.kind, "brand": row.brand, "last4": row.last4, "by": by}
    events.record("method.removed", consumer=row.consumer_id, now=now, data=about | {"reason": reason})


def forget_finished(*, now: datetime, limit: int = CHUNK) -> int:
    """Delete what is stored for accounts that are all paid, closed or recalled (all agencies); return how many.

    Nothing may be on its way: a bank can still return a payment, a host may still ask for the account.
    """
    open_ = Authorization.objects.exclude(account__status__in=FINISHED).values("method_id")
    on_its_way = Payment.objects.filter(status__in=[Payment.Status.INTENDED, Payment.Status.PENDING])
    done = (
        Method.objects.filter(removed_at=None, authorizations__isnull=False)
        .exclude(pk__in=open_)
        .exclude(pk__in=on_its_way.exclude(method=None).values("method_id"))
        .exclude(pk__in=Postdate.objects.filter(status__in=Postdate.OPEN).exclude(method=None).values("method_id"))
        .distinct()
    )
    forgotten = 0
    for agency_id, pk in list(done.values_list("agency_id", "pk")[:limit]):
        with acting_for(agency_id), transaction.atomic():
            row = Method.objects.select_for_update().get(pk=pk)
            if row.removed_at is None:
                _forget(row, by="system", reason="finished", now=now)
                forgotten += 1
    return forgotten
