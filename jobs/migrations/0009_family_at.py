import django.utils.timezone
from django.db import migrations, models
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce


def tell_families(apps, schema_editor):
    Job = apps.get_model("jobs", "Job")
    first = Job.objects.filter(pk=OuterRef("parent_id")).order_by().values("created_at")
    Job.objects.update(family_at=Coalesce(Subquery(first), F("created_at")))


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0008_newest_first"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="created_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            model_name="job",
            name="family_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.RunPython(tell_families, migrations.RunPython.noop),
    ]
