"""Staff pages of the inbox and of texts: answered in approved words; the carrier is kept, what came in are facts."""

import uuid
from collections.abc import Collection

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.columns import label, status_of
from accounts.desk import AgencyAdmin, Desk, FactAdmin, acts_for_one
from accounts.tenancy import acting_for
from campaigns.admin.campaigns import why
from campaigns.admin.messages import TONES
from campaigns.models import Conversation, InboundMessage, MessageTemplate, TemplateVersion, TextEvent, TextProvider
from campaigns.rules import revocation
from campaigns.services import carriers, inbox
from settlements.admin.people import by, names

WISHES = [
    (revocation.STOP, _("nothing more to the number or address they wrote from last")),
    (revocation.MEDIUM, _("nothing more by that medium")),
    (revocation.CEASE, _("do not contact me in any way")),
]
state = status_of({"open": "info", "closed": ""})
STANDINGS = {
    "ready": ("success", _("ready")),
    "pending": ("warning", _("waits for the carrier's registration (SMS-07)")),
    "forbidden": ("danger", _("the carrier's terms forbid collection for others (SMS-06)")),
    "none": ("danger", _("not in use")),
}


@admin.register(TextProvider)
class TextProviderAdmin(AgencyAdmin):
    """The agency's own carrier. Keys are written, never shown; nothing is sent before everything is in order."""

    list_display = ["name", "backend", "number", "is_active", "standing"]
    readonly_fields = ["standing", "address"]
    fieldsets = [
        (None, {"fields": ["name", "backend", "is_active", "standing"]}),
        (_("Number"), {"fields": ["number", "per_second", "keywords", "cents_per_thousand"]}),
        (_("What must be in order first"), {"fields": ["third_party", "permit", "registration", "approved_on"]}),
        (_("Keys"), {"fields": ["account", "token", "signing_key", "api_url", "address"]}),
    ]

    @display(description=_("may send"))
    def standing(self, provider) -> str:
        return label(*STANDINGS[carriers.standing(provider if provider and provider.is_active else None)])

    @display(description=_("address for texts that come in"))
    def address(self, provider) -> str:
        if provider is None or provider.agency_id is None:
            return gettext("Save it first.")
        return format_html("<code>{}</code>", carriers.hook_url(provider))


