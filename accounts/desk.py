"""The kinds of staff pages that every floor uses: settings that staff keep, and facts that nobody changes.

The acting agency is set at the edge, so lists, drop-downs and look-ups see one agency's rows only; platform staff see
all and change nothing that belongs to an agency. Keys are written here and never shown again.
"""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from accounts.columns import column, each_readable, flat, linked, plain, readable, silent
from accounts.crypto import SealedField
from accounts.scope import ALL_AGENCIES, acting

PAGE = 50
INLINE_PAGE = 20


def acts_for_one() -> bool:
    """Tell whether one agency acts: the platform looks, the agency decides."""
    return acting() not in ("", ALL_AGENCIES)


# Settings -----------------------------------------------------------------------------------------------------


class KeyField(forms.CharField):
    """Take a key and never give it back: the page only says that one is set."""

    def __init__(self, **kwargs) -> None:
        super().__init__(widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}), max_length=500, **kwargs)


class LinesField(forms.CharField):
    """Edit a list of texts, one per line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})

    def prepare_value(self, value):
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value):
        lines = value if isinstance(value, list) else (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial, data):
        return (initial or []) != self.to_python(data)


class PairsField(forms.CharField):
    """Edit a map of words, one `left = right` per line; the right side is one of `choices`, or anything."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})

    def __init__(self, *, choices=None, **kwargs) -> None:
        self.choices = None if choices is None else list(choices)
        super().__init__(**kwargs)

    def prepare_value(self, value):
        return "\n".join(f"{left} = {right}" for left, right in value.items()) if isinstance(value, dict) else value

    def to_python(self, value):
        if isinstance(value, dict):
            return value
        pairs = {}
        for line in filter(str.strip, (super().to_python(value) or "").splitlines()):
            left, equals, right = (part.strip() for part in line.rpartition("="))
            if self.choices is None and not (left and equals and right):
                raise ValidationError(_("“%(line)s”: write CODE = MEANING.") % {"line": line})
            if self.choices is not None and not (left and equals and right in self.choices):
                said = {"line": line, "known": ", ".join(self.choices)}
                raise ValidationError(_("“%(line)s”: write WORD = one of %(known)s.") % said)
            pairs[left] = right
        return pairs

    def has_changed(self, initial, data):
        try:
            return (initial or {}) != self.to_python(data)
        except ValidationError:
            return True


class AgencyForm(forms.ModelForm):
    """Save a row of the acting agency: an empty key keeps the one that is set, constraints count the agency in."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.set_keys = set()
        for name, field in self.fields.items():
            if isinstance(field, KeyField):
                if self.initial.pop(name, ""):
                    self.set_keys.add(name)
                    field.required = False
                    field.widget.attrs["placeholder"] = _("Set. Leave empty to keep it.")
                else:
                    field.widget.attrs["placeholder"] = _("Not set")

    def clean(self):
        cleaned = super().clean()
        for name in self.set_keys:
            if not cleaned.get(name):
                cleaned.pop(name, None)
        return cleaned

    def _post_clean(self) -> None:
        if self.instance.agency_id is None and acts_for_one():
            self.instance.agency_id = uuid.UUID(acting())
        super()._post_clean()

    def _get_validation_exclusions(self):
        return super()._get_validation_exclusions() - {"agency"}


class DayInput(UnfoldAdminSingleDateWidget):
    """Pick a day by the browser's own calendar, which a telephone has too; nothing must be typed in a format."""

    input_type = "date"

    def __init__(self, attrs=None) -> None:
        super().__init__(attrs=attrs, format="%Y-%m-%d")


class ReasonForm(forms.Form):
    """Ask why; the reason stands in the event."""

    reason = forms.CharField(label=_("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class Desk(ModelAdmin):
    """A staff page of tenant rows: another agency's row is not found, nothing is deleted."""

    list_fullwidth = True
    list_per_page = PAGE
    show_full_result_count = False
    list_filter_submit = True
    ordering = ["-id"]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, models.TextField) and field:
            field.widget.attrs["rows"] = 4
        return field

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def delete_view(self, request, object_id, extra_context=None):
        raise Http404

    def save_model(self, request, obj, form, change) -> None:
        """Write what was changed and nothing else: circuits, counters and keys move while a page is open."""
        if not change:
            return super().save_model(request, obj, form, change)
        own = {field.name for field in obj._meta.concrete_fields}
        moments = {field.name for field in obj._meta.concrete_fields if getattr(field, "auto_now", False)}
        if names := own & {*form.changed_data, *getattr(form, "also_changed", ())}:
            obj.save(update_fields=names | moments)
        return None

    def _get_obj_does_not_exist_redirect(self, request, opts, object_id):
        raise Http404

    def has_role(self, request, permission: str) -> bool:
        """Tell whether this person may do something for the acting agency."""
        return acts_for_one() and request.user.has_perm(permission)

    def get_list_display(self, request):
        shown = each_readable(self.model, super().get_list_display(request))
        return [*shown, "agency"] if acting() == ALL_AGENCIES and issubclass_of_row(self.model) else shown

    def get_list_filter(self, request):
        filters = list(super().get_list_filter(request))
        return ["agency", *filters] if acting() == ALL_AGENCIES and issubclass_of_row(self.model) else filters

    def get_list_select_related(self, request):
        names = {field.name for field in self.model._meta.fields if field.is_relation}
        own = super().get_list_select_related(request)
        shown = [name for name in self.get_list_display(request) if name in names]
        return [*(own if isinstance(own, list | tuple) else []), *shown] or False

    def only_row(self, request) -> HttpResponse | None:
        """Lead an agency straight to its row where it has just one."""
        row = self.get_queryset(request).first() if acts_for_one() and self.has_view_permission(request) else None
        return redirect(self._address(row)) if row else None

    def row(self, request, object_id):
        """Find a row of the acting agency.

        :raises Http404: there is none.
        """
        if (found := self.get_object(request, object_id)) is None:
            raise Http404
        return found

    def ask(self, request, row, *, title, text, button, do, form_class=forms.Form, done="") -> HttpResponse:
        """Ask before an action; on POST call `do(form)`, which may answer a page of its own, and go back to the row.

        Actions change something, so a link alone never does them.
        """
        form = form_class(request.POST, request.FILES) if request.method == "POST" else form_class()
        if request.method == "POST" and form.is_valid():
            answer = do(form)
            if isinstance(answer, HttpResponse):
                return answer
            if answer or done:
                messages.success(request, answer or done)
            return redirect(self._address(row))
        return self.ask_page(request, row, title=title, text=text, button=button, form=form)

    def ask_page(self, request, row, *, title, text, button, form) -> HttpResponse:
        """Show the question of an action."""
        context = self.admin_site.each_context(request) | {
            "title": title,
            "text": text,
            "button": button,
            "form": form,
            "back": self._address(row),
            "opts": self.opts,
            "original": row,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def _address(self, row) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])


