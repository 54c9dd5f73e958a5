"""Every page has one first heading, and none below it skips a level: people who listen find their way by headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import CustomRole, OrganizationMember
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from dataplane.errors import ClusterUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.states import JobState, JobType
from tests.builders import OREGON, VIRGINIA, People, make_backup, make_cluster, make_job, make_schedule, make_stores

pytestmark = pytest.mark.django_db

ALONE = (
    "dashboard:overview",
    "dashboard:costs",
    "dashboard:region-loss",
    "clusters:cluster-list",
    "clusters:cluster-create",
    "clusters:store-list",
    "backups:backup-list",
    "jobs:job-list",
    "jobs:worker-list",
    "pricing:price-list",
    "pricing:calculator",
    "account:sign-in-security",
    "audit:audit-list",
    "api:reference",
    "people:invitation",
    "people:member-list",
    "people:own-rights",
    "keys:key-list",
    "keys:key-create",
    "account_change_password",
    "account_inactive",
    "account_login",
    "account_logout",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "mfa_index",
    "mfa_list_webauthn",
    "socialaccount_login_cancelled",
    "usersessions_list",
)
# What is shown to people who are not signed in.
SIGNED_OUT = {"account_login"}
# What comes after something else was done; the tests of signing in look at these.
IN_A_ROW = {
    "account_reauthenticate",
    "account_reset_password_from_key",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_authenticate",
    "mfa_deactivate_totp",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}
# What answers with a part of a page, or with no page at all.
PARTS = {
    "dashboard:latest-jobs",
    "backups:backup-copies",
    "jobs:backup-quote",
    "jobs:job-progress",
    "jobs:job-throughput",
    "jobs:schedule-preview",
    "jobs:job-table",
    "jobs:worker-table",
    "pricing:calculator-result",
}
NO_PAGES = {
    "audit:audit-csv",
    "dashboard:region-loss-csv",
    "pricing:sheet-export",
    "pricing:sheet-withdraw",
    "people:invitation-open",
    "people:invitation-revoke",
    "people:member-role",
    "people:project-add",
    "people:project-invitation-revoke",
    "people:project-member-remove",
    "people:project-member-role",
    "people:project-rename",
    "keys:key-revoke",
    "keys:project-key-revoke",
    "keys:whoami",
    "account:member-sign-out",
    "account:session-end",
    "account:two-factors-require",
    "mfa_login_webauthn",
    "openid_connect_callback",
    "openid_connect_login",
    "clusters:cluster-check",
    "clusters:collection-load",
    "clusters:store-check",
    "jobs:copy-check",
    "jobs:copy-repair",
    "jobs:copy-retry",
    "jobs:job-cancel",
    "jobs:schedule-switch",
    "health",
    "health-live",
    "health-ready",
}


def names(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else namespace)
        elif pattern.name:
            yield namespace + pattern.name


@pytest.fixture
def owner(people: People, client: Client) -> Client:
    people.owner.set_password("a long enough one")
    people.owner.save()
    client.force_login(people.owner)
    return client


@pytest.fixture
def addresses(people: People, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The arguments of every page: a cluster with a broken backup, a job and everything else there is to show."""
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])
    make_stores(people.organization, OREGON, VIRGINIA)
    cluster = make_cluster(people.project, name="docs")
    make_backup(cluster, state=BackupState.FAILED, original_state=CopyState.FAILED, reason="docs does not answer.")
    backup = make_backup(
        cluster,
        copies={VIRGINIA: CopyState.FAILED},
        notes=["One row changed."],
        exclusions=[{"what": "TTL", "why": "It would delete rows."}],
    )
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    make_job(backup.copies.get(region=VIRGINIA), state=JobState.FAILED, parent=original, reason="Disk gone.")
    of_cluster = dict.fromkeys(
        (
            "clusters:cluster-detail",
            "clusters:cluster-settings",
            "backups:cluster-backups",
            "jobs:backup-create",
            "jobs:schedule-list",
            "jobs:schedule-create",
            "jobs:cluster-drop",
        ),
        [cluster.code],
    )
    of_collection = dict.fromkeys(
        ("clusters:collection-detail", "clusters:collection-drop"), [cluster.code, "default", "docs"]
    )
    of_backup = dict.fromkeys(
        ("backups:backup-detail", "backups:backup-rename", "jobs:restore-create", "jobs:backup-delete"), [backup.code]
    )
    of_schedule = dict.fromkeys(
        ("jobs:schedule-detail", "jobs:schedule-edit", "jobs:schedule-delete"), [make_schedule(cluster).code]
    )
    of_project = dict.fromkeys(
        (
            "keys:project-key-list",
            "keys:project-key-create",
            "people:project-detail",
            "people:project-invite",
        ),
        [people.project.code],
    )
    of_organization = dict.fromkeys(
        (
            "people:organization-invite",
            "people:organization-settings",
            "people:project-create",
            "people:role-create",
            "people:role-list",
            "pricing:sheet-import",
            "pricing:allowance",
        ),
        [people.organization.code],
    )
    member = OrganizationMember.objects.get(user=people.viewer)
    role = CustomRole.objects.get(members__user=people.backup_manager)
    of_people = {
        "people:member-detail": [member.code],
        "people:member-remove": [member.code],
        "people:project-member": [people.project.code, member.code],
        "people:role-delete": [role.code],
        "people:role-edit": [role.code],
    }
    of_provider = {"pricing:sheet-create": [people.organization.code, "gcp"]}
    of_one = {"jobs:job-detail": [original.code], "clusters:store-edit": [people.organization.code, OREGON]}
    return {
        **dict.fromkeys(ALONE, []),
        **of_cluster,
        **of_collection,
        **of_backup,
        **of_schedule,
        **of_project,
        **of_organization,
        **of_people,
        **of_provider,
        **of_one,
    }


