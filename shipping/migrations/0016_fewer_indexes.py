"""Rows and labels are found by fewer indexes: those of their foreign keys that others cover, or that nothing asks, go.

They are dropped by their names, which are the same on all databases; SQLite would otherwise copy the whole table once
for each changed field.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _without_index(model: str, column: str, index: str, **field: Any) -> migrations.SeparateDatabaseAndState:
    key = models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, **field)
    return migrations.SeparateDatabaseAndState(
        database_operations=[
            migrations.RunSQL(
                f"DROP INDEX {index}", reverse_sql=f"CREATE INDEX {index} ON shipping_{model} ({column}_id)"
            )
        ],
        state_operations=[migrations.AlterField(model_name=model, name=column, field=key)],
    )


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0015_refund_refused"),
    ]

    operations = [
        _without_index(
            "label", "job", "shipping_label_job_id_46bd0f25", related_name="labels", to="shipping.job"
        ),
        _without_index("row", "job", "shipping_row_job_id_d601e3e7", related_name="rows", to="shipping.job"),
        _without_index(
            "row", "label", "shipping_row_label_id_73fc6a76",
            blank=True, null=True, related_name="+", to="shipping.label",
        ),
        _without_index(
            "row", "run", "shipping_row_run_id_b6644b40", blank=True, null=True, related_name="+", to="shipping.run"
        ),
        migrations.AddIndex(
            model_name="row",
            index=models.Index(condition=models.Q(("run__isnull", False)), fields=["run"], name="row_of_run"),
        ),
        migrations.RemoveIndex(model_name="label", name="label_file_missing"),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(
                condition=models.Q(("fetch_after__lt", 1e18), ("file", ""), ("voided_at__isnull", True)),
                fields=["job", "fetch_after"],
                name="label_file_missing",
            ),
        ),
    ]
