"""What people ask for: canceling, trying again, deleting and restoring; each with the right and the rule behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.errors import PrivilegeMissing
from backups.states import BackupState, CopyState
from clusters.errors import ClusterRefused
from clusters.models import Cluster
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.moves import claim_job
from jobs.restores import CollectionToRestore, RestoreRequest
from jobs.services import (
    cancel_job,
    request_backup,
    request_deletion,
    request_restore,
    request_restore_to_new_cluster,
    retry_copy,
)
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    all_rows,
    make_backup,
    make_cluster,
    make_job,
    make_stores,
    region,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT)
    return make_cluster(people.project, name="docs")


# Asking for a backup


def test_a_dropped_cluster_is_refused(people, cluster):
    cluster.dropped_at = timezone.now()
    cluster.save()
    before = all_rows()
    with pytest.raises(JobRefused, match="docs was dropped"):
        request_backup(user=people.owner, cluster=cluster)
    assert all_rows() == before


def test_a_region_without_a_store_is_refused_with_who_can_add_one(people, cluster):
    before = all_rows()
    with pytest.raises(ClusterRefused, match=r"No store is set up for gcp-asia-northeast1\. An organization owner"):
        request_backup(user=people.owner, cluster=cluster, regions=[region("gcp-asia-northeast1")])
    assert all_rows() == before


def test_an_empty_list_of_collections_is_refused(people, cluster):
    before = all_rows()
    with pytest.raises(Exception, match="Choose at least one collection"):
        request_backup(user=people.owner, cluster=cluster, collections=[])
    assert all_rows() == before


def test_chosen_collections_are_written_down_for_the_worker(people, cluster):
    job = request_backup(user=people.owner, cluster=cluster, collections=[("default", "docs"), ("other", "docs")])
    assert job.backup.scope == "collection"
    assert set(job.backup.collections.values_list("database", "name")) == {("default", "docs"), ("other", "docs")}


def test_backups_of_a_cluster_are_numbered(people, cluster):
    names = []
    for _ in range(2):
        job = request_backup(user=people.owner, cluster=cluster)
        names.append(job.backup.name)
        cancel_job(user=people.owner, job=job)
    assert names == ["docs_backup1", "docs_backup2"]


# Canceling


def test_a_job_that_waits_is_canceled_at_once(people, cluster):
    job = make_job(make_backup(cluster, copies={VIRGINIA: CopyState.PLANNED}).copies.planned().get())
    cancel_job(user=people.project_admin, job=job)
    job.refresh_from_db()
    assert (job.state, job.reason) == (JobState.CANCELED, "Canceled by Adam Admin.")
    assert job.events.get().by == people.project_admin
    assert job.copy.state == CopyState.CANCELED


@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.VERIFYING])
def test_a_job_that_runs_is_asked_to_stop_and_its_worker_keeps_the_lease(people, cluster, state):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    lease = job.lease
    cancel_job(user=people.owner, job=job)
    job.refresh_from_db()
    assert (job.state, job.lease, job.finished_at) == (JobState.CANCELING, lease, None)
    assert job.backup.state == BackupState.CREATING


@pytest.mark.parametrize("state", [JobState.CANCELING, JobState.SUCCESSFUL, JobState.FAILED, JobState.CANCELED])
def test_a_job_that_ended_or_is_stopping_cannot_be_canceled(people, cluster, state):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    before = all_rows()
    with pytest.raises(JobRefused, match="cannot be canceled"):
        cancel_job(user=people.owner, job=job)
    assert all_rows() == before


def test_a_job_that_moved_on_meanwhile_is_not_canceled(people, cluster):
    seen = make_job(type=JobType.BACKUP, cluster=cluster)
    claim_job("worker-1")
    before = all_rows()
    with pytest.raises(JobRefused, match="has just moved on"):
        cancel_job(user=people.owner, job=seen)
    assert all_rows() == before


def test_a_deletion_cannot_be_canceled_half_way(people, cluster):
    [job] = request_deletion(user=people.owner, backup=make_backup(cluster))
    with pytest.raises(JobRefused):
        cancel_job(user=people.owner, job=job)


# Trying a copy again


def failed_copy(cluster: Cluster) -> Job:
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    return make_job(backup.copies.get(region=VIRGINIA), state=JobState.FAILED, parent=original)


def test_a_failed_copy_is_tried_again_as_a_new_job_under_the_same_original(people, cluster):
    failed = failed_copy(cluster)
    again = retry_copy(user=people.backup_manager, copy=failed.copy)
    assert again != failed
    assert (again.parent, again.copy, again.state) == (failed.parent, failed.copy, JobState.PENDING)
    assert again.created_by == people.backup_manager
    failed.refresh_from_db()
    assert failed.state == JobState.FAILED
    assert failed.copy.state == CopyState.PLANNED


def test_pressing_retry_twice_makes_one_job(people, cluster):
    failed = failed_copy(cluster)
    retry_copy(user=people.owner, copy=failed.copy)
    before = all_rows()
    with pytest.raises(JobRefused):
        retry_copy(user=people.owner, copy=Job.objects.get(pk=failed.pk).copy)
    assert all_rows() == before


def test_a_copy_that_is_available_or_a_backup_cannot_be_tried_again(people, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    for copy, job_type in [(backup.copies.get(region=VIRGINIA), JobType.COPY), (backup.copies.first(), JobType.BACKUP)]:
        job = make_job(copy, type=job_type, state=JobState.SUCCESSFUL)
        with pytest.raises(JobRefused, match="Only a failed, canceled or damaged copy"):
            retry_copy(user=people.owner, copy=job.copy)


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_restore_canceled_between_two_attempts_says_what_it_may_have_left(people, cluster, attempt):
    job = make_job(make_backup(cluster).copies.get(), type=JobType.RESTORE, attempt=attempt)
    cancel_job(user=people.owner, job=job)
    job.refresh_from_db()
    assert ("may be left in" in job.reason) is (attempt > 0)


# Deleting


def test_a_deletion_makes_one_job_for_each_region_that_is_left(people, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED, FRANKFURT: CopyState.DELETED})
    jobs = request_deletion(user=people.owner, backup=backup)
    assert {job.target_region_id for job in jobs} == {OREGON, VIRGINIA}
    assert {job.type for job in jobs} == {JobType.DELETE}
    states = dict(backup.copies.values_list("region", "state"))
    assert states == {OREGON: CopyState.DELETING, VIRGINIA: CopyState.DELETING, FRANKFURT: CopyState.DELETED}


@pytest.mark.parametrize("job_type", [JobType.COPY, JobType.RESTORE])
def test_a_backup_that_a_job_uses_is_not_deleted(people, cluster, job_type):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.TRANSFERRING})
    make_job(backup.copies.get(region=VIRGINIA), type=job_type, state=JobState.IN_PROGRESS)
    before = all_rows()
    with pytest.raises(JobRefused, match="is in use by"):
        request_deletion(user=people.owner, backup=backup)
    assert all_rows() == before


def test_a_deleted_backup_is_not_deleted_again(people, cluster):
    backup = make_backup(cluster, state=BackupState.DELETED, original_state=CopyState.DELETED)
    with pytest.raises(JobRefused, match="already deleted"):
        request_deletion(user=people.owner, backup=backup)


# Restoring


def wanted(*names: tuple[str, str], cu_size: int = 1) -> RestoreRequest:
    return RestoreRequest(
        tuple(CollectionToRestore("default", name, new_name) for name, new_name in names), cu_size, load=True
    )


def test_a_restore_is_queued_with_all_that_the_worker_needs(people, cluster):
    copy = make_backup(cluster, copies={FRANKFURT: CopyState.AVAILABLE}).copies.get(region=FRANKFURT)
    target = make_cluster(people.project, region=VIRGINIA)
    request = wanted(("docs", "docs_again"), cu_size=4)
    job = request_restore(user=people.project_admin, copy=copy, request=request, target=target)
    assert (job.type, job.copy, job.cluster, job.target_region_id) == (JobType.RESTORE, copy, target, VIRGINIA)
    assert RestoreRequest.from_json(Job.objects.get().parameters) == request


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "Choose at least one collection"),
        ([("docs", "")], "has 1 to 255 characters"),
        ([("docs", "x" * 10_000)], "has 10,000"),
        ([("docs", "1st")], "no digit first"),
        ([("docs", "a-b")], "letters, digits and underscores"),
        ([("docs", "naïve")], "letters, digits and underscores"),
        ([("docs", "same"), ("docs", "same")], "cannot both become same"),
        ([("secrets", "secrets")], "holds no collection called secrets"),
    ],
)
def test_a_restore_that_cannot_be_meant_is_refused(people, cluster, names, sentence):
    copy = make_backup(cluster).copies.get()
    before = all_rows()
    with pytest.raises(JobRefused, match=sentence) as refusal:
        request_restore(user=people.owner, copy=copy, request=wanted(*names), target=cluster)
    assert refusal.value.field == "collections"
    assert all_rows() == before


@pytest.mark.parametrize("cu_size", [0, -1, 1025])
def test_a_cu_size_that_does_not_exist_is_refused(people, cluster, cu_size):
    copy = make_backup(cluster).copies.get()
    with pytest.raises(JobRefused, match="CU size"):
        request_restore(user=people.owner, copy=copy, request=wanted(("docs", "docs"), cu_size=cu_size), target=cluster)


@pytest.mark.parametrize("state", sorted(set(CopyState) - {CopyState.AVAILABLE}))
def test_only_an_available_copy_can_be_restored_from(people, cluster, state):
    copy = make_backup(cluster, copies={VIRGINIA: state}).copies.get(region=VIRGINIA)
    with pytest.raises(JobRefused, match="choose an available one"):
        request_restore(user=people.owner, copy=copy, request=wanted(("docs", "docs")), target=cluster)


def test_a_restore_into_a_dropped_or_a_serverless_cluster_is_refused(people, cluster):
    copy = make_backup(cluster).copies.get()
    dropped = make_cluster(people.project, dropped_at=timezone.now())
    serverless = make_cluster(people.project, plan="serverless")
    for target in (dropped, serverless):
        with pytest.raises(JobRefused) as refusal:
            request_restore(user=people.owner, copy=copy, request=wanted(("docs", "docs")), target=target)
        assert refusal.value.field == "target"


def test_a_restore_into_a_strangers_cluster_is_refused(people, cluster):
    copy = make_backup(cluster).copies.get()
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        request_restore(user=people.owner, copy=copy, request=wanted(("docs", "docs")), target=make_cluster())


def test_a_restore_into_a_new_cluster_makes_it_in_the_copys_region(people, cluster, settings):
    settings.EMBEDDED_CLUSTERS = True
    copy = make_backup(cluster, copies={FRANKFURT: CopyState.AVAILABLE}).copies.get(region=FRANKFURT)
    job = request_restore_to_new_cluster(
        user=people.owner, copy=copy, project=people.project, name="rescued", cu_size=4, load=False
    )
    assert (job.cluster.name, job.cluster.region_id, job.cluster.cu_size) == ("rescued", FRANKFURT, 4)
    request = RestoreRequest.from_json(job.parameters)
    assert request.makes_cluster
    assert [row.new_name for row in request.collections] == ["docs"]


def test_a_new_cluster_whose_name_is_taken_is_refused_and_nothing_is_queued(people, cluster, settings):
    settings.EMBEDDED_CLUSTERS = True
    copy = make_backup(cluster).copies.get()
    before = all_rows()
    with pytest.raises(ClusterRefused, match="already has a cluster called docs"):
        request_restore_to_new_cluster(
            user=people.owner, copy=copy, project=people.project, name="docs", cu_size=1, load=True
        )
    assert all_rows() == before


def test_an_installation_without_clusters_of_its_own_makes_none(people, cluster, settings):
    settings.EMBEDDED_CLUSTERS = False
    copy = make_backup(cluster).copies.get()
    before = all_rows()
    with pytest.raises(ClusterRefused, match="keeps no clusters of its own"):
        request_restore_to_new_cluster(
            user=people.owner, copy=copy, project=people.project, name="rescued", cu_size=1, load=True
        )
    assert all_rows() == before


# Every service asks for the right itself

ACTIONS: dict[str, Callable[[Any, Job], object]] = {
    "cancel": lambda user, job: cancel_job(user=user, job=job),
    "retry": lambda user, job: retry_copy(user=user, copy=job.copy),
    "delete": lambda user, job: request_deletion(user=user, backup=job.backup),
    "restore": lambda user, job: request_restore(
        user=user, copy=job.copy, request=wanted(("docs", "docs")), target=job.cluster
    ),
    "restore to new": lambda user, job: request_restore_to_new_cluster(
        user=user, copy=job.copy, project=job.project, name="rescued", cu_size=1, load=True
    ),
}


@pytest.mark.parametrize("who", ["operator", "viewer", "cluster_viewer", "billing_admin", "stranger"])
@pytest.mark.parametrize("action", ACTIONS)
def test_without_the_privilege_nothing_happens(people, cluster, settings, action, who):
    settings.EMBEDDED_CLUSTERS = True
    job = failed_copy(cluster)
    before = all_rows()
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        ACTIONS[action](getattr(people, who), job)
    assert all_rows() == before
