"""Keys of the public API, and the answers kept for a second asking."""

import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_fence_account_past'),
        ('integrations', '0004_delivery_held'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(help_text='Who uses it, for example: IVR.', max_length=80, verbose_name='name')),
                ('scopes', models.JSONField(default=list, verbose_name='allowed to')),
                ('ip_allow', models.JSONField(blank=True, default=list, help_text='Empty: any.', verbose_name='allowed addresses')),
                ('expires_at', models.DateTimeField(blank=True, help_text='Empty: never.', null=True, verbose_name='ends')),
                ('secret_hash', models.CharField(editable=False, max_length=64)),
                ('old_secret_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('old_until', models.DateTimeField(editable=False, null=True, verbose_name='old secret ends')),
                ('rotated_at', models.DateTimeField(editable=False, null=True, verbose_name='rotated')),
                ('last_used_at', models.DateTimeField(editable=False, help_text='to the minute', null=True, verbose_name='last used')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
                ('revoked_by', models.CharField(blank=True, editable=False, max_length=80)),
                ('made_at', models.DateTimeField(editable=False, verbose_name='made')),
                ('made_by', models.CharField(editable=False, max_length=80)),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=255)),
                ('request_sha256', models.CharField(help_text='method, address and body', max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('headers', models.JSONField(default=dict)),
                ('body', models.TextField()),
                ('made_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('api_key', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='integrations.apikey')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('old_secret_hash', ''), ('old_until__isnull', False), _connector='OR'), name='api_key_old_secret_has_an_end'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='eca48e8811e9ec6901b981f967a152219f70d62d', operation='DELETE', pgid='pgtrigger_no_delete_881bf', table='integrations_apikey', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='revoked_for_good', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN RAISE EXCEPTION 'a revoked key stays revoked: make another one'; END IF; RETURN NEW;", hash='ac740244b2487b96514561bc1f3f2d8482b1c9d9', operation='UPDATE', pgid='pgtrigger_revoked_for_good_481be', table='integrations_apikey', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='idempotencykey',
            index=models.Index(fields=['agency', 'expires_at'], name='answer_expires'),
        ),
        migrations.AddConstraint(
            model_name='idempotencykey',
            constraint=models.UniqueConstraint(fields=('api_key', 'key'), name='one_answer_per_idempotency_key'),
        ),
    ]
