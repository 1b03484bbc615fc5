"""Links to the log-in of one account."""

import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from accounts.tenancy import Fence


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_account_line_hash'),
    ]

    operations = [
        migrations.CreateModel(
            name='SessionLink',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('page', models.CharField(choices=[('account', 'the account'), ('pay', 'the payment'), ('wallet', 'the saved ways to pay')], default='account', max_length=8)),
                ('token_hash', models.CharField(max_length=64)),
                ('made_by', models.CharField(max_length=80)),
                ('made_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('account', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='session_links', to='accounts.account')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('consumer', accounts.tenancy.TenantForeignKey(db_constraint=False, help_text='who it was made for; nobody else may use it', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.consumer')),
            ],
            options={
                'verbose_name': 'session link',
                'verbose_name_plural': 'session links',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('agency', 'token_hash'), name='session_link_token_once')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        Fence("SessionLink"),
    ]
