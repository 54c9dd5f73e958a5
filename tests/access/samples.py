"""One of every thing an address can name, twice: in our organization and in a stranger's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.invitation_services import hash_token
from accounts.models import ApiKey, CustomRole, Invitation, Organization, OrganizationMember, Project, User
from accounts.privileges import Privilege, ProjectRole
from backups.models import Backup
from backups.states import CopyState
from clusters.models import Cluster
from jobs.models import Job, Schedule
from jobs.states import JobState, JobType
from pricing.models import PriceSheet
from tests.access.people import SIGNED_OUT
from tests.builders import (
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_job,
    make_people,
    make_project,
    make_schedule,
    make_stores,
    make_user,
)


@dataclass(frozen=True)
class Things:
    """One cluster with a backup, of which a copy failed, and everything else that has a code."""

    organization: Organization
    project: Project
    cluster: Cluster
    backup: Backup
    job: Job
    schedule: Schedule
    sheet: PriceSheet
    member: OrganizationMember
    custom_role: CustomRole
    invitation: Invitation
    own_key: ApiKey
    project_key: ApiKey

    def codes(self) -> dict[str, str]:
        """The code of each thing by its kind."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {kind: thing.code for kind, thing in named.items() if hasattr(thing, "code")}


@dataclass(frozen=True)
class World:
    people: Mapping[str, User | None]
    ours: Things
    theirs: Things


def make_world(root: Path) -> World:
    people = make_people()
    elsewhere = Project.objects.get(organization__members__user=people.stranger)
    neighbour = make_user("Nora Neighbour", project=make_project(people.organization), role=ProjectRole.ADMIN)
    named = {
        name: getattr(people, name) for name in people.__dataclass_fields__ if name not in {"organization", "project"}
    }
    return World(
        people=named | {"neighbour": neighbour, SIGNED_OUT: None},
        ours=_make_things(people.project, people.viewer, "ours", root),
        theirs=_make_things(elsewhere, people.stranger, "theirs", root),
    )


def _make_things(project: Project, member: User, word: str, root: Path) -> Things:
    folder = root / word
    folder.mkdir()
    make_stores(project.organization, OREGON, VIRGINIA, root=folder)
    cluster = make_cluster(project, name=f"cluster-of-{word}")
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED}, name=f"backup-of-{word}")
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    job = make_job(
        backup.copies.get(region=VIRGINIA),
        state=JobState.FAILED,
        parent=original,
        reason=f"The disk of {word} is gone.",
    )
    schedule = make_schedule(cluster, name=f"schedule-of-{word}", is_enabled=False)
    sheet = PriceSheet.objects.create(
        organization=project.organization,
        provider="gcp",
        name=f"sheet-of-{word}",
        valid_from=timezone.localdate() + timedelta(days=9),
        is_default=True,
    )
    custom_role = CustomRole.objects.create(organization=project.organization, name=f"role-of-{word}")
    custom_role.privileges.create(privilege=Privilege.BACKUP_VIEW)
    invitation = Invitation.objects.create(
        organization=project.organization,
        project=project,
        email=f"guest-of-{word}@example.com",
        project_role=ProjectRole.CUSTOM,
        custom_role=custom_role,
        token_hash=hash_token(word),
        created_by=member,
        expires_at=timezone.now() + timedelta(days=1),
    )
    return Things(
        organization=project.organization,
        project=project,
        cluster=cluster,
        backup=backup,
        job=job,
        schedule=schedule,
        sheet=sheet,
        member=OrganizationMember.objects.get(organization=project.organization, user=member),
        custom_role=custom_role,
        invitation=invitation,
        own_key=_make_key(member, project, f"key-of-{word}", is_of_project=False),
        project_key=_make_key(member, project, f"key-of-{word}", is_of_project=True),
    )


def _make_key(user: User, project: Project, name: str, *, is_of_project: bool) -> ApiKey:
    if is_of_project:
        user = User.objects.create_user(f"{name}@keys.invalid", name=name, is_machine=True)
    return ApiKey.objects.create(
        name=name,
        user=user,
        project=project if is_of_project else None,
        is_of_project=is_of_project,
        privileges=[Privilege.BACKUP_VIEW.value],
        prefix=name[:12],
        digest=hash_token(f"{name} {is_of_project}"),
    )


