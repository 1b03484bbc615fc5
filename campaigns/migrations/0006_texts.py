"""Texts: carriers, their reports, conversations and what came in."""

import accounts.crypto
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
        ('accounts', '0008_account_line_hash'),
        ('campaigns', '0005_campaigns_and_templates'),
    ]

    operations = [
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.CharField(help_text='the last they wrote from', max_length=16, verbose_name='number')),
                ('status', models.CharField(choices=[('open', 'open'), ('closed', 'closed')], default='open', max_length=6, verbose_name='status')),
                ('assigned_to', models.CharField(blank=True, max_length=80, verbose_name='assigned to')),
                ('unread', models.PositiveIntegerField(default=0, verbose_name='unread')),
                ('last_at', models.DateTimeField(verbose_name='last text')),
                ('last_text', models.CharField(blank=True, max_length=120, verbose_name='they wrote')),
            ],
            options={
                'verbose_name': 'conversation',
                'verbose_name_plural': 'conversations',
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
            name='InboundMessage',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(default='text', max_length=5, verbose_name='channel')),
                ('external_id', models.CharField(max_length=120)),
                ('sender', models.CharField(max_length=254, verbose_name='from')),
                ('recipient', models.CharField(max_length=254, verbose_name='to')),
                ('text', models.TextField(verbose_name='text')),
                ('wish', models.CharField(max_length=10, verbose_name='understood')),
                ('words', models.CharField(blank=True, max_length=200, verbose_name='by the words')),
                ('outcome', models.CharField(blank=True, max_length=40, verbose_name='done')),
                ('received_at', models.DateTimeField(verbose_name='came')),
            ],
            options={
                'verbose_name': 'text received',
                'verbose_name_plural': 'texts received',
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
            name='TextEvent',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('external_id', models.CharField(max_length=200)),
                ('message', models.CharField(help_text='our own id of the text, from the address', max_length=36)),
                ('body', models.JSONField()),
                ('received_at', models.DateTimeField()),
                ('applied_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'verbose_name': 'text event',
                'verbose_name_plural': 'text events',
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
            name='TextProvider',
            fields=[
                ('id', models.UUIDField(default=accounts.tenancy.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('backend', models.CharField(choices=[('twilio', 'Twilio')], default='twilio', max_length=20, verbose_name='carrier')),
                ('account', models.CharField(help_text='The account SID.', max_length=80, verbose_name='account')),
                ('token', accounts.crypto.SealedField(verbose_name='API token')),
                ('signing_key', accounts.crypto.SealedField(help_text="At Twilio the account's auth token.", verbose_name='webhook signing key')),
                ('number', models.CharField(max_length=16, validators=[django.core.validators.RegexValidator('\\A\\+[1-9][0-9]{7,14}\\Z', 'Write it as +15185550100.')], verbose_name='number')),
                ('api_url', models.URLField(blank=True, verbose_name='API address')),
                ('per_second', models.PositiveSmallIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(500)], verbose_name='texts per second')),
                ('keywords', models.CharField(choices=[('portal', 'this portal'), ('carrier', 'the carrier')], default='carrier', help_text='Exactly one must: a second confirmation is not allowed (RF-08).', max_length=8, verbose_name='who answers STOP, START and HELP')),
                ('third_party', models.BooleanField(default=True, help_text='Some carriers forbid it in their terms (SMS-06).', verbose_name='collects for others')),
                ('permit', models.CharField(blank=True, help_text='Where its terms forbid collection for others: who allowed it, when, where the paper is.', max_length=200, verbose_name="the carrier's written exception")),
                ('registration', models.CharField(blank=True, help_text='10DLC campaign or toll-free verification (SMS-07).', max_length=80, verbose_name='registration')),
                ('approved_on', models.DateField(blank=True, help_text='Nothing is sent before.', null=True, verbose_name='registration approved')),
                ('cents_per_thousand', models.PositiveIntegerField(default=0, help_text='What the carrier charges: the cost of campaigns.', verbose_name='cents per thousand segments')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('window_at', models.DateTimeField(editable=False, null=True)),
                ('window_used', models.PositiveIntegerField(default=0, editable=False)),
            ],
            options={
                'verbose_name': 'carrier of text messages',
                'verbose_name_plural': 'carriers of text messages',
                'abstract': False,
                'base_manager_name': 'unscoped',
                'default_manager_name': 'objects',
            },
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('unscoped', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveField(
            model_name='contactpolicy',
            name='texts',
        ),
        migrations.AddField(
            model_name='message',
            name='channel',
            field=models.CharField(choices=[('email', 'e-mail'), ('text', 'text message')], default='email', max_length=5, verbose_name='channel'),
        ),
        migrations.AddField(
            model_name='message',
            name='link_hash',
            field=models.CharField(blank=True, default='', help_text='of its personal link', max_length=64),
        ),
        migrations.AddField(
            model_name='message',
            name='segments',
            field=models.PositiveSmallIntegerField(default=0, help_text='of a text, as the carrier counts them'),
        ),
        migrations.AlterField(
            model_name='message',
            name='stream',
            field=models.CharField(help_text='security, receipts, notices, campaigns, answers', max_length=10),
        ),
        migrations.AlterField(
            model_name='messagetemplate',
            name='kind',
            field=models.CharField(choices=[('settlement_offer', 'settlement offer'), ('plan_offer', 'plan offer'), ('reminder', 'reminder'), ('broken_plan', 'broken plan'), ('welcome', 'welcome'), ('reply', 'reply to a text'), ('other', 'other')], max_length=20, verbose_name='kind'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('link_hash', ''), _negated=True), fields=['link_hash'], name='message_by_link'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='consumer',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='conversations', to='accounts.consumer', verbose_name='consumer'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='account',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='answer',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='answers_to', to='campaigns.message', verbose_name='answer'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='consumer',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='inbound', to='accounts.consumer', verbose_name='consumer'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='contact_point',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='inbound', to='accounts.contactpoint', verbose_name='address'),
        ),
        migrations.AddField(
            model_name='inboundmessage',
            name='conversation',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='inbound', to='campaigns.conversation', verbose_name='conversation'),
        ),
        migrations.AddField(
            model_name='textevent',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='textprovider',
            name='agency',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency'),
        ),
        migrations.AddField(
            model_name='textevent',
            name='provider',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='campaigns.textprovider'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(fields=['agency', 'status', '-last_at'], name='conversation_latest'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.UniqueConstraint(condition=models.Q(('consumer__isnull', False)), fields=('agency', 'consumer'), name='one_conversation_per_consumer'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.UniqueConstraint(condition=models.Q(('consumer__isnull', True)), fields=('agency', 'number'), name='one_conversation_per_unknown_number'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='conversation',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='ef2eaffaef4862d5b6bbf48eea09dbe01ce20da2', operation='DELETE', pgid='pgtrigger_no_delete_0f3ac', table='campaigns_conversation', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(fields=['agency', 'sender', '-received_at'], name='inbound_by_sender'),
        ),
        migrations.AddConstraint(
            model_name='inboundmessage',
            constraint=models.UniqueConstraint(fields=('agency', 'channel', 'external_id'), name='inbound_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='inboundmessage',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='cc31431ce79e194f96fc58b8dd60287f6ef75227', operation='DELETE', pgid='pgtrigger_no_delete_5ebad', table='campaigns_inboundmessage', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='textprovider',
            constraint=models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('agency',), name='one_active_text_provider'),
        ),
        migrations.AddIndex(
            model_name='textevent',
            index=models.Index(condition=models.Q(('applied_at', None)), fields=['id'], name='text_event_open'),
        ),
        migrations.AddConstraint(
            model_name='textevent',
            constraint=models.UniqueConstraint(fields=('provider', 'external_id'), name='text_event_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='textevent',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='6c826ae02ca3180cc8ee26528d4e13d78842e2ce', operation='DELETE', pgid='pgtrigger_no_delete_3245d', table='campaigns_textevent', when='BEFORE')),
        ),
        Fence("TextProvider", "TextEvent", "Conversation", "InboundMessage"),
    ]
