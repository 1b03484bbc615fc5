"""Staff pages of offers: the agency's default, and what was made for single accounts."""

from django import forms
from django.contrib import admin, messages
from django.core.validators import MaxValueValidator, MinValueValidator
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.columns import status_of
from accounts.desk import AgencyAdmin, AgencyForm, FactAdmin, ReasonForm
from accounts.money import from_cents, to_cents
from settlements.admin.people import by, names
from settlements.models import GlobalOffer, IndividualOffer
from settlements.services import individual, offers

MOST_VERSIONS = 100
"""Shown on the page of the default offer; the list shows the rest."""
status = status_of({"accepted": "success", "completed": "success", "broken": "danger", "viewed": "info"})


class GlobalOfferForm(AgencyForm):
    """Say percents and dollars; the row keeps hundredths and cents."""

    percent = forms.DecimalField(
        label=_("Settlement percent"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
        help_text=_("Of the balance. 75 settles $1,000.00 for $750.00."),
    )
    minimum_payment = forms.DecimalField(
        label=_("Smallest payment, $"),
        max_digits=10,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )
    also_changed = ("percent_bps", "minimum_payment_cents")

    class Meta:
        model = GlobalOffer
        fields = ("enabled", "max_payments", "max_days")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("percent", from_cents(self.instance.percent_bps))
        self.initial.setdefault("minimum_payment", from_cents(self.instance.minimum_payment_cents))

    def _post_clean(self) -> None:
        if "percent" in self.cleaned_data:
            self.instance.percent_bps = to_cents(f"{self.cleaned_data['percent']:.2f}")
        if "minimum_payment" in self.cleaned_data:
            self.instance.minimum_payment_cents = to_cents(f"{self.cleaned_data['minimum_payment']:.2f}")
        super()._post_clean()


@admin.register(GlobalOffer)
class GlobalOfferAdmin(AgencyAdmin):
    """The one default settlement of the agency; saving makes a new version, older ones can be looked at and copied."""

    form = GlobalOfferForm
    one_row = True
    list_display = ["version", "__str__", "enabled", "made_at", "superseded_at"]
    ordering = ["-version"]
    fields = ["enabled", "percent", "max_payments", "max_days", "minimum_payment"]
    looked_at = ["enabled", "percent_bps", "max_payments", "max_days", "minimum_payment_cents"]
    actions_detail = ["use_again"]
    change_form_outer_after_template = "admin/settlements/offer_versions.html"

    class Media:
        css = {"all": ["portal/rules.css"]}

    def get_actions_detail(self, request, object_id):
        """Offer to use a version again where it is not the one in force."""
        superseded = GlobalOffer.objects.filter(pk=object_id, superseded_at__isnull=False).exists()
        return super().get_actions_detail(request, object_id) if superseded else []

    def has_change_permission(self, request, obj=None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.superseded_at is None)

    def get_fields(self, request, obj=None):
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fields if may_write else self.looked_at

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj is not None:
            versions = list(GlobalOffer.objects.filter(agency=obj.agency_id).order_by("-version")[:MOST_VERSIONS])
            made_by = names(one.made_by for one in versions)
            context["versions"] = [
                {"row": one, "percent": f"{one.percent_bps / 100:g} %", "by": made_by.get(one.made_by, "")}
                for one in versions
            ]
            context["may_use_again"] = self.has_use_permission(request)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request, obj, form, change):
        if form.changed_data:
            obj.pk = offers.set_default(values=self._values(obj), by=by(request), now=request.now).pk

    def _values(self, offer: GlobalOffer) -> dict:
        return {name: getattr(offer, name) for name in self.looked_at}

    def has_use_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.change_globaloffer")

    @action(description=_("Use this version again"), permissions=["use"], icon="history")
    def use_again(self, request, object_id):
        offer = self.row(request, object_id)
        return self.ask(
            request,
            offer,
            title=_("Use version %(version)s again") % {"version": offer.version},
            text=_("A new version with the values of this one is in force at once. Nothing that was agreed changes."),
            button=_("Use it again"),
            do=lambda form: self._use_again(request, offer),
        )

    def _use_again(self, request, offer: GlobalOffer):
        new = offers.set_default(values=self._values(offer), by=by(request), now=request.now)
        self.log_change(request, new, f"Used version {offer.version} again.")
        messages.success(request, _("Version %(version)s is in force.") % {"version": new.version})
        return redirect(self._address(new))


@admin.register(IndividualOffer)
class IndividualOfferAdmin(FactAdmin):
    """A settlement that its host, a campaign or staff made for one account."""

    list_display = [
        "account",
        "origin",
        status,
        "amount_cents",
        "percent_bps",
        "max_payments",
        "made_at",
    ]
    list_filter = ["status", "origin"]
    actions_detail = ["withdraw"]

    def has_withdraw_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "settlements.change_individualoffer")

    @action(description=_("Withdraw"), permissions=["withdraw"], icon="undo")
    def withdraw(self, request, object_id):
        offer = self.row(request, object_id)
        return self.ask(
            request,
            offer,
            title=_("Withdraw the offer of %(offer)s for account %(account)s")
            % {"offer": offer, "account": offer.account},
            text=_("The rules below it count again at once. What was accepted stays. Say why."),
            button=_("Withdraw"),
            form_class=ReasonForm,
            do=lambda form: self._withdraw(request, offer, form.cleaned_data["reason"]),
        )

    def _withdraw(self, request, offer: IndividualOffer, reason: str) -> None:
        refused = individual.withdraw(offer=offer, reason=reason, by=by(request), now=request.now)
        for refusal in refused:
            messages.error(request, refusal.sentence)
        if not refused:
            messages.success(request, _("The offer is withdrawn."))
