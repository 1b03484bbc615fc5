"""Staff page of webhook endpoints: made here and their secret shown once, tested, resumed, told again, removed."""

from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from accounts.columns import label
from accounts.desk import AgencyAdmin, AgencyForm, FactAdmin, FactInline, LinesField
from integrations.admin.keys import RotateForm, show_key
from integrations.models import Redelivery, WebhookEndpoint
from integrations.services import endpoints, redeliver


class EndpointForm(AgencyForm):
    """Say what an endpoint hears, one kind per line."""

    kinds = LinesField(
        label=_("Events"), required=False, help_text=_("One per line: payment.succeeded or payment.*. Empty: all.")
    )

    class Meta:
        model = WebhookEndpoint
        fields = ()

    def clean(self):
        cleaned = super().clean()
        asked = {name: cleaned.get(name) for name in ("url", "kinds", "most")}
        if None not in asked.values():
            for refusal in endpoints.wrong(**asked):
                self.add_error(refusal.field, refusal.sentence)
        return cleaned


class StretchForm(forms.Form):
    """Ask from where to where."""

    first = forms.IntegerField(label=_("From event number"), min_value=1, widget=UnfoldAdminIntegerFieldWidget())
    last = forms.IntegerField(
        label=_("To event number"),
        min_value=1,
        required=False,
        help_text=_("Empty: to the newest."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class Redeliveries(FactInline):
    model = Redelivery
    fields = ["asked_at", "asked_by", "first", "last", "position", "told", "done_at"]


def circuit_of(row) -> str:
    """Show whether a receiver is told, and since when not."""
    for code, since, text in (
        ("danger", getattr(row, "removed_at", None), _("removed %(since)s")),
        ("danger", getattr(row, "suspended_at", None), _("suspended since %(since)s")),
        ("danger", row.unreachable_since, _("unreachable since %(since)s")),
    ):
        if since:
            return label(code, text % {"since": localtime(since).strftime("%Y-%m-%d %H:%M")})
    return label("success", _("reachable")) if row.is_active else label("warning", _("off"))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AgencyAdmin):
    """Addresses that hear the agency's events, signed."""

    form = EndpointForm
    list_display = ["name", "url", "hears", "circuit", "is_active", "made_at"]
    readonly_fields = ["circuit", "suspended_why", "old_until", "made_at", "made_by"]
    actions_detail = ["test", "resume", "tell_again", "dead_letters_again", "rotate", "remove"]
    inlines = [Redeliveries]
    fieldsets = [
        (None, {"fields": [("name", "circuit"), "url", ("most", "is_active"), "kinds"]}),
        (_("How it stands"), {"fields": ["suspended_why", "old_until", ("made_at", "made_by")]}),
    ]

    @display(description=_("circuit"))
    def circuit(self, endpoint) -> str:
        return circuit_of(endpoint) if endpoint.made_at else "-"

    @display(description=_("hears"))
    def hears(self, endpoint) -> str:
        return ", ".join(endpoint.kinds) or _("everything")

    def has_change_permission(self, request, obj=None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.removed_at is None)

    def save_model(self, request, obj, form, change) -> None:
        said = {name: form.cleaned_data[name] for name in ("name", "url", "kinds", "most")}
        if change:
            endpoints.change(endpoint=obj, **said, is_active=form.cleaned_data["is_active"])
            return
        found = endpoints.make(**said, by=f"staff:{request.user.pk}", now=request.now)
        if isinstance(found, list):  # as many as an agency may have
            request.new_secret = None
            messages.error(request, found[0].sentence)
            return
        made, request.new_secret = found
        obj.pk, obj.made_at, obj.made_by = made.pk, made.made_at, made.made_by

    def response_add(self, request, obj, post_url_continue=None):
        if request.new_secret is None:
            return self.response_post_save_add(request, obj)
        return show_key(self, request, obj, key=request.new_secret, title=_("The signing secret"))

    def log_addition(self, request, obj, message):
        return super().log_addition(request, obj, message) if request.new_secret else None

    def has_test_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.test_webhookendpoint")

    def has_resume_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.resume_webhookendpoint")

    def has_redeliver_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.replay_delivery")

    def has_rotate_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.rotate_webhookendpoint")

    def has_remove_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.remove_webhookendpoint")

    @action(description=_("Test"), permissions=["test"], icon="network_check")
    def test(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Send a test to %(name)s") % {"name": row.name},
            text=_("A signed message that is no event: webhook.tested."),
            button=_("Send"),
            do=lambda form: self._test(request, row),
        )

    def _test(self, request, row) -> None:
        if row.removed_at is not None:
            messages.error(request, _("This endpoint was removed: make another one."))
            return
        found = endpoints.test(endpoint=row, now=request.now)
        said = {"status": found.status, "ms": round(found.duration_ms), "error": found.reason}
        if found.ok:
            messages.success(request, _("It answered HTTP %(status)s in %(ms)s ms.") % said)
        elif found.status:
            messages.error(request, _("It answered HTTP %(status)s.") % said)
        else:
            messages.error(request, _("It did not answer: %(error)s") % said)

    @action(description=_("Resume"), permissions=["resume"], icon="play_arrow")
    def resume(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Tell %(name)s again") % {"name": row.name},
            text=_("What waits for it goes out, from where it stopped, in order."),
            button=_("Resume"),
            do=lambda form: self._resume(request, row),
        )

    def _resume(self, request, row) -> None:
        if endpoints.resume(endpoint=row, now=request.now):
            self.log_change(request, row, "Resumed.")
            messages.success(request, _("It is told again."))
        else:
            messages.error(request, _("It is told already, or it was removed."))

    @action(description=_("Deliver a stretch again"), permissions=["redeliver"], icon="replay")
    def tell_again(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Deliver a stretch of events again to %(name)s") % {"name": row.name},
            text=_("By their numbers in the agency's sequence. Each keeps its id; what it was never told is told too."),
            button=_("Deliver again"),
            form_class=StretchForm,
            do=lambda form: self._tell_again(request, row, form.cleaned_data),
        )

    def _tell_again(self, request, row, asked: dict) -> None:
        by = f"staff:{request.user.pk}"
        found = redeliver.redeliver(to=row, first=asked["first"], last=asked["last"], by=by, now=request.now)
        if isinstance(found, list):
            messages.error(request, found[0].sentence)
        else:
            self.log_change(request, row, f"Asked to deliver {found.first} to {found.last} again.")
            messages.success(request, _("They are on their way."))

    @action(description=_("Deliver dead letters again"), permissions=["redeliver"], icon="mark_email_unread")
    def dead_letters_again(self, request, object_id):
        row = self.row(request, object_id)
        dead = redeliver.dead_letters(row)
        return self.ask(
            request,
            row,
            title=_("Deliver the dead letters of %(name)s again") % {"name": row.name},
            text=_("%(count)s events were refused or given up on.") % {"count": dead.count()},
            button=_("Deliver again"),
            do=lambda form: self._dead_again(request, row, dead),
        )

    def _dead_again(self, request, row, dead) -> str:
        count = redeliver.replay_all(dead, now=request.now)
        self.log_change(request, row, f"Asked to deliver {count} dead letters again.")
        return _("%(count)s are on their way.") % {"count": count}

    @action(description=_("Rotate"), permissions=["rotate"], icon="autorenew")
    def rotate(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Give %(name)s a new secret") % {"name": row.name},
            text=_("Both secrets sign until the old one ends. We show the new one one time."),
            button=_("Make a new secret"),
            form_class=RotateForm,
            do=lambda form: self._rotate(request, row, timedelta(hours=form.cleaned_data["hours"])),
        )

    def _rotate(self, request, row, keep_old: timedelta):
        found = endpoints.rotate(endpoint=row, keep_old=keep_old, now=request.now)
        if isinstance(found, list):
            messages.error(request, found[0].sentence)
            return None
        self.log_change(request, row, "Made a new secret.")
        return show_key(self, request, row, key=found, title=_("The signing secret"))

    @action(description=_("Remove"), permissions=["remove"], icon="delete")
    def remove(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Remove %(name)s") % {"name": row.name},
            text=_("For good: its secrets are wiped, what waits for it is skipped."),
            button=_("Remove"),
            do=lambda form: self._remove(request, row),
            done=_("Removed."),
        )

    def _remove(self, request, row) -> None:
        endpoints.remove(endpoint=row, by=f"staff:{request.user.pk}", now=request.now)
        self.log_change(request, row, "Removed.")


@admin.register(Redelivery)
class RedeliveryAdmin(FactAdmin):
    """Stretches of events that were asked for again, and how far they are."""

    list_display = ["asked_at", "asked_by", "endpoint", "connection", "first", "upto", "position", "told", "done_at"]

    @display(description=_("to"))
    def upto(self, row) -> str:
        return _("the newest event") if row.last == Redelivery.UNTIL_CAUGHT_UP else str(row.last)
