"""The form of a draft: fields of the rule set and any number of bands, in dollars, percent and months.

An empty field says nothing and inherits; the page shows beside it what it inherits and from where. What cannot be
read and what the rules refuse come back together, beside the fields.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.money import InvalidAmount, from_cents, to_cents
from accounts.refusals import Refusal
from settlements.admin import words
from settlements.admin.words import BALANCES, BAND_GROUPS, FORM_GROUPS, Field
from settlements.models import RuleSet
from settlements.rules import drafts
from settlements.rules.bands import BAND_FIELDS, FORM_FIELDS, HIGHEST_CENTS, LOWEST_CENTS, Compiled, compile_rules
from settlements.rules.bands import RuleSet as Rules

MOST_ROWS = 20
"""Bands that the page edits; an imported rule set may have more and is changed by import."""
_BAN = {"": None, "no": True, "yes": False}
_SPOKEN = re.compile(r"[\s$,%]")


class HundredthsField(forms.Field):
    """Read dollars or percent as hundredths: 25, 25.00, $1,250.00 and 75 % are all fine."""

    def __init__(self, **kwargs) -> None:
        super().__init__(widget=UnfoldAdminTextInputWidget(attrs={"maxlength": 20, "inputmode": "decimal"}), **kwargs)

    def to_python(self, value):
        if not (text := _SPOKEN.sub("", value or "")):
            return None
        try:
            return to_cents(text)
        except InvalidAmount:
            raise forms.ValidationError(_("Write a number such as 25 or 25.50."), code="not_a_number") from None

    def prepare_value(self, value):
        return value if isinstance(value, str) or value is None else plain(value)


class WholeField(forms.Field):
    """Read a whole number; empty says nothing."""

    def __init__(self, **kwargs) -> None:
        super().__init__(widget=UnfoldAdminTextInputWidget(attrs={"maxlength": 10, "inputmode": "numeric"}), **kwargs)

    def to_python(self, value):
        if not (text := (value or "").strip()):
            return None
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise forms.ValidationError(_("Write a whole number such as 12."), code="not_a_number")
        return int(text)


def within(least: int, most: int, shown: Callable[[int], str] = str) -> Callable[[int], None]:
    """Make the validator of a number, which says its bounds as the field reads them."""

    def check(number: int) -> None:
        if not least <= number <= most:
            said = {"least": shown(least), "most": shown(most)}
            raise forms.ValidationError(_("Write a number from %(least)s to %(most)s."), "out_of_range", said)

    return check


def plain(cents: int) -> str:
    """Write hundredths as they are typed."""
    amount = from_cents(cents)
    return str(amount.quantize(Decimal(1))) if amount == amount.to_integral() else str(amount)


def _field(field: Field) -> forms.Field:
    about = {"label": field.label, "help_text": field.help, "required": False}
    if field.unit in ("money", "percent"):
        return HundredthsField(**about)
    if field.unit == "ban":
        options = [("", _("as inherited")), ("yes", _("offered")), ("no", _("not offered"))]
        return forms.ChoiceField(choices=options, widget=UnfoldAdminSelectWidget(), **about)
    if field.unit == "choice":
        options = [("", _("as inherited")), *words.CHOICES[field.name].items()]
        return forms.ChoiceField(choices=options, widget=UnfoldAdminSelectWidget(), **about)
    if field.unit == "text":
        return forms.CharField(max_length=20, widget=UnfoldAdminTextInputWidget(), **about)
    return WholeField(**about)


class FormFields(forms.Form):
    """The fields of the rule set as a whole."""

    enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        help_text=_("Off: as if this rule set did not exist."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    is_master = forms.BooleanField(
        label=_("Master switch"),
        required=False,
        help_text=_("While the agency's rule set is not enabled, those of clients are not read either."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    replace_all = forms.BooleanField(
        label=_("Replace everything"),
        required=False,
        help_text=_("Nothing is inherited from the agency: empty fields and zeros count as they are."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=300,
        help_text=_("For colleagues: why these rules."),
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args, of_client: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["is_master" if of_client else "replace_all"]
        for group in FORM_GROUPS:
            for field in group.fields:
                self.fields[field.name] = _field(field)


class BandRow(forms.Form):
    """One band."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for field in (*BALANCES, *(one for group in BAND_GROUPS for one in group.fields)):
            self.fields[field.name] = _field(field)


