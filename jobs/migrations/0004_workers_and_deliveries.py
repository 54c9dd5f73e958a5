from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_schedules")]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
                ("host", models.CharField(max_length=100)),
                ("pid", models.PositiveIntegerField()),
                ("version", models.CharField(max_length=12)),
                ("queues", models.JSONField(default=list)),
                ("slots", models.PositiveSmallIntegerField()),
                (
                    "is_woken",
                    models.BooleanField(default=False, help_text="By messages; else it looks at the rows by itself."),
                ),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(db_index=True)),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AddField("job", "deliveries", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("job", "deliver_after", models.DateTimeField(blank=True, null=True)),
    ]
