from django.db import migrations

from accounts.append_only import forbid_changes


def forbid(apps, schema_editor):
    forbid_changes(schema_editor, "accounts_auditentry")


class Migration(migrations.Migration):
    """SQLite removes the rows that INSERT OR REPLACE replaces without asking the triggers of a removal."""

    dependencies = [("accounts", "0007_people")]

    operations = [migrations.RunPython(forbid, migrations.RunPython.noop)]
