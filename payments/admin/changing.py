"""What staff do with an arrangement, always with a reason: change it, rest it, have it looked at, cancel it.

A change is shown first, with what it comes to; the second press makes it. Without the reference of a recorded call in
which the consumer agreed, only days move, and only as far ahead as their notice allows (ACH-07, ACH-08).
"""

from django import forms
from django.http import HttpResponse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.calendars import format_date
from accounts.desk import DayInput, ReasonForm
from accounts.money import format_cents
from payments.admin.giving import told
from payments.forms import AdjustForm
from payments.models import Arrangement, Postdate
from payments.services import change, life, postdates, replan, resting, wallet
from payments.services.authorize import usable
from payments.services.change import Preview, Wish
from payments.services.methods import kept_for
from payments.services.preview import MOST_IN_ADVANCE
from settlements.admin.people import by

CHANGES = {
    "move": _("move a payment to another day"),
    "skip": _("skip a payment to the end"),
    "frequency": _("another rhythm"),
    "method": _("another card or bank account"),
}
RESTING = (Arrangement.Status.PAUSED, Arrangement.Status.REVIEW)


class RecordedForm(ReasonForm):
    """Ask why, and in which recorded call the consumer agreed, if they did."""

    recording = forms.CharField(
        label=_("Reference of the recorded call"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("In which the consumer agreed to exactly this. Empty: they are told by a notice instead."),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)


class ChangeForm(RecordedForm):
    """Ask what is to change."""

    kind = forms.ChoiceField(label=_("Change"), choices=list(CHANGES.items()), widget=UnfoldAdminSelectWidget)
    payment = forms.ChoiceField(label=_("Payment"), required=False, widget=UnfoldAdminSelectWidget)
    to_on = forms.DateField(label=_("New day"), required=False, widget=DayInput)
    frequency = forms.ChoiceField(
        label=_("How often"),
        required=False,
        choices=[("", "-"), *AdjustForm.FREQUENCIES.items()],
        widget=UnfoldAdminSelectWidget,
    )
    method = forms.ChoiceField(label=_("Pay from"), required=False, widget=UnfoldAdminSelectWidget)
    field_order = ("kind", "payment", "to_on", "frequency", "method", "recording", "reason", "seen")

    def __init__(self, *args, row: Arrangement, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        rows = row.postdates.filter(status__in=replan.MOVABLE).order_by("due_on", "number")
        mine = wallet.methods_of(row.consumer_id)
        self.methods = {str(one.pk): one for one in mine if usable(one) and kept_for(row.account, one)}
        self.fields["payment"].choices = [("", "-"), *((str(one.pk), str(one)) for one in rows)]
        self.fields["method"].choices = [("", "-"), *((key, one.label) for key, one in self.methods.items())]

    def wish(self) -> Wish:
        """Read what was chosen."""
        typed = self.cleaned_data
        return Wish(
            kind=typed["kind"],
            payment=typed["payment"] or None,
            to_on=typed["to_on"],
            frequency=typed["frequency"],
            method=self.methods.get(typed["method"]),
            recording=typed["recording"].strip(),
            reason=typed["reason"],
        )


class AdvanceForm(RecordedForm):
    """Ask how many days before its date each payment is charged."""

    days = forms.IntegerField(
        label=_("Days in advance"), min_value=0, max_value=MOST_IN_ADVANCE, widget=UnfoldAdminIntegerFieldWidget
    )
    field_order = ("days", "recording", "reason", "seen")

    def wish(self) -> Wish:
        """Read what was chosen."""
        typed = self.cleaned_data
        recording = typed["recording"].strip()
        return Wish(kind="advance", days_in_advance=typed["days"], recording=recording, reason=typed["reason"])


class PauseForm(ReasonForm):
    """Ask until when nothing is taken, and why."""

    until = forms.DateField(
        label=_("Until the end of"),
        required=False,
        widget=DayInput,
        help_text=_("Empty: until somebody resumes it."),
    )
    field_order = ("until", "reason")


class ReviewForm(ReasonForm):
    """Ask after how many paid instalments somebody looks at it."""

    instalments = forms.IntegerField(
        label=_("After so many paid instalments"),
        required=False,
        min_value=1,
        max_value=1_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Empty: not at all."),
    )
    field_order = ("instalments", "reason")


class Rearrange:
    """The actions of an arrangement's page."""

    actions_detail = ["change_it", "in_advance", "pause", "resume", "look_after", "cancel"]

    def get_actions_detail(self, request, object_id):
        """Offer what fits the arrangement's status and nothing else."""
        said = Arrangement.objects.filter(pk=object_id).values_list("status", flat=True).first()
        running = said in (Arrangement.Status.PERFORMING, Arrangement.Status.LATE)
        resting = said in RESTING
        fitting = {"cancel"} if said in life.WATCHED else set()
        fitting |= {"change_it", "in_advance", "pause", "look_after"} if running else set()
        fitting |= {"resume"} if resting else set()
        mine = {f"{self.opts.app_label}_{self.opts.model_name}_{name}": name for name in Rearrange.actions_detail}
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if mine.get(one.action_name, "") in fitting or one.action_name not in mine]

    def has_rearrange_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.rearrange_arrangement")

    def has_advance_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.advance_arrangement")

    @action(description=_("Change"), permissions=["rearrange"], icon="edit_calendar")
    def change_it(self, request, object_id):
        row = self.row(request, object_id)
        return self._changed(
            request, row, _("Change this arrangement"), lambda data=None, files=None: ChangeForm(data, row=row)
        )

    @action(description=_("Days in advance"), permissions=["advance"], icon="event_upcoming")
    def in_advance(self, request, object_id):
        row = self.row(request, object_id)
        return self._changed(request, row, _("Charge it days in advance"), AdvanceForm)

    def _changed(self, request, row, title, form_class) -> HttpResponse:
        """Show what a change comes to, then make exactly that."""
        text = _("First you see what it comes to. Nothing changes before you press again.")

        def do(form) -> HttpResponse | str:
            wish, who = form.wish(), by(request)
            seen = change.preview(arrangement=row, wish=wish, now=request.now, by=who, language=_language(row))
            if not seen.refusals and form.cleaned_data["seen"] == _mark(seen):
                made = change.confirm(
                    arrangement=row,
                    wish=wish,
                    by=who,
                    now=request.now,
                    text_sha256=seen.text_sha256,
                    language=_language(row),
                )
                self.log_change(request, made, f"{wish.kind}: {wish.reason}")
                return gettext("Changed.")
            data = request.POST.copy()
            data["seen"] = "" if seen.refusals else _mark(seen)
            again = form_class(data)
            again.is_valid()
            for one in seen.refusals:
                again.add_error(None, one.say(gettext, get_language() or "en"))
            said = text if seen.refusals else _in_words(seen, row)
            return self._ask_again(request, row, title, said, again)

        return self.ask(
            request, row, title=title, text=text, button=_("See what changes"), do=do, form_class=form_class
        )

    def _ask_again(self, request, row, title, text, form) -> HttpResponse:
        button = _("Change it") if form.data["seen"] else _("See what changes")
        return self.ask_page(request, row, title=title, text=text, button=button, form=form)

    @action(description=_("Pause"), permissions=["rearrange"], icon="pause")
    def pause(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            typed = form.cleaned_data
            resting.pause(arrangement=row, until=typed["until"], reason=typed["reason"], now=request.now)
            self.log_change(request, row, f"Paused: {typed['reason']}")
            return gettext("Paused. Nothing is taken.")

        text = _("Nothing is taken meanwhile; what falls into it is due at the end, by the consumer's own hand.")
        return self._asked(request, row, title=_("Pause"), text=text, button=_("Pause"), do=do, form_class=PauseForm)

    @action(description=_("Resume"), permissions=["rearrange"], icon="play_arrow")
    def resume(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            done = resting.resume(arrangement=row, looked_at=True, now=request.now)
            self.log_change(request, row, f"Resumed: {form.cleaned_data['reason']}")
            if done.status == Arrangement.Status.PAUSED and done.paused_until:
                day = format_date(done.paused_until, get_language() or "en")
                return gettext("It still rests until %(day)s: that pause goes on.") % {"day": day}
            return gettext("Resumed.")

        text = _("What is still to come is taken as planned, unless a dispute still holds it.")
        return self._asked(request, row, title=_("Resume"), text=text, button=_("Resume"), do=do)

    @action(description=_("Look at it later"), permissions=["rearrange"], icon="rate_review")
    def look_after(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            number = form.cleaned_data["instalments"]
            resting.look_after(arrangement=row, instalments=number, now=request.now)
            self.log_change(request, row, f"Suspend after {number or 'no'} instalments: {form.cleaned_data['reason']}")
            return gettext("Noted.")

        text = _("When they are paid, the rest is held until somebody resumes it.")
        title = _("Suspend for review")
        return self._asked(request, row, title=title, text=text, button=_("Note"), do=do, form_class=ReviewForm)

    @action(description=_("Cancel"), permissions=["rearrange"], icon="block")
    def cancel(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            wish = Wish(kind="cancel", reason=form.cleaned_data["reason"])
            change.confirm(arrangement=row, wish=wish, by=by(request), now=request.now)
            self.log_change(request, row, f"Cancelled: {wish.reason}")
            return gettext("Cancelled. What the host holds is asked back.")

        seen = change.preview(arrangement=row, wish=Wish(kind="cancel"), now=request.now, by=by(request))
        text = " ".join(one.say(gettext, get_language() or "en") for one in seen.refusals or seen.effects)
        title = _("Cancel this arrangement")
        return self._asked(request, row, title=title, text=text, button=_("Cancel it"), do=do)

    def _asked(self, request, row, *, do, form_class=ReasonForm, **page) -> HttpResponse:
        """Ask before an action; what the arrangement's own state is against stands on the page as errors."""
        return self.ask(request, row, do=lambda form: told(request, lambda: do(form)), form_class=form_class, **page)


class Stoppable:
    """Cancel one planned payment for the consumer (PDC-07)."""

    actions_detail = ["stop"]

    def get_actions_detail(self, request, object_id):
        """Offer to cancel what is still planned."""
        planned = Postdate.objects.filter(pk=object_id, status__in=replan.MOVABLE).exists()
        return super().get_actions_detail(request, object_id) if planned else []

    def has_stop_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.cancel_postdate")

    @action(description=_("Cancel"), permissions=["stop"], icon="block")
    def stop(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            return told(request, lambda: stopped(form.cleaned_data["reason"]))

        def stopped(reason: str) -> str:
            postdates.request_cancel(postdate=row, now=request.now, reason=reason)
            self.log_change(request, row, f"Cancelled: {reason}")
            return gettext("Cancelled here at once; what the host holds is asked back.")

        text = _("The consumer can do the same on their page. The rest of the arrangement stays.")
        title = _("Cancel this payment")
        return self.ask(request, row, title=title, text=text, button=_("Cancel it"), do=do, form_class=ReasonForm)


def _language(row: Arrangement) -> str:
    return row.authorization.language if row.authorization else row.consumer.language[:2]


def _mark(seen: Preview) -> str:
    """Name what was shown, so that exactly that is made."""
    return seen.text_sha256 or ";".join(f"{on.isoformat()}={cents}" for on, cents in seen.lines)


def _in_words(seen: Preview, row: Arrangement) -> str:
    language, currency = get_language() or "en", row.account.currency
    effects = [one.say(gettext, language) for one in seen.effects]
    lines = [f"{format_date(on, language)}: {format_cents(cents, currency, language)}" for on, cents in seen.lines]
    read = [gettext("Read this to the consumer, word for word:"), seen.text] if seen.text else []
    return " ".join([*effects, gettext("Payments then:"), "; ".join(lines) + ".", *read])
