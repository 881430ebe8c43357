"""Makes the search keys of what is in the books already, at most 1,000 records in one transaction.

It may be killed and run again: a key is always made anew from its value.
"""

from django.db import migrations

CHUNK = 1_000


def fill(apps, schema_editor):
    from shipping.models.search_key import SearchKey

    for name in ("Job", "Row", "Label"):
        model = apps.get_model("shipping", name)
        keys = [field for field in model._meta.get_fields() if isinstance(field, SearchKey)]
        done = 0
        while records := list(model.objects.filter(pk__gt=done).order_by("pk")[:CHUNK]):
            for record in records:
                for key in keys:
                    key.pre_save(record, add=False)
            model.objects.bulk_update(records, [key.name for key in keys])
            done = records[-1].pk


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("shipping", "0007_search_keys"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
