from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0006_newest_that_exist"),
        ("clusters", "0002_regions"),
    ]

    operations = [
        migrations.AddField(
            model_name="copy",
            name="gone_noted_at",
            field=models.DateTimeField(blank=True, help_text="And that it is not any more.", null=True),
        ),
        migrations.AddField(
            model_name="copy",
            name="kept_noted_at",
            field=models.DateTimeField(blank=True, help_text="When the ledger learned that it is kept.", null=True),
        ),
        migrations.AddField(
            model_name="copy",
            name="metered_bytes",
            field=models.BigIntegerField(default=0, help_text="Of the sent bytes, those in the ledger."),
        ),
        migrations.AddField(
            model_name="copy",
            name="needed_bytes",
            field=models.BigIntegerField(
                blank=True,
                help_text="What the region lacked when the first attempt began; empty: not known.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="copy",
            index=models.Index(
                condition=models.Q(("sent_bytes__gt", models.F("metered_bytes"))), fields=["id"], name="copy_sent_more"
            ),
        ),
        migrations.AddIndex(
            model_name="copy",
            index=models.Index(
                condition=models.Q(("kept_noted_at__isnull", True), ("verified_at__isnull", False)),
                fields=["id"],
                name="copy_kept_unnoted",
            ),
        ),
        migrations.AddIndex(
            model_name="copy",
            index=models.Index(
                condition=models.Q(
                    ("deleted_at__isnull", False), ("gone_noted_at__isnull", True), ("kept_noted_at__isnull", False)
                ),
                fields=["id"],
                name="copy_gone_unnoted",
            ),
        ),
    ]