def levels(page: bytes) -> list[int]:
    return [int(level) for level in re.findall(r"<h([1-6])\b", page.decode())]


def expect_headings_in_order(page: bytes, what: str) -> None:
    found = levels(page)
    assert found.count(1) == 1, (what, found)
    assert found[0] == 1, (what, found)
    assert all(below <= above + 1 for above, below in zip(found, found[1:], strict=False)), (what, found)


def test_no_page_skips_a_level(owner, addresses):
    every = set(names(get_resolver().url_patterns))
    calls = {name for name in every if name.startswith("api:")} - {"api:reference"}
    assert set(addresses) == every - PARTS - NO_PAGES - IN_A_ROW - calls
    for name, arguments in addresses.items():
        answer = (Client() if name in SIGNED_OUT else owner).get(reverse(name, args=arguments))
        assert answer.status_code == 200, name
        expect_headings_in_order(answer.content, name)


def test_no_page_skips_a_level_where_there_is_nothing_yet(people, client):
    client.force_login(people.owner)
    for name in (
        "dashboard:overview",
        "dashboard:costs",
        "dashboard:region-loss",
        "clusters:cluster-list",
        "backups:backup-list",
        "jobs:job-list",
    ):
        expect_headings_in_order(client.get(reverse(name)).content, name)


def test_regions_stand_under_the_name_of_their_provider(owner):
    page = owner.get(reverse("clusters:store-list")).content.decode()
    for name, prefix in (("AWS", "aws-"), ("Google Cloud", "gcp-"), ("Azure", "az-")):
        part = page.partition(f"<h3>{name}</h3>")[2].partition("<h3>")[0]
        codes = re.findall(r"<td>[^<]+<small>([\w-]+)", part)
        assert codes, name
        assert all(code.startswith(prefix) for code in codes), name


@pytest.mark.parametrize("name", ["clusters:cluster-detail", "jobs:backup-create"])
def test_no_page_skips_a_level_while_the_cluster_does_not_answer(owner, addresses, name, monkeypatch):
    def fail(cluster: Cluster) -> list[CollectionInfo]:
        raise ClusterUnreachable("docs does not answer.")

    monkeypatch.setattr("clusters.live.collections_of", fail)
    page = owner.get(reverse(name, args=addresses[name])).content
    assert b"docs does not answer." in page
    expect_headings_in_order(page, name)


@pytest.mark.parametrize("template", ["403.html", "404.html", "500.html", "design/gallery.html"])
def test_no_page_without_an_address_skips_a_level(people, template):
    request = RequestFactory().get("/")
    request.user = people.owner
    expect_headings_in_order(render(request, template).content, template)
