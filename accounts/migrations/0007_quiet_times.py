"""Times that do not suit a consumer."""

import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from accounts.tenancy import Fence


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_old_debts_in_parts'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuietTime',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('weekday', models.PositiveSmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')], verbose_name='weekday')),
                ('starts', models.TimeField(verbose_name='from')),
                ('ends', models.TimeField(verbose_name='until')),
                ('source', models.CharField(help_text='page, host, staff', max_length=10, verbose_name='source')),
                ('at', models.DateTimeField(verbose_name='said')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('consumer', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='quiet_times', to='accounts.consumer')),
            ],
            options={
                'verbose_name': 'inconvenient time',
                'verbose_name_plural': 'inconvenient times',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['agency', 'consumer'], name='quiet_time_live')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends__gt', models.F('starts'))), name='quiet_time_ends_after_it_starts')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='quiettime',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='11d35dbd7228c11abc08ec458203a008c0a26821', operation='DELETE', pgid='pgtrigger_no_delete_8f995', table='accounts_quiettime', when='BEFORE')),
        ),
        Fence("QuietTime"),
    ]
