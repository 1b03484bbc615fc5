"""Take a payment for a consumer, from the account's staff page: prepared and sent, or taken on the telephone.

Nobody here types a card into our pages: on the telephone the agent types what the consumer says into the processor's
own field, which talks to the processor only. What is read out, who read it, and where the consent is recorded is kept.
"""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from accounts.desk import ReasonForm
from accounts.models import Account
from accounts.money import format_cents
from accounts.tenancy import acting_for
from payments.models import Checkout, PayLink, Payment
from payments.services import by_link, methods, pay_links
from payments.services.means import disclosures
from payments.services.sign import Refused
from payments.views.paying import with_processor
from settlements.admin.editor import HundredthsField, WholeField
from settlements.admin.people import by

CHOICES = [
    ("amount", _("An amount, today")),
    ("settlement", _("The settlement, at once")),
    ("full", _("The full balance, at once")),
    ("parts", _("The settlement in parts")),
    ("plan", _("The full balance in parts")),
]
FREQUENCIES = [
    ("monthly", _("Every month")),
    ("semimonthly", _("Twice a month, on the 1st and the 15th")),
    ("biweekly", _("Every two weeks")),
    ("weekly", _("Every week")),
]
HOW = [
    ("send", _("Write to the consumer: it waits behind the log-in")),
    ("text", _("Text the consumer: it waits behind the log-in")),
    ("keep", _("Prepare it only: the consumer is logging in now")),
    ("telephone", _("Take it now, on the telephone, by card")),
]


class TakeForm(ReasonForm):
    """Ask what is paid, and how it reaches the consumer."""

    choice = forms.ChoiceField(label=_("What"), choices=CHOICES, widget=UnfoldAdminSelectWidget)
    amount_cents = HundredthsField(label=_("Amount, $"), required=False, help_text=_("For an amount."))
    parts = WholeField(label=_("Number of payments"), required=False, help_text=_("For payments in parts."))
    frequency = forms.ChoiceField(
        label=_("How often"), choices=FREQUENCIES, required=False, widget=UnfoldAdminSelectWidget
    )
    how = forms.ChoiceField(label=_("How"), choices=HOW, widget=UnfoldAdminSelectWidget)
    field_order = ("choice", "amount_cents", "parts", "frequency", "how", "reason")

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("choice") == "amount" and not cleaned.get("amount_cents") and "amount_cents" not in self.errors:
            self.add_error("amount_cents", _("Enter an amount."))
        if cleaned.get("choice") in ("parts", "plan") and cleaned.get("how") == "telephone":
            # EFT-01: repeated payments are agreed in writing, by the consumer's own hand.
            self.add_error("how", _("Payments in parts are agreed in writing: send them to the consumer."))
        return cleaned


class SpokenForm(forms.Form):
    """Ask how the consumer agreed."""

    recording = forms.CharField(
        label=_("Recording"),
        max_length=80,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Its number, or the number and time of the call."),
    )
    agreed = forms.BooleanField(
        label=_("I read all of this aloud, the consumer knows that the call is recorded, and said yes."),
        widget=UnfoldBooleanWidget,
    )


