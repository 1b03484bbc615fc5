"""Files of hosts: formats, what was taken and made, line errors, and the sites files travel by."""

import accounts.crypto
import accounts.tenancy
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_account_line_hash'),
        ('integrations', '0011_fence_ledgers'),
    ]

    operations = [
        migrations.AddField(
            model_name='hostconnection',
            name='transport',
            field=models.CharField(choices=[('rest', 'REST: every event at once'), ('files', 'files: activity is extracted'), ('mixed', 'both')], default='rest', max_length=5, verbose_name='told by'),
        ),
        migrations.AlterField(
            model_name='hostconnection',
            name='style',
            field=models.CharField(choices=[('scollect', 'SCollect'), ('intelec', 'Intelec'), ('collect', 'Collect!'), ('ledger', "Creditor's ledger"), ('smartcollect', 'SmartCollect')], default='scollect', max_length=12, verbose_name='style'),
        ),
        migrations.CreateModel(
            name='HostFile',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('placement', 'placement'), ('update', 'update'), ('activity', 'activity')], max_length=9, verbose_name='kind')),
                ('outgoing', models.BooleanField(default=False, verbose_name='outgoing')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('source', models.CharField(help_text='api, staff, sftp, site, command', max_length=10, verbose_name='came by')),
                ('state', models.CharField(choices=[('received', 'received'), ('working', 'working'), ('applied', 'applied'), ('checked', 'checked, nothing applied'), ('broken', 'broken'), ('stopped', 'stopped'), ('ready', 'ready'), ('claimed', 'claimed')], default='received', max_length=8, verbose_name='state')),
                ('dry_run', models.BooleanField(default=False, verbose_name='dry run')),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('size', models.BigIntegerField(default=0, verbose_name='bytes')),
                ('counts', models.JSONField(default=dict, verbose_name='counts')),
                ('done_line', models.BigIntegerField(default=0, verbose_name='done up to line')),
                ('broken_code', models.CharField(blank=True, max_length=40, verbose_name='why')),
                ('broken_line', models.BigIntegerField(null=True, verbose_name='at line')),
                ('broken_text', models.CharField(blank=True, max_length=300)),
                ('preview', models.JSONField(default=list, verbose_name='what would change')),
                ('from_sequence', models.BigIntegerField(help_text='of an extraction: events after this one', null=True)),
                ('to_sequence', models.BigIntegerField(null=True)),
                ('since_at', models.DateTimeField(help_text='of an extraction by time', null=True)),
                ('until_at', models.DateTimeField(null=True)),
                ('by', models.CharField(max_length=80, verbose_name='by')),
                ('made_at', models.DateTimeField(verbose_name='received')),
                ('started_at', models.DateTimeField(null=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('claimed_at', models.DateTimeField(null=True, verbose_name='claimed')),
                ('answered_at', models.DateTimeField(help_text='the host got the result file', null=True)),
                ('forgotten_at', models.DateTimeField(help_text='the content was removed', null=True)),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('connection', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='integrations.hostconnection')),
            ],
            options={
                'verbose_name': 'host file',
                'verbose_name_plural': 'host files',
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
            name='HostFileError',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('line', models.BigIntegerField(verbose_name='line')),
                ('place', models.IntegerField(default=0, help_text='among the errors of the file')),
                ('reference', models.CharField(blank=True, max_length=60, verbose_name='reference')),
                ('field', models.CharField(blank=True, max_length=120, verbose_name='field')),
                ('code', models.CharField(max_length=40, verbose_name='code')),
                ('message', models.CharField(max_length=300, verbose_name='message')),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('file', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='errors', to='integrations.hostfile')),
            ],
            options={
                'verbose_name': 'line error',
                'verbose_name_plural': 'line errors',
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
            name='HostSite',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('host', models.CharField(blank=True, help_text='Empty: we visit no site.', max_length=200, verbose_name='host')),
                ('port', models.PositiveIntegerField(default=22, verbose_name='port')),
                ('username', models.CharField(blank=True, max_length=80, verbose_name='user name')),
                ('private_key', accounts.crypto.SealedField(blank=True, default='', verbose_name='our private key')),
                ('host_key', models.TextField(blank=True, help_text='Pinned: another one is refused.', verbose_name="the site's key")),
                ('collect_from', models.CharField(default='out', max_length=200, verbose_name='we collect from')),
                ('drop_to', models.CharField(default='in', max_length=200, verbose_name='we drop to')),
                ('archive_to', models.CharField(default='out/archive', max_length=200, verbose_name='collected files go to')),
                ('update_names', models.CharField(default='*update*', max_length=100, verbose_name='names of update files')),
                ('every_minutes', models.PositiveIntegerField(default=15, verbose_name='every (minutes)')),
                ('extract_minutes', models.PositiveIntegerField(default=0, verbose_name='activity every (minutes), 0: never')),
                ('site_keys', models.JSONField(blank=True, default=list, verbose_name='keys of the host for our site')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('next_at', models.DateTimeField(editable=False, null=True)),
                ('extract_at', models.DateTimeField(editable=False, null=True)),
                ('visited_at', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('trouble', models.CharField(blank=True, editable=False, max_length=300)),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('connection', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='sites', to='integrations.hostconnection')),
            ],
            options={
                'verbose_name': 'file site',
                'verbose_name_plural': 'file sites',
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
            name='FileFormat',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('kind', models.CharField(choices=[('placement', 'placement: accounts as a whole'), ('update', 'update: only what changed'), ('activity', 'activity, out')], default='placement', max_length=9, verbose_name='for')),
                ('mapping', models.JSONField(default=dict, verbose_name='mapping')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('agency', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('connection', accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='formats', to='integrations.hostconnection')),
            ],
            options={
                'verbose_name': 'file format',
                'verbose_name_plural': 'file formats',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('connection', 'kind'), name='one_live_format_per_kind')],
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name='hostfile',
            index=models.Index(condition=models.Q(('state__in', ('received', 'working'))), fields=['made_at'], name='file_to_do'),
        ),
        migrations.AddIndex(
            model_name='hostfile',
            index=models.Index(fields=['agency', 'connection', '-made_at'], name='file_of_connection'),
        ),
        migrations.AddConstraint(
            model_name='hostfile',
            constraint=models.UniqueConstraint(condition=models.Q(('dry_run', False), ('outgoing', False), ('state__in', ('received', 'working', 'applied'))), fields=('connection', 'kind', 'sha256'), name='file_taken_once'),
        ),
        migrations.AddIndex(
            model_name='hostfileerror',
            index=models.Index(fields=['agency', 'file', 'place'], name='error_of_line'),
        ),
        migrations.AddConstraint(
            model_name='hostsite',
            constraint=models.UniqueConstraint(fields=('connection',), name='one_site_per_connection'),
        ),
    ]
