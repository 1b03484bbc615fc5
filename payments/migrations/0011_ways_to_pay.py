"""Several ways to pay: by a link, by hand, and by an amount added to a plan; a checkout's link stays in its agency."""

import accounts.tenancy
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy import COMPOSITE, composite_name

CHECKOUTS = "payments_checkout"
LINK = composite_name(CHECKOUTS, "link_id")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_fence_account_past'),
        ('payments', '0010_due_by_plain_moment'),
    ]

    operations = [
        migrations.AddField(
            model_name='checkout',
            name='link',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkouts', to='payments.paylink'),
        ),
        migrations.AddField(
            model_name='checkout',
            name='said',
            field=models.JSONField(default=dict, help_text='who pays or took it where no visit says so; never a number'),
        ),
        migrations.AddField(
            model_name='paylink',
            name='choice',
            field=models.CharField(default='amount', help_text='settlement, parts, plan, full, amount', max_length=12),
        ),
        migrations.AddField(
            model_name='paylink',
            name='frequency',
            field=models.CharField(default='once', max_length=12),
        ),
        migrations.AddField(
            model_name='paylink',
            name='lines',
            field=models.JSONField(default=list, help_text='a plan that an agent prepared; empty: one payment on its day'),
        ),
        migrations.AddField(
            model_name='paylink',
            name='reason',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='paylink',
            name='revoked_by',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='payment',
            name='paper_number',
            field=models.CharField(blank=True, help_text='of the check or money order', max_length=30),
        ),
        migrations.AddField(
            model_name='payment',
            name='received_on',
            field=models.DateField(help_text='by hand: the day it came', null=True),
        ),
        migrations.AddField(
            model_name='postdate',
            name='extra',
            field=models.BooleanField(default=False, help_text='added to the schedule, which it shortens once it is taken'),
        ),
        migrations.AlterField(
            model_name='checkout',
            name='visit',
            field=accounts.tenancy.TenantForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkouts', to='accounts.visit'),
        ),
        migrations.AlterField(
            model_name='paylink',
            name='amount_cents',
            field=models.BigIntegerField(help_text='of the first payment'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='executor',
            field=models.CharField(help_text='portal, host, or agency: received by hand', max_length=6),
        ),
        migrations.AlterField(
            model_name='payment',
            name='kind',
            field=models.CharField(choices=[('card', 'card'), ('ach', 'bank account'), ('check', 'check'), ('cash', 'cash'), ('order', 'money order')], max_length=5),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.CheckConstraint(condition=models.Q(('visit__isnull', False), ('link__isnull', False), _connector='OR'), name='somebody_is_on_the_way'),
        ),
        migrations.RunSQL(
            COMPOSITE.format(table=CHECKOUTS, name=LINK, column="link_id", target="payments_paylink"),
            f'ALTER TABLE "{CHECKOUTS}" DROP CONSTRAINT "{LINK}"',
        ),
    ]
