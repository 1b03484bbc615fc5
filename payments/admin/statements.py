"""Staff pages of the statements that a state's law owes consumers."""

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from payments.admin.letters import LeftForm
from payments.admin.money import OfAccount, status
from payments.admin.rights import say_refusals
from payments.models import Statement
from payments.services import statements


@admin.register(Statement)
class StatementAdmin(OfAccount):
    """An accounting of a plan, or the letter that nothing is owed any more (ST-03, ST-04)."""

    list_display = ["send_by", "account", "kind", "paid_cents", "owner", "channel", status, "sent_at"]
    list_filter = ["status", "kind", "channel"]
    actions_detail = ["left"]

    def has_left_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "payments.prove_statement")

    @action(description=_("The letter left"), permissions=["left"], icon="outgoing_mail")
    def left(self, request, object_id):
        row = self.row(request, object_id)

        def do(form):
            by, sent_on = f"staff:{request.user.pk}", form.cleaned_data["sent_on"]
            done = statements.left_by_post(statement_id=row.pk, sent_on=sent_on, by=by, now=request.now)
            return gettext("Noted: it left.") if isinstance(done, Statement) else say_refusals(request, done)

        return self.ask(
            request,
            row,
            title=_("The letter left"),
            text=_("Note the day on which the letter with this statement was posted."),
            button=_("Note"),
            do=do,
            form_class=LeftForm,
        )
