"""Take the Collect! form in and out: the agency's rules and each client's, as one CSV or one JSON file.

On the agency's level Enable Rules is the master switch, as in Collect!: off, and no client's form is read either.
What our rule sets have beyond the form (an offered percent, days of grace, ...) stays as it is; what no band of a file
can keep is named, and nothing is published at once that drops it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from accounts import clock
from accounts.models import Client
from accounts.refusals import refuse
from settlements.models import RuleSet
from settlements.rules import bands as rules
from settlements.rules import collect
from settlements.rules.collect import Fault, Form, Loss, Read
from settlements.rules.collect_csv import read_csv, write_csv
from settlements.rules.collect_json import read_json, write_json
from settlements.services import rulesets

__all__ = ["Imported", "export_csv", "export_json", "forms", "import_forms", "read_csv", "read_json"]

_SENTENCES = {
    "format_unknown": "The format is csv or json.",
    "client_unknown": "There is no client with this number.",
    "client_ambiguous": "Several clients have this number.",
    "draft_open": "There is a draft of these rules: publish or discard it first.",
    "publish_would_drop": "Nothing that drops something is published at once: import it as drafts and look at them.",
    "beyond_form_dropped": "The band of %(from_cents)s to %(to_cents)s has %(what)s; no band of the file keeps that.",
    "offered_below_minimum": "The band of %(from_cents)s to %(to_cents)s has %(what)s; the file's minimum is higher.",
}
_SPOKEN = {
    "offered_settlement_bps": "offered settlement percent",
    "max_payments": "most payments",
    "max_days": "most days",
    "down_payment_cents": "down payment, dollar",
    "down_payment_bps": "down payment, percent",
    "latest_first_days": "latest first payment, days",
    "grace_days": "grace days",
    "failures_to_break": "failures that break",
}


class Imported(NamedTuple):
    """Give the drafts, or published versions, of the forms that changed something; or all errors and nothing.

    What is neither is counted: forms that say what is in force, and bands that nobody filled in. `dropped` names what
    drafts do not keep of the rules in force.
    """

    rule_sets: tuple[RuleSet, ...] = ()
    unchanged: int = 0
    errors: tuple[Fault, ...] = ()
    unused_bands: int = 0
    dropped: tuple[Fault, ...] = ()


class _Bad(Exception):
    """Undo everything: the file is refused as a whole."""


def export_json(*, client: Client | None, all_clients: bool = False, now: datetime | None = None) -> dict[str, Any]:
    """Write the forms in force of one level, or with `all_clients` of the agency and of every client."""
    return write_json(forms(client=client, all_clients=all_clients, now=now))


def export_csv(*, client: Client | None, all_clients: bool = False, now: datetime | None = None) -> str:
    """Write the same as CSV."""
    return write_csv(forms(client=client, all_clients=all_clients, now=now))


def forms(*, client: Client | None, all_clients: bool = False, now: datetime | None = None) -> list[Form]:
    """Give the forms in force; a level without rules has none."""
    numbers: dict[UUID | None, str] = {None: ""}
    if all_clients:
        ruled = RuleSet.objects.filter(status=RuleSet.Status.PUBLISHED, client__isnull=False).values("client")
        numbers |= dict(Client.objects.filter(pk__in=ruled).values_list("pk", "number"))
    elif client is not None:
        numbers = dict(Client.objects.filter(pk=client.pk).values_list("pk", "number"))
    standing = rulesets.values_in_force(clients=[pk for pk in numbers if pk], now=now or clock.now())
    found = [collect.form_of_rules(number, standing[pk]) for pk, number in numbers.items() if pk in standing]
    return sorted(found, key=lambda form: form.client_number)


def import_forms(*, text: str | bytes, format: str, by: str, now: datetime, publish: bool = False) -> Imported:
    """Read a file and write every form that changes something as a draft, or publish them all at once.

    Refused whole, with line, field and code of every error: when a cell is wrong, a client is unknown, a level has an
    open draft, or `publish` needs a second person or would drop something that is beyond the form.
    """
    readers = {"csv": read_csv, "json": read_json}
    if format not in readers:
        return Imported(errors=(Fault(None, "", "format_unknown", _SENTENCES["format_unknown"]),))
    found: Read = readers[format](text)
    if found.faults:
        return Imported(errors=found.faults)
    levels, errors = _levels(found.forms)
    if errors:
        return Imported(errors=errors)
    try:
        return _write(levels, by=by, now=now, publish=publish)
    except _Bad as bad:
        return Imported(errors=tuple(bad.args))


def _fault(form: Form, code: str, sentence: str = "") -> Fault:
    return Fault(form.row, form.field, code, sentence or _SENTENCES[code])


def _levels(forms: Sequence[Form]) -> tuple[list[tuple[Client | None, Form]], tuple[Fault, ...]]:
    known: dict[str, list[Client]] = {}
    for client in Client.objects.filter(number__in={form.client_number for form in forms} - {""}):
        known.setdefault(client.number, []).append(client)
    levels, errors = [], []
    for form in forms:
        clients = known.get(form.client_number, []) if form.client_number else [None]
        if len(clients) == 1:
            levels.append((clients[0], form))
        else:
            errors.append(_fault(form, "client_ambiguous" if clients else "client_unknown"))
    # In one order, so that two imports at once wait for each other and never for one another.
    levels.sort(key=lambda level: (level[0] is not None, level[0].pk.int if level[0] else 0))
    return levels, tuple(errors)


@transaction.atomic
def _write(levels: list[tuple[Client | None, Form]], *, by: str, now: datetime, publish: bool) -> Imported:
    for client, _form in levels:
        rulesets.hold(client.pk if client else None)
    standing = rulesets.values_in_force(clients=[client.pk for client, _form in levels if client], now=now)
    changed = [
        (client, form, before)
        for client, form in levels
        if not _same(form, before := standing.get(client.pk if client else None))
    ]
    drafts = RuleSet.objects.filter(status__in=RuleSet.OPEN).values_list("client", flat=True)
    if busy := [form for client, form, _before in changed if (client.pk if client else None) in set(drafts)]:
        raise _Bad(*(_fault(form, "draft_open") for form in busy))
    dropped: list[Fault] = []
    written = [_draft(client, form, before, dropped, by=by, now=now) for client, form, before in changed]
    if publish and dropped:
        raise _Bad(Fault(None, "", "publish_would_drop", _SENTENCES["publish_would_drop"]), *dropped)
    if publish:
        try:
            written = [rulesets.publish(rule_set=draft, by=by, now=now) for draft in written]
        except rulesets.Refused as refused:
            raise _Bad(*(Fault(None, "", one.code, one.sentence) for one in refused.refusals)) from None
    unused = sum(form.unused for _client, form in levels)
    return Imported(tuple(written), len(levels) - len(changed), unused_bands=unused, dropped=tuple(dropped))


def _same(form: Form, before: rules.RuleSet | None) -> bool:
    """Tell whether a form says what is in force; the master switch matters only to rules that are off."""
    if before is None or collect.form_of_rules(form.client_number, before).says != form.says:
        return False
    return before.level == "client" or before.enabled or before.is_master


def _draft(
    client: Client | None, form: Form, before: rules.RuleSet | None, dropped: list[Fault], *, by: str, now: datetime
) -> RuleSet:
    draft = rulesets.draft(client=client, by=by, now=now)
    kept = [name for name in rules.FORM_FIELDS if name not in collect.FORM_FIELDS]
    values = {name: getattr(before, name) for name in kept} if before else {}
    values |= {name: getattr(form, name) for name in collect.FORM_FIELDS}
    if client is None:
        values["is_master"] = True
    bands, lost = collect.carry_over(form.used().bands, before.bands if before else ())
    dropped += [_dropped(form, loss) for loss in lost]
    if refusals := rulesets.save_draft(rule_set=draft, values=values, bands=bands, by=by, now=now):
        raise _Bad(*(_fault(form, one.code, f"{one.field}: {one.sentence}") for one in refusals))
    return draft


def _dropped(form: Form, loss: Loss) -> Fault:
    """Name a loss in the words of docs/rules.md."""
    value = f"{loss.value / 100:.2f}" if loss.name.endswith(("_cents", "_bps")) else loss.value
    bounds = {"from_cents": loss.band.owing_from_cents, "to_cents": loss.band.owing_to_cents}
    code = "offered_below_minimum" if loss.too_low else "beyond_form_dropped"
    said = refuse(_SENTENCES[code], code, what=f"{_SPOKEN[loss.name]} {value}", **bounds)
    return _fault(form, code, said.sentence)
