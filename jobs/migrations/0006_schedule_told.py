from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_collecting_leftovers")]

    operations = [migrations.AddField("schedule", "told", models.JSONField(blank=True, null=True))]
