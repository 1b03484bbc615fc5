"""Change a plan in mid-life: say what, see what it comes to, and agree to it. Nothing changes before the last step."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.calendars import local_date
from accounts.known import known
from accounts.sight import shown
from payments.forms import AdjustForm, RefusableForm
from payments.models import Arrangement, Method, Postdate
from payments.rules.changes import NEAR_DAYS
from payments.services import change as services
from payments.services import gate, replan, wallet
from payments.services.authorize import usable
from payments.services.change import Preview, Signer, Wish
from payments.services.limits import limit_of
from payments.services.means import means_of_method
from payments.services.methods import kept_for
from payments.sight import language, local, say
from payments.views.own import own_arrangement
from payments.views.way import to_age_notice

KINDS = ("move", "skip", "method", "frequency", "cancel")
"""What has a page; paying extra or off is a payment like any other."""
_CHOOSE = dict.fromkeys(("required", "invalid_choice", "invalid"), _("Choose one."))


class ChangeForm(RefusableForm):
    """Say what is to change; only the fields of the kind are there."""

    payment = forms.ChoiceField(label=_("Which payment?"), widget=forms.RadioSelect, error_messages=_CHOOSE)
    to_on = forms.DateField(
        label=_("New day"),
        widget=forms.DateInput({"type": "date", "class": "short"}, format="%Y-%m-%d"),
        error_messages=dict.fromkeys(("required", "invalid"), _("Enter a day.")),
    )
    method = forms.ChoiceField(label=_("Pay from"), widget=forms.RadioSelect, error_messages=_CHOOSE)
    frequency = forms.ChoiceField(
        label=_("How often"),
        choices=list(AdjustForm.FREQUENCIES.items()),
        widget=forms.RadioSelect,
        error_messages=_CHOOSE,
    )
    agree = forms.BooleanField(
        label=_("I have read this authorization and agree to it."),
        error_messages={"required": _("Tick the box if you agree. Without it nothing changes.")},
    )
    where = {name: name for name in ("payment", "to_on", "method", "frequency")}
    FIELDS = {"move": ("payment", "to_on"), "skip": ("payment",), "method": ("method",), "frequency": ("frequency",)}

    def __init__(self, *args, kind: str, payments=(), methods=(), signs: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name in set(self.fields) - {*self.FIELDS.get(kind, ()), *(["agree"] if signs else [])}:
            del self.fields[name]
        for name, choices in (("payment", payments), ("method", methods)):
            if name in self.fields:
                self.fields[name].choices = choices

    def wish(self, kind: str, methods: dict[str, Method]) -> Wish:
        """Read what was chosen."""
        typed = self.cleaned_data
        return Wish(
            kind=kind,
            payment=UUID(typed["payment"]) if "payment" in typed else None,
            to_on=typed.get("to_on"),
            frequency=typed.get("frequency", ""),
            method=methods.get(typed.get("method", "")),
        )


@require_http_methods(["GET", "POST"])
@confirmed
def change(request: HttpRequest, arrangement_id: UUID, kind: str) -> HttpResponse:
    """Ask what is to change, show what it comes to, and make it when the consumer agrees."""
    row = own_arrangement(request, arrangement_id)
    if kind not in KINDS:
        raise Http404
    at = gate.standing(row.account, now=request.now)
    if notice := to_age_notice(request, at):
        # A new promise to pay is one of the things that it comes before.
        return notice
    asking = _Asking(request, row, kind)
    if request.method == "POST":
        return asking.confirm()
    return asking.show()


class _Asking:
    """Hold one look at one kind of change."""

    def __init__(self, request: HttpRequest, row: Arrangement, kind: str) -> None:
        self.request, self.row, self.kind = request, row, kind
        self.by = f"consumer:{request.visit.consumer_id}"
        self.today = local_date(request.now, row.account.consumer.time_zone)
        self.methods = {str(one.pk): one for one in _others(row)} if kind == "method" else {}
        self.payments = _movable(row, self.today) if kind in ("move", "skip") else []

    def form(self, data: Any = None, *, signs: bool = False) -> ChangeForm:
        return ChangeForm(
            data,
            kind=self.kind,
            payments=[(str(one.pk), one) for one in self.payments],
            methods=[(key, one) for key, one in self.methods.items()],
            signs=signs,
            initial={"payment": self.request.GET.get("payment", ""), "frequency": self.row.frequency},
        )

    def show(self) -> HttpResponse:
        """Show the form, and what a change comes to once one was said; nothing is written."""
        asked = "preview" in self.request.GET or self.kind == "cancel"
        form = self.form(self.request.GET if asked else None)
        seen = self._seen(form) if asked else None
        return self._page(form, seen, self.form(signs=True))

    def confirm(self) -> HttpResponse:
        """Make the change as it was previewed; whatever is against it is shown with a new preview."""
        done = redirect(reverse("payments:plan", args=[self.row.pk]) + f"?done={self.kind}")
        sha256, changes = (
            self.request.POST.get("authorization_sha256", ""),
            _number(self.request.POST.get("changes", "")),
        )
        if services.made_already(self.row, self.kind, sha256, changes):
            return done
        form = self.form(self.request.POST)
        seen = self._seen(form)
        signing = self.form(self.request.POST, signs=bool(seen and seen.text))
        if seen is None or not signing.is_valid():
            return self._page(form, seen, signing)
        try:
            services.confirm(
                arrangement=self.row,
                wish=form.wish(self.kind, self.methods),
                by=self.by,
                now=self.request.now,
                text_sha256=sha256,
                seen_changes=changes,
                signer=Signer(
                    visit=self.request.visit,
                    ip=self.request.ip,
                    user_agent=self.request.headers.get("User-Agent", ""),
                ),
                language=language(),
            )
        except services.Refused as refused:
            form.refuse(refused.refusals)
            return self._page(form, seen, signing)
        return done

    def _seen(self, form: ChangeForm) -> Preview | None:
        """Work out what is asked for; None with the reasons in the form."""
        if not form.is_valid():
            return None
        wish = form.wish(self.kind, self.methods)
        seen = services.preview(arrangement=self.row, wish=wish, now=self.request.now, by=self.by, language=language())
        if seen.refusals:
            form.refuse(list(seen.refusals))
            return None
        return seen

    def _page(self, form: ChangeForm, seen: Preview | None, signing: ChangeForm) -> HttpResponse:
        row, said = self.row, form.data or self.request.GET
        most = limit_of(row.terms, "max_changes")
        context = {
            "account": shown(row.account, level=self.request.visit.level),
            "plan": {"id": row.pk, "kind": row.kind},
            "kind": self.kind,
            "form": form,
            "payments": [_choice(one, str(one.pk) == said.get("payment")) for one in self.payments],
            "methods": [_method(one, str(one.pk) == said.get("method")) for one in self.methods.values()],
            "to_on": said.get("to_on", ""),
            "earliest_on": (self.today + timedelta(days=1)).isoformat(),
            "changes_left": None if most is None else max(most - row.changes, 0),
            "preview": _preview(seen, row) if seen else None,
            "signing": signing,
            "changes": row.changes,
            "same": [(name, said.get(name, "")) for name in ChangeForm.FIELDS.get(self.kind, ())],
        }
        wrong = bool(form.errors or (signing.is_bound and signing.errors))
        return render(self.request, "payments/change.html", context, status=422 if wrong else 200)


def _number(typed: str) -> int | None:
    return int(typed) if typed.isdecimal() and len(typed) < 6 else None


@known
def _after(arrangement_id: UUID, day: date) -> QuerySet[Postdate]:
    rows = Postdate.objects.filter(arrangement=arrangement_id, status__in=replan.MOVABLE, due_on__gt=day)
    return rows.order_by("due_on", "number")


def _movable(row: Arrangement, today: date) -> list[Postdate]:
    """List what can be moved; what is charged today or tomorrow is on its way."""
    return _after(row.pk, today + timedelta(days=NEAR_DAYS))


def _others(row: Arrangement) -> list[Method]:
    """List the consumer's other cards and bank accounts that could take the payments over."""
    mine = wallet.methods_of(row.consumer_id).exclude(pk=row.method_id).filter(blocked_at=None)
    return [one for one in mine if usable(one) and kept_for(row.account, one)]


