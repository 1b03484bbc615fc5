"""The file of a batch: a list for collectors, one for a check printer, or a NACHA file for a bank.

Bank numbers are opened here and go nowhere but into the bytes. A file is given once with its SHA-256; asked for again
it is written anew and given only if it is the same to the byte.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Agency
from accounts.money import format_cents
from accounts.refusals import Refusal, gettext_noop, refuse
from payments.models import AchOrigin, Authorization, BatchItem, Method, PaymentBatch
from payments.rules import nacha
from payments.services import batches
from payments.services.sign import Refused

Format, Status = PaymentBatch.Format, PaymentBatch.Status
FORMATS = {"ach": (Format.NACHA, Format.CHECKS, Format.CSV)}
"""What each method can be written as; anything else is a list."""
EXTENSIONS = {Format.CSV: "csv", Format.CHECKS: "csv", Format.NACHA: "ach"}
LIST = ("item", "reference", "client", "name", "date", "amount", "currency", "method", "last4", "number", "of")
CHECKS = ("item", "date", "pay_from", "routing", "account", "type", "amount", "memo")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would carry out a cell that begins so."""
REFERENCE_LENGTH = 15

_SENTENCES = {
    "batch_format_unknown": gettext_noop("A batch of this method cannot be written in this format."),
    "batch_exported_otherwise": gettext_noop("This batch was exported in another format: one file only is executed."),
    "batch_export_changed": gettext_noop(
        "The file would not be the one that was given before, so it is not given again."
    ),
    "batch_origin_missing": gettext_noop("Say first who the agency is to its bank."),
    "batch_cannot_write": gettext_noop("The file cannot be written: %(why)s"),
}


def _no(code: str, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, **params)


def formats(batch: PaymentBatch) -> Sequence[str]:
    """List what a batch can be written as, the usual one first; once exported, that format only."""
    return (batch.export_format,) if batch.export_format else FORMATS.get(batch.method, (Format.CSV,))


def name_of(batch: PaymentBatch) -> str:
    """Give the file's name."""
    return f"batch-{batch.number}-{batch.method}.{EXTENSIONS[Format(batch.export_format)]}"


def export(*, batch: PaymentBatch, format: str, by: str, now: datetime) -> bytes:
    """Write the file of an approved batch and note its hash, or give the same file again.

    :raises Refused: not approved, an item cannot be executed now, or the file would differ from the one given before.
    """
    with transaction.atomic():
        found = PaymentBatch.objects.select_for_update().get(pk=batch.pk)
        if found.status not in (Status.APPROVED, Status.EXPORTED, Status.POSTED):
            raise Refused([batches.no("batch_not_approved")])
        if format not in FORMATS.get(found.method, (Format.CSV,)):
            raise Refused([_no("batch_format_unknown")])
        if found.status != Status.APPROVED:
            return _again(found, format)
        if refusals := batches.not_ready(found, now=now):
            raise Refused(refusals)
        body = _write(found, format, now)
        found.status, found.exported_at, found.exported_by, found.export_format = Status.EXPORTED, now, by, format
        found.export_sha256 = hashlib.sha256(body).hexdigest()
        found.save()
        batches.tell("batch.exported", found, now, format=format)
    return body


def _again(batch: PaymentBatch, format: str) -> bytes:
    if format != batch.export_format:
        raise Refused([_no("batch_exported_otherwise")])
    assert batch.exported_at is not None, "it was exported"
    body = _write(batch, format, batch.exported_at)
    if hashlib.sha256(body).hexdigest() != batch.export_sha256:
        raise Refused([_no("batch_export_changed")])
    return body


def _write(batch: PaymentBatch, format: str, at: datetime) -> bytes:
    joined = batches.standing_items(batch).select_related(
        "account__client", "account__consumer", "postdate__method", "postdate__arrangement", "payment__method"
    )
    items = list(joined)
    if format == Format.NACHA:
        return _nacha(batch, items, at).encode("ascii")
    row, head = (_check_row, CHECKS) if format == Format.CHECKS else (_list_row, LIST)
    return _csv(head, [row(batch, item) for item in items])


def _csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode("utf-8")


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _list_row(batch: PaymentBatch, item: BatchItem) -> tuple:
    """Tell one payment without any number: who executes it holds the numbers already."""
    account, method, planned = item.account, _method(item), item.postdate
    return (
        str(item.postdate_id or item.payment_id),
        account.reference,
        account.client.number,
        f"{account.consumer.first_name} {account.consumer.last_name}".strip(),
        item.on.isoformat(),
        f"{item.amount_cents // 100}.{item.amount_cents % 100:02d}",
        account.currency.upper(),
        batch.method,
        method.last4 if method else "",
        planned.number if planned else "",
        planned.of if planned else "",
    )


def _check_row(batch: PaymentBatch, item: BatchItem) -> tuple:
    method = _sealed(item)
    return (
        str(item.postdate_id or item.payment_id),
        item.on.isoformat(),
        method.holder,
        method.routing,
        method.number,
        method.account_type,
        f"{item.amount_cents // 100}.{item.amount_cents % 100:02d}",
        f"{item.account.reference} {format_cents(item.amount_cents, item.account.currency)}",
    )


def _nacha(batch: PaymentBatch, items: Sequence[BatchItem], at: datetime) -> str:
    origin = AchOrigin.objects.first()
    if origin is None:
        raise Refused([_no("batch_origin_missing")])
    agency = Agency.objects.get(pk=batch.agency_id)
    signed = _authorizations(items)
    try:
        return nacha.write(
            origin=nacha.Origin(
                bank_routing=origin.bank_routing,
                bank_name=origin.bank_name,
                origin_name=origin.origin_name,
                company_name=origin.company_name,
                company_id=origin.company_id,
            ),
            entries=[_entry(item, signed[item.pk]) for item in items],
            made_at=at.astimezone(ZoneInfo(agency.time_zone)),
            file_id=nacha.FILE_IDS[(batch.number - 1) % len(nacha.FILE_IDS)],
        )
    except nacha.CannotWrite as error:
        raise Refused([_no("batch_cannot_write", why=str(error))]) from error


def _authorizations(items: Sequence[BatchItem]) -> dict:
    """Find what was signed for each item."""
    wanted = {
        item.pk: item.postdate.arrangement.authorization_id if item.postdate else item.payment.authorization_id
        for item in items
    }
    rows = Authorization.objects.in_bulk([pk for pk in wanted.values() if pk])
    return {item: rows.get(pk) for item, pk in wanted.items()}


def _entry(item: BatchItem, signed: Authorization | None) -> nacha.Entry:
    method, reference = _sealed(item), item.account.reference
    sec_code = signed.sec_code if signed else ""
    tried_again = item.postdate.tries > 0 if item.postdate else item.payment.retry_of is not None
    return nacha.Entry(
        routing=method.routing,
        number=method.number,
        account_type=method.account_type,
        amount_cents=item.amount_cents,
        reference=reference,
        name=method.holder,
        sec_code=sec_code,
        effective_on=item.on,
        recurring=signed is not None and signed.kind == "schedule",
        retry=tried_again,
        note=f"ACCOUNT {reference}" if len(reference) > REFERENCE_LENGTH and sec_code != "TEL" else "",
    )


def _method(item: BatchItem) -> Method | None:
    return item.postdate.method if item.postdate else item.payment.method


def _sealed(item: BatchItem) -> Method:
    method = _method(item)
    if method is None or not (method.routing and method.number):
        why = f"the bank numbers of {item.account.reference} are not here any more."
        raise Refused([_no("batch_cannot_write", why=why)])
    return method
