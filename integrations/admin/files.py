"""Staff pages of files: sent here or by the host, watched, checked before they are applied, given back with errors."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from accounts.columns import status_of
from accounts.desk import FactAdmin, FactInline
from accounts.spans import MomentsFilter
from integrations import vault
from integrations.api.files import ascii_name
from integrations.models import HostFile, HostFileError
from integrations.services import files

state = status_of(
    {
        "applied": "success",
        "checked": "success",
        "claimed": "success",
        "broken": "danger",
        "stopped": "warning",
        "working": "info",
        "received": "info",
        "ready": "info",
    },
    name="state",
)


class SendForm(forms.Form):
    """Ask for a file, what it is, and whether it is applied or only checked."""

    file = forms.FileField(label=_("File"), widget=UnfoldAdminFileFieldWidget())
    kind = forms.ChoiceField(
        label=_("What it is"),
        choices=[("placement", _("placement: accounts as a whole")), ("update", _("update: only what changed"))],
        widget=UnfoldAdminSelectWidget(),
    )
    dry_run = forms.BooleanField(
        label=_("Dry run: check and compare, apply nothing"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget(),
    )


def send_file(page, request, connection) -> HttpResponse:
    """Ask for a file of a connection and take it; lead to its page, where it can be watched."""
    return page.ask(
        request,
        connection,
        title=_("Send a file to %(name)s") % {"name": connection.name},
        text=_("JSON lines or a JSON array of accounts, or a file in the connection's own format; plain or gzip."),
        button=_("Send"),
        form_class=SendForm,
        do=lambda form: _take(request, connection, form),
    )


def _take(request, connection, form) -> HttpResponse | None:
    sent = form.cleaned_data["file"]
    try:
        file, is_new = files.receive(
            connection=connection,
            kind=form.cleaned_data["kind"],
            name=sent.name,
            blocks=sent.chunks(),
            source="staff",
            by=f"staff:{request.user.pk}",
            now=request.now,
            dry_run=form.cleaned_data["dry_run"],
        )
    except (files.TooLarge, files.NoRoom) as error:
        messages.error(request, str(error))
        return None
    if is_new:
        messages.success(request, _("The file is in line. Load this page again to see how far it is."))
    else:
        messages.warning(request, _("This content came before: this is the file that it came in. Nothing was done."))
    return redirect(reverse("admin:integrations_hostfile_change", args=[file.pk]))


class Errors(FactInline):
    model = HostFileError
    fields = ["line", "reference", "field", "code", "message"]
    ordering = ["place"]
    tab = False


@admin.register(HostFile)
class HostFileAdmin(FactAdmin):
    """One file in or out: how far it is, what became of its lines, what a dry run would change."""

    list_display = ["name", "connection", "kind", state, "records", "made_at", "finished_at"]
    list_filter = ["state", "kind", "outgoing", "connection", ("made_at", MomentsFilter)]
    fields = [
        ("name", "connection"),
        ("kind", state),
        ("records", "dry_run"),
        ("done_line", "size"),
        ("broken_code", "broken_line", "broken_text"),
        ("source", "by"),
        ("made_at", "started_at", "finished_at", "claimed_at"),
        "sha256",
        "preview",
    ]
    inlines = [Errors]
    actions_detail = ["apply_checked", "stop", "save_errors", "save_content"]

    @display(description=_("records"))
    def records(self, file) -> str:
        if file.outgoing:
            return str(file.counts.get("events", 0))
        said = {name: file.counts.get(name, 0) for name in ("received", "accepted", "unchanged", "stale", "refused")}
        return _("%(received)s: %(accepted)s taken, %(unchanged)s unchanged, %(stale)s old, %(refused)s refused") % said

    def has_apply_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.apply_hostfile")

    def has_errors_permission(self, request, object_id=None) -> bool:
        """Save them who may read them: they say what the host wrote of people."""
        return request.user.has_perm("integrations.view_hostfileerror")

    def has_open_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.open_hostfile")

    @action(description=_("Apply it"), permissions=["apply"], icon="play_arrow")
    def apply_checked(self, request, object_id):
        file = self.row(request, object_id)
        return self.ask(
            request,
            file,
            title=_("Apply %(name)s") % {"name": file.name},
            text=_("What the dry run showed is applied; lines with errors are left out."),
            button=_("Apply it"),
            do=lambda form: self._try(request, files.apply_checked, file=file, by=_by(request), now=request.now),
        )

    @action(description=_("Stop"), permissions=["apply"], icon="stop")
    def stop(self, request, object_id):
        file = self.row(request, object_id)
        return self.ask(
            request,
            file,
            title=_("Stop %(name)s") % {"name": file.name},
            text=_("What is applied stays applied; the rest is left out."),
            button=_("Stop"),
            do=lambda form: self._try(request, files.stop, file=file),
        )

    def _try(self, request, do, *, file, **words) -> None:
        try:
            do(file=file, **words)
        except files.Busy:
            messages.error(request, _("This cannot be done with the file as it is now."))
        else:
            self.log_change(request, file, do.__name__)
            messages.success(request, _("Done."))

    @action(description=_("Save the line errors"), permissions=["errors"], icon="download")
    def save_errors(self, request, object_id):
        file = self.row(request, object_id)
        self.log_change(request, file, "Saved the line errors.")
        return _saved(b"".join(files.errors_of(file)), f"{file.name}.errors.ndjson")

    @action(description=_("Save the file"), permissions=["open"], icon="download")
    def save_content(self, request, object_id):
        file = self.row(request, object_id)
        try:
            content = files.content(file)
            begun = next(content, b"")
        except vault.Unreadable:
            messages.error(request, _("The content was removed."))
            return redirect(self._address(file))
        self.log_change(request, file, "Saved the content.")
        return _saved(_chained(begun, content), file.name)


def _by(request) -> str:
    return f"staff:{request.user.pk}"


def _chained(begun: bytes, content):
    yield begun
    yield from content


def _saved(content, name: str) -> HttpResponse:
    kind = "application/octet-stream"
    made = HttpResponse if isinstance(content, bytes) else StreamingHttpResponse
    headers = {"Content-Disposition": f'attachment; filename="{ascii_name(name)}"', "Cache-Control": "no-store"}
    return made(content, content_type=kind, headers=headers)


@admin.register(HostFileError)
class HostFileErrorAdmin(FactAdmin):
    """One error of one line."""

    list_display = ["file", "line", "reference", "field", "code", "message"]
