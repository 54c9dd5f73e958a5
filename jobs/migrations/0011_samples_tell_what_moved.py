from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0010_families_and_samples"),
    ]

    operations = [
        migrations.RenameField(model_name="jobsample", old_name="bytes_done", new_name="moved_bytes"),
        migrations.AlterField(
            model_name="jobsample",
            name="moved_bytes",
            field=models.BigIntegerField(help_text="Without what the target held already."),
        ),
    ]
