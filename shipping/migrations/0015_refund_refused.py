"""Labels whose refund was refused are found by an index of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0014_skipped_and_swept"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="label",
            index=models.Index(
                condition=models.Q(("refund_state", "refused")), fields=["job", "id"], name="label_refund_refused"
            ),
        ),
    ]
