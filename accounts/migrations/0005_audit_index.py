import django.db.models.deletion
from django.db import migrations, models

from accounts.append_only import forbid_changes


def forbid(apps, schema_editor):
    """SQLite has made the table anew, and left its triggers behind."""
    forbid_changes(schema_editor, "accounts_auditentry")


class Migration(migrations.Migration):
    """One index less to write: others begin with the organization as well."""

    dependencies = [("accounts", "0004_signing_in")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, forbid),
        migrations.AlterField(
            model_name="auditentry",
            name="organization",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.organization",
            ),
        ),
        migrations.RunPython(forbid, migrations.RunPython.noop),
    ]
