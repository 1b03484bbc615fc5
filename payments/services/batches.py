"""Payments that are executed outside the portal: collected by method and day, reviewed, approved, exported, posted.

An item is in one batch only, ever (a constraint says so too); what is taken out of a batch is held with its reason, so
that nobody forgets it. The totals of a batch are counted from its items at every step. Lock order when money is
posted: the account, then the item. `batch_files` writes the file.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime
from itertools import chain
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Sum

from accounts import events
from accounts.calendars import add_business_days, fed, local_date, roll_forward
from accounts.models import Account
from accounts.refusals import Refusal, gettext_noop, refuse
from accounts.services import people
from accounts.tenancy import acting
from payments.models import BatchItem, Payment, PaymentBatch, Postdate
from payments.rules.gates import handover_gates, notice_gates
from payments.services import incidents, items, ready
from payments.services.locks import lock_account
from payments.services.sign import Refused

__all__ = ["Refused", "add", "approve", "cancel", "collect", "fail", "move", "problems", "remove", "reopen"]

file_hosts: Callable[[], Collection[UUID]] | None = None
"""Port: the connections of the acting agency whose host takes files, not calls. Empty: only what staff add by hand.

What a host is told at once must never lie in a batch as well: it would be executed twice.
"""


def in_files(account: Account) -> bool:
    """Tell whether what the host of this account executes reaches it in batches."""
    return file_hosts is not None and account.connection_id in file_hosts()


Status = PaymentBatch.Status
Item = BatchItem.Status
BY_HAND = (PaymentBatch.Method.CHECK, PaymentBatch.Method.CASH)
MOST_ITEMS = 10_000
"""What one person can still review, and one file of a bank takes."""
LATER_AT_MOST = 2
"""Banking days an item may be moved; more is a change of date that owes a notice of seven days (ACH-08)."""
TAKEN_OUT = "taken_out_of_batch"

_SENTENCES = {
    "batch_nothing_due": gettext_noop("Nothing is due that a batch could take."),
    "batch_not_open": gettext_noop("This batch is not open any more."),
    "batch_not_approved": gettext_noop("This batch must be approved first."),
    "batch_not_exported": gettext_noop("This batch must be exported first."),
    "batch_empty": gettext_noop("There is no payment in this batch."),
    "batch_not_empty": gettext_noop("Take the payments out first, each with its reason."),
    "batch_reason_missing": gettext_noop("Say why."),
    "batch_second_person": gettext_noop("Another person than those who made and edited this batch must approve it."),
    "batch_item_gone": gettext_noop("This payment is not in the batch any more."),
    "batch_item_elsewhere": gettext_noop("This payment is or was in a batch: it can be in one only, ever."),
    "batch_item_executed_elsewhere": gettext_noop("This payment is executed without a batch."),
    "batch_item_not_ready": gettext_noop("%(reference)s cannot be executed now: %(why)s."),
    "batch_date_too_early": gettext_noop("A payment is never executed before its date, %(due_on)s."),
    "batch_date_needs_notice": gettext_noop(
        "After %(latest_on)s the consumer needs a notice: take the payment out and change the plan instead."
    ),
}


def no(code: str, field: str | None = None, **params: object) -> Refusal:
    """Make a refusal of this module."""
    return refuse(_SENTENCES[code], code, field=field, **params)


def collect(*, method: str, until: date, by: str, now: datetime) -> PaymentBatch:
    """Open a batch with everything of a method due up to a day that hosts by file execute.

    Checks and cash come in by hand (`add`), so their batch begins empty.

    :raises Refused: nothing is due; nothing is written.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Numbers without gaps: whoever comes second waits here.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('payment batches of ' || %s))", [acting()])
        last = PaymentBatch.objects.order_by("-number").values_list("number", flat=True).first() or 0
        batch = PaymentBatch.objects.create(
            number=last + 1, method=method, due_until=until, created_by=by, created_at=now
        )
        if method not in BY_HAND:
            _gather(batch, until, now)
        _tie(batch)
        if method not in BY_HAND and not batch.items_count:
            raise Refused([no("batch_nothing_due")])
        tell("batch.created", batch, now)
    return batch


def _gather(batch: PaymentBatch, until: date, now: datetime) -> None:
    hosts = list(file_hosts()) if file_hosts is not None else []
    fitting = {"executor": "host", "account__connection_id__in": hosts, "batch_items": None}
    planned = Postdate.objects.filter(
        status=Postdate.Status.SCHEDULED, method__kind=batch.method, due_on__lte=until, **fitting
    ).select_related("account__consumer")
    waiting = Payment.objects.filter(
        status=Payment.Status.PENDING, kind=batch.method, postdate=None, acknowledged_at=None, **fitting
    ).select_related("account__consumer")
    found = [*planned.order_by("due_on", "pk")[:MOST_ITEMS], *waiting.order_by("pk")[:MOST_ITEMS]][:MOST_ITEMS]
    BatchItem.objects.bulk_create([_item(batch, one, now) for one in found], ignore_conflicts=True)


