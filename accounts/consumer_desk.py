"""What staff do for a consumer: save the consent ledger, keep hours free that do not suit, and let them suit again."""

import datetime as dt

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.desk import FactAdmin
from accounts.preferences import EVERY_DAY, TimesForm
from accounts.services import ledger, quiet


class ConsumerDesk(FactAdmin):
    """The actions of a consumer's page."""

    actions_detail = ["save_ledger", "keep_free"]

    def has_ledger_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "accounts.view_consent")

    def has_free_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "accounts.add_quiettime")

    @action(description=_("Save the consent ledger"), permissions=["ledger"], icon="download")
    def save_ledger(self, request, object_id):
        """Every line about the consumer, with what they saw, for whoever must prove it (RF-36)."""
        row = self.row(request, object_id)
        content = b"".join(ledger.as_csv(ledger.COLUMNS, ledger.lines(row)))
        self.log_change(request, row, "Saved the consent ledger.")
        answer = HttpResponse(content, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="consents-{row.pk}.csv"'
        return answer

    @action(description=_("Add a time that does not suit"), permissions=["free"], icon="schedule")
    def keep_free(self, request, object_id):
        """Note hours that the consumer named on the telephone or in a letter (RF-04)."""
        row = self.row(request, object_id)

        def add(form):
            said = form.cleaned_data
            days = range(7) if said["weekday"] == EVERY_DAY else [int(said["weekday"])]
            starts, ends = (dt.time.fromisoformat(said[name]) for name in ("starts", "ends"))
            try:
                quiet.add(consumer=row, weekdays=days, starts=starts, ends=ends, source="staff", now=request.now)
            except quiet.TooMany:
                messages.error(request, _("These are many times. End some first."))
            else:
                self.log_change(request, row, "Noted a time that does not suit.")
                messages.success(request, _("Nothing is sent in these hours any more."))

        return self.ask(
            request,
            row,
            title=_("Add a time that does not suit"),
            text=_("As the consumer said it, in the consumer's own time. No message leaves in these hours."),
            button=_("Keep it free"),
            do=add,
            form_class=TimesForm,
        )


class QuietTimeDesk(FactAdmin):
    """The action of a time's page."""

    actions_detail = ["end"]

    def get_actions_detail(self, request, object_id):
        row = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if row and row.ended_at is None else []

    def has_end_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "accounts.change_quiettime")

    @action(description=_("It suits again"), permissions=["end"], icon="undo")
    def end(self, request, object_id):
        row = self.row(request, object_id)

        def end(_form):
            quiet.end(row=row, now=request.now)
            self.log_change(request, row, "Ended a time that did not suit.")

        return self.ask(
            request,
            row,
            title=_("It suits again"),
            text=_("The consumer said so. Messages may leave in these hours again."),
            button=_("It suits again"),
            do=end,
            done=_("Done."),
        )
