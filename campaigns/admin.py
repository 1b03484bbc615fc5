"""Staff pages of messages: the provider is kept, messages are facts."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.columns import status_of
from accounts.desk import AgencyAdmin, FactAdmin
from campaigns.models import MailEvent, MailProvider, Message

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


@admin.register(MailProvider)
class MailProviderAdmin(AgencyAdmin):
    """The agency's own e-mail provider. Keys are written, never shown."""

    list_display = ["name", "backend", "domain", "from_address", "is_active"]
    fieldsets = [
        (None, {"fields": ["name", "backend", "is_active"]}),
        (_("Sender"), {"fields": ["domain", "from_name", "from_address"]}),
        (_("Keys"), {"fields": ["api_key", "signing_key", "api_url"]}),
    ]


@admin.register(Message)
class MessageAdmin(FactAdmin):
    """One message, its words and what became of it. A message that carries a code keeps its words to itself."""

    list_display = ["queued_at", "template", "consumer", "contact_point", status, "opened_at", "reason"]
    list_filter = ["status", "stream", "template"]
    fields = [
        ("template", status),
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
    hidden = ("text", "html", "token")

    @display(description=_("text"))
    def words(self, message) -> str:
        if message.stream == "security":
            return _("Not shown: this message carries a code.")
        return format_html('<pre class="staff-text">{}</pre>', message.text)


@admin.register(MailEvent)
class MailEventAdmin(FactAdmin):
    """What the provider told us: stored, answered, applied once."""

    list_display = ["received_at", "provider", "external_id", "applied_at", "outcome"]
