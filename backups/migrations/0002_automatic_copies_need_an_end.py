from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0001_initial"),
        ("clusters", "0002_regions"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="copy",
            name="manual_copies_are_kept_automatic_ones_expire",
        ),
        migrations.AddConstraint(
            model_name="copy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kept_days__isnull", True), ("origin", "manual")),
                    models.Q(("kept_days__gte", 1), ("kept_days__isnull", False), ("origin", "auto")),
                    _connector="OR",
                ),
                name="manual_copies_are_kept_automatic_ones_expire",
            ),
        ),
    ]
