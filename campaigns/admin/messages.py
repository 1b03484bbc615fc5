"""Staff pages of messages: the provider is kept, messages are facts."""

from uuid import UUID

from django import forms
from django.contrib import admin
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.columns import status_of
from accounts.desk import AgencyAdmin, FactAdmin, acts_for_one
from accounts.exports import saved
from accounts.scope import acting
from accounts.services.outreach import MESSAGE_COLUMNS
from campaigns import channels
from campaigns.models import MailEvent, MailProvider, Message, Recipient
from campaigns.services import audit, letters, links

TONES = {
    "delivered": "success",
    "sent": "info",
    "queued": "warning",
    "held": "warning",
    "bounced": "danger",
    "complained": "danger",
    "failed": "danger",
}
status = status_of(TONES)
PAGE = "admin:campaigns_message_change"


@admin.register(MailProvider)
class MailProviderAdmin(AgencyAdmin):
    """The agency's own e-mail provider. Keys are written, never shown."""

    list_display = ["name", "backend", "domain", "from_address", "is_active"]
    fieldsets = [
        (None, {"fields": ["name", "backend", "is_active"]}),
        (_("Sender"), {"fields": ["domain", "from_name", "from_address", "replies_to", "cents_per_thousand"]}),
        (_("Keys"), {"fields": ["api_key", "signing_key", "api_url"]}),
    ]


def _moment() -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})


class AuditForm(forms.Form):
    """Which messages are saved, and how."""

    since = forms.DateTimeField(label=_("Queued from"), required=False, widget=_moment())
    until = forms.DateTimeField(label=_("Queued before"), required=False, widget=_moment())
    channel = forms.ChoiceField(
        label=_("Channel"),
        required=False,
        choices=[("", _("all")), *Message._meta.get_field("channel").choices],
        widget=UnfoldAdminSelectWidget(),
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("all")), *Message.Status.choices],
        widget=UnfoldAdminSelectWidget(),
    )
    format = forms.ChoiceField(
        label=_("Form"), choices=[("csv", "CSV"), ("ndjson", "NDJSON")], widget=UnfoldAdminSelectWidget()
    )


@admin.register(Message)
class MessageAdmin(FactAdmin):
    """One message, its words and what became of it. A message that carries a code keeps its words to itself."""

    list_display = ["queued_at", "channel", "template", "consumer", "contact_point", status, "opened_at", "reason"]
    list_filter = ["status", "channel", "stream", "template"]
    fields = [
        ("template", status),
        ("channel", "segments"),
        ("consumer", "account"),
        ("contact_point", "language"),
        "subject",
        "words",
        "attachments",
        ("queued_at", "sent_at"),
        ("opened_at", "clicked_at"),
        ("attempts", "next_at"),
        ("provider_id", "cause"),
        "reason",
    ]
    hidden = ("text", "html", "token", "check_hash", "link_hash")
    actions_list = ["audit"]

    def has_audit_permission(self, request, object_id=None) -> bool:
        return acts_for_one() and self.has_view_permission(request)

    @action(description=_("Save for an audit"), permissions=["audit"], icon="download")
    def audit(self, request):
        """Save every message, what became of it and what it cost (RF-37)."""
        form = AuditForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = dict(form.cleaned_data)
            csv = said.pop("format") == "csv"
            rows = audit.export(**{name: value for name, value in said.items() if value})
            agency = UUID(acting())
            return saved(rows, columns=MESSAGE_COLUMNS, csv=csv, name="messages", agency_id=agency)
        context = self.admin_site.each_context(request) | {
            "title": _("Save for an audit"),
            "text": _("A line for every message: when, to whom, about what, why not, and what it cost."),
            "button": _("Save"),
            "form": form,
            "back": reverse("admin:campaigns_message_changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    @display(description=_("text"))
    def words(self, message) -> str:
        if message.stream == "security":
            return _("Not shown: this message carries a code.")
        if message.stream == "campaigns" and message.channel == "email":
            return format_html('<pre class="staff-text">{}</pre>', written_again(message))
        return format_html('<pre class="staff-text">{}</pre>', message.text)


def written_again(message: Message) -> str:
    """Write a campaign's message as it went, its links left out: from the version and the values that were kept."""
    joined = Recipient.objects.select_related("campaign__version_a", "campaign__version_b", "campaign__agency")
    if (recipient := joined.filter(message=message).first()) is None:
        return ""
    campaign = recipient.campaign
    version = campaign.version_b if recipient.variant == "b" else campaign.version_a
    for first in (True, False):
        for barred in (False, True):
            compiled = letters.compile_mail(
                version=version,
                agency=campaign.agency,
                language=message.language,
                first=first,
                barred=barred,
                licensed=letters.LICENCE in recipient.values,
            )
            _subject, text, page = compiled.write(recipient.values)
            if links.hash_of(page) == recipient.body_sha256:
                return text
    return _("The agency's details changed since; the version and the values stand in the campaign.")


@admin.register(MailEvent)
class MailEventAdmin(FactAdmin):
    """What the provider told us: stored, answered, applied once. What machines opened stands here and nowhere else."""

    list_display = ["received_at", "provider", "external_id", "message", "applied_at", "outcome"]

    @display(description=_("message"))
    def message(self, row) -> str:
        """Lead to the message that it is about."""
        try:
            news = channels.provider(row.provider.backend).read(body=row.body, signing_key=row.provider.signing_key)
            return format_html('<a href="{}">{}</a>', reverse(PAGE, args=[UUID(news.message)]), news.message)
        except (ValueError, LookupError):
            return ""
