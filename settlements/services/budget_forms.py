"""Budget forms: which one is in force, and how a new version comes about: draft, save, publish, discard."""

import json
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.models import AffordabilityForm
from settlements.rules.budget_forms import Form, check_form, read_form

STANDARD = Path(__file__).resolve().parents[1] / "standard_budget.json"
LIMIT_BYTES = 512 * 1024
"""Of an uploaded definition: fifty times the standard one."""
FREQUENCIES = {
    "week": _("a week"),
    "fortnight": _("every two weeks"),
    "four_weeks": _("every four weeks"),
    "month": _("a month"),
    "year": _("a year"),
}
Status = AffordabilityForm.Status

_SENTENCES = {
    "file_too_large": gettext_noop("The file is larger than %(most)s KB."),
    "not_json": gettext_noop("This is not JSON: line %(line)s, column %(column)s."),
    "not_text": gettext_noop("This is not a text in UTF-8."),
    "not_a_draft": gettext_noop("Only a draft can be changed. Begin a new draft."),
}


class Refused(Exception):
    """Show the refusals; nothing was written."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__(", ".join(one.code for one in refusals))
        self.refusals = refusals


@cache
def _standard() -> dict[str, Any]:
    return json.loads(STANDARD.read_text(encoding="utf-8"))


def standard() -> dict[str, Any]:
    """Give the definition that comes with the product: income, essential and other outgoings, debts."""
    return deepcopy(_standard())


def in_force(*, client_id: Any) -> AffordabilityForm | None:
    """Find the form that a client's accounts get: the client's own, else the agency's, else None."""
    published = AffordabilityForm.objects.filter(Q(client=client_id) | Q(client=None), status=Status.PUBLISHED)
    latest = {row.client_id: row for row in published.order_by("client_id", "published_at", "version")}
    return latest.get(client_id) or latest.get(None)


def form_for(*, client_id: Any) -> tuple[AffordabilityForm | None, Form]:
    """Give the form in force and how it reads; without any published one the standard form, not stored yet."""
    row = in_force(client_id=client_id)
    return row, read(row)


def read(row: AffordabilityForm | None) -> Form:
    """Read a stored form as the rules take it; None is the standard form."""
    return read_form(row.definition if row else _standard())


def pinned(*, client_id: Any, now: datetime) -> AffordabilityForm:
    """Give the form in force as a row to point at; the standard form becomes the agency's version 1 when first used."""
    if (row := in_force(client_id=client_id)) is not None:
        return row
    version = _next_version(None)
    try:
        with transaction.atomic():
            return AffordabilityForm.objects.create(
                client=None,
                version=version,
                status=Status.PUBLISHED,
                definition=standard(),
                note="The standard form",
                made_at=now,
                made_by="system",
                published_at=now,
                published_by="system",
            )
    except IntegrityError:
        # Two consumers began the agency's first budget at once.
        return AffordabilityForm.objects.get(client=None, status=Status.PUBLISHED, version=version)


def _next_version(client: Client | None) -> int:
    return (AffordabilityForm.objects.filter(client=client).aggregate(last=Max("version"))["last"] or 0) + 1


@transaction.atomic
def draft(*, client: Client | None, by: str, now: datetime, copy_of: AffordabilityForm | None = None):
    """Begin a draft of a level, or give the one that is open: a copy of a version, of what is in force, or standard."""
    open_one = AffordabilityForm.objects.filter(client=client, status=Status.DRAFT).first()
    if open_one is not None:
        return open_one
    source = copy_of or in_force(client_id=client.pk if client else None)
    return AffordabilityForm.objects.create(
        client=client,
        version=_next_version(client),
        definition=deepcopy(source.definition) if source else standard(),
        made_at=now,
        made_by=by,
    )


def read_definition(body: bytes | str) -> Any:
    """Read an uploaded definition.

    :raises Refused: it is too large, no UTF-8 or no JSON; what it says is judged by `save`.
    """
    raw = body.encode() if isinstance(body, str) else body
    if len(raw) > LIMIT_BYTES:
        raise Refused([_no("file_too_large", most=LIMIT_BYTES // 1024)])
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Refused([_no("not_text")]) from error
    except json.JSONDecodeError as error:
        raise Refused([_no("not_json", line=error.lineno, column=error.colno)]) from error
    except RecursionError as error:
        raise Refused([_no("not_json", line=1, column=1)]) from error


def _no(code: str, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field="/", **params)


@transaction.atomic
def save(*, form: AffordabilityForm, definition: Any, note: str, by: str, now: datetime) -> list[Refusal]:
    """Write a draft's definition; with any refusal nothing is written, and all of them come with their pointers."""
    row = AffordabilityForm.objects.select_for_update().get(pk=form.pk)
    if row.status != Status.DRAFT:
        return [_no("not_a_draft")]
    if found := check_form(definition):
        return list(found)
    row.definition, row.note, row.made_by, row.made_at = definition, note[:300], by, now
    row.save(update_fields=["definition", "note", "made_by", "made_at"])
    return []


@transaction.atomic
def publish(*, form: AffordabilityForm, by: str, now: datetime) -> AffordabilityForm:
    """Put a draft in force; budgets that were begun keep the version they were begun with.

    :raises Refused: it is no draft, or its definition has mistakes.
    """
    row = AffordabilityForm.objects.select_for_update().get(pk=form.pk)
    if row.status != Status.DRAFT:
        raise Refused([_no("not_a_draft")])
    if found := check_form(row.definition):
        raise Refused(list(found))
    row.status, row.published_at, row.published_by = Status.PUBLISHED, now, by
    row.save(update_fields=["status", "published_at", "published_by"])
    return row


@transaction.atomic
def discard(*, form: AffordabilityForm) -> None:
    """Give a draft up; its version number is not used again.

    :raises Refused: it is no draft.
    """
    if not AffordabilityForm.objects.filter(pk=form.pk, status=Status.DRAFT).update(status=Status.DISCARDED):
        raise Refused([_no("not_a_draft")])
