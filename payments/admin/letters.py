"""What staff note of letters: the day on which one left."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.desk import DayInput
from payments.admin.taking import say_refusals
from payments.models import Notice
from payments.services import letters
from settlements.admin.people import by


class LeftForm(forms.Form):
    """Ask when the letter left."""

    sent_on = forms.DateField(label=_("The letter left on"), widget=DayInput)


class Announced:
    """Note that the letter which announces a planned payment left (PDC-05)."""

    actions_detail = ["letter_left"]

    def get_actions_detail(self, request, object_id):
        """Offer it while a letter is due."""
        offered = super().get_actions_detail(request, object_id)
        due = Notice.objects.filter(postdate=object_id, channel="letter").exclude(status=Notice.Status.SENT).exists()
        return [one for one in offered if due or not one.action_name.endswith("_letter_left")]

    def has_letter_left_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.prove_notice")

    @action(description=_("The letter left"), permissions=["letter_left"], icon="outgoing_mail")
    def letter_left(self, request, object_id):
        row = self.row(request, object_id)

        def do(form) -> str:
            sent_on = form.cleaned_data["sent_on"]
            done = letters.left_by_post(postdate_id=row.pk, sent_on=sent_on, by=by(request), now=request.now)
            if not isinstance(done, Notice):
                return say_refusals(request, done)
            self.log_change(request, row, f"The letter left on {sent_on.isoformat()}.")
            return gettext("Noted: it left.")

        text = _("Note the day on which the letter about this payment was posted. Without it nothing is taken.")
        return self.ask(
            request, row, title=_("The letter left"), text=text, button=_("Note"), do=do, form_class=LeftForm
        )
