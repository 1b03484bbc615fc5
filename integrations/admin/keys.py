"""Staff page of the API's keys: made here and shown once, changed, rotated, revoked."""

import ipaddress
from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget

from accounts.columns import label
from accounts.desk import AgencyAdmin, AgencyForm, LinesField
from integrations import keys
from integrations.models import ApiKey
from settlements.admin.people import by


def networks(entries: list[str]) -> list[str]:
    """Check addresses and networks.

    :raises ValidationError: one is neither.
    """
    for entry in entries:
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
    return entries


def show_key(page, request, row, *, key: str, title) -> TemplateResponse:
    """Show a key this once; the page is not kept by any cache."""
    context = page.admin_site.each_context(request) | {
        "title": title,
        "key": key,
        "back": page._address(row),
        "opts": page.opts,
        "original": row,
    }
    return TemplateResponse(request, "admin/new_key.html", context, headers={"Cache-Control": "no-store"})


class KeyForm(AgencyForm):
    """Say from where a key works."""

    ip_allow = LinesField(
        label=_("Allowed addresses"), required=False, help_text=_("Addresses or networks, one per line. Empty: any.")
    )

    class Meta:
        model = ApiKey
        fields = ()

    def clean_ip_allow(self):
        return networks(self.cleaned_data["ip_allow"])


class RotateForm(forms.Form):
    """Ask how long both secrets work."""

    hours = forms.IntegerField(
        label=_("Hours that the old one still works"),
        min_value=0,
        max_value=30 * 24,
        initial=24,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(AgencyAdmin):
    """Keys of the API: made here and shown once, changed, rotated, revoked."""

    form = KeyForm
    list_display = ["name", "state", "scopes", "expires_at", "last_used_at", "made_at"]
    readonly_fields = ["state", "shown_as", "made", "last_used_at", "rotated"]
    actions_detail = ["rotate", "revoke"]
    fieldsets = [
        (None, {"fields": [("name", "state"), "scopes", "ip_allow", "expires_at"]}),
        (_("Use"), {"fields": ["shown_as", ("made", "last_used_at"), "rotated"]}),
    ]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        """Offer as boxes what this person may give."""
        if db_field.name == "scopes":
            offered = [(name, f"{name}: {keys.SCOPES[name]}") for name in keys.within(request.user.has_perm)]
            return forms.MultipleChoiceField(
                label=_("Allowed to"), choices=offered, widget=UnfoldAdminCheckboxSelectMultipleWidget
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_change_permission(self, request, obj=None) -> bool:
        """Let nobody change a key that may do more than they may themselves."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or set(obj.scopes) <= set(keys.within(request.user.has_perm)))

    @display(description=_("state"))
    def state(self, key) -> str:
        if key.revoked_at:
            return label("danger", _("revoked by %(who)s") % {"who": key.revoked_by})
        if key.expires_at and key.expires_at <= timezone.now():
            return label("warning", _("expired"))
        if ended := keys.ended(key):
            said = _("live, but whoever made it may not do this any more: %(scopes)s") % {"scopes": ", ".join(ended)}
            return label("warning", said)
        return label("success", _("live"))

    @display(description=_("key"))
    def shown_as(self, key) -> str:
        return f"qk_{key.pk.hex}_..." if key.made_at else "-"

    @display(description=_("made"))
    def made(self, key) -> str:
        return f"{localtime(key.made_at):%Y-%m-%d %H:%M}, {key.made_by}" if key.made_at else "-"

    @display(description=_("rotated"))
    def rotated(self, key) -> str:
        if not key.rotated_at:
            return "-"
        at, until = (f"{localtime(moment):%Y-%m-%d %H:%M}" for moment in (key.rotated_at, key.old_until))
        return _("%(at)s; the old secret ends %(until)s") % {"at": at, "until": until}

    def save_model(self, request, obj, form, change) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        said = {name: form.cleaned_data[name] for name in ("name", "scopes", "ip_allow", "expires_at")}
        made, request.new_key = keys.make(**said, by=by(request), now=request.now)
        obj.pk, obj.made_at, obj.made_by = made.pk, made.made_at, made.made_by
        return None

    def response_add(self, request, obj, post_url_continue=None):
        return show_key(self, request, obj, key=request.new_key, title=_("The new key"))

    def has_rotate_permission(self, request, object_id=None) -> bool:
        """Show a secret to nobody but who made the key: what it does counts as done by them (AUTH-15)."""
        if not self.has_role(request, "integrations.rotate_apikey"):
            return False
        key = self.get_object(request, object_id) if object_id else None
        return key is None or (key.made_by == by(request) and self.has_change_permission(request, key))

    def has_revoke_permission(self, request, object_id=None) -> bool:
        return self.has_role(request, "integrations.revoke_apikey")

    @action(description=_("Rotate"), permissions=["rotate"], icon="autorenew")
    def rotate(self, request, object_id):
        key = self.row(request, object_id)
        return self.ask(
            request,
            key,
            title=_("Give %(name)s a new secret") % {"name": key.name},
            text=_("Both secrets work until the old one ends. We show the new one one time."),
            button=_("Make a new secret"),
            form_class=RotateForm,
            do=lambda form: self._rotate(request, key, timedelta(hours=form.cleaned_data["hours"])),
        )

    def _rotate(self, request, key, keep_old: timedelta):
        try:
            text = keys.rotate(key=key, keep_old=keep_old, now=request.now)
        except keys.KeyRevoked:
            messages.error(request, _("This key is revoked: make another one."))
            return None
        self.log_change(request, key, "Made a new secret.")
        return show_key(self, request, key, key=text, title=_("The new key"))

    @action(description=_("Revoke"), permissions=["revoke"], icon="block")
    def revoke(self, request, object_id):
        key = self.row(request, object_id)
        return self.ask(
            request,
            key,
            title=_("Revoke %(name)s") % {"name": key.name},
            text=_("It stops working at once and for good."),
            button=_("Revoke"),
            do=lambda form: self._revoke(request, key),
            done=_("Revoked."),
        )

    def _revoke(self, request, key) -> None:
        keys.revoke(key=key, by=by(request), now=request.now)
        self.log_change(request, key, "Revoked.")
