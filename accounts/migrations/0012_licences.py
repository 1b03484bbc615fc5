"""Where the agency is licensed to collect, by state and time (ST-09)."""

import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from accounts.tenancy import Fence


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_suppressions'),
    ]

    operations = [
        migrations.AddField(
            model_name='agency',
            name='licensed_only',
            field=models.BooleanField(default=False, help_text='Who lives in a state without a licence in your list sees how to reach you, and pays nothing here (ST-09). Without a list nothing changes.', verbose_name='collect only where we are licensed'),
        ),
        migrations.CreateModel(
            name='Licence',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('AL', 'AL'), ('AK', 'AK'), ('AZ', 'AZ'), ('AR', 'AR'), ('CA', 'CA'), ('CO', 'CO'), ('CT', 'CT'), ('DE', 'DE'), ('DC', 'DC'), ('FL', 'FL'), ('GA', 'GA'), ('HI', 'HI'), ('ID', 'ID'), ('IL', 'IL'), ('IN', 'IN'), ('IA', 'IA'), ('KS', 'KS'), ('KY', 'KY'), ('LA', 'LA'), ('ME', 'ME'), ('MD', 'MD'), ('MA', 'MA'), ('MI', 'MI'), ('MN', 'MN'), ('MS', 'MS'), ('MO', 'MO'), ('MT', 'MT'), ('NE', 'NE'), ('NV', 'NV'), ('NH', 'NH'), ('NJ', 'NJ'), ('NM', 'NM'), ('NY', 'NY'), ('NC', 'NC'), ('ND', 'ND'), ('OH', 'OH'), ('OK', 'OK'), ('OR', 'OR'), ('PA', 'PA'), ('RI', 'RI'), ('SC', 'SC'), ('SD', 'SD'), ('TN', 'TN'), ('TX', 'TX'), ('UT', 'UT'), ('VT', 'VT'), ('VA', 'VA'), ('WA', 'WA'), ('WV', 'WV'), ('WI', 'WI'), ('WY', 'WY'), ('AS', 'AS'), ('GU', 'GU'), ('MP', 'MP'), ('PR', 'PR'), ('VI', 'VI')], max_length=2, verbose_name='state')),
                ('line', models.CharField(blank=True, help_text='As it is printed for who lives there. Empty where no licence is needed: nothing is printed.', max_length=200, verbose_name='line')),
                ('starts_on', models.DateField(verbose_name='from')),
                ('ends_on', models.DateField(blank=True, help_text='The last day. Empty: no end is known.', null=True, verbose_name='until')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
            ],
            options={
                'verbose_name': 'licence',
                'verbose_name_plural': 'licences',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['agency', 'state'], name='licence_of_state')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_on__isnull', True), ('ends_on__gte', models.F('starts_on')), _connector='OR'), name='licence_ends_after_it_starts', violation_error_message='The last day must not be before the first.')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='licence',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='01daf45370edf7dc5d6c8ee7600e12fbd214e5e2', operation='DELETE', pgid='pgtrigger_no_delete_fbcdc', table='accounts_licence', when='BEFORE')),
        ),
        Fence("Licence"),
    ]
