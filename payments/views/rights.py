"""“This is wrong” and “Who is the original creditor?”: said here in a minute, with what happens next (RF-31, RF-32)."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts.access import identified, own_account
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Account
from accounts.money import InvalidAmount
from accounts.no_promise import shown_in
from accounts.sight import shown
from payments.forms import RefusableForm, read_cents
from payments.models import CreditorRequest, Dispute
from payments.services import disputes
from payments.sight import language


class DisputeForm(RefusableForm):
    """Say what is wrong: all of it or a part, and in one's own words if one likes."""

    reason = forms.ChoiceField(
        label=_("What is wrong?"),
        choices=Dispute.Reason.choices,
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Choose what is wrong.")),
    )
    amount = forms.CharField(
        label=_("How much of it is wrong?"),
        required=False,
        max_length=20,
        help_text=_("Leave it empty when all of it is wrong."),
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )
    words = forms.CharField(
        label=_("In your own words (if you like)"),
        required=False,
        max_length=disputes.WORDS_LIMIT,
        widget=forms.Textarea({"rows": 5}),
    )
    where = {"reason": "reason", "amount": "amount", "words": "words"}

    def clean_amount(self) -> int | None:
        """Read the sum; empty is all of it."""
        typed = self.cleaned_data["amount"]
        if not typed:
            return None
        try:
            return read_cents(typed)
        except InvalidAmount:
            raise forms.ValidationError(_("Enter an amount, for example 50.00."), "amount_unreadable") from None


def _about(request: HttpRequest, account: Account) -> dict[str, Any]:
    ends_on = disputes.validation_end(account)
    today = local_date(request.now, account.consumer.time_zone)
    return {
        "account": shown(account, level=request.visit.level),
        "validation_ends_on": ends_on if ends_on is not None and today <= ends_on else None,
        "planned": disputes.running(account),
    }


@known
def _disputes(account_id: UUID) -> QuerySet[Dispute]:
    return Dispute.objects.filter(account=account_id).order_by("-opened_at")


@require_http_methods(["GET", "POST"])
@identified
def wrong(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Dispute a debt or a part of it, or see that it is disputed and what happens next."""
    account = own_account(request, account_id)
    last = _disputes.first(account.pk)
    open_ = last is not None and last.status == Dispute.Status.OPEN
    form = DisputeForm(request.POST if request.method == "POST" and not open_ else None)
    if request.method == "POST":
        if open_:
            return redirect("payments:wrong", account_id)
        if form.is_valid():
            typed = form.cleaned_data
            answer = disputes.open_dispute(
                account=account,
                visit=request.visit,
                reason=typed["reason"],
                text=typed["words"],
                amount_cents=typed["amount"],
                now=request.now,
                no_promise=shown_in(language()),
            )
            if isinstance(answer, Dispute):
                return redirect("payments:wrong", account_id)
            form.refuse(answer)
    context = _about(request, account) | {"form": form, "dispute": last if open_ else None}
    context["resolved"] = last if last is not None and not open_ else None
    return render(request, "payments/wrong.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@identified
def creditor(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask for the name and address of the original creditor, or see that it was asked."""
    account = own_account(request, account_id)
    if request.method == "POST":
        disputes.ask_original_creditor(account=account, now=request.now)
        return redirect("payments:creditor", account_id)
    last = CreditorRequest.objects.filter(account=account).order_by("-asked_at").first()
    return render(request, "payments/creditor.html", _about(request, account) | {"asked": last})


@require_http_methods(["GET", "POST"])
@identified
def spanish(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask for the notice of this debt in Spanish, or see that it was asked for (RF-34)."""
    account = own_account(request, account_id)
    if request.method == "POST":
        disputes.ask_in_spanish(account=account, now=request.now)
        return redirect("payments:spanish", account_id)
    asked_at = disputes.asked_in_spanish(account)
    return render(request, "payments/spanish.html", _about(request, account) | {"asked_at": asked_at})
