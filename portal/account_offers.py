"""An account's offers on its staff page: make one for it, and ask why it was offered what it was, at any moment."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import acting_for
from payments.services import why
from settlements.admin import words
from settlements.admin.individual import OfferForm
from settlements.admin.people import by
from settlements.rules.why import spoken
from settlements.services import individual


class MomentForm(forms.Form):
    """Ask for a moment, in the agency's time zone."""

    at = forms.DateTimeField(
        label=_("At"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"}),
        help_text=_("Empty: now. Any moment since the account was placed."),
    )


class AccountOffers:
    """The two pages of an account's offers, for its admin."""

    class Media:
        css = {"all": ["portal/rules.css"]}

    def has_offer_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.add_individualoffer")

    @action(description=_("Make an offer"), permissions=["offer"], icon="sell")
    def make_offer(self, request, object_id):
        account = self.row(request, object_id)
        may_exceed = request.user.has_perm("settlements.exceed_individualoffer")
        form = OfferForm(request.POST if request.method == "POST" else None, may_exceed=may_exceed)
        if request.method == "POST" and form.is_valid():
            made = individual.make(account=account, origin="staff", by=by(request), now=request.now, **form.values())
            if not isinstance(made, list):
                messages.success(request, _("The offer of %(offer)s is made.") % {"offer": made})
                return redirect(self._address(account))
            form.refuse(made)
        return self._offers_page(
            request,
            "offer",
            account,
            title=_("Make an offer for account %(reference)s") % {"reference": account.reference},
            form=form,
            facts=_facts(why.explain(account=account, at=request.now), account),
        )

    @action(description=_("Why this offer"), permissions=["view"], icon="help")
    def why(self, request, object_id):
        account = self.row(request, object_id)
        form = MomentForm(request.GET or None)
        at = (form.cleaned_data["at"] if form.is_valid() else None) or request.now
        found, facts = None, []
        with acting_for(account.agency_id):
            try:
                found = why.explain(account=account, at=min(at, request.now))
                facts = _facts(found, account)
            except why.NotYet:
                messages.error(request, _("The account was not placed yet at that moment."))
        return self._offers_page(
            request,
            "why",
            account,
            title=_("Why account %(reference)s is offered this") % {"reference": account.reference},
            form=MomentForm(initial={"at": _typed(at)}) if not form.errors else form,
            facts=facts,
            numbers=_numbers(found) if found else [],
            closed=_closed(found) if found else [],
            said=_said(found) if found else [],
        )

    def _offers_page(self, request, template: str, account: Account, **context) -> HttpResponse:
        around = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": account,
            "media": self.media,
            "back": self._address(account),
        }
        return TemplateResponse(request, f"admin/settlements/{template}.html", around | context)


def _typed(at: datetime) -> str:
    return timezone.localtime(at).replace(tzinfo=None).isoformat(timespec="seconds")


def _facts(found: why.Why, account: Account) -> list[tuple[str, str]]:
    """Say what stood at the moment."""
    facts = found.facts

    def cents(value: int) -> str:
        return format_cents(value, account.currency)

    def version(value: Any) -> str:
        return _t("version %(n)s") % {"n": value} if value is not None else _t("none")

    rows = [
        (_t("Moment"), f"{timezone.localtime(facts.at):%Y-%m-%d %H:%M:%S}"),
        (_t("Day where the consumer lives"), facts.today.isoformat()),
        (_t("Status"), str(dict(Account.Status.choices).get(facts.status, facts.status))),
        (_t("Balance at the host"), cents(facts.balance_cents)),
        (_t("Received, not yet posted"), cents(facts.unposted_cents)),
        (_t("Owed"), cents(facts.owed_cents)),
        (_t("Listed"), facts.listed_on.isoformat() if facts.listed_on else _t("unknown")),
        (_t("Client"), facts.client),
        (_t("Individual offer"), f"{facts.individual.origin} {facts.individual}" if facts.individual else _t("none")),
        (_t("Rules of the client"), version(facts.client_version)),
        (_t("Rules of the agency"), version(facts.agency_version)),
        (_t("Default offer"), version(facts.default_version)),
    ]
    if facts.arrangement:
        words_of = _t("%(kind)s of %(sum)s: nothing else is offered while it runs")
        about = {"kind": facts.arrangement.get_kind_display(), "sum": cents(facts.arrangement.total_cents)}
        rows.append((_t("Arrangement"), words_of % about))
    return rows


def _numbers(found: why.Why) -> list[dict[str, Any]]:
    return [
        {
            "offer": words.OFFERED.get(one.choice, one.choice),
            "number": words.NUMBERS.get(one.number, one.number.replace("_", " ")),
            "value": spoken(one.number, one.value),
            "level": words.LEVELS.get(one.level, one.level),
            "version": one.version if isinstance(one.version, int) else "-",
            "field": one.field,
            "said": spoken(one.field, one.said),
            "sentence": one.sentence.sentence,
        }
        for one in found.numbers
    ]


def _closed(found: why.Why) -> list[dict[str, Any]]:
    return [
        {"choice": words.OFFERED[one.choice], "reasons": [(why_not.code, why_not.sentence) for why_not in one.reasons]}
        for one in found.closed
    ]


def _said(found: why.Why) -> list[tuple[str, str]]:
    """Give what the consumer reads when asking why."""
    return [(words.OFFERED[choice], one.sentence) for choice, one in found.sentences if choice in found.offered.open]
