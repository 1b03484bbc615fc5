"""Seal the answers kept for a second asking: they name people and hold new secrets, once."""

from django.db import migrations, models

import accounts.crypto
from accounts.crypto import seal, unseal

CONTEXT = "integrations_idempotencykey.body"


def _each(schema_editor, change) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, body FROM integrations_idempotencykey WHERE body <> ''")
        for pk, body in cursor.fetchall():
            cursor.execute("UPDATE integrations_idempotencykey SET body = %s WHERE id = %s", [change(body), pk])


def close(apps, schema_editor) -> None:
    _each(schema_editor, lambda body: seal(body, context=CONTEXT))


def reopen(apps, schema_editor) -> None:
    _each(schema_editor, lambda body: unseal(body, context=CONTEXT))


class Migration(migrations.Migration):
    dependencies = [("integrations", "0013_fence_host_files")]

    operations = [
        migrations.AlterField(
            model_name="idempotencykey",
            name="body",
            field=accounts.crypto.SealedField(),
        ),
        migrations.AlterField(
            model_name="idempotencykey",
            name="status",
            field=models.PositiveSmallIntegerField(help_text="0: begun, no answer yet"),
        ),
        migrations.RunPython(close, reopen),
    ]