class TakePayments:
    """The action on an account's page and the two pages of a payment on the telephone."""

    def get_urls(self):
        own = [
            path(
                "<path:object_id>/telephone/<uuid:checkout_id>/",
                self.admin_site.admin_view(self.telephone),
                name="accounts_account_telephone",
            )
        ]
        return own + super().get_urls()

    def has_take_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.take_payment")

    @action(description=_("Take a payment"), permissions=["take"], icon="add_card")
    def take_payment(self, request, object_id):
        account = self.row(request, object_id)

        def do(form):
            said = form.cleaned_data
            how = said.pop("how")
            tell = {"mail": how == "send", "text": how == "text"}
            made = by_link.prepare(account=account, by=by(request), now=request.now, **tell, **said)
            if isinstance(made, list):
                return say_refusals(request, made)
            if how != "telephone":
                return gettext("Prepared. It waits for the consumer at %(address)s") % {
                    "address": _address_of(request, made)
                }
            return self._call(request, account, made)

        return self.ask(
            request,
            account,
            title=_("Take a payment for account %(reference)s") % {"reference": account.reference},
            text=_("The consumer sees everything, and confirms it: at a page, or aloud in a call that is recorded."),
            button=_("Go on"),
            form_class=TakeForm,
            do=do,
        )

    def _call(self, request, account: Account, link: PayLink) -> HttpResponse | str:
        """Begin a payment on the telephone."""
        if against := by_link.against_telephone(link=link, now=request.now):
            pay_links.revoke(link=link, by=by(request), reason="not on the telephone", now=request.now)
            return say_refusals(request, against)
        said = {"channel": by_link.TELEPHONE, "by": by(request), "name": request.user.get_username()}
        made = by_link.begin(link=link, said=said, now=request.now)
        if isinstance(made, list):
            return say_refusals(request, made)
        return redirect("admin:accounts_account_telephone", account.pk, made.pk)

    @method_decorator(never_cache)
    def telephone(self, request, object_id, checkout_id):
        """Read out what must be said, take the card in the processor's field, then the consent."""
        account = self.row(request, object_id)
        joined = ("account__consumer", "account__client", "account__agency", "method", "link")
        made = Checkout.objects.select_related(*joined).filter(pk=checkout_id, account=account).first()
        mine = made is not None and made.said.get("channel") == by_link.TELEPHONE
        if not (mine and self.has_take_permission(request)):
            raise Http404
        with acting_for(account.agency_id):
            if made.confirmed_at is not None:
                return self._outcome(request, made)
            if request.method == "POST" and request.POST.get("action") == "other_card":
                methods.change(made, confirmation_token="", card={})
                return redirect(request.path)
            if not made.confirmation_token:
                return self._card(request, account, made)
            return self._consent(request, account, made)

    def _card(self, request, account: Account, made: Checkout) -> HttpResponse:
        merchant = methods.active_processor(account)
        if request.method == "POST":
            token = request.POST.get("confirmation_token", "")[:80]
            found = by_link.take_card(checkout=made, confirmation_token=token, now=request.now) if token else []
            if token and not found:
                return redirect(request.path)
            say_refusals(request, found)
        page = self._page(request, account, made, card=merchant)
        return with_processor(page, merchant)

    def _consent(self, request, account: Account, made: Checkout) -> HttpResponse:
        language = account.consumer.language[:2]
        form = SpokenForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            heard = {"recording": form.cleaned_data["recording"], "heard_by": by(request)}
            try:
                payment = by_link.confirm(
                    made=made,
                    text_sha256=request.POST.get("authorization_sha256", ""),
                    ip=request.ip,
                    user_agent=request.headers.get("User-Agent", "")[:300],
                    language=language,
                    now=request.now,
                    said=heard,
                )
            except Refused as refused:
                say_refusals(request, refused.refusals)
            else:
                self.log_change(request, account, f"Took payment {payment.reference} on the telephone.")
                return redirect(request.path)
        seen = by_link.review(made=made, language=language, now=request.now)
        if seen.refusals and request.method != "POST":
            say_refusals(request, seen.refusals)
        return self._page(request, account, made, seen=seen, form=form, method=seen.means.label("en"))

    def _page(self, request, account: Account, made: Checkout, **more) -> HttpResponse:
        """Show what CARD-02 wants said before any charge, and the step that is next."""
        shown = disclosures(account)
        context = self.admin_site.each_context(request) | {
            "title": _("A payment on the telephone, account %(reference)s") % {"reference": account.reference},
            "amount": format_cents(made.lines[0][1], account.currency),
            "amount_cents": made.lines[0][1],
            "currency": account.currency,
            "consumer": account.consumer,
            "agency": account.agency,
            "said": [
                (_("Paid to"), account.agency.legal_name),
                (_("Original creditor"), shown.original_creditor),
                (_("Reference"), shown.reference),
                (_("Description"), shown.description),
                (_("Date of the contract"), shown.contract_on),
                (_("Where to ask"), shown.ask_where),
            ],
            "back": self._address(account),
            "opts": self.opts,
            "original": account,
            "media": self.media,
            **more,
        }
        return TemplateResponse(request, "admin/telephone.html", context)

    def _outcome(self, request, made: Checkout) -> HttpResponse:
        payment = Payment.objects.filter(idempotency_key=made.pk).first()
        if payment is None:
            raise Http404
        if payment.status == Payment.Status.SUCCEEDED:
            sum_of = format_cents(payment.amount_cents, payment.currency)
            messages.success(request, gettext("%(sum)s was taken.") % {"sum": sum_of})
        elif payment.status in (Payment.Status.DECLINED, Payment.Status.VOIDED):
            messages.error(request, gettext("Nothing was charged: the card was declined."))
        else:
            messages.warning(request, gettext("Not decided yet. Do not take it again."))
        return redirect("admin:payments_payment_change", payment.pk)


def _address_of(request, link: PayLink) -> str:
    """Give the address on the agency's own site, to read out or to send; it opens after the log-in only."""
    path_of = reverse("payments:prepared", args=[link.pk])
    return f"{request.scheme}://{request.agency.slug}.{settings.PORTAL_DOMAIN}{path_of}"


def say_refusals(request, refusals) -> str:
    """Put refusals on the page as errors; nothing is said of success."""
    for one in refusals:
        messages.error(request, one.say(gettext, get_language() or "en"))
    return ""
