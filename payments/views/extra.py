"""Pay what was missed, something extra, or all that is left of a plan; or add an amount on the linked card."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.money import InvalidAmount
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import RefusableForm, read_cents
from payments.models import Arrangement, Checkout
from payments.services import extra, gate
from payments.services.authorize import usable
from payments.services.change import Signer
from payments.services.extra import Added
from payments.services.means import means_of_method
from payments.services.preview import Preview, Wish, facts_of, preview
from payments.services.sign import Refused
from payments.sight import language, problems, say, shut
from payments.views.own import own_arrangement
from payments.views.way import to_age_notice


class ExtraForm(RefusableForm):
    """How much more, and for an added amount on which day."""

    amount = forms.CharField(label=gettext_lazy("Amount in dollars"), max_length=20)
    on = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        widget=forms.DateInput({"type": "date", "class": "short"}, format="%Y-%m-%d"),
        error_messages={"invalid": gettext_lazy("Enter a day.")},
    )
    agree = forms.BooleanField(required=False, label=gettext_lazy("I have read this authorization and agree to it."))
    where = {"amount_cents": "amount", "on": "on"}

    def clean_amount(self) -> int:
        try:
            return read_cents(self.cleaned_data["amount"])
        except InvalidAmount:
            raise forms.ValidationError(_("Enter an amount, for example 50.00."), "amount_unreadable") from None


@require_http_methods(["GET", "POST"])
@confirmed
def pay(request: HttpRequest, arrangement_id: UUID) -> HttpResponse:
    """Show what can be paid on a plan today, each with its effect, before anything is begun."""
    row = own_arrangement(request, arrangement_id)
    at = gate.standing(row.account, now=request.now)
    if notice := to_age_notice(request, at):
        return notice
    by = f"consumer:{request.visit.consumer_id}"
    ahead = extra.ahead(arrangement=row, by=by, now=request.now)
    what = request.POST.get("what", "")
    form = ExtraForm(request.POST if what in ("extra", "added") else None)
    found: list[Refusal] = []
    seen: dict[str, Any] | None = None
    if what in ("missed", "off"):
        answer = _go(request, row, ahead.missing_cents if what == "missed" else ahead.left_cents)
        if isinstance(answer, HttpResponse):
            return answer
        found = answer
    elif form.is_bound and form.is_valid():
        answer = (_extra if what == "extra" else _added)(request, row, form, by)
        if isinstance(answer, HttpResponse):
            return answer
        seen, found = answer
        form.refuse([one for one in found if one.field in form.where])
    wrong = bool(found or form.errors)
    context = {
        "account": shown(row.account, level=request.visit.level),
        "plan": {"id": row.pk, "kind": row.kind, "status": row.status},
        # What is sent all the same is refused with its codes, like any payment.
        "cannot_pay": "" if what else shut(at, now=request.now),
        "missing": _option(ahead.missing, ahead.missing_cents),
        "off": _option(ahead.off, ahead.left_cents),
        "linked": _linked(row, request, by),
        "what": what,
        "form": form,
        "seen": seen,
        "refusals": problems([one for one in found if one.field not in form.where]),
    }
    return render(request, "payments/plan_pay.html", context, status=422 if wrong else 200)


def _option(seen: Preview | None, cents: int) -> dict[str, Any] | None:
    if seen is None or seen.refusals:
        return None
    return {"amount_cents": cents, "effects": [say(one) for one in seen.effects]}


def _linked(row: Arrangement, request: HttpRequest, by: str) -> dict[str, Any] | None:
    """Name the linked card or bank account and the days on which it can be charged once more."""
    if row.method is None or not usable(row.method) or row.status not in extra.RUNNING:
        return None
    first, last = extra.days(facts_of(row.pk, row.account, by, request.now))
    return {"label": means_of_method(row.method).label(language()), "first_on": first, "last_on": last}


def _go(request: HttpRequest, row: Arrangement, cents: int) -> HttpResponse | list[Refusal]:
    made = extra.begin(arrangement=row, visit=request.visit, amount_cents=cents, now=request.now)
    return redirect("payments:method", made.pk) if isinstance(made, Checkout) else made


def _extra(
    request: HttpRequest, row: Arrangement, form: ExtraForm, by: str
) -> HttpResponse | tuple[dict[str, Any] | None, list[Refusal]]:
    """Show what an extra amount leaves, then begin to pay it."""
    wish = Wish(kind="pay_extra", amount_cents=form.cleaned_data["amount"])
    looked = preview(arrangement=row, wish=wish, by=by, now=request.now)
    if looked.refusals:
        return None, list(looked.refusals)
    if request.POST.get("go"):
        answer = _go(request, row, wish.amount_cents)
        return answer if isinstance(answer, HttpResponse) else (None, answer)
    return {"amount_cents": wish.amount_cents, "effects": [say(one) for one in looked.effects]}, []


def _added(
    request: HttpRequest, row: Arrangement, form: ExtraForm, by: str
) -> HttpResponse | tuple[dict[str, Any] | None, list[Refusal]]:
    """Show the text for an added amount, then plan it."""
    on = form.cleaned_data["on"] or date.min
    wanted = {"amount_cents": form.cleaned_data["amount"], "on": on, "by": by, "language": language()}
    if request.POST.get("go") and form.cleaned_data["agree"]:
        signer = Signer(visit=request.visit, ip=request.ip, user_agent=request.headers.get("User-Agent", ""))
        try:
            sha256 = request.POST.get("authorization_sha256", "")
            extra.add(arrangement=row, text_sha256=sha256, signer=signer, now=request.now, **wanted)
        except Refused as refused:
            return None, refused.refusals
        return redirect("payments:plan", row.pk)
    looked: Added = extra.look(arrangement=row, now=request.now, **wanted)
    if looked.refusals:
        return None, list(looked.refusals)
    if request.POST.get("go"):
        form.add_error("agree", _("Tick the box if you agree. Without it nothing changes."))
    title, *paragraphs = looked.text.split("\n\n")
    text = {"title": title, "paragraphs": [one.split("\n") for one in paragraphs], "sha256": looked.text_sha256}
    return {"amount_cents": wanted["amount_cents"], "on": on, "authorization": text}, []
