import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.codes


def give_codes(apps, schema_editor):
    for name, make_code in (
        ("CustomRole", accounts.codes.custom_role_code),
        ("OrganizationMember", accounts.codes.member_code),
    ):
        for row in apps.get_model("accounts", name).objects.filter(code=None):
            row.code = make_code()
            row.save(update_fields=["code"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_api_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="customrole",
            name="code",
            field=models.CharField(editable=False, max_length=40, null=True),
        ),
        migrations.AddField(
            model_name="organizationmember",
            name="code",
            field=models.CharField(editable=False, max_length=40, null=True),
        ),
        migrations.RunPython(give_codes, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="customrole",
            name="code",
            field=models.CharField(default=accounts.codes.custom_role_code, editable=False, max_length=40, unique=True),
        ),
        migrations.AlterField(
            model_name="organizationmember",
            name="code",
            field=models.CharField(default=accounts.codes.member_code, editable=False, max_length=40, unique=True),
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.CharField(
                        default=accounts.codes.invitation_code, editable=False, max_length=40, unique=True
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                (
                    "organization_role",
                    models.CharField(
                        choices=[
                            ("owner", "Organization Owner"),
                            ("billing_admin", "Billing Admin"),
                            ("member", "Member"),
                        ],
                        default="member",
                        max_length=20,
                    ),
                ),
                (
                    "project_role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("admin", "Project Admin"),
                            ("operator", "Data Operator"),
                            ("viewer", "Data Viewer"),
                            ("custom", "Custom role"),
                        ],
                        max_length=20,
                    ),
                ),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "custom_role",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to="accounts.customrole",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="accounts.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="accounts.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("project", None), ("project_role", "")),
                            models.Q(("project__isnull", False), models.Q(("project_role", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="invitation_names_a_project_exactly_with_a_role_in_it",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("custom_role__isnull", False), ("project_role", "custom")),
                            models.Q(
                                models.Q(("project_role", "custom"), _negated=True), ("custom_role__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="invitation_names_a_custom_role_exactly_for_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("accepted_at", None), ("revoked_at", None), _connector="OR"),
                        name="invitation_is_not_accepted_and_revoked",
                    ),
                ],
            },
        ),
    ]
