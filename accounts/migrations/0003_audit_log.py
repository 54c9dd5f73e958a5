import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.audit_actions
import accounts.codes
from accounts.append_only import allow_changes, forbid_changes


def forbid(apps, schema_editor):
    forbid_changes(schema_editor, "accounts_auditentry")


def allow(apps, schema_editor):
    allow_changes(schema_editor, "accounts_auditentry")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_longest_retention"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customroleprivilege",
            name="privilege",
            field=models.CharField(
                choices=[
                    ("backup: view", "Backup View"),
                    ("backup: manage", "Backup Manage"),
                    ("cluster: view", "Cluster View"),
                    ("cluster: manage", "Cluster Manage"),
                    ("billing: view", "Billing View"),
                    ("billing: manage", "Billing Manage"),
                    ("member: manage", "Member Manage"),
                    ("audit: view", "Audit View"),
                ],
                max_length=40,
            ),
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.CharField(default=accounts.codes.audit_code, editable=False, max_length=40, unique=True),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("actor_name", models.CharField(max_length=300)),
                ("key_code", models.CharField(blank=True, max_length=40)),
                ("key_name", models.CharField(blank=True, max_length=120)),
                ("action", models.CharField(choices=accounts.audit_actions.action_choices, max_length=40)),
                ("target_type", models.CharField(blank=True, max_length=40)),
                ("target_code", models.CharField(blank=True, max_length=120)),
                ("target_name", models.CharField(blank=True, max_length=300)),
                (
                    "outcome",
                    models.CharField(choices=[("done", "Done"), ("refused", "Refused")], default="done", max_length=10),
                ),
                ("reason", models.CharField(blank=True, max_length=1000)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("request_id", models.CharField(blank=True, max_length=32)),
                (
                    "details",
                    models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.project",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-pk"],
                "indexes": [
                    models.Index(fields=["organization", "at"], name="audit_of_organization"),
                    models.Index(fields=["project", "at"], name="audit_of_project"),
                    models.Index(fields=["actor", "at"], name="audit_of_actor"),
                    models.Index(fields=["organization", "action", "at"], name="audit_of_action"),
                    models.Index(fields=["organization", "target_code", "at"], name="audit_of_target"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["done", "refused"])), name="audit_outcome_is_known"
                    )
                ],
            },
        ),
        migrations.RunPython(forbid, allow),
    ]
