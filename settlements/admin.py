"""Staff pages of offers: the agency's default, and what was made for single accounts."""

from django import forms
from django.contrib import admin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.columns import status_of
from accounts.desk import AgencyAdmin, AgencyForm, FactAdmin
from accounts.money import from_cents, to_cents
from settlements.models import GlobalOffer, IndividualOffer
from settlements.services import offers

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
    """The one default settlement of the agency."""

    form = GlobalOfferForm
    one_row = True
    list_display = ["__str__", "enabled"]
    fields = ["enabled", "percent", "max_payments", "max_days", "minimum_payment"]
    looked_at = ["enabled", "percent_bps", "max_payments", "max_days", "minimum_payment_cents"]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(superseded_at=None)

    def save_model(self, request, obj, form, change):
        values = {name: getattr(obj, name) for name in self.looked_at}
        new = offers.set_default(values=values, by=f"staff:{request.user.pk}", now=request.now)
        obj.pk = new.pk

    def get_fields(self, request, obj=None):
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fields if may_write else self.looked_at


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
