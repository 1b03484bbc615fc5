"""Record what became of a batch that was executed outside: payments, ledger, post-dates, each item once.

Interrupted it is begun again. Lock order: the account, then the item.
"""

from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Count, Sum

from accounts import events
from accounts.models import Account
from payments.models import BatchItem, Payment, PaymentBatch, Postdate
from payments.processors import Outcome
from payments.rules import returns
from payments.services import consequences, incidents, ledger, life, moves, reversals, settle
from payments.services.batches import Item, Status, no, standing_items, tell
from payments.services.locks import lock_account
from payments.services.sign import Refused


def post(*, batch: PaymentBatch, by: str, now: datetime) -> PaymentBatch:
    """Record what became of an exported batch: payments, ledger, post-dates. Interrupted, it is begun again.

    :raises Refused: the batch was not exported.
    """
    found = PaymentBatch.objects.get(pk=batch.pk)
    if found.status == Status.POSTED:
        return found
    if found.status != Status.EXPORTED:
        raise Refused([no("batch_not_exported")])
    for pk in list(standing_items(found).values_list("pk", flat=True)):
        _post_item(pk, now)
    with transaction.atomic():
        found = PaymentBatch.objects.select_for_update().get(pk=batch.pk)
        if found.status == Status.EXPORTED:
            found.status, found.posted_at = Status.POSTED, now
            found.save()
            failed = standing_items(found).filter(status=Item.FAILED)
            sums = failed.aggregate(count=Count("pk"), cents=Sum("amount_cents"))
            tell("batch.posted", found, now, by=by, failed_count=sums["count"], failed_cents=sums["cents"] or 0)
    return found


@transaction.atomic
def _post_item(pk: UUID, now: datetime) -> None:
    """Record one item under its account's lock; one that is recorded already changes nothing."""
    account = lock_account(BatchItem.objects.values_list("account_id", flat=True).get(pk=pk))
    joined = BatchItem.objects.select_related("batch", "payment", "postdate__arrangement", "postdate__method")
    item = joined.select_for_update(of=("self",)).get(pk=pk)
    failed = item.status == Item.FAILED
    if item.status == Item.POSTED or (failed and item.payment and item.payment.status != Payment.Status.PENDING):
        return
    if item.postdate is None:
        outcome = Outcome(status="declined", decline_code=item.reason) if failed else Outcome(status="succeeded")
        settle.record_outcome(payment_id=item.payment_id, outcome=outcome, now=now, origin="batch")
    else:
        item.payment = _payment_of(item, account, failed=failed, now=now)
    item.status = Item.FAILED if failed else Item.POSTED
    item.save()


def key_of_no(postdate_id: UUID) -> UUID:
    """Give the key of the try of a post-date that a batch says failed, until the host shows it (`mirror`)."""
    return uuid5(postdate_id, "batch")


def _shown(postdate: Postdate, *, since: datetime) -> Payment | None:
    """Find the try that failed as the host showed it before its batch was posted."""
    noes = Payment.objects.filter(postdate=postdate, executor="host", status=Payment.Status.DECLINED)
    return noes.filter(intended_at__gte=since).order_by("intended_at").first()


def _payment_of(item: BatchItem, account: Account, *, failed: bool, now: datetime) -> Payment:
    """Write the payment that a batch made of a post-date; the host may have shown it already."""
    postdate = Postdate.objects.select_for_update().get(pk=item.postdate_id)
    key = key_of_no(postdate.pk) if failed else postdate.pk
    if (known := Payment.objects.filter(idempotency_key=key).first()) is not None:
        return known
    if failed and (shown := _shown(postdate, since=item.batch.exported_at)) is not None:
        if returns.is_return(item.reason) and not returns.code_of(shown.network_decline_code, shown.decline_code):
            reversals.explained(shown, account, Outcome(status="declined", decline_code=item.reason), now)
        return shown
    plan = item.postdate.arrangement
    payment = Payment.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        method=item.postdate.method,
        authorization_id=plan.authorization_id,
        arrangement=plan,
        postdate=postdate,
        idempotency_key=key,
        request_hash="",
        kind=item.postdate.method.kind if item.postdate.method else "",
        executor="host",
        purpose="parts" if plan.kind == plan.Kind.SETTLEMENT else "plan",
        amount_cents=item.amount_cents,
        currency=account.currency,
        status=Payment.Status.DECLINED if failed else Payment.Status.SUCCEEDED,
        decline_code=item.reason[:60] if failed else "",
        intended_at=now,
        decided_at=now,
    )
    stopped = postdate.status not in (Postdate.Status.SCHEDULED, Postdate.Status.TAKEN)
    wanted = Postdate.Status.FAILED if failed else Postdate.Status.TAKEN
    if postdate.status != wanted and not (failed and postdate.status not in Postdate.OPEN):
        postdate.status, postdate.decided_at = wanted, now
        postdate.save(update_fields=["status", "decided_at"])
    about = {"origin": "batch", "batch": item.batch.number, "number": postdate.number, "way": item.batch.method}
    kind = "payment.declined" if failed else "payment.succeeded"
    if not failed:
        ledger.book(payment, cents=payment.amount_cents, against="host", reason="payment", now=now)
    events.record(kind, account=account, now=now, data=moves.snapshot(payment, account, now, **about))
    if stopped and not failed:
        incidents.open(
            kind="charged_after_stop",
            key=str(payment.pk),
            severity="urgent",
            now=now,
            account=account,
            payment=payment,
            data=about,
        )
    life.after_money(account=account, now=now)
    if failed and payment.kind == Payment.Kind.ACH and returns.is_return(item.reason):
        consequences.after_return(payment, account=account, now=now)
    return payment
