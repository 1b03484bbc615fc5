"""What follows when a bank sends a debit back, says what changed, or a network refuses a card.

Called by the door of outcomes (`settle`) in its transaction, under the lock of the payment's account. What stands in
the tables of `rules.returns` and `rules.declines` is written down here: the plan, the card or bank account, what staff
must look at. Plans of other accounts that use the same bank account follow after the commit, one by one.
"""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.models import Account
from payments.models import Arrangement, Method, Payment, Postdate
from payments.rules import declines, returns
from payments.services import announced, authority, incidents, items, life, meters, tries
from payments.services.locks import lock_account

UNTOLD = "return"
"""Holds what is planned after a return whose code nobody said."""


def after_no(payment: Payment, *, account: Account, now: datetime) -> None:
    """Carry out what follows from a no of whoever was asked to pay, by card or by bank."""
    if payment.kind == Method.Kind.ACH:
        after_return(payment, account=account, now=now)
    else:
        after_decline(payment, account=account, now=now)


def after_return(payment: Payment, *, account: Account, now: datetime) -> None:
    """Carry out the row of a return's code; the payment has its codes and its new status already."""
    code = returns.code_of(payment.network_decline_code, payment.decline_code)
    row, reason = returns.of(code), f"{UNTOLD}_{code}" if code else UNTOLD
    method = payment.method
    if method is not None:
        _end_method(method, row.method, code, account=account, now=now)
        _plan(method, row.plan, reason, account=account, now=now)
        if row.method == returns.REVOKE:
            authority.revoke(payment.authorization, account=account, by="bank", now=now)
    if row.incident:
        incidents.open(
            kind=row.incident,
            key=str(payment.pk),
            severity=row.severity,
            now=now,
            account=account,
            payment=payment,
            data={"code": code, "meaning": row.meaning, "amount_cents": payment.amount_cents},
        )
    transaction.on_commit(partial(meters.check, now=now))
    if method is not None and row.method in (returns.BLOCK, returns.REMOVE):
        transaction.on_commit(partial(stop_unusable, now=now))


def after_late_word(payment: Payment, *, account: Account, now: datetime) -> None:
    """Carry out the row of a code that was said after its return; what waited for it waits now for what the row says.

    So it goes on where the row lets it, and where the plan rests, with the end of that rest.
    """
    after_return(payment, account=account, now=now)
    row = returns.of(returns.code_of(payment.network_decline_code, payment.decline_code))
    if payment.method is None or row.plan == returns.HOLD:
        return
    joined = Postdate.objects.select_related("method__processor_account", "arrangement")
    waiting = joined.filter(account=account, method__in=same_means(payment.method), held_for=UNTOLD)
    if row.plan == returns.PAUSE:
        # A broken plan does not rest: made good, it would go on although nobody looked.
        waiting = waiting.exclude(arrangement__status=Arrangement.Status.BROKEN)
    missed = items.release_all(waiting.order_by("due_on"), UNTOLD, account=account, now=now)
    announced.tell_missed(missed, account=account, now=now)


def after_decline(payment: Payment, *, account: Account, now: datetime) -> None:
    """Carry out the class of a card's decline."""
    method = payment.method
    if method is None or method.kind != Method.Kind.CARD:
        return
    said = tries.explain(payment)
    follows = declines.of(said)
    # A card that nobody keeps has nothing to be mended later: the consumer is there and types it again.
    if follows.method != returns.UPDATE or method.stored:
        _end_method(method, follows.method, said.code, account=account, now=now)
    if follows.plan == returns.KEEP:
        return
    _plan(method, follows.plan, f"decline_{said.code}", account=account, now=now)
    if follows.revoke:
        authority.revoke(payment.authorization, account=account, by="bank", now=now)
    transaction.on_commit(partial(stop_unusable, now=now))


def same_means(method: Method) -> QuerySet[Method]:
    """List the agency's entries of the same card or bank account, whoever gave it."""
    same = Q(pk=method.pk)
    if method.fingerprint:
        same |= Q(kind=method.kind, fingerprint=method.fingerprint)
    return Method.objects.filter(same)


def _end_method(method: Method, action: str, code: str, *, account: Account, now: datetime) -> None:
    """Write down what becomes of a card or bank account, and tell it once."""
    if action in (returns.KEEP, returns.REVOKE):
        return
    about = {"method": str(method.pk), "kind": method.kind, "brand": method.brand, "last4": method.last4, "code": code}
    if action == returns.UPDATE:
        ask_for_update(method=method, code=code, account=account, now=now)
        return
    rows = same_means(method) if action == returns.BLOCK else Method.objects.filter(pk=method.pk)
    fresh = rows.filter(blocked_at=None).update(blocked_at=now, blocked_reason=code[:60])
    method.blocked_at, method.blocked_reason = method.blocked_at or now, method.blocked_reason or code[:60]
    if action == returns.REMOVE and method.removed_at is None:
        method.removed_at, method.is_default = now, False
        method.save(update_fields=["removed_at", "is_default"])
        events.record("method.removed", account=account, now=now, data=about | {"reason": code})
    elif fresh:
        events.record("method.blocked", account=account, now=now, data=about | {"reason": action})


def ask_for_update(*, method: Method, code: str, account: Account, now: datetime) -> None:
    """Note that a card or bank account must be put right before its next charge (ACH-13)."""
    if method.update_pending:
        return
    method.update_pending = {"code": code, "at": now.isoformat()}
    method.save(update_fields=["update_pending"])
    about = {"method": str(method.pk), "kind": method.kind, "last4": method.last4, "code": code, "pending": True}
    events.record("method.updated", account=account, now=now, data=about)


def _plan(method: Method, action: str, reason: str, *, account: Account, now: datetime) -> None:
    """Keep, hold, pause or cancel what is planned on one account, which is locked, from a card or bank account."""
    if action == returns.KEEP:
        return
    uses = Q(method__in=same_means(method)) | Q(
        postdates__method__in=same_means(method), postdates__status__in=Postdate.OPEN
    )
    running = Arrangement.objects.filter(uses, account=account, status__in=life.WATCHED).distinct()
    for row in running.order_by("pk"):
        if action == returns.CANCEL:
            life.cancel(arrangement=row, by="system", reason=reason, now=now)
        elif action == returns.PAUSE and row.status in Arrangement.LIVE:
            life.pause(account=account, until=None, reason=reason, now=now)
        else:
            joined = row.postdates.select_related("method__processor_account", "arrangement")
            mine = joined.filter(method__in=same_means(method)).order_by("due_on", "number")
            items.hold_all(mine, reason, account=account, now=now)


def stop_unusable(*, now: datetime) -> int:
    """Stop what other accounts still plan from a card or bank account that was ruled out; return how many accounts.

    Each account is a transaction of its own; run again it changes nothing, so that a run that was cut short is only
    run again. Until then the gates refuse every charge from it.
    """
    ruled_out = Postdate.objects.filter(status=Postdate.Status.SCHEDULED, method__blocked_at__isnull=False)
    accounts: dict[UUID, set[UUID]] = {}
    for account_id, method_id in ruled_out.order_by("account_id").values_list("account_id", "method_id"):
        accounts.setdefault(account_id, set()).add(method_id)
    for account_id, method_ids in accounts.items():
        with transaction.atomic():
            account = lock_account(account_id)
            for method in Method.objects.filter(pk__in=method_ids):
                code = method.blocked_reason
                action = returns.of(code).plan if method.kind == Method.Kind.ACH else returns.PAUSE
                _plan(method, action, f"method_{code}", account=account, now=now)
    return len(accounts)
