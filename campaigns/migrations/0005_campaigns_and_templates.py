"""Templates with versions, campaigns and their recipients."""

import accounts.tenancy
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
        ('campaigns', '0004_contact_gate'),
    ]

    operations = [
        migrations.CreateModel(
            name='AudienceLine',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('reference_key', models.CharField(max_length=60)),
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
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('purpose', models.CharField(choices=[('campaign', 'campaign'), ('reminder', 'reminder')], default='campaign', max_length=10, verbose_name='purpose')),
                ('channel', models.CharField(default='email', max_length=5, verbose_name='channel')),
                ('share_b', models.PositiveSmallIntegerField(default=50, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(99)], verbose_name='percent with the second template')),
                ('audience', models.JSONField(blank=True, default=dict, verbose_name='audience')),
                ('offer', models.JSONField(blank=True, default=dict, help_text='{"percent_bps", "max_payments", "max_days", "expires_on"}', verbose_name='offer')),
                ('starts_at', models.DateTimeField(blank=True, null=True, verbose_name='starts')),
                ('ends_on', models.DateField(blank=True, null=True, verbose_name='last day')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('waiting', 'waits for approval'), ('scheduled', 'scheduled'), ('freezing', 'choosing accounts'), ('sending', 'sending'), ('paused', 'paused'), ('stopped', 'stopped'), ('finished', 'finished')], default='draft', max_length=10, verbose_name='status')),
                ('made_by', models.CharField(max_length=80, verbose_name='by')),
                ('made_at', models.DateTimeField(verbose_name='made')),
                ('submitted_by', models.CharField(blank=True, max_length=80, verbose_name='submitted by')),
                ('submitted_at', models.DateTimeField(null=True, verbose_name='submitted')),
                ('approved_by', models.CharField(blank=True, max_length=80, verbose_name='approved by')),
                ('approved_at', models.DateTimeField(null=True, verbose_name='approved')),
                ('started_at', models.DateTimeField(null=True, verbose_name='started')),
                ('frozen_to', models.UUIDField(editable=False, help_text='the last account that was looked at', null=True)),
                ('frozen_at', models.DateTimeField(null=True, verbose_name='accounts chosen')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason')),
            ],
            options={
                'verbose_name': 'campaign',
                'verbose_name_plural': 'campaigns',
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
            name='MessageTemplate',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('kind', models.CharField(choices=[('settlement_offer', 'settlement offer'), ('plan_offer', 'plan offer'), ('reminder', 'reminder'), ('broken_plan', 'broken plan'), ('welcome', 'welcome'), ('other', 'other')], max_length=20, verbose_name='kind')),
                ('channel', models.CharField(choices=[('email', 'e-mail'), ('text', 'text message')], default='email', max_length=5, verbose_name='channel')),
                ('litigation', models.BooleanField(default=False, help_text='Never sent about a debt that may be too old (RF-25).', verbose_name='speaks of a suit')),
                ('made_by', models.CharField(editable=False, max_length=80, verbose_name='by')),
                ('made_at', models.DateTimeField(editable=False, verbose_name='made')),
                ('retired_at', models.DateTimeField(editable=False, null=True, verbose_name='retired')),
            ],
            options={
                'verbose_name': 'template',
                'verbose_name_plural': 'templates',
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
            name='Recipient',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('variant', models.CharField(default='a', max_length=1, verbose_name='variant')),
                ('status', models.CharField(choices=[('waiting', 'waiting'), ('left_out', 'left out'), ('leaving', 'handed over')], default='waiting', max_length=8, verbose_name='status')),
                ('reason', models.CharField(blank=True, max_length=60, verbose_name='reason')),
                ('next_at', models.DateTimeField(null=True, verbose_name='not before')),
                ('offer_id', models.UUIDField(null=True)),
                ('values', models.JSONField(default=dict, help_text='what the fields said, as written')),
                ('body_sha256', models.CharField(blank=True, help_text='of the message with its links left out', max_length=64)),
                ('link_hash', models.CharField(blank=True, max_length=64)),
                ('identified_at', models.DateTimeField(null=True, verbose_name='identified')),
            ],
            options={
                'verbose_name': 'recipient',
                'verbose_name_plural': 'recipients',
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
            name='TemplateVersion',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(verbose_name='version')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('published', 'published'), ('superseded', 'superseded')], default='draft', max_length=10, verbose_name='status')),
                ('words', models.JSONField(default=dict, help_text='{"en": {"subject", "preheader", "body"}, "es": ...}', verbose_name='words')),
                ('made_by', models.CharField(max_length=80, verbose_name='by')),
                ('made_at', models.DateTimeField(verbose_name='made')),
                ('published_by', models.CharField(blank=True, max_length=80, verbose_name='published by')),
                ('published_at', models.DateTimeField(null=True, verbose_name='published')),
            ],
            options={
                'verbose_name': 'template version',
                'verbose_name_plural': 'template versions',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name='mailprovider',
            name='cents_per_thousand',
            field=models.PositiveIntegerField(default=0, help_text='What the provider charges: the cost of campaigns.', verbose_name='cents per thousand messages'),
        ),
        migrations.AddField(
            model_name='message',
            name='check_hash',
            field=models.CharField(blank=True, default='', help_text='hash of the code that proves it', max_length=64),
        ),
        migrations.AlterField(
            model_name='message',
            name='stream',
            field=models.CharField(help_text='security, receipts, notices, campaigns', max_length=10),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('check_hash', ''), _negated=True), fields=['check_hash'], name='message_by_check'),
        ),
        migrations.AddField(
            model_name='audienceline',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='audienceline',
            name='campaign',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='messagetemplate',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='messagetemplate',
            name='client',
            field=accounts.tenancy.TenantForeignKey(blank=True, db_constraint=False, help_text='Empty: every client.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.client', verbose_name='client'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='account',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='campaign',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='recipients', to='campaigns.campaign', verbose_name='campaign'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='contact_point',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.contactpoint', verbose_name='address'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='message',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recipients', to='campaigns.message', verbose_name='message'),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='template',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='campaigns.messagetemplate', verbose_name='template'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='version_a',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.templateversion', verbose_name='template'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='version_b',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.templateversion', verbose_name='second template'),
        ),
        migrations.AddConstraint(
            model_name='audienceline',
            constraint=models.UniqueConstraint(fields=('agency', 'campaign', 'reference_key'), name='reference_once_per_audience'),
        ),
        migrations.AddConstraint(
            model_name='messagetemplate',
            constraint=models.UniqueConstraint(fields=('agency', 'channel', 'name'), name='template_name_once'),
        ),
        migrations.AddIndex(
            model_name='recipient',
            index=models.Index(condition=models.Q(('status', 'waiting')), fields=['campaign', 'id'], name='recipient_waiting'),
        ),
        migrations.AddIndex(
            model_name='recipient',
            index=models.Index(condition=models.Q(('link_hash', ''), _negated=True), fields=['link_hash'], name='recipient_by_link'),
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.UniqueConstraint(fields=('campaign', 'account'), name='one_recipient_per_campaign_and_account'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='recipient',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='fad7446eef8e7d9ddf0fd0b747d52e2ace9bc6e7', operation='DELETE', pgid='pgtrigger_no_delete_9a48d', table='campaigns_recipient', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(fields=('template', 'number'), name='template_version_once'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'draft')), fields=('template',), name='one_draft_per_template'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'published')), fields=('template',), name='one_published_version_per_template'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='templateversion',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='db46d3cc75e8e9fddcb15d1e5ee793da7077c904', operation='DELETE', pgid='pgtrigger_no_delete_2702a', table='campaigns_templateversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='templateversion',
            trigger=pgtrigger.compiler.Trigger(name='published_words_never_change', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF OLD.status <> 'draft' AND (to_jsonb(NEW) - 'status') <> (to_jsonb(OLD) - 'status') THEN RAISE EXCEPTION 'a published template is changed by a new version'; END IF; RETURN NEW;", hash='218b2ccb8630bd6734b4bfc938debbdff08628b3', operation='UPDATE', pgid='pgtrigger_published_words_never_change_a44b3', table='campaigns_templateversion', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='campaign',
            index=models.Index(condition=models.Q(('status__in', ['scheduled', 'freezing', 'sending'])), fields=['agency'], name='campaign_running'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('approved_by', ''), models.Q(('approved_by', models.F('submitted_by')), _negated=True), _connector='OR'), name='a_campaign_is_approved_by_another_person'),
        ),
        Fence("MessageTemplate", "TemplateVersion", "Campaign", "AudienceLine", "Recipient"),
    ]