def issubclass_of_row(model: type[models.Model]) -> bool:
    """Tell whether the table has an agency of its own (users show theirs themselves)."""
    from accounts.tenancy import Row

    return issubclass(model, Row)


class AgencyAdmin(Desk):
    """Keep settings of the acting agency; the platform looks, the agency decides."""

    form = AgencyForm
    warn_unsaved_form = True
    one_row = False
    """Set it where an agency has one row: the list then leads straight to it."""

    def has_add_permission(self, request, *args) -> bool:
        if self.one_row and acts_for_one() and self._is_there(request):
            return False
        return acts_for_one() and super().has_add_permission(request, *args)

    def _is_there(self, request) -> bool:
        """Tell whether the one row exists; the menu asks several times in a request."""
        known = request.__dict__.setdefault("one_rows", {})
        if self.model not in known:
            known[self.model] = self.model._default_manager.exists()
        return known[self.model]

    def has_change_permission(self, request, obj=None) -> bool:
        return acts_for_one() and super().has_change_permission(request, obj)

    def changelist_view(self, request, extra_context=None):
        lone = self.only_row(request) if self.one_row else None
        return lone or super().changelist_view(request, extra_context)

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, SealedField):
            return KeyField(
                label=capfirst(db_field.verbose_name), help_text=db_field.help_text, required=not db_field.blank
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_fieldsets(self, request, obj=None):
        """Give those who may only look no key: the page says which ones are set."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        sealed = {field.name: field for field in self.model._meta.fields if isinstance(field, SealedField)}
        for _title, options in (fieldsets := [(title, dict(options)) for title, options in fieldsets]):
            options["fields"] = [self._looked_at(name, sealed) for name in flat(options["fields"])]
        return fieldsets

    def _looked_at(self, name: str, sealed: dict) -> Any:
        if name not in sealed:
            return readable(self.model, name)
        return column(lambda row: _("set") if getattr(row, name) else _("not set"), name, sealed[name].verbose_name)


class FactAdmin(Desk):
    """Show facts; nobody adds, changes or deletes one here. What staff may do is an action that calls one service."""

    actions = None
    hidden: tuple[str, ...] = ()
    paginator = InfinitePaginator
    search_fields: tuple[str, ...] = ()

    def has_add_permission(self, request, *args) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def get_fields(self, request, obj=None):
        named = self.fields or [
            field.name
            for field in self.model._meta.fields
            if not isinstance(field, SealedField) and field.name not in (*self.hidden, "agency")
        ]
        return each_readable(self.model, named)

    def get_readonly_fields(self, request, obj=None):
        return flat(self.get_fields(request, obj))

    def get_form(self, request, obj=None, change=False, **kwargs):
        return super().get_form(request, obj, change=change, help_texts=silent(self.model), **kwargs)

    def lookup_allowed(self, lookup, value, request=None) -> bool:
        """Let no filter in the address reach a field that the page does not show."""
        names = {field.name for field in self.model._meta.fields if isinstance(field, SealedField)}
        return lookup.split("__")[0] not in {*names, *self.hidden} and super().lookup_allowed(lookup, value, request)


class FactInline(TabularInline):
    """List facts on the page they belong to, newest first."""

    extra = 0
    can_delete = False
    tab = True
    per_page = INLINE_PAGE
    ordering = ["-id"]
    hide_title = True

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def get_fields(self, request, obj=None):
        first, *more = self.fields
        return [linked(self.model, first), *(plain(self.model, name) for name in more)]

    def get_readonly_fields(self, request, obj=None):
        return flat(self.get_fields(request, obj))

    def get_queryset(self, request):
        keys = [field.name for field in self.model._meta.fields if field.is_relation and field.name in self.fields]
        rows = super().get_queryset(request)
        return rows.select_related(*keys) if keys else rows
