"""Seal again, under the first key of FIELD_KEYS, everything that an older key sealed; then that key can be removed."""

import re
import sys
from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction

from accounts.crypto import CannotOpen, SealedField, seal, unseal
from accounts.tenancy import ALL_AGENCIES, acting_for
from portal.staff import SealedFactors

BATCH = 500  # rows locked at once: the site writes the same rows
SEALED = re.compile(r"\d+:[A-Za-z0-9+/]{38,}={0,2}")  # version, then nonce, text and tag


class Command(BaseCommand):
    """Can be stopped and run again at any time, beside the running site."""

    help = __doc__

    def handle(self, *args, **options) -> None:
        lost = 0
        with acting_for(ALL_AGENCIES):
            for model in apps.get_models():
                for field in model._meta.local_fields:
                    if isinstance(field, SealedField):
                        lost += self._column(model._meta.db_table, field.column)
            lost += self._factors()
        if lost:
            self.stderr.write(f"{lost} values cannot be opened by any key of FIELD_KEYS")
            sys.exit(1)

    def _column(self, table: str, column: str) -> int:
        """Reseal one column, a batch in a transaction; return how many values no key opens."""
        done = lost = 0
        last = None
        select = (
            f'SELECT id, "{column}" FROM "{table}" WHERE "{column}" <> \'\' AND split_part("{column}", \':\', 1) <> %s '  # noqa: S608
            "AND (%s::uuid IS NULL OR id > %s::uuid) ORDER BY id LIMIT %s FOR NO KEY UPDATE"
        )
        update = f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s'  # noqa: S608
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(select, [str(next(iter(settings.FIELD_KEYS))), last, last, BATCH])
                rows = cursor.fetchall()
                for key, sealed in rows:
                    try:
                        text = unseal(sealed, context=f"{table}.{column}")
                    except CannotOpen:
                        lost += 1
                        continue
                    cursor.execute(update, [seal(text, context=f"{table}.{column}"), key])
                    done += 1
            if not rows:
                break
            last = rows[-1][0]
        self.stdout.write(f"{table}.{column}: {done} sealed again")
        return lost

    def _factors(self) -> int:
        """Reseal the secrets of staff's authenticator apps and recovery codes."""
        done = lost = 0
        for row in Authenticator.objects.order_by("pk").iterator():
            with transaction.atomic():
                row = Authenticator.objects.select_for_update().get(pk=row.pk)
                try:
                    data = _each(row.data, _again)
                except CannotOpen:
                    lost += 1
                    continue
                if data != row.data:
                    Authenticator.objects.filter(pk=row.pk).update(data=data)
                    done += 1
        self.stdout.write(f"second factors: {done} sealed again")
        return lost


def _each(value, change: Callable[[str], str]):
    if isinstance(value, dict):
        return {name: _each(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each(inner, change) for inner in value]
    return change(value) if isinstance(value, str) and SEALED.fullmatch(value) else value


def _again(sealed: str) -> str:
    if sealed.partition(":")[0] == str(next(iter(settings.FIELD_KEYS))):
        return sealed
    return seal(unseal(sealed, context=SealedFactors.CONTEXT), context=SealedFactors.CONTEXT)