class ReplyForm(forms.Form):
    """Answer in approved words."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    template = forms.ModelChoiceField(
        label=_("Answer with"), queryset=TemplateVersion.objects.none(), widget=UnfoldAdminSelectWidget()
    )

    def __init__(self, *args, channels: Collection[str] = inbox.MEDIA, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        approved = [version.pk for version in inbox.templates_for_replies(channels)]
        self.fields["template"].queryset = TemplateVersion.objects.filter(pk__in=approved).select_related("template")
        self.fields["template"].label_from_instance = _with_medium


def _with_medium(version: TemplateVersion) -> str:
    return f"{version.template.name} ({version.template.get_channel_display()})"


class RevokeForm(forms.Form):
    """What the consumer asked, in their words."""

    wish = forms.ChoiceField(label=_("They asked"), choices=WISHES, widget=UnfoldAdminSelectWidget())
    words = forms.CharField(
        label=_("Their words"), max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


@admin.register(Conversation)
class ConversationAdmin(Desk):
    """What a consumer wrote, by text or e-mail, and what we answered."""

    list_display = ["who", "last_text", "waiting", "owner", state, "last_at"]
    list_filter = ["status"]
    ordering = ["-last_at"]
    actions = None
    actions_detail = ["take", "shut", "reopen", "revoke"]

    class Media:
        css = {"all": ["portal/rules.css", "portal/campaigns.css"]}

    def has_add_permission(self, request, *args) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return self.has_answer_permission(request)

    def has_answer_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.answer_conversation")

    def get_queryset(self, request) -> QuerySet:
        return super().get_queryset(request).select_related("consumer")

    # The list -----------------------------------------------------------------------------------------------------

    @display(description=_("from"))
    def who(self, talk) -> str:
        return str(talk)

    @display(description=_("unread"))
    def waiting(self, talk) -> str:
        return label("warning", talk.unread) if talk.unread else "-"

    @display(description=_("assigned to"))
    def owner(self, talk) -> str:
        return names([talk.assigned_to]).get(talk.assigned_to, "-")

    # Steps --------------------------------------------------------------------------------------------------------

    @action(description=_("Assign to me"), permissions=["answer"], icon="person_add")
    def take(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, _form: inbox.assign(conversation=row, to=by(request)),
            title=_("Assign to me"),
            text=_("Colleagues see that you answer."),
            button=_("Assign"),
        )

    @action(description=_("Close"), permissions=["answer"], icon="check")
    def shut(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, _form: inbox.close(conversation=row, closed=True),
            title=_("Close this conversation"),
            text=_("A new text that a person must look at opens it again."),
            button=_("Close"),
        )

    @action(description=_("Open again"), permissions=["answer"], icon="undo")
    def reopen(self, request, object_id):
        return self._step(
            request,
            object_id,
            lambda row, _form: inbox.close(conversation=row, closed=False),
            title=_("Open again"),
            text=_("It stands in the inbox again."),
            button=_("Open"),
        )

    @action(description=_("They want to stop"), permissions=["answer"], icon="block")
    def revoke(self, request, object_id):
        def do(row, form):
            said = form.cleaned_data
            return inbox.revoke(conversation=row, **said, by=by(request), now=request.now)

        return self._step(
            request,
            object_id,
            do,
            title=_("They want to stop"),
            text=_("By any words and any way: it holds at once, and one confirmation goes out."),
            button=_("Stop"),
            form_class=RevokeForm,
        )

    def _step(self, request, object_id, do, **page) -> HttpResponse:
        row = self.row(request, object_id)

        def run(form):
            if isinstance(refused := do(row, form), list):
                for one in refused:
                    messages.error(request, one.sentence)
                return None
            self.log_change(request, row, str(page["title"]))
            messages.success(request, _("Done."))
            return None

        return self.ask(request, row, do=run, **page)

    # The page -----------------------------------------------------------------------------------------------------

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.row(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        may = self.has_answer_permission(request)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            return self._reply(request, row)
        if may:
            inbox.seen(conversation=row)
        return self._page(request, row, None, may=may)

    def _reply(self, request, row: Conversation) -> HttpResponse:
        form = ReplyForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            made = inbox.reply(
                conversation=row, version=said["template"], key=said["key"], by=by(request), now=request.now
            )
            if not isinstance(made, list):
                self.log_change(request, row, f"Answered with {said['template']}.")
                messages.success(request, _("Written. It goes out as soon as it may."))
                return redirect(self._address(row))
            for one in made:
                form.add_error(one.field if one.field in form.fields else None, one.sentence)
        return self._page(request, row, form)

    def _page(self, request, row: Conversation, form: ReplyForm | None, *, may: bool = True) -> HttpResponse:
        one_agency = acts_for_one()
        with acting_for(row.agency_id):
            account = inbox.account_of(row)
            ways = inbox.ways(conversation=row, now=request.now) if may else []
            opened = [way.channel for way in ways if not way.closed]
            if not opened:
                form = None
            elif form is None:
                form = ReplyForm(initial={"key": uuid.uuid4().hex}, channels=opened)
            previews = []
            if form is not None and one_agency:
                previews = [
                    (_with_medium(version), inbox.written(conversation=row, version=version, now=request.now))
                    for version in inbox.templates_for_replies(opened)
                ]
            context = self.admin_site.each_context(request) | {
                "title": str(row),
                "opts": self.opts,
                "original": row,
                "media": self.media,
                "form": form,
                "lines": inbox.lines(row),
                "closed": [_closed(way) for way in ways if way.closed],
                "nobody": may and not ways,
                "previews": previews,
                "account": account,
                "account_page": reverse("admin:accounts_account_change", args=[account.pk]) if account else "",
                "tones": TONES,
                "owner": names([row.assigned_to]).get(row.assigned_to, ""),
                "back": reverse("admin:campaigns_conversation_changelist"),
                "object_id": row.pk,
            }
            return TemplateResponse(request, "admin/campaigns/conversation.html", context).render()


def _closed(way: inbox.Way) -> tuple[str, list[str]]:
    """Say of a medium by which no answer may go, why not: each reason in words, with its rules."""
    medium = dict(MessageTemplate.Channel.choices)[way.channel]
    lasting = [one for one in way.judgement.denials if one.until is None]
    return str(medium), [f"{why(one.code)} ({', '.join(one.rules)})" for one in lasting]


@admin.register(InboundMessage)
class InboundMessageAdmin(FactAdmin):
    """One text that came in, what was understood and what was done."""

    list_display = ["received_at", "conversation", "wish", "outcome", "text"]
    list_filter = ["wish"]
    hidden = ("external_id",)


@admin.register(TextEvent)
class TextEventAdmin(FactAdmin):
    """What the carrier told us: stored, answered, applied once."""

    list_display = ["received_at", "provider", "external_id", "applied_at", "outcome"]
