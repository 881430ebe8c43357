"""Rows that were left out are found by an index of their own, as those of every other state are."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0012_orphans"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="row",
            index=models.Index(
                condition=models.Q(("status", "skipped")), fields=["job", "number"], name="row_skipped"
            ),
        ),
    ]