def markers(things: Things) -> dict[str, str]:
    """Words that may be read only by those who may look at what they belong to, by the kind of that thing."""
    return {
        things.cluster.name: "cluster",
        things.cluster.code: "cost",  # what something cost is told by cluster
        things.backup.name: "backup",
        things.backup.code: "backup",
        things.job.code: "backup",
        things.job.reason: "backup",
        things.schedule.name: "backup",
        things.schedule.code: "backup",
        things.sheet.name: "organization",
        things.invitation.email: "members",
        things.custom_role.name: "members",
        f"/{things.cluster.name.removeprefix('cluster-of-')}/{OREGON}": "store",
    }


# The arguments of every address that takes some, for the things of one organization.
SAMPLES: dict[str, Callable[[Things], list[Any]]] = {}

# What is looked for among one's own things, of which nobody in the sample has any.
ABOUT_ONESELF = {"account:session-end", "keys:key-revoke"}

# Calls that make a cluster in a project which their body names, and in which more is asked for than is declared.
NAMED_IN_BODY = {"api:create-cluster", "api:register-cluster", "api:restore-cluster"}

# What has to be posted where a form names something that is looked for before anything else.
POSTED: dict[str, Callable[[Things], dict[str, str]]] = {
    "account:member-sign-out": lambda things: {"member": things.member.user.email},
}


def _sample(arguments: Callable[[Things], list[Any]], *names: str) -> None:
    SAMPLES.update(dict.fromkeys(names, arguments))


_sample(
    lambda things: [things.cluster.code],
    "clusters:cluster-detail",
    "clusters:cluster-settings",
    "clusters:cluster-check",
    "backups:cluster-backups",
    "jobs:backup-create",
    "jobs:backup-quote",
    "jobs:cluster-drop",
    "jobs:schedule-list",
    "jobs:schedule-create",
    "jobs:schedule-preview",
)
_sample(
    lambda things: [things.cluster.code, "default", "docs"],
    "clusters:collection-detail",
    "clusters:collection-load",
    "clusters:collection-drop",
)
_sample(
    lambda things: [things.backup.code],
    "backups:backup-detail",
    "backups:backup-copies",
    "backups:backup-rename",
    "jobs:restore-create",
    "jobs:backup-delete",
)
_sample(lambda things: [things.backup.code, VIRGINIA], "jobs:copy-retry", "jobs:copy-check", "jobs:copy-repair")
_sample(
    lambda things: [things.job.code], "jobs:job-detail", "jobs:job-progress", "jobs:job-throughput", "jobs:job-cancel"
)
_sample(
    lambda things: [things.schedule.code],
    "jobs:schedule-detail",
    "jobs:schedule-edit",
    "jobs:schedule-switch",
    "jobs:schedule-delete",
)
_sample(lambda things: [things.organization.code, OREGON], "clusters:store-edit", "clusters:store-check")
_sample(lambda things: [things.organization.code], "pricing:sheet-import", "pricing:sheet-export", "pricing:allowance")
_sample(lambda things: [things.organization.code, "gcp"], "pricing:sheet-create")
_sample(lambda things: [things.sheet.code], "pricing:sheet-withdraw")
_sample(
    lambda things: [things.organization.code],
    "people:organization-invite",
    "people:organization-settings",
    "people:project-create",
    "people:role-list",
    "people:role-create",
)
_sample(
    lambda things: [things.project.code],
    "people:project-detail",
    "people:project-rename",
    "people:project-add",
    "people:project-invite",
)
_sample(
    lambda things: [things.project.code, things.member.code],
    "people:project-member",
    "people:project-member-role",
    "people:project-member-remove",
)
_sample(lambda things: [things.member.code], "people:member-detail", "people:member-role", "people:member-remove")
_sample(lambda things: [things.custom_role.code], "people:role-edit", "people:role-delete")
_sample(lambda things: [things.invitation.code], "people:invitation-revoke", "people:project-invitation-revoke")
_sample(lambda things: ["no-secret-of-any-invitation"], "people:invitation-open")
_sample(lambda things: [things.organization.code], "account:two-factors-require", "account:member-sign-out")
_sample(lambda things: ["company"], "openid_connect_login", "openid_connect_callback")
_sample(lambda things: ["1", "set-password"], "account_reset_password_from_key")
_sample(lambda things: [1], "mfa_edit_webauthn", "mfa_remove_webauthn")
_sample(lambda things: [things.own_key.code], "keys:key-revoke")
_sample(lambda things: [things.project.code], "keys:project-key-list", "keys:project-key-create")
_sample(lambda things: [things.project.code, things.project_key.code], "keys:project-key-revoke")
