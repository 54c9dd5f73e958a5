"""Every page of the site: who gets in, who is told which privilege is missing, who learns nothing (rule R4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import reverse

from accounts.privileges import Privilege
from backups.models import Backup
from backups.states import CopyState
from clusters.models import Cluster
from dataplane.milvus import CollectionInfo, CollectionRef, ServerInfo
from jobs.models import Job, Schedule
from jobs.states import JobState, JobType
from tests.builders import (
    OREGON,
    VIRGINIA,
    People,
    all_rows,
    make_backup,
    make_cluster,
    make_job,
    make_schedule,
    make_stores,
    text_of,
)

pytestmark = pytest.mark.django_db

COLLEAGUES = ("owner", "project_admin", "operator", "viewer", "backup_manager", "cluster_viewer", "billing_admin")
HOLDERS = {
    Privilege.BACKUP_VIEW: {"owner", "project_admin", "operator", "viewer", "backup_manager"},
    Privilege.BACKUP_MANAGE: {"owner", "project_admin", "backup_manager"},
    Privilege.CLUSTER_VIEW: {"owner", "project_admin", "operator", "viewer", "backup_manager", "cluster_viewer"},
    Privilege.CLUSTER_MANAGE: {"owner", "project_admin"},
    Privilege.BILLING_VIEW: {"owner", "project_admin", "billing_admin"},
}


@dataclass(frozen=True)
class Place:
    """One cluster with a backup, of which a copy failed."""

    people: People
    cluster: Cluster
    backup: Backup
    original: Job
    failed: Job
    schedule: Schedule


@pytest.fixture
def place(people, stores_root, monkeypatch) -> Place:
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("3.2", is_lite=True))
    make_stores(people.organization, OREGON, VIRGINIA, root=stores_root)
    cluster = make_cluster(people.project, name="docs")
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    failed = make_job(backup.copies.get(region=VIRGINIA), state=JobState.FAILED, parent=original, reason="Disk gone.")
    return Place(people, cluster, backup, original, failed, make_schedule(cluster, is_enabled=False))


def _cluster(place: Place) -> list[str]:
    return [place.cluster.code]


def _collection(place: Place) -> list[str]:
    return [place.cluster.code, "default", "docs"]


def _backup(place: Place) -> list[str]:
    return [place.backup.code]


def _job(place: Place) -> list[str]:
    return [place.failed.code]


def _schedule(place: Place) -> list[str]:
    return [place.schedule.code]


def _copy(place: Place) -> list[str]:
    return [place.backup.code, VIRGINIA]


def _store(place: Place) -> list[str]:
    return [place.people.organization.code, OREGON]


# Pages about one thing: the privilege they need.
OF_ONE_THING: dict[str, tuple[Callable[[Place], list[str]], Privilege]] = {
    "clusters:cluster-detail": (_cluster, Privilege.CLUSTER_VIEW),
    "clusters:cluster-settings": (_cluster, Privilege.CLUSTER_MANAGE),
    "clusters:collection-detail": (_collection, Privilege.CLUSTER_VIEW),
    "clusters:collection-drop": (_collection, Privilege.CLUSTER_MANAGE),
    "backups:cluster-backups": (_cluster, Privilege.BACKUP_VIEW),
    "backups:backup-detail": (_backup, Privilege.BACKUP_VIEW),
    "backups:backup-copies": (_backup, Privilege.BACKUP_VIEW),
    "backups:backup-rename": (_backup, Privilege.BACKUP_MANAGE),
    "jobs:backup-create": (_cluster, Privilege.BACKUP_MANAGE),
    "jobs:backup-quote": (_cluster, Privilege.BACKUP_MANAGE),
    "jobs:restore-create": (_backup, Privilege.BACKUP_MANAGE),
    "jobs:backup-delete": (_backup, Privilege.BACKUP_MANAGE),
    "jobs:schedule-list": (_cluster, Privilege.BACKUP_VIEW),
    "jobs:schedule-create": (_cluster, Privilege.BACKUP_MANAGE),
    "jobs:schedule-preview": (_cluster, Privilege.BACKUP_MANAGE),
    "jobs:schedule-detail": (_schedule, Privilege.BACKUP_VIEW),
    "jobs:schedule-edit": (_schedule, Privilege.BACKUP_MANAGE),
    "jobs:schedule-delete": (_schedule, Privilege.BACKUP_MANAGE),
    "jobs:cluster-drop": (_cluster, Privilege.CLUSTER_MANAGE),
    "jobs:job-detail": (_job, Privilege.BACKUP_VIEW),
    "jobs:job-progress": (_job, Privilege.BACKUP_VIEW),
}
# Pages that anybody may open and that show what one may look at.
LISTS = [
    "dashboard:overview",
    "dashboard:latest-jobs",
    "clusters:cluster-list",
    "clusters:store-list",
    "backups:backup-list",
    "jobs:job-list",
    "jobs:job-table",
]
# Actions: answered with a redirect or a page once they are done.
ACTIONS: dict[str, tuple[Callable[[Place], list[str]], Privilege]] = {
    "clusters:cluster-check": (_cluster, Privilege.CLUSTER_VIEW),
    "jobs:schedule-switch": (_schedule, Privilege.BACKUP_MANAGE),
    "jobs:job-cancel": (_job, Privilege.BACKUP_MANAGE),
    "jobs:copy-retry": (_copy, Privilege.BACKUP_MANAGE),
    "jobs:copy-check": (_copy, Privilege.BACKUP_MANAGE),
    "jobs:copy-repair": (_copy, Privilege.BACKUP_MANAGE),
}


def client_of(place: Place, who: str) -> Client:
    client = Client()
    client.force_login(getattr(place.people, who))
    return client


@pytest.mark.parametrize("name", OF_ONE_THING)
def test_a_page_opens_for_those_with_the_privilege_and_names_it_to_their_colleagues(place, name):
    arguments, privilege = OF_ONE_THING[name]
    url = reverse(name, args=arguments(place))
    answers = {who: client_of(place, who).get(url) for who in COLLEAGUES}
    assert {who: answer.status_code for who, answer in answers.items()} == {
        who: 200 if who in HOLDERS[privilege] else 403 for who in COLLEAGUES
    }
    refusals = [text_of(answer) for answer in answers.values() if answer.status_code == 403]
    assert refusals
    assert all(f"“{privilege.value}”" in words for words in refusals)


@pytest.mark.parametrize("name", OF_ONE_THING)
def test_a_stranger_gets_404_as_for_something_that_does_not_exist(place, name):
    arguments, _ = OF_ONE_THING[name]
    real = arguments(place)
    stranger = client_of(place, "stranger")
    assert stranger.get(reverse(name, args=real)).status_code == 404
    assert stranger.get(reverse(name, args=["no-such-code", *real[1:]])).status_code == 404


@pytest.mark.parametrize("name", OF_ONE_THING)
def test_a_stranger_who_posts_by_hand_gets_404_and_changes_nothing(place, name):
    arguments, _ = OF_ONE_THING[name]
    before = all_rows()
    answer = client_of(place, "stranger").post(
        reverse(name, args=arguments(place)), {"scope": "cluster", "name": "x", "confirmation": place.backup.name}
    )
    assert answer.status_code in {404, 405}
    assert all_rows() == before


@pytest.mark.parametrize("name", [*OF_ONE_THING, *LISTS, "dashboard:costs", "clusters:cluster-create"])
def test_who_is_signed_out_is_sent_to_sign_in_and_back(place, name, client):
    url = reverse(name, args=OF_ONE_THING[name][0](place) if name in OF_ONE_THING else [])
    answer = client.get(url)
    assert answer.status_code == 302
    assert answer["Location"] == f"/sign-in/?next={url}"


@pytest.mark.parametrize("name", ["jobs:job-progress", "jobs:job-table", "backups:backup-copies", "jobs:backup-quote"])
def test_no_sign_in_form_lands_inside_a_card(place, name, client):
    url = reverse(name, args=OF_ONE_THING[name][0](place) if name in OF_ONE_THING else [])
    answer = client.get(url, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/sign-in/"
    assert answer.content == b""


@pytest.mark.parametrize("name", LISTS)
def test_a_list_opens_for_everybody_and_shows_a_stranger_nothing(place, name):
    shown = {who: client_of(place, who).get(reverse(name)) for who in (*COLLEAGUES, "stranger")}
    assert {answer.status_code for answer in shown.values()} == {200}
    words = text_of(shown["stranger"])
    for secret in ("docs", place.backup.name, place.failed.code, "Disk gone", "file://"):
        assert secret not in words


@pytest.mark.parametrize("name", ["backups:backup-list", "jobs:job-list", "jobs:job-table"])
def test_a_list_of_backups_or_jobs_shows_only_those_one_may_look_at(place, name):
    for who in COLLEAGUES:
        words = text_of(client_of(place, who).get(reverse(name)))
        assert (place.backup.name in words) == (who in HOLDERS[Privilege.BACKUP_VIEW]), who


def test_the_cluster_list_shows_only_clusters_one_may_look_at(place):
    for who in COLLEAGUES:
        words = text_of(client_of(place, who).get(reverse("clusters:cluster-list")))
        assert (place.cluster.code in words) == (who in HOLDERS[Privilege.CLUSTER_VIEW]), who


@pytest.mark.parametrize(
    ("name", "privilege"),
    [("dashboard:costs", Privilege.BILLING_VIEW), ("clusters:cluster-create", Privilege.CLUSTER_MANAGE)],
)
def test_a_page_about_no_single_thing_needs_its_privilege_in_some_project(place, name, privilege):
    for who in COLLEAGUES:
        answer = client_of(place, who).get(reverse(name))
        assert answer.status_code == (200 if who in HOLDERS[privilege] else 403), who
        assert answer.status_code == 200 or privilege.value in text_of(answer)


def test_a_strangers_costs_are_their_own(place):
    words = text_of(client_of(place, "stranger").get(reverse("dashboard:costs")))
    assert "Nothing to pay for yet" in words


@pytest.mark.parametrize(("name", "method"), [("clusters:store-edit", "get"), ("clusters:store-check", "post")])
def test_stores_belong_to_the_organization_so_only_its_owner_may_touch_them(place, name, method):
    url = reverse(name, args=_store(place))
    statuses = {who: getattr(client_of(place, who), method)(url).status_code for who in (*COLLEAGUES, "stranger")}
    assert statuses == dict.fromkeys(COLLEAGUES, 403) | {"owner": 200, "stranger": 404}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_without_the_privilege_changes_nothing_and_names_it(place, name):
    arguments, privilege = ACTIONS[name]
    url = reverse(name, args=arguments(place))
    before = all_rows()
    for who in set(COLLEAGUES) - HOLDERS[privilege]:
        answer = client_of(place, who).post(url)
        assert answer.status_code == 403, who
        assert "privilege “" in text_of(answer)
    assert client_of(place, "stranger").post(url).status_code == 404
    assert Client().post(url)["Location"].startswith("/sign-in/")
    assert all_rows() == before


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_with_the_privilege_leads_back_to_a_page(place, name):
    arguments, privilege = ACTIONS[name]
    for who in HOLDERS[privilege]:
        assert client_of(place, who).post(reverse(name, args=arguments(place))).status_code == 302, who


@pytest.mark.parametrize("name", [*ACTIONS, "clusters:store-check"])
def test_what_changes_something_cannot_be_fetched(place, name):
    arguments = ACTIONS[name][0] if name in ACTIONS else _store
    before = all_rows()
    assert client_of(place, "owner").get(reverse(name, args=arguments(place))).status_code == 405
    assert all_rows() == before


@pytest.mark.parametrize("name", LISTS)
def test_a_list_cannot_be_posted_to(place, name):
    assert client_of(place, "owner").post(reverse(name)).status_code == 405


def test_what_was_typed_into_an_address_is_no_server_error(place):
    owner = client_of(place, "owner")
    for query in ("?page=x", "?page=-1", "?page=99", "?type=nonsense&state=%00&cluster='", "?cluster=" + "x" * 10_000):
        for name in ("jobs:job-list", "jobs:job-table", "backups:backup-list"):
            assert owner.get(reverse(name) + query).status_code == 200, (name, query)


def test_somebody_who_left_loses_access_at_once(place):
    viewer = client_of(place, "viewer")
    url = reverse("jobs:job-detail", args=_job(place))
    assert viewer.get(url).status_code == 200
    place.people.viewer.organization_memberships.all().delete()
    place.people.viewer.project_memberships.all().delete()
    assert viewer.get(url).status_code == 404
