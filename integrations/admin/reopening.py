"""Staff let a host collect a debt again that was paid, settled or discharged here."""

from django.contrib import messages
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.desk import ReasonForm
from integrations.services import reopen
from settlements.admin.people import by


class LetsReopen:
    """The action on an account's page."""

    def has_reopen_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "accounts.reopen_account")

    def get_actions_detail(self, request, object_id):
        """Offer it for a debt that ended."""
        offered = super().get_actions_detail(request, object_id)
        row = self.get_queryset(request).filter(pk=object_id).first()
        ended = row is not None and reopen.ended_as(row)
        return offered if ended else [one for one in offered if not one.action_name.endswith("_let_reopen")]

    @action(description=_("Let the host collect it again"), permissions=["reopen"], icon="lock_open")
    def let_reopen(self, request, object_id):
        account = self.row(request, object_id)

        def do(form):
            reason = form.cleaned_data["reason"]
            try:
                reopen.allow(account_id=account.pk, by=by(request), reason=reason, now=request.now)
            except reopen.NotEnded:
                messages.error(request, gettext("This debt did not end here: the host needs no permission."))
                return None
            self.log_change(request, account, "Let the host collect it again.")
            return gettext("The host's next push may collect it again.")

        return self.ask(
            request,
            account,
            title=_("Collect account %(reference)s again") % {"reference": account.reference},
            text=_("It was paid, settled or discharged here. Only an error of ours or a dismissed case changes that."),
            button=_("Let it"),
            form_class=ReasonForm,
            do=do,
        )
