"""What is known against a card or bank account: ruled out by a bank or network, paused, or refused before."""

from django.db.models import QuerySet

from accounts.known import known
from payments.models import Method
from payments.rules import returns
from payments.rules.attempts import FailedAttempt
from payments.services import tries
from payments.services.means import Means


def ruled_out(means: Means) -> bool:
    """Tell whether a bank or network ruled this card or bank account out, here or for another of our consumers."""
    if means.method is not None and means.method.blocked_at is not None:
        return True
    return bool(means.fingerprint) and _ruling_out.exists(means.kind == Method.Kind.ACH, means.fingerprint)


def ruling_out(bank: bool, fingerprint: str) -> QuerySet[Method]:
    """List what rules it out: the same card, or the same bank account, wherever we know it."""
    kind = Method.Kind.ACH if bank else Method.Kind.CARD
    same = Method.objects.filter(kind=kind, fingerprint=fingerprint, blocked_at__isnull=False)
    if bank:
        # A closed account or a stopped payment rules out one entry of it; what was never authorized, all of them.
        same = same.filter(blocked_reason__in=returns.BLOCKING)
    return same


_ruling_out = known(ruling_out)


def debits_paused(means: Means | None) -> bool:
    """Tell whether new bank payments are paused at the merchant account of this bank account (ACH-11)."""
    method = means.method if means is not None and means.kind == Method.Kind.ACH else None
    merchant = method.processor_account if method is not None else None
    return merchant is not None and merchant.debits_paused_at is not None


def failed_attempts(means: Means) -> tuple[FailedAttempt, ...]:
    """List the agency's earlier failed tries with the same card or bank account (CARD-07, CARD-08).

    The consumer confirms a new payment each time, so none of them is a retry of the same item.
    """
    if not means.fingerprint:
        return ()
    return tuple(tries.attempts_with(kind=means.kind, fingerprint=means.fingerprint))
