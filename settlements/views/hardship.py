"""Ask for a pause, send documents for it, see what became of it, and end it early."""

from typing import Any
from uuid import UUID

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed, own_account
from accounts.calendars import local_date
from accounts.models import Account
from accounts.no_promise import shown_in
from accounts.refusals import Refusal
from accounts.sight import shown
from settlements.forms import PauseForm
from settlements.models import Hardship
from settlements.services import evidence
from settlements.services import hardship as services
from settlements.views import language, problems, spoken
from settlements.views.budget import advice_links

BODY_LIMIT = evidence.LIMIT_BYTES * 4
"""Bytes of an upload that are read at all, so that a file somewhat too large gets a sentence and not a broken page."""


class Bounded(FileUploadHandler):
    """Hold one file in memory up to the limit, never on the disk, where it would lie unsealed; read past the rest."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.pieces: list[bytes] = []
        self.held = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.held += len(raw_data)
        if self.held > evidence.LIMIT_BYTES:
            self.pieces.clear()
            self.request.too_large = True
            raise SkipFile
        self.pieces.append(raw_data)

    def file_complete(self, file_size: int) -> None:
        if self.field_name == "evidence":
            self.request.uploaded = (self.file_name or "", b"".join(self.pieces))


def bounded(view):
    """Read an upload with `Bounded` alone; the form's token is checked behind it, since checking reads the body."""
    protected = csrf_protect(view)

    @csrf_exempt
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.uploaded, request.too_large = None, False
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = BODY_LIMIT + 1
        if length > BODY_LIMIT:
            # Nothing of it is read, its token neither: it changes nothing.
            return HttpResponse(_("This file is too large."), status=413, content_type="text/plain; charset=utf-8")
        request.upload_handlers = [Bounded(request)]
        return protected(request, *args, **kwargs)

    return inner


@require_http_methods(["GET", "POST"])
@confirmed
def pause(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask for a pause, or see what became of the last request."""
    account = own_account(request, account_id)
    last = services.latest(account.consumer_id)
    if last is not None and last.status in Hardship.OPEN:
        if request.method == "POST":
            return redirect("settlements:hardship", account_id)
        return _status(request, account, last)
    wording = _(
        "%(name)s may read what I write here and the documents I send, to decide about this pause and for nothing else."
    ) % {"name": account.agency.legal_name}
    form = PauseForm(request.POST or None, wording=wording)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        answer = services.request(
            account=account,
            cause=typed["cause"],
            words=typed["words"],
            days=typed["days"],
            consent=wording,
            now=request.now,
            no_promise=shown_in(language()),
        )
        if isinstance(answer, Hardship):
            return redirect("settlements:hardship", account_id)
        form.refuse(answer, [spoken(one) for one in answer])
    context = {
        "account": shown(account, level=request.visit.level),
        "form": form,
        "last": _shown(last) if last else None,
        "longest_days": services.policy().longest_days,
        "advice": advice_links(),
    }
    return render(request, "settlements/hardship.html", context, status=422 if form.errors else 200)


def _shown(row: Hardship) -> dict[str, Any]:
    return {
        "status": row.status,
        "cause": row.get_cause_display(),
        "asked_days": row.asked_days,
        "asked_at": row.asked_at,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
        "reason": row.reason,
        "ended_at": row.ended_at,
        "ended_how": row.ended_how,
    }


def _status(
    request: HttpRequest, account: Account, row: Hardship, *, refusals: list[Refusal] | None = None
) -> HttpResponse:
    sent = [
        {"number": one.number, "kind": one.get_kind_display(), "label": one.label, "at": one.uploaded_at}
        for one in row.evidence.order_by("number")
    ]
    context = {
        "account": shown(account, level=request.visit.level),
        "pause": _shown(row),
        "sent": sent,
        "more": evidence.MOST - len(sent),
        "most": evidence.MOST,
        "limit_mb": evidence.LIMIT_BYTES // 2**20,
        "refusals": problems(refusals or [], {"evidence": "id_evidence"}),
        "advice": advice_links(),
    }
    return render(request, "settlements/hardship_status.html", context, status=422 if refusals else 200)


@bounded
@require_http_methods(["GET", "POST"])
@confirmed
def document(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Take one document for the open request; looking at this address leads to the request."""
    account = own_account(request, account_id)
    last = services.latest(account.consumer_id)
    if request.method != "POST" or last is None or last.status not in Hardship.OPEN:
        return redirect("settlements:hardship", account_id)
    _body = request.POST  # reads the upload, if the token's check has not
    if request.uploaded is None and not request.too_large:
        return _status(request, account, last, refusals=[evidence.missing()])
    name, content = request.uploaded or ("", None)
    answer = evidence.add(hardship=last, content=content, name=name, now=request.now)
    if isinstance(answer, list):
        return _status(request, account, last, refusals=answer)
    return redirect("settlements:hardship", account_id)


@require_http_methods(["GET", "POST"])
@confirmed
def end(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask once more, then end the pause, or take the request back."""
    account = own_account(request, account_id)
    last = services.latest(account.consumer_id)
    if last is None or last.status not in Hardship.OPEN:
        return redirect("settlements:hardship", account_id)
    if request.method == "POST":
        services.end(hardship=last, how="consumer", now=request.now)
        return redirect("settlements:hardship", account_id)
    today = local_date(request.now, account.consumer.time_zone)
    context = {
        "account": shown(account, level=request.visit.level),
        "pause": _shown(last),
        "running": services.active(consumer=account.consumer, today=today) is not None,
    }
    return render(request, "settlements/hardship_end.html", context)
