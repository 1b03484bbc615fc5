"""Webhook endpoints beside host connections, and redeliveries of a stretch of events."""

import accounts.crypto
import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_fence_account_past'),
        ('integrations', '0007_styles_and_vocabulary'),
    ]

    operations = [
        migrations.CreateModel(
            name='Redelivery',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('first', models.BigIntegerField(verbose_name='from')),
                ('last', models.BigIntegerField(verbose_name='to')),
                ('position', models.BigIntegerField(help_text='the last number that is on its way')),
                ('told', models.BigIntegerField(default=0, verbose_name='events')),
                ('asked_at', models.DateTimeField(verbose_name='asked')),
                ('asked_by', models.CharField(max_length=80)),
                ('done_at', models.DateTimeField(null=True, verbose_name='done')),
            ],
            options={
                'verbose_name': 'redelivery',
                'verbose_name_plural': 'redeliveries',
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
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('unreachable_since', models.DateTimeField(editable=False, help_text='the circuit is open', null=True)),
                ('probe_at', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('url', models.URLField(max_length=500, verbose_name='address')),
                ('kinds', models.JSONField(blank=True, default=list, help_text='Empty: all. Or payment.* and so on.', verbose_name='events')),
                ('most', models.PositiveSmallIntegerField(default=1, verbose_name='events in a request')),
                ('secret', accounts.crypto.SealedField(editable=False)),
                ('old_secret', accounts.crypto.SealedField(blank=True, default='', editable=False)),
                ('old_until', models.DateTimeField(editable=False, null=True, verbose_name='old secret ends')),
                ('suspended_at', models.DateTimeField(editable=False, null=True, verbose_name='suspended')),
                ('suspended_why', models.CharField(blank=True, editable=False, max_length=300)),
                ('removed_at', models.DateTimeField(editable=False, null=True, verbose_name='removed')),
                ('made_at', models.DateTimeField(editable=False, verbose_name='made')),
                ('made_by', models.CharField(editable=False, max_length=80)),
            ],
            options={
                'verbose_name': 'webhook endpoint',
                'verbose_name_plural': 'webhook endpoints',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='delivery',
            name='one_delivery_per_event_and_account',
        ),
        migrations.AlterField(
            model_name='delivery',
            name='connection',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='integrations.hostconnection'),
        ),
        migrations.AddField(
            model_name='redelivery',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='redelivery',
            name='connection',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redeliveries', to='integrations.hostconnection'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='redelivery',
            name='endpoint',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redeliveries', to='integrations.webhookendpoint'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='endpoint',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='integrations.webhookendpoint'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('event', 'account', 'connection', 'endpoint'), name='one_delivery_per_event_and_account', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('connection__isnull', True), ('endpoint__isnull', False)), models.Q(('connection__isnull', False), ('endpoint__isnull', True)), _connector='OR'), name='delivery_has_one_receiver'),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(('most__gte', 1), ('most__lte', 100)), name='endpoint_hears_1_to_100'),
        ),
        migrations.AddIndex(
            model_name='redelivery',
            index=models.Index(condition=models.Q(('done_at__isnull', True)), fields=['id'], name='redelivery_open'),
        ),
        migrations.AddConstraint(
            model_name='redelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('connection__isnull', True), ('endpoint__isnull', False)), models.Q(('connection__isnull', False), ('endpoint__isnull', True)), _connector='OR'), name='redelivery_has_one_receiver'),
        ),
        migrations.AddConstraint(
            model_name='redelivery',
            constraint=models.CheckConstraint(condition=models.Q(('first__gte', 1), ('last__gte', models.F('first'))), name='redelivery_is_a_stretch'),
        ),
    ]
