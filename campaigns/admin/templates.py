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
from accounts.desk import PAGE, Desk, acts_for_one
from accounts.keys import reference_key
from accounts.models import Account
from campaigns.admin.forms import NAMES, PARTS, StartForm, WordsForm
from campaigns.models import MessageTemplate, TemplateVersion
from campaigns.rules import notice_words
from campaigns.services import previews, templates
from settlements.admin.people import by, names

TONES = {"draft": "info", "published": "success"}


@admin.register(MessageTemplate)
class MessageTemplateAdmin(Desk):
    """What campaigns say. A published version never changes; a change is the next version."""

    list_display = ["name", "kind", "channel", "client", "state"]
    list_filter = ["kind", "channel"]
    ordering = ["name"]
    actions = None
    actions_list = ["start"]
    actions_detail = ["retire", "use_again"]

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
        if template.retired_at is not None:
            return label("warning", _("out of use"))
        return label(TONES.get(last.status, ""), f"{last.number} {last.get_status_display()}")

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

    def has_publish_permission(self, request, object_id=None) -> bool:
        return self.has_change_permission(request)

    @action(description=_("Retire"), permissions=["publish"], icon="archive")
    def retire(self, request, object_id):
        text = _("No campaign begins with it, and a notice says our own words. What was approved with it goes on.")
        return self._retire(request, object_id, retired=True, title=_("Retire this template"), text=text)

    @action(description=_("Use again"), permissions=["publish"], icon="unarchive")
    def use_again(self, request, object_id):
        text = _("Campaigns may begin with its published version again; a notice says its words.")
        return self._retire(request, object_id, retired=False, title=_("Use this template again"), text=text)

    def _retire(self, request, object_id, *, retired: bool, title, text) -> HttpResponse:
        template = self.row(request, object_id)

        def do(_form) -> str:
            templates.retire(template=template, retired=retired, now=request.now)
            self.log_change(request, template, "Retired." if retired else "Used again.")
            return _("It is out of use.") if retired else _("It is in use again.")

        return self.ask(request, template, title=title, text=text, button=title, do=do)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        template = self.row(request, object_id)
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        version = template.versions.order_by("-number").first()
        may = self.has_change_permission(request, template)
        if request.method == "POST":
            return self._post(request, template, version, may=may)
        form = WordsForm(channel=template.channel, words=templates.words_of(version)) if may else None
        return self._show(request, template, version, form, templates.mark(version))

    def _post(self, request, template, version, *, may: bool) -> HttpResponse:
        if not may:
            raise PermissionDenied
        form, seen = WordsForm(request.POST, channel=template.channel), request.POST.get("seen", "")
        if not form.is_valid():
            return self._show(request, template, version, form, seen)
        words = form.words()
        if version.status != TemplateVersion.Status.DRAFT and words == templates.words_of(version):
            messages.info(request, _("Nothing changed."))
            return redirect(self._address(template))
        with transaction.atomic():
            # Together: nobody's other words come between what is saved and what is published.
            saved = templates.save(template=template, words=words, by=by(request), now=request.now, seen=seen)
            if isinstance(saved, list):
                form.refuse(saved)
                return self._show(request, template, version, form, seen)
            refused = []
            if "publish" in request.POST:
                refused = templates.publish(version=saved, by=by(request), now=request.now)
        if refused:
            form.refuse(refused)
            messages.warning(request, _("Saved as a draft, but not published."))
            return self._show(request, template, saved, form, templates.mark(saved))
        if "publish" in request.POST:
            self.log_change(request, template, f"Published version {saved.number}.")
            messages.success(request, _("Published. Campaigns may send it from now on."))
        else:
            messages.success(request, _("Saved as a draft."))
        return redirect(self._address(template))

    def _step(self, request, template) -> dict | None:
        """Give the way to take it out of use, or into it again."""
        step = self.use_again if template.retired_at else self.retire
        if not self.has_publish_permission(request):
            return None
        link = reverse(f"admin:campaigns_messagetemplate_{step.__name__}", args=[template.pk])
        return {"title": step.short_description, "icon": step.icon, "link": link}

    def _show(self, request, template, version, form, seen: str) -> HttpResponse:
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
            "seen": seen,
            "version": version,
            "versions": _listed(template),
            "step": self._step(request, template),
            "previews": [preview(version, language, account) for language in NAMES] if acts_for_one() else [],
            "fields": notice_words.fields_of(template.kind),
            "blocks": notice_words.NOTICES[template.kind].blocks if template.kind in notice_words.NOTICES else (),
            "reference": asked,
            "account": account,
            "back": reverse("admin:campaigns_messagetemplate_changelist"),
        }
        return TemplateResponse(request, "admin/campaigns/template.html", context)


def _listed(template: MessageTemplate) -> list[dict]:
    """Give the newest versions, each with who wrote and who published it, and what it says."""
    rows = list(template.versions.order_by("-number")[:PAGE])
    people = names([who for row in rows for who in (row.made_by, row.published_by)])
    return [
        {
            "row": row,
            "state": label(TONES.get(row.status, ""), row.get_status_display()),
            "made_by": people.get(row.made_by, ""),
            "published_by": people.get(row.published_by, ""),
            "words": [
                (f"{PARTS[part]} ({NAMES[language]})", text)
                for language, said in templates.words_of(row).items()
                for part in PARTS
                if (text := getattr(said, part))
            ],
        }
        for row in rows
    ]


def preview(version: TemplateVersion, language: str, account: Account | None = None) -> dict:
    """Write a version for a look, under its language's name."""
    return {"language": NAMES[language]} | previews.preview(version, language, account)