def _item(batch: PaymentBatch, one: Postdate | Payment, now: datetime) -> BatchItem:
    day = local_date(now, one.account.consumer.time_zone)
    if isinstance(one, Postdate):
        day = max(day, one.due_on)
    return BatchItem(
        batch=batch,
        account_id=one.account_id,
        postdate=one if isinstance(one, Postdate) else None,
        payment=one if isinstance(one, Payment) else None,
        amount_cents=one.amount_cents,
        on=roll_forward(day, fed) if batch.method == "ach" else day,
        added_at=now,
    )


def add(*, batch: PaymentBatch, postdate: Postdate, by: str, now: datetime) -> BatchItem:
    """Put a check or cash that came in for a payment which the consumer makes by themselves into an open batch.

    :raises Refused: the batch is not open, or the item is executed otherwise, decided, or in a batch already.
    """
    with transaction.atomic():
        found = _open(batch)
        one = Postdate.objects.select_related("account__consumer").get(pk=postdate.pk)
        if one.executor != "consumer" or found.method not in BY_HAND or one.status != Postdate.Status.SCHEDULED:
            raise Refused([no("batch_item_executed_elsewhere")])
        item = _item(found, one, now)
        item.changed_by, item.on = by, local_date(now, one.account.consumer.time_zone)
        made = BatchItem.objects.bulk_create([item], ignore_conflicts=True)
        if not BatchItem.objects.filter(pk=made[0].pk).exists():
            raise Refused([no("batch_item_elsewhere")])
        _edited(found, by)
        _tie(found)
    return made[0]


def remove(*, item: BatchItem, reason: str, by: str, now: datetime) -> BatchItem:
    """Take an item out, with the reason; what the host should have executed is held until somebody decides.

    :raises Refused: the batch is not open, the item is out already, or the reason is missing.
    """
    reason = " ".join(reason.split())
    with transaction.atomic():
        account = lock_account(item.account_id)
        batch = _open(item.batch)
        found = _in(item)
        if not reason:
            raise Refused([no("batch_reason_missing", "reason")])
        found.removed_at, found.removed_by, found.reason = now, by, reason[:300]
        found.save()
        _edited(batch, by)
        _tie(batch)
        if found.postdate is not None and found.postdate.executor == "host":
            items.hold_all([found.postdate], TAKEN_OUT, account=account, now=now)
        elif found.payment is not None:
            about = {"batch": batch.number, "reason": reason[:300]}
            key = str(found.payment_id)
            incidents.open(kind=TAKEN_OUT, key=key, now=now, account=account, payment=found.payment, data=about)
    return found


def move(*, item: BatchItem, on: date, by: str, now: datetime) -> BatchItem:
    """Execute an item some days later: never before its date, and not so late that a notice is owed (ACH-08).

    :raises Refused: the batch is not open, or the day cannot be.
    """
    with transaction.atomic():
        batch = _open(item.batch)
        found = _in(item)
        today = local_date(now, found.account.consumer.time_zone)
        due_on = found.postdate.due_on if found.postdate else today
        latest_on = add_business_days(max(due_on, today), LATER_AT_MOST, fed)
        day = roll_forward(on, fed) if batch.method == "ach" else on
        if day < max(due_on, today):
            raise Refused([no("batch_date_too_early", "on", due_on=max(due_on, today))])
        if day > latest_on:
            raise Refused([no("batch_date_needs_notice", "on", latest_on=latest_on)])
        found.on, found.changed_by = day, by
        found.save()
        _edited(batch, by)
    return found


def approve(*, batch: PaymentBatch, by: str, now: datetime) -> PaymentBatch:
    """Approve a reviewed batch; nobody approves what they made or edited.

    :raises Refused: with every reason, and every item that cannot be executed now.
    """
    with transaction.atomic():
        found = _open(batch)
        refusals = [] if found.items_count else [no("batch_empty")]
        # An item says its last hand only; what was open before batches kept every hand says no more.
        last = chain.from_iterable(found.items.values_list("removed_by", "changed_by").distinct())
        if not people.is_another(by, found.created_by, *found.hands, *last):
            refusals.append(no("batch_second_person"))
        refusals += not_ready(found, now=now)
        if refusals:
            raise Refused(refusals)
        found.status, found.approved_by, found.approved_at = Status.APPROVED, by, now
        found.save()
        tell("batch.approved", found, now)
    return found


