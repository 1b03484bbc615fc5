"""Payment batches: collected, edited, approved, exported, posted by API, under the same second pair of eyes."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, file, one, refusing
from integrations.api.bodies import Day, Form, Id, Refuse, Text, Word
from integrations.api.document import operation
from integrations.api.money import WhyForm
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing
from payments.models import BatchItem, PaymentBatch, Postdate
from payments.services import batch_files, batch_posting, batches

FILE = "application/octet-stream"


class BatchShown(Shown):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    method = serializers.ChoiceField(PaymentBatch.Method.values)
    status = serializers.ChoiceField(PaymentBatch.Status.values)
    items_count = serializers.IntegerField()
    total_cents = serializers.IntegerField()
    due_until = serializers.DateField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    approved_by = serializers.CharField()
    approved_at = serializers.DateTimeField(allow_null=True)
    exported_at = serializers.DateTimeField(allow_null=True)
    export_format = serializers.CharField()
    export_sha256 = serializers.CharField()
    posted_at = serializers.DateTimeField(allow_null=True)


class BatchQuery(PageQuery):
    """Ask for batches."""

    status = serializers.ChoiceField(PaymentBatch.Status.values, required=False)
    method = serializers.ChoiceField(PaymentBatch.Method.values, required=False)


class ItemShown(Shown):
    id = serializers.UUIDField()
    batch = serializers.UUIDField()
    account = serializers.UUIDField()
    postdate = serializers.UUIDField(allow_null=True)
    payment = serializers.UUIDField(allow_null=True)
    amount_cents = serializers.IntegerField()
    on = serializers.DateField()
    status = serializers.ChoiceField(BatchItem.Status.values)
    removed_at = serializers.DateTimeField(allow_null=True)
    removed_by = serializers.CharField()
    reason = serializers.CharField()
    added_at = serializers.DateTimeField()


class CollectForm(Form):
    """Of which method, up to which day."""

    method = Word(tuple(PaymentBatch.Method.values), unknown="method_unknown")
    until = Day()


class AddForm(Form):
    """Which payment the check or cash is for."""

    post_date = Id()


class OnForm(Form):
    """On which day."""

    on = Day()


class CodeForm(Form):
    """By which code it failed."""

    code = Text(max_length=60)


class ExportForm(Form):
    """As which file."""

    format = Word(tuple(PaymentBatch.Format.values), unknown="format_unknown")


REFUSED = {409: "`batch_not_open`, `batch_not_approved`, `batch_not_exported`, `batch_item_gone` and others."}


def stored(pk: UUID) -> PaymentBatch:
    """Find a batch of the acting agency."""
    return one(PaymentBatch, pk)


def item(pk: UUID) -> BatchItem:
    """Find an item of a batch of the acting agency."""
    return one(BatchItem, pk, "batch")


class Batches(Endpoint):
    """The list."""

    @operation(
        "list_batches",
        "List payment batches",
        scope="batches:read",
        answers=page_of(BatchShown),
        query=[BatchQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(BatchQuery, PaymentBatch.objects.all(), BatchShown.of)

    @operation(
        "collect_batch",
        "Open a payment batch",
        scope="batches:write",
        said="With everything of a method due up to a day that hosts by file execute; checks and cash are added.",
        form=CollectForm,
        answers=BatchShown,
        status=201,
        once=True,
        found=False,
        problems={409: "`batch_nothing_due`."},
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(CollectForm)
        with refusing(batches.Refused):
            row = batches.collect(**given, by=self.by, now=self.now)
        return answer(BatchShown.of(row), status=201, headers={"Location": f"/api/v1/batches/{row.pk}"})


class OneBatch(Endpoint):
    """One of them."""

    @operation("get_batch", "Read a payment batch", scope="batches:read", answers=BatchShown)
    def get(self, request: Request, batch_id: UUID) -> HttpResponse:
        self.asked()
        return answer(BatchShown.of(stored(batch_id)))


class BatchItems(Endpoint):
    """What is in it."""

    @operation(
        "list_batch_items",
        "List what is or was in a payment batch",
        scope="batches:read",
        answers=page_of(ItemShown),
        query=[PageQuery],
    )
    def get(self, request: Request, batch_id: UUID) -> HttpResponse:
        return self.listed(PageQuery, BatchItem.objects.filter(batch=stored(batch_id)), ItemShown.of)

    @operation(
        "add_batch_item",
        "Put a check or cash that came in into an open batch",
        scope="batches:write",
        form=AddForm,
        answers=ItemShown,
        status=201,
        once=True,
        problems=REFUSED,
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        row = stored(batch_id)
        postdate = one(Postdate, self.read(AddForm)["post_date"])
        with refusing(batches.Refused):
            made = batches.add(batch=row, postdate=postdate, by=self.by, now=self.now)
        return answer(ItemShown.of(made), status=201)


class _Act(Endpoint):
    """Do one thing to a batch."""

    def act(self, batch_id: UUID, do) -> HttpResponse:
        row = stored(batch_id)
        self.read(Nothing)
        with refusing(batches.Refused):
            return answer(BatchShown.of(do(row)))


class ApproveBatch(_Act):
    """Reviewed."""

    @operation(
        "approve_batch",
        "Approve a payment batch",
        scope="batches:approve",
        said="Nobody approves what they made or edited.",
        form=Nothing,
        answers=BatchShown,
        once=True,
        problems={409: "`batch_second_person`, `batch_empty`, `batch_item_not_ready` for each such item."},
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        return self.act(batch_id, lambda row: batches.approve(batch=row, by=self.by, now=self.now))


class ReopenBatch(_Act):
    """Edit again."""

    @operation(
        "reopen_batch",
        "Open an approved payment batch again",
        scope="batches:write",
        form=Nothing,
        answers=BatchShown,
        once=True,
        problems=REFUSED,
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        return self.act(batch_id, lambda row: batches.reopen(batch=row, now=self.now))


class CancelBatch(_Act):
    """Nothing in it."""

    @operation(
        "cancel_batch",
        "End an open payment batch that nothing is in",
        scope="batches:write",
        form=Nothing,
        answers=BatchShown,
        once=True,
        problems={409: "`batch_not_empty`, `batch_not_open`."},
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        return self.act(batch_id, lambda row: batches.cancel(batch=row, now=self.now))


class PostBatch(Endpoint):
    """It was executed."""

    @operation(
        "post_batch",
        "Record what became of an exported payment batch",
        scope="batches:write",
        said="Payments, ledger, post-dates; interrupted, it goes on where it stopped.",
        form=Nothing,
        answers=BatchShown,
        goes_on=True,
        problems={409: "`batch_not_exported`."},
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        row = stored(batch_id)
        self.read(Nothing)
        with refusing(batches.Refused):
            return answer(BatchShown.of(batch_posting.post(batch=row, by=self.by, now=self.now)))


class ExportBatch(Endpoint):
    """Its file."""

    @operation(
        "export_batch",
        "Write the file of an approved payment batch",
        scope="batches:export",
        said="The file itself is read with `get_batch_file`: it has bank numbers, which no kept answer may have.",
        form=ExportForm,
        answers=BatchShown,
        once=True,
        problems={409: "`batch_not_approved`, `batch_format_unknown`, `batch_exported_otherwise`."},
    )
    def post(self, request: Request, batch_id: UUID) -> HttpResponse:
        row = stored(batch_id)
        given = self.read(ExportForm)
        with refusing(batches.Refused):
            batch_files.export(batch=row, format=given["format"], by=self.by, now=self.now)
        row.refresh_from_db()
        return answer(BatchShown.of(row))


class BatchFile(Endpoint):
    """The file again."""

    @operation(
        "get_batch_file",
        "Get the file of an exported payment batch",
        scope="batchfiles:read",
        said="The same bytes at every time: their hash was kept.",
        answers={(200, FILE): OpenApiTypes.BINARY},
        problems={409: "`batch_not_exported`, `batch_export_changed`."},
    )
    def get(self, request: Request, batch_id: UUID) -> HttpResponse:
        self.asked()
        row = stored(batch_id)
        if row.exported_at is None:
            raise Refuse(409, "batch_not_exported", "This batch must be exported first.")
        with refusing(batches.Refused):
            body = batch_files.export(batch=row, format=row.export_format, by=self.by, now=self.now)
        return file(body, kind=FILE, name=batch_files.name_of(row))


class RemoveItem(Endpoint):
    """Out."""

    @operation(
        "remove_batch_item",
        "Take an item out of a payment batch",
        scope="batches:write",
        said="What the host should have executed is held until somebody decides.",
        form=WhyForm,
        answers=ItemShown,
        once=True,
        problems=REFUSED,
    )
    def post(self, request: Request, item_id: UUID) -> HttpResponse:
        row = item(item_id)
        given = self.read(WhyForm)
        with refusing(batches.Refused):
            done = batches.remove(item=row, reason=given["reason"], by=self.by, now=self.now)
        return answer(ItemShown.of(done))


class MoveItem(Endpoint):
    """Another day."""

    @operation(
        "move_batch_item",
        "Execute an item of a payment batch on another day",
        scope="batches:write",
        form=OnForm,
        answers=ItemShown,
        once=True,
        problems=REFUSED | {422: "`refused`: `batch_date_too_early`, `batch_date_needs_notice` (ACH-08)."},
    )
    def post(self, request: Request, item_id: UUID) -> HttpResponse:
        row = item(item_id)
        given = self.read(OnForm)
        with refusing(batches.Refused):
            done = batches.move(item=row, on=given["on"], by=self.by, now=self.now)
        return answer(ItemShown.of(done))


class FailItem(Endpoint):
    """It was not executed."""

    @operation(
        "fail_batch_item",
        "Note that an exported item was not executed",
        scope="batches:write",
        form=CodeForm,
        answers=ItemShown,
        once=True,
        problems=REFUSED,
    )
    def post(self, request: Request, item_id: UUID) -> HttpResponse:
        row = item(item_id)
        given = self.read(CodeForm)
        with refusing(batches.Refused):
            done = batches.fail(item=row, code=given["code"], by=self.by, now=self.now)
        return answer(ItemShown.of(done))
