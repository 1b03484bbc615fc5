"""What became of a payment, its papers, and another try after a decline."""

import datetime as dt
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import identified, step_up_required
from accounts.known import known
from accounts.models import Visit
from accounts.services import codes, consent
from accounts.sight import shown
from payments.models import Authorization, Checkout, Payment
from payments.services import ask, gate, papers, together, wallet
from payments.services import checkout as services
from payments.sight import language, local, method_label
from payments.views.own import of_own
from payments.views.paying import with_processor

Status = Payment.Status


@known
def _payment(consumer_id: UUID, payment_id: UUID) -> QuerySet[Payment]:
    joined = ("account__client", "account__consumer", "account__agency", "consumer", "method", "authorization")
    rows = Payment.objects.select_related(*joined, "processor_account")
    return of_own(rows, consumer_id).filter(pk=payment_id)


def _own_payment(request: HttpRequest, payment_id: UUID) -> Payment:
    payment = _payment.first(request.visit.consumer_id, payment_id)
    if payment is None:
        raise Http404
    return payment


@known
def _checkout(key: UUID, visit_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.filter(pk=key, visit=visit_id)


def _may_see(request: HttpRequest, payment: Payment) -> bool:
    """Let level 1 see only what it paid in this very visit; what came before opens with a code (AUTH-02)."""
    if request.visit.level >= Visit.Level.CONFIRMED:
        return True
    return _checkout.exists(payment.idempotency_key, request.visit.pk)


@require_http_methods(["GET", "POST"])
@identified
def result(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Say what became of a payment: the page that a confirmed checkout always leads to."""
    payment = _own_payment(request, payment_id)
    if not _may_see(request, payment):
        return step_up_required(request)
    if request.method == "POST":
        ask.look(payment_id=payment.pk, now=request.now)
        if payment.group:
            # The others wait for this one when its card is new.
            together.go_on(group=payment.group, fresh=False, now=request.now)
            return redirect("payments:together_result", payment.group)
        return redirect("payments:result", payment_id)
    state = state_of(payment)
    lines = payment.authorization.lines if payment.authorization else []
    merchant = payment.processor_account
    context = {
        "state": state,
        "account": shown(payment.account, level=request.visit.level),
        "payment": {
            "id": payment.pk,
            "amount_cents": payment.amount_cents,
            "at": local(payment.intended_at, payment.account),
            "reference": payment.reference,
            "method": method_label(payment),
        },
        "authorization_id": payment.authorization_id,
        "arrangement_id": payment.arrangement_id,
        "later": [{"on": _day(on), "amount_cents": cents} for on, cents in lines[1:]] if _stands(state) else [],
        "copy_sent_to": _papers_go_to(request) if _stands(state) else "",
        "decline_sentence": _(gate.explain(payment).sentence) if state == "declined" else "",
    }
    if state == "action_required":
        context["next_action"] = {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "client_secret": payment.next_action_secret,
            "locale": language(),
        }
        return with_processor(render(request, "payments/result.html", context), merchant)
    return render(request, "payments/result.html", context)


def state_of(payment: Payment) -> str:
    match payment.status:
        case Status.INTENDED:
            return "action_required" if payment.next_action_secret else "undecided"
        case Status.PENDING:
            return "handed_over" if payment.executor == "host" else "processing"
        case Status.DECLINED:
            return "declined"
        case Status.VOIDED:
            return "voided"
        case Status.RETURNED | Status.CHARGED_BACK | Status.REFUNDED:
            return "given_back"
    return "succeeded"


def _stands(state: str) -> bool:
    return state in ("succeeded", "processing", "handed_over")


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _papers_go_to(request: HttpRequest) -> str:
    """Name, masked, where the copy and the receipt are mailed: the address of the consent, else the first working."""
    consumer = request.visit.consumer
    if (live := consent.esign_live(consumer)) is not None:
        return live.contact_point.masked
    known = codes.contacts_for_codes(consumer, now=request.now)
    return next((point.masked for point in known if point.opted_out_at is None), "")


@require_POST
@identified
def again(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Begin anew with the same choice after a payment that took nothing; only the way to pay is asked again."""
    payment = _own_payment(request, payment_id)
    if payment.status not in (Status.DECLINED, Status.VOIDED):
        return redirect("payments:result", payment_id)
    old = _checkout.first(payment.idempotency_key, request.visit.pk)
    if old is None:
        return redirect("payments:choose", payment.account_id)
    old.account, old.visit = payment.account, request.visit
    fresh = services.again(checkout=old, now=request.now)
    return redirect("payments:method", fresh.pk)


@require_safe
@identified
def receipt(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Give the receipt as PDF; of a payment that took nothing there is none."""
    payment = _own_payment(request, payment_id)
    if not _may_see(request, payment):
        return step_up_required(request)
    if not _stands(state_of(payment)) and state_of(payment) != "given_back":
        raise Http404
    return pdf(papers.receipt(payment, language=language()), f"{payment.reference}.pdf")


@known
def _authorization(consumer_id: UUID, authorization_id: UUID) -> QuerySet[Authorization]:
    joined = ("account__agency", "account__client", "consumer", "method")
    return of_own(Authorization.objects.select_related(*joined), consumer_id).filter(pk=authorization_id)


@require_safe
@identified
def authorization(request: HttpRequest, authorization_id: UUID) -> HttpResponse:
    """Give the copy of what was signed as PDF, in the language it was signed in (EFT-02)."""
    row = _authorization.first(request.visit.consumer_id, authorization_id)
    if row is None or wallet.is_helpers(row):
        raise Http404
    signed_now = row.evidence.get("visit") == str(request.visit.pk)
    if request.visit.level < Visit.Level.CONFIRMED and not signed_now:
        return step_up_required(request)
    return pdf(papers.authorization_copy(row), f"authorization-{row.account.reference}.pdf")


def pdf(content: bytes, name: str) -> HttpResponse:
    """Answer with a paper to save."""
    response = HttpResponse(content, content_type="application/pdf")
    safe = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "-."))
    response["Content-Disposition"] = f'attachment; filename="{safe}"'
    return response
