from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Lower


def lower_addresses(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Addresses are looked up as they stand; a constraint has kept them unique whatever their case."""
    apps.get_model("accounts", "User").objects.update(email=Lower("email"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_audit_log")]

    operations = [
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="organization",
            name="requires_two_factors",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(lower_addresses, migrations.RunPython.noop),
    ]
