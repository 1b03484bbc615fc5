"""Staff pages of formats and sites: a mapping is written as data, tried on a sample, and checked before it is kept."""

import json

from django import forms
from django.contrib import admin, messages
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.columns import plain_json
from accounts.desk import AgencyAdmin, AgencyForm, LinesField
from integrations.formats.check import check
from integrations.formats.ready import READY
from integrations.models import FileFormat, HostSite
from integrations.services import mappings


class MappingField(forms.JSONField):
    """Edit a mapping as JSON, indented."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 24, "spellcheck": "false"})

    def prepare_value(self, value):
        return (
            json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else super().prepare_value(value)
        )


class FormatForm(AgencyForm):
    """Start from a ready-made mapping, or write one."""

    ready = forms.ChoiceField(
        label=_("Start from"),
        required=False,
        choices=[("", _("the mapping below")), *((name, name) for name in READY)],
        widget=UnfoldAdminSelectWidget(),
        help_text=_("A ready-made mapping replaces what is below."),
    )
    mapping = MappingField(label=_("Mapping"), required=False, help_text=_("docs/files.md lists what it can say."))

    class Meta:
        model = FileFormat
        fields = ()

    def clean(self):
        said = super().clean()
        if ready := said.get("ready"):
            said["mapping"] = READY[ready]
            self.also_changed = ("mapping",)
        kinds, kind = FileFormat.Kind, said.get("kind") or self.instance.kind
        if "mapping" in said:
            ways = {"outgoing": kind == kinds.ACTIVITY, "whole": kind == kinds.PLACEMENT}
            for error in check(said["mapping"] or {}, **ways)[:10]:
                self.add_error("mapping", f"{error.pointer} {error.message} ({error.code})")
        return said


class SampleForm(forms.Form):
    """Ask for a sample."""

    file = forms.FileField(label=_("Sample file"), widget=UnfoldAdminFileFieldWidget())


@admin.register(FileFormat)
class FileFormatAdmin(AgencyAdmin):
    """How a connection's own files read."""

    form = FormatForm
    list_display = ["name", "connection", "kind", "is_active", "changed_at"]
    fieldsets = [(None, {"fields": ["connection", ("name", "kind"), "ready", "mapping", "is_active"]})]
    actions_detail = ["try_it"]

    def has_try_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.change_fileformat")

    @action(description=_("Try a sample"), permissions=["try"], icon="science")
    def try_it(self, request, object_id):
        row = self.row(request, object_id)
        return self.ask(
            request,
            row,
            title=_("Try a sample with %(name)s") % {"name": row.name},
            text=_("The first rows are read and shown. Nothing of the sample is kept; nothing is applied."),
            button=_("Try"),
            form_class=SampleForm,
            do=lambda form: self._tried(request, row, form.cleaned_data["file"].read(mappings.SAMPLE)),
        )

    def _tried(self, request, row, sample: bytes) -> TemplateResponse:
        shown = mappings.tried(row=row, sample=sample)
        context = self.admin_site.each_context(request) | {
            "title": _("What %(name)s makes of the sample") % {"name": row.name},
            "rows": [
                {"line": one["line"], "record": plain_json(one["record"]), "errors": one["errors"]} for one in shown
            ],
            "back": self._address(row),
            "opts": self.opts,
            "original": row,
        }
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/format_preview.html", context, headers=headers)


class SiteForm(AgencyForm):
    """Write the host's public keys as lines."""

    site_keys = LinesField(
        label=_("Keys of the host for our site"),
        required=False,
        help_text=_("Public keys as in authorized_keys, one per line. The user name is the connection's id."),
    )

    class Meta:
        model = HostSite
        fields = ()

    def clean_site_keys(self):
        import asyncssh

        for line in self.cleaned_data["site_keys"]:
            try:
                asyncssh.import_public_key(line)
            except asyncssh.KeyImportError as error:
                raise forms.ValidationError(_("“%(line)s” is no public key.") % {"line": line[:60]}) from error
        return self.cleaned_data["site_keys"]

    def clean(self):
        said = super().clean()
        if said.get("host") and not said.get("host_key"):
            self.add_error("host_key", _("Without the site's key we cannot tell it from another."))
        return said


@admin.register(HostSite)
class HostSiteAdmin(AgencyAdmin):
    """Where files of a connection travel."""

    form = SiteForm
    list_display = ["connection", "host", "visited_at", "trouble", "is_active"]
    readonly_fields = ["visited_at", "trouble"]
    fieldsets = [
        (None, {"fields": [("connection", "is_active"), ("visited_at", "trouble")]}),
        (_("The host's site, which we visit"), {"fields": [("host", "port"), "username", "private_key", "host_key"]}),
        (_("Its folders"), {"fields": [("collect_from", "archive_to"), ("drop_to", "update_names")]}),
        (_("When"), {"fields": [("every_minutes", "extract_minutes")]}),
        (_("Our site, which the host visits"), {"fields": ["site_keys"]}),
    ]
    actions_detail = ["visit_now"]

    def has_visit_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.change_hostsite")

    @action(description=_("Visit now"), permissions=["visit"], icon="sync")
    def visit_now(self, request, object_id):
        site = self.row(request, object_id)
        return self.ask(
            request,
            site,
            title=_("Visit %(name)s now") % {"name": site},
            text=_("The next run of the workers collects and drops, whatever the schedule says."),
            button=_("Visit now"),
            do=lambda form: self._soon(request, site),
        )

    def _soon(self, request, site) -> None:
        visited = HostSite.objects.filter(pk=site.pk, is_active=True, connection__is_active=True).exclude(host="")
        if visited.update(next_at=None):
            self.log_change(request, site, "Asked for a visit now.")
            messages.success(request, _("It is on its way."))
        else:
            messages.error(request, _("Nobody visits it: it or its connection is switched off, or it has no host."))
