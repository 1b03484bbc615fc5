"""What stood beside a form of the consumer (SOL-05)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0016_notices_to_mail'),
    ]

    operations = [
        migrations.AddField(
            model_name='dispute',
            name='no_promise',
            field=models.CharField(blank=True, help_text='the sentence that stood beside it, SOL-05', max_length=30, verbose_name='said to be no promise'),
        ),
    ]
