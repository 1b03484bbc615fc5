"""Staff pages of templates: begin with a ready one, write in both languages, look at it at phone width, publish."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from accounts.columns import label
from accounts.desk import Desk, acts_for_one
from accounts.keys import reference_key
from accounts.models import Account
from campaigns.admin.forms import NAMES, StartForm, WordsForm
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.rules import notice_words
from campaigns.services import previews, templates
from settlements.admin.people import by


@admin.register(MessageTemplate)
class MessageTemplateAdmin(Desk):
    """What campaigns say. A published version never changes; a change is the next version."""

    list_display = ["name", "kind", "channel", "client", "state"]
    list_filter = ["kind", "channel"]
    ordering = ["name"]
    actions = None
    actions_list = ["start"]

    class Media:
        css = {"all": ["portal/rules.css", "portal/campaigns.css"]}

    def has_add_permission(self, request, *args) -> bool:
        return False  # a template begins with a ready one, see start()

    def has_change_permission(self, request, obj=None) -> bool:
        return self.has_role(request, "campaigns.change_messagetemplate")

    def has_start_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "campaigns.add_messagetemplate")

    @display(description=_("version"))
    def state(self, template) -> str:
        last = template.versions.order_by("-number").first()
        if last is None:
            return "-"
        tone = {"draft": "info", "published": "success"}.get(last.status, "")
        return label(tone, f"{last.number} {last.get_status_display()}")

    @action(description=_("New template"), permissions=["start"], icon="add")
    def start(self, request):
        form = StartForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                with transaction.atomic():
                    made = templates.from_library(
                        key=said["key"],
                        name=said["name"],
                        client=said["client"],
                        litigation=said["litigation"],
                        by=by(request),
                        now=request.now,
                    )
            except IntegrityError:
                form.add_error("name", _("There is a template of this name."))
            else:
                return redirect(self._address(made.template))
        context = self.admin_site.each_context(request) | {
            "title": _("New template"),
            "text": _("It begins as a draft. Nothing is sent until it is published and a campaign with it approved."),
            "button": _("Begin"),
            "form": form,
            "back": reverse("admin:campaigns_messagetemplate_changelist"),
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        template = self.row(request, object_id)
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        version = template.versions.order_by("-number").first()
        may = self.has_change_permission(request, template)
        if request.method == "POST":
            return self._post(request, template, version, may=may)
        form = WordsForm(channel=template.channel, words=templates.words_of(version)) if may else None
        return self._show(request, template, version, form)

    def _post(self, request, template, version, *, may: bool) -> HttpResponse:
        if not may:
            raise PermissionDenied
        form = WordsForm(request.POST, channel=template.channel)
        if form.is_valid():
            words = form.words()
            if words != templates.words_of(version) or version.status == TemplateVersion.Status.DRAFT:
                version = templates.save(template=template, words=words, by=by(request), now=request.now)
            if "publish" in request.POST:
                if refused := templates.publish(version=version, by=by(request), now=request.now):
                    form.refuse(refused)
                    return self._show(request, template, version, form)
                self.log_change(request, template, f"Published version {version.number}.")
                messages.success(request, _("Published. Campaigns may send it from now on."))
            else:
                messages.success(request, _("Saved as a draft."))
            return redirect(self._address(template))
        return self._show(request, template, version, form)

    def _show(self, request, template, version, form) -> HttpResponse:
        asked = request.GET.get("reference", "")
        account = None
        if asked and acts_for_one():
            joined = Account.objects.select_related("consumer", "client", "agency")
            account = joined.filter(reference_key=reference_key(asked)).first()
        context = self.admin_site.each_context(request) | {
            "title": template.name,
            "opts": self.opts,
            "original": template,
            "media": self.media,
            "form": form,
            "version": version,
            "versions": template.versions.order_by("-number"),
            "previews": [preview(version, language, account) for language in NAMES] if acts_for_one() else [],
            "fields": notice_words.fields_of(template.kind),
            "blocks": notice_words.NOTICES[template.kind].blocks if template.kind in notice_words.NOTICES else (),
            "reference": asked,
            "account": account,
            "back": reverse("admin:campaigns_messagetemplate_changelist"),
        }
        return TemplateResponse(request, "admin/campaigns/template.html", context)


def preview(version: TemplateVersion, language: str, account: Account | None = None) -> dict:
    """Write a version for a look, under its language's name."""
    return {"language": NAMES[language]} | previews.preview(version, language, account)