def _choice(row: Postdate, chosen: bool) -> dict[str, Any]:
    return {"id": row.pk, "on": row.due_on, "amount_cents": row.amount_cents, "chosen": chosen}


def _method(row: Method, chosen: bool) -> dict[str, Any]:
    return {"id": row.pk, "label": means_of_method(row).label(language()), "chosen": chosen}


def _preview(seen: Preview, row: Arrangement) -> dict[str, Any]:
    """Show what is planned then, its effect, and what is signed beside what was signed before."""
    title, *paragraphs = seen.text.split("\n\n")
    new = {(line.due_on, line.amount_cents) for line in seen.changed.lines}
    before = row.authorization
    return {
        "lines": [{"on": on, "amount_cents": cents, "is_new": (on, cents) in new} for on, cents in seen.lines],
        "effects": [say(one) for one in seen.effects],
        "before": {
            "id": before.pk,
            "on": local(before.accepted_at, row.account).date(),
            "paragraphs": _paragraphs(before.text),
        }
        if before
        else None,
        "authorization": {
            "title": title,
            "paragraphs": [text.split("\n") for text in paragraphs],
            "sha256": seen.text_sha256,
        }
        if seen.text
        else None,
    }


def _paragraphs(text: str) -> list[list[str]]:
    return [paragraph.split("\n") for paragraph in text.split("\n\n")]


def possible(row: Arrangement, *, today: date) -> list[str]:
    """Name the changes that make sense on a plan's page; the page of each says what is against it."""
    if row.status not in Arrangement.LIVE:
        return []
    if row.status not in (Arrangement.Status.PERFORMING, Arrangement.Status.LATE):
        return ["cancel"]
    found = ["move", "skip"] if _movable(row, today) else []
    if row.kind != Arrangement.Kind.PROMISE and found:
        found += ["method", "frequency"]
    return [*found, "cancel"]