Bands = formset_factory(BandRow, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


class Editor:
    """Hold a draft's form, filled from the row or from what was sent.

    :param above: the rules that empty fields inherit from: the agency's in force for a client, None for the agency.
    """

    def __init__(self, rule_set: RuleSet, above: Rules | None, data: Mapping[str, Any] | None = None) -> None:
        self.rule_set = rule_set
        self.of_client = rule_set.client_id is not None
        self.replacing = rule_set.replace_all if data is None else bool(data.get("replace_all"))
        self.above = compile_rules(None, None if self.replacing else above) or Compiled(None, None)
        self.form = FormFields(data, initial=_form_values(rule_set), of_client=self.of_client)
        initial = [_spoken(band) for band in rule_set.bands]
        # A row that was sent as it is stored is a row all the same: Django would read it as left empty.
        self.bands = Bands(data, initial=initial, prefix="bands", form_kwargs={"empty_permitted": False})
        self.refusals: list[tuple[str, str]] = []

    @classmethod
    def rearranged(cls, rule_set: RuleSet, above: Rules | None, data: Mapping[str, Any]) -> "Editor":
        """Add or take away a row of what was sent, and save nothing; it works without a script."""
        rows = _rows(data)
        if "remove_band" in data and data["remove_band"].isdigit():
            rows = [row for index, row in enumerate(rows) if index != int(data["remove_band"])]
        elif len(rows) < MOST_ROWS:
            rows.append({"owing_from_cents": _next_from(rows)})
        kept = {name: value for name, value in data.items() if not name.startswith("bands-")}
        kept |= {"bands-TOTAL_FORMS": len(rows), "bands-INITIAL_FORMS": 0}
        for index, row in enumerate(rows):
            kept |= {f"bands-{index}-{name}": value for name, value in row.items()}
        return cls(rule_set, above, kept)

    def check(self) -> tuple[dict, list[dict]] | None:
        """Read what was sent as the service takes it, or put every refusal beside its field and give None."""
        readable = self.form.is_valid() & self.bands.is_valid()
        values = {name: self.form.cleaned_data.get(name) for name in self.form.fields if name != "note"}
        values = {name: _BAN.get(value, value) if name in words.BANS else value for name, value in values.items()}
        values["note"] = self.form.cleaned_data.get("note") or ""
        bands = [_row(form) for form in self.bands.forms]
        self.refuse(drafts.check(values, bands, of_client=self.of_client).refusals)
        return (values, bands) if readable and not self.refusals else None

    def refuse(self, refusals: list[Refusal]) -> None:
        """Put refusals beside the fields that their pointers name."""
        for refusal in refusals:
            form, name = self._place(refusal.field or "")
            if form is None:
                self.refusals.append(("", refusal.sentence))
            elif name not in form.errors:
                form.add_error(name, forms.ValidationError(refusal.sentence, code=refusal.code))
        for form in (self.form, *self.bands.forms):
            for name, errors in form.errors.items():
                label = form.fields[name].label if name in form.fields else ""
                self.refusals += [
                    (form[name].id_for_label if name in form.fields else "", f"{label}: {e}") for e in errors
                ]

    def _place(self, pointer: str) -> tuple[forms.Form | None, str]:
        match pointer.strip("/").split("/"):
            case ["bands", index, name] if index.isdigit() and int(index) < len(self.bands.forms):
                form = self.bands.forms[int(index)]
                return (form, name) if name in form.fields else (None, name)
            case [name] if name in self.form.fields:
                return self.form, name
        return None, ""

    # What the template reads ------------------------------------------------------------------------------------

    def form_groups(self) -> list[dict]:
        """Give the rule set's own fields with what they inherit."""
        anywhere = self.above.segments[0].governing
        return [
            {
                "title": group.title,
                "fields": [self._shown(self.form, field, {anywhere.origins[field.name]}) for field in group.fields],
            }
            for group in FORM_GROUPS
        ]

    def rows(self) -> list[dict]:
        """Give each band with its fields and what they inherit."""
        return [self._band(index, form) for index, form in enumerate(self.bands.forms)]

    def _band(self, index: int, form: forms.Form) -> dict:
        low, high = _bound(form, "owing_from_cents"), _bound(form, "owing_to_cents")
        governing = [
            segment.governing
            for segment in self.above.segments
            if segment.to_cents >= (low or 0) and segment.from_cents <= (HIGHEST_CENTS if high is None else high)
        ]
        groups = []
        for group in BAND_GROUPS:
            fields = [self._shown(form, one, {each.origins[one.name] for each in governing}) for one in group.fields]
            said = any(one["bound"].value() not in (None, "") for one in fields)
            groups.append({"title": group.title, "fields": fields, "rare": group.rare, "open": said})
        stored = self.rule_set.bands[index] if index < len(self.rule_set.bands) else {}
        title = words.span(low, high) if None not in (low, high) else _("New band")
        return {
            "number": index + 1,
            "index": index,
            "title": title,
            "short": words.in_short(stored) if not form.is_bound else "",
            "bounds": [{"bound": form[one.name], "empty": ""} for one in BALANCES],
            "groups": groups,
            "open": (form.is_bound and bool(form.errors)) or not stored or len(self.bands.forms) <= 2,
        }

    def _shown(self, form: forms.Form, field: Field, origins: set) -> dict:
        """Pair a field with the words for what it inherits: the value as placeholder, its origin below."""
        bound = form[field.name]
        values = {origin.value for origin in origins}
        if len(values) == 1:
            value, origin = words.said(field.name, values.pop()), next(iter(origins))
            empty = _("Empty: %(value)s (%(source)s)") % {"value": value, "source": words.source(origin)}
        else:
            value, empty = str(_("differs")), str(_("Empty: differs by balance, as the agency says"))
        if field.unit in ("ban", "choice"):
            empty = ""  # the choice itself says what it inherits
            bound.field.choices = [("", _("Inherited: %(value)s") % {"value": value}), *list(bound.field.choices)[1:]]
        else:
            bound.field.widget.attrs["placeholder"] = value
        return {"bound": bound, "empty": empty}


def _form_values(rule_set: RuleSet) -> dict:
    return {name: getattr(rule_set, name) for name in (*drafts.SWITCHES, *FORM_FIELDS, "note")}


def _spoken(band: dict) -> dict:
    """Give a stored band as the row's fields take it."""
    answers = {value: name for name, value in _BAN.items()}
    return {name: answers[value] if name in words.BANS else value for name, value in band.items()}


def _row(form: forms.Form) -> dict:
    """Give a row as the service takes it: what is empty is left out."""
    row = {}
    for name in ("owing_from_cents", "owing_to_cents", *BAND_FIELDS):
        value = form.cleaned_data.get(name)
        value = _BAN.get(value) if name in words.BANS else value
        if value is not None:
            row[name] = value
        elif name in form.errors:
            row[name] = LOWEST_CENTS if name.startswith("owing") else None
    return row


def _rows(data: Mapping[str, Any]) -> list[dict]:
    """Collect the rows of what was sent, as it was typed."""
    rows: dict[int, dict] = {}
    for name, value in data.items():
        if found := re.fullmatch(r"bands-(\d{1,3})-(\w+)", name):
            rows.setdefault(int(found[1]), {})[found[2]] = value
    return [rows[index] for index in sorted(rows)][:MOST_ROWS]


def _next_from(rows: list[dict]) -> str:
    """Begin a new band a cent above the highest one."""
    tops = []
    for row in rows:
        try:
            tops.append(to_cents(_SPOKEN.sub("", row.get("owing_to_cents") or "")))
        except InvalidAmount:
            continue
    return str(from_cents(max(tops) + 1)) if tops and max(tops) < HIGHEST_CENTS else ("" if rows else "0")


def _bound(form: forms.Form, name: str) -> int | None:
    value = form[name].value()
    if isinstance(value, int) or value in (None, ""):
        return value if isinstance(value, int) else None
    try:
        return to_cents(_SPOKEN.sub("", value))
    except InvalidAmount:
        return None