def reopen(*, batch: PaymentBatch, now: datetime) -> PaymentBatch:
    """Open an approved batch for editing again; it needs a new approval.

    :raises Refused: it is not approved, or was exported.
    """
    with transaction.atomic():
        found = PaymentBatch.objects.select_for_update().get(pk=batch.pk)
        if found.status != Status.APPROVED:
            raise Refused([no("batch_not_approved")])
        found.status, found.approved_by, found.approved_at = Status.OPEN, "", None
        found.save()
    return found


def cancel(*, batch: PaymentBatch, now: datetime) -> PaymentBatch:
    """End an open batch that nothing is in.

    :raises Refused: something is in it, or it is not open.
    """
    with transaction.atomic():
        found = _open(batch)
        if found.items_count:
            raise Refused([no("batch_not_empty")])
        found.status = Status.CANCELLED
        found.save()
    return found


def problems(batch: PaymentBatch, *, now: datetime) -> dict[UUID, list[str]]:
    """Say of each item of a batch that cannot be executed now why, by the codes of the gates."""
    items = list(standing_items(batch))
    planned = {str(one.postdate_id): one for one in items if one.postdate_id}
    said: dict[UUID, list[str]] = {}
    for row in ready.read(list(planned), now=now):
        facts = ready.facts_of(row, now=now)
        said[planned[row.pk].pk] = [one.code for one in (*handover_gates(facts), *notice_gates(facts))]
    for item in items:
        codes = said.setdefault(item.pk, [])
        if item.postdate and item.postdate.status != Postdate.Status.SCHEDULED:
            codes.append(f"postdate_{item.postdate.status}")
        elif item.payment and not item.postdate and item.payment.status != Payment.Status.PENDING:
            codes.append(f"payment_{item.payment.status}")
    return {pk: codes for pk, codes in said.items() if codes}


def not_ready(batch: PaymentBatch, *, now: datetime) -> list[Refusal]:
    """Make a refusal of each item that cannot be executed now."""
    found = problems(batch, now=now)
    names = dict(batch.items.filter(pk__in=found).values_list("pk", "account__reference"))
    return [no("batch_item_not_ready", reference=names[pk], why=", ".join(why)) for pk, why in found.items()]


def standing_items(batch: PaymentBatch):
    """List the items that are in a batch, in the order in which every file has them."""
    joined = BatchItem.objects.select_related("account", "postdate", "payment")
    return joined.filter(batch=batch, removed_at=None).order_by("on", "pk")


def fail(*, item: BatchItem, code: str, by: str, now: datetime) -> BatchItem:
    """Note that an exported item was not executed, and by which code; posting then records it as declined.

    :raises Refused: the batch is not exported, or the item is posted or out.
    """
    with transaction.atomic():
        batch = PaymentBatch.objects.select_for_update().get(pk=item.batch_id)
        if batch.status != Status.EXPORTED:
            raise Refused([no("batch_not_exported")])
        found = _in(item)
        if not (code := " ".join(code.split())):
            raise Refused([no("batch_reason_missing", "reason")])
        found.status, found.reason, found.changed_by = Item.FAILED, code[:60], by
        found.save()
    return found


def _open(batch: PaymentBatch) -> PaymentBatch:
    found = PaymentBatch.objects.select_for_update().get(pk=batch.pk)
    if found.status != Status.OPEN:
        raise Refused([no("batch_not_open")])
    return found


def _edited(batch: PaymentBatch, by: str) -> None:
    """Keep whose hand was on a batch, whoever comes after: none of them approves it."""
    if by not in batch.hands:
        batch.hands.append(by)
        batch.save(update_fields=["hands"])


def _in(item: BatchItem) -> BatchItem:
    joined = BatchItem.objects.select_related("postdate", "payment", "account__consumer")
    found = joined.select_for_update(of=("self",)).get(pk=item.pk)
    if found.removed_at is not None or found.status == Item.POSTED:
        raise Refused([no("batch_item_gone")])
    return found


def _tie(batch: PaymentBatch) -> None:
    """Count a batch's totals from its items."""
    sums = standing_items(batch).aggregate(count=Count("pk"), cents=Sum("amount_cents"))
    batch.items_count, batch.total_cents = sums["count"], sums["cents"] or 0
    batch.save(update_fields=["items_count", "total_cents"])


def tell(kind: str, batch: PaymentBatch, now: datetime, **more: object) -> None:
    """Tell a step of a batch with its totals."""
    about = {"batch": str(batch.pk), "number": batch.number, "method": batch.method, "status": batch.status}
    about |= {"items_count": batch.items_count, "total_cents": batch.total_cents, "sha256": batch.export_sha256}
    events.record(kind, now=now, data=about | more)
