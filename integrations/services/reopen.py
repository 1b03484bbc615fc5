"""Whether a debt that ended here may be collected again because its host says so (RF-27).

A debt that was paid, settled or went into bankruptcy is not placed again by a push alone. It is when a payment of it
came back, when the host says why in the record, or when staff allowed it; a creditor's ledger keeps customers, whose
next invoice is another debt.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.models import Account, AccountPast, Event
from accounts.services.place import Outcome
from integrations.hosts import Told
from integrations.models import HostConnection
from payments.models import Arrangement, Payment
from payments.services import incidents
from payments.services.locks import lock_account
from payments.services.mirror import CHARGEBACK, REFUND, REVERSAL

PAID, BANKRUPT = Account.Status.PAID, Account.Status.BANKRUPTCY
PUT_ASIDE = (Account.Status.CLOSED, Account.Status.RECALLED)
"""Say nothing of why a debt ended: what it was before does."""
CAME_BACK = (Payment.Status.RETURNED, Payment.Status.CHARGED_BACK, Payment.Status.REFUNDED)
ALLOWED, REFUSED = "account.reopening_allowed", "reopening_refused"


class NotEnded(Exception):
    """Ask nothing: the debt did not end here."""


def refused(outcomes: Sequence[Outcome], told: Mapping[int, Told], *, customers: bool) -> list[Outcome]:
    """List those that must not be collected again.

    :param outcomes: of accounts that ended here and that their host calls open.
    :param customers: an account is a customer with invoices, not one debt.
    """
    return [
        one
        for one in outcomes
        if not (customers or one.placement.reopened)
        and (ended := ended_as(one.account))
        and not (ended == PAID and _came_back(one.account, told[id(one.placement)]))
        and not _allowed(one.account)
    ]


def ended_as(account: Account) -> str:
    """Say how a debt ended for good: `paid`, also when settled for less, or `bankruptcy`; empty: it did not."""
    if account.status not in PUT_ASIDE:
        return account.status if account.status in (PAID, BANKRUPT) else ""
    before = AccountPast.objects.filter(account=account).exclude(status__in=PUT_ASIDE).order_by("-until").first()
    if before is not None and before.status in (PAID, BANKRUPT):
        return before.status
    last = Arrangement.objects.filter(account=account).order_by("-accepted_at", "-pk").first()
    settled = last is not None and last.kind == "settlement" and last.status == Arrangement.Status.COMPLETED
    at_once = Payment.objects.filter(account=account, purpose="settlement", status=Payment.Status.SUCCEEDED)
    return PAID if settled or at_once.exists() else ""


def _came_back(account: Account, told: Told) -> bool:
    """Tell whether the money did not stay: our latest payment came back, or the host has news of one that did."""
    taken = Payment.objects.filter(account=account, status__in=(*Payment.COUNTED, *CAME_BACK))
    last = taken.order_by("-intended_at", "-pk").first()
    if last is not None and last.status in CAME_BACK:
        return True
    words = (CHARGEBACK, REVERSAL, REFUND)
    return any(line.status in words and line.updated_at > account.as_of for line in told.payments)


def _allowed(account: Account) -> bool:
    """Tell whether staff allowed it since the status last changed; the next change of status uses it up."""
    kinds = (ALLOWED, "account.status_changed", "account.placed")
    last = Event.objects.filter(account=account, kind__in=kinds).order_by("-account_seq").first()
    return last is not None and last.kind == ALLOWED


def tell(outcomes: Sequence[Outcome], *, connection: HostConnection, now: datetime) -> None:
    """Show staff what a host wanted to collect again, once while the matter is open."""
    for one in outcomes:
        if one.verdict == "finished":
            said = {"host_status": one.placement.host_status, "balance_cents": one.placement.balance_cents}
            said |= {"status": one.account.status, "connection": str(connection.pk)}
            incidents.open(kind=REFUSED, key=str(one.account.pk), account=one.account, data=said, now=now)


@transaction.atomic
def allow(*, account_id: UUID, by: str, reason: str, now: datetime) -> bool:
    """Let the host's next push collect a debt again that ended here; False where it may already.

    :raises NotEnded: nobody needs to allow anything.
    """
    account = lock_account(account_id)
    if not ended_as(account):
        raise NotEnded(account.reference)
    if _allowed(account):
        return False
    events.record(ALLOWED, account=account, now=now, data={"by": by, "reason": reason, "status": account.status})
    return True
