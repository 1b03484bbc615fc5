"""Staff in the room: one member per role, signed in, and a row of every table for an agency."""

import datetime as dt
import hashlib
import uuid

from django.contrib import admin
from django.db import models
from django.test import Client

from accounts.crypto import SealedField
from accounts.models import Account, Agency, Consumer, User
from accounts.tenancy import Row, acting_for
from integrations.models import HostConnection
from payments.models import ProcessorAccount
from portal.staff import make_roles, make_staff
from settlements.models import GlobalOffer
from settlements.services.budget_forms import standard

admin.autodiscover()  # as the addresses do: whoever counts pages asks for none of them
PASSWORD = "a long pass phrase"
SECRET = "sealed-and-never-shown"
NEEDED = {
    "payments.Statement": {"owner": "portal", "channel": "email"},
    "accounts.QuietTime": {"starts": dt.time(12), "ends": dt.time(13)},
    "settlements.IndividualOffer": {"amount_cents": 750_00},
    "payments.Arrangement": {"schedule": [["2026-12-01", 1]]},
    "payments.Authorization": {"time_zone": "America/New_York", "language": "en", "lines": [["2026-12-01", 1]]},
    "settlements.AffordabilityForm": {"definition": standard()},
    "settlements.Evidence": {"size_bytes": 5, "sha256": hashlib.sha256(b"%PDF-").hexdigest()},
    "payments.Postdate": {"executor": "host", "notifier": "portal"},
    "payments.AchOrigin": {"bank_routing": "021000021"},
    "accounts.Account": {"balance_cents": 1_000_00},
    "integrations.Delivery": {"endpoint": None},
    "integrations.Redelivery": {"endpoint": None},
}


def signed_in(user: User, **extra) -> Client:
    """Give a browser in which this person is signed in."""
    client = Client(HTTP_HOST="localhost", **extra)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def member(agency: Agency, role: str = "agency admin", username: str = "") -> User:
    """Make a member of an agency's staff."""
    make_roles()
    username = username or f"{agency.slug}-{role.replace(' ', '-')}"
    return make_staff(agency=agency, username=username, password=PASSWORD, role=role)


def tenant_admins() -> dict:
    """Give the staff pages of tenant tables, those registered tomorrow too."""
    return {model: page for model, page in admin.site._registry.items() if issubclass(model, Row)}


def furnish(agency: Agency, now: dt.datetime) -> dict[type[Row], Row]:
    """Make one row of every tenant table that staff can see, sealed fields filled with SECRET."""
    with acting_for(agency):
        rows: dict = {model: model.objects.first() for model in (HostConnection, ProcessorAccount, GlobalOffer)}
        rows |= {model: model.objects.first() for model in (Consumer, Account, *tenant_admins())}
        rows = {model: row for model, row in rows.items() if row}
        for row in rows.values():
            sealed = [field.name for field in row._meta.fields if isinstance(field, SealedField)]
            for name in sealed:
                setattr(row, name, SECRET)
            if sealed:
                row.save()
        for model in tenant_admins():
            _row(model, rows, now)
    # What a row needs and has no page of its own is not walked.
    return {model: row for model, row in rows.items() if model in tenant_admins()}


def _row(model: type[Row], rows: dict, now: dt.datetime) -> Row:
    if model not in rows:
        values = {
            field.name: _value(field, rows, now)
            for field in model._meta.fields
            if field.name not in ("id", "agency") and (isinstance(field, SealedField) or not _optional(field))
        }
        rows[model] = model.objects.create(**values | NEEDED.get(model._meta.label, {}))
    return rows[model]


def _optional(field: models.Field) -> bool:
    return field.has_default() or (field.null and not field.is_relation) or getattr(field, "auto_now_add", False)


def _value(field: models.Field, rows: dict, now: dt.datetime):
    if isinstance(field, SealedField):
        return SECRET
    if field.is_relation:
        return _row(field.related_model, rows, now)
    if field.choices:
        return field.choices[0][0]
    match field:
        case models.DateTimeField():
            return now
        case models.TimeField():
            return now.timetz().replace(tzinfo=None)
        case models.DateField():
            return now.date()
        case models.UUIDField():
            return uuid.uuid4()
        case models.JSONField():
            return []
        case models.BooleanField():
            return False
        case models.IntegerField() | models.FloatField():
            return 1
    return "" if field.blank else "x" * min(field.max_length or 4, 4)
