"""Lists of the streams that must not go to an address (EML-06)."""

import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from accounts.tenancy import Fence


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_fewer_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('stream', models.CharField(choices=[('campaigns', 'offers and reminders'), ('notices', 'notices'), ('receipts', 'receipts')], max_length=10, verbose_name='stream')),
                ('source', models.CharField(help_text='link, page, host, staff', max_length=20, verbose_name='source')),
                ('words', models.CharField(blank=True, max_length=2000, verbose_name='in their words')),
                ('at', models.DateTimeField(verbose_name='since')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('contact_point', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='suppressions', to='accounts.contactpoint')),
            ],
            options={
                'verbose_name': 'stopped stream',
                'verbose_name_plural': 'stopped streams',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('contact_point', 'stream'), name='one_live_suppression_per_stream')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='suppression',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='04ea90e96ef78df0a06783a78813c5d04ade9daa', operation='DELETE', pgid='pgtrigger_no_delete_14532', table='accounts_suppression', when='BEFORE')),
        ),
        Fence("Suppression"),
    ]
