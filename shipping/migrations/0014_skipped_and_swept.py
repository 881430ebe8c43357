"""Rows that were left out and jobs that are swept are found by an index of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0013_pace"),
    ]

    operations = [
        migrations.AlterModelOptions(name="row", options={"ordering": ["job_id", "number"]}),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("sweep", ""), _negated=True), fields=["id"], name="job_sweeping"
            ),
        ),
        migrations.AddIndex(
            model_name="row",
            index=models.Index(
                condition=models.Q(("status", "skipped")), fields=["job", "number"], name="row_skipped"
            ),
        ),
    ]
