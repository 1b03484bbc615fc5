"""The agency's contact policy and every decision of the gate."""

import accounts.tenancy
import datetime
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from accounts.tenancy import Fence


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_quiet_times'),
        ('campaigns', '0003_messages_that_answer_at_any_hour'),
    ]

    operations = [
        migrations.CreateModel(
            name='ContactPolicy',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('opens', models.TimeField(default=datetime.time(8, 0), help_text='08:00 or later.', validators=[django.core.validators.MinValueValidator(datetime.time(8, 0))], verbose_name='not before')),
                ('closes', models.TimeField(default=datetime.time(21, 0), help_text='21:00 or earlier.', validators=[django.core.validators.MaxValueValidator(datetime.time(21, 0))], verbose_name='not from')),
                ('most_in_week', models.PositiveSmallIntegerField(default=3, help_text='About one account, over all channels.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(7)], verbose_name='most messages in seven days')),
                ('employers', models.TextField(blank=True, help_text='One per line: acme-corp.com', max_length=5000, verbose_name="employers' e-mail domains")),
                ('texts', models.CharField(choices=[('none', 'none'), ('pending', 'waits for registration'), ('forbidden', 'the provider forbids collection'), ('ready', 'ready')], default='none', editable=False, max_length=10, verbose_name='text messages')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
            ],
            options={
                'verbose_name': 'contact policy',
                'verbose_name_plural': 'contact policy',
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
            name='ContactDecision',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(max_length=5, verbose_name='channel')),
                ('purpose', models.CharField(max_length=12, verbose_name='purpose')),
                ('allowed', models.BooleanField(verbose_name='allowed')),
                ('denials', models.JSONField(default=list, help_text='[{"code": "...", "rules": ["RF-01"]}]', verbose_name='against it')),
                ('checked', models.JSONField(default=list, verbose_name='rules asked')),
                ('hold_until', models.DateTimeField(null=True, verbose_name='ask again')),
                ('zones', models.JSONField(default=list, verbose_name='zones')),
                ('rules_version', models.CharField(max_length=20, verbose_name='rules')),
                ('asked_by', models.CharField(max_length=80, verbose_name='asked by')),
                ('at', models.DateTimeField(verbose_name='asked')),
                ('expires_at', models.DateTimeField(null=True, verbose_name='place held until')),
                ('outcome', models.CharField(blank=True, choices=[('', 'open'), ('used', 'used'), ('conversation', 'spoke with the consumer'), ('released', 'given back')], default='', max_length=12, verbose_name='outcome')),
                ('account', accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='contact_decisions', to='accounts.account')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('consumer', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.consumer')),
                ('contact_point', accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.contactpoint')),
                ('message', accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='campaigns.message')),
            ],
            options={
                'verbose_name': 'contact decision',
                'verbose_name_plural': 'contact decisions',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'indexes': [models.Index(condition=models.Q(('allowed', True)), fields=['agency', 'account', '-at'], name='contact_made')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('allowed', True)), fields=('message',), name='a_message_leaves_on_one_permission')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='contactdecision',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='2351e001ffc3b27a493f4aed86d69587af2584a3', operation='DELETE', pgid='pgtrigger_no_delete_e5efa', table='campaigns_contactdecision', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='contactpolicy',
            constraint=models.UniqueConstraint(fields=('agency',), name='one_contact_policy_per_agency'),
        ),
        migrations.AddConstraint(
            model_name='contactpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('closes__lte', datetime.time(21, 0)), ('opens__gte', datetime.time(8, 0)), ('opens__lt', models.F('closes'))), name='contact_hours_within_the_law'),
        ),
        Fence("ContactPolicy", "ContactDecision"),
    ]
