"""The indexes are made once all keys are there: that is quicker than growing them row by row."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0008_fill_search_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name='label',
            name='tracking_number',
            field=models.CharField(max_length=100),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['name_key', 'id'], name='job_by_name'),
        ),
        migrations.AddIndex(
            model_name='label',
            index=models.Index(fields=['tracking_key', 'id'], name='label_by_tracking'),
        ),
        migrations.AddIndex(
            model_name='label',
            index=models.Index(fields=['tracking_end_key', 'id'], name='label_by_tracking_end'),
        ),
        migrations.AddIndex(
            model_name='row',
            index=models.Index(fields=['name_key', 'id'], name='row_by_name'),
        ),
        migrations.AddIndex(
            model_name='row',
            index=models.Index(fields=['surname_key', 'id'], name='row_by_surname'),
        ),
        migrations.AddIndex(
            model_name='row',
            index=models.Index(fields=['reference_key', 'id'], name='row_by_reference'),
        ),
    ]
