"""R12: dropping a cluster takes its automatic backups and their copies along; what was made by hand stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from accounts.encryption import Secret
from accounts.errors import PrivilegeMissing
from backups.models import Copy
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from jobs.drops import drop_cluster, preview_drop
from jobs.endings import settle
from jobs.errors import JobRefused
from jobs.firing import fire_due
from jobs.models import Job
from jobs.moves import move_job
from jobs.retention import request_expiries
from jobs.states import JobState, JobType
from tests.builders import OREGON, VIRGINIA, all_rows, make_backup, make_cluster, make_job, make_schedule
from tests.unit.dataplane.builders import all_keys, store_backup
from tests.unit.jobs.world import CONTENTS, folder, make_stored_cluster, run_next

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs-search", token=Secret.of("secret"))


def test_r12_automatic_backups_and_their_copies_go_and_manual_ones_stay(people, cluster):
    schedule = make_schedule(cluster)
    automatic = make_backup(
        cluster, kept_days=30, copies={VIRGINIA: CopyState.AVAILABLE, "gcp-europe-west3": CopyState.FAILED}
    )
    manual = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    elsewhere = make_backup(make_cluster(people.project), kept_days=30)
    found = preview_drop(cluster)
    assert (found.schedules, found.lost, found.kept) == ([schedule], [automatic], [manual])
    assert found.lost_copy_count == 3

    jobs = drop_cluster(user=people.project_admin, cluster=cluster)
    assert {(job.type, job.copy) for job in jobs} == {(JobType.EXPIRE, copy) for copy in automatic.copies.all()}
    assert not Job.objects.filter(backup__in=[manual, elsewhere]).exists()
    cluster.refresh_from_db()
    assert cluster.dropped_at is not None
    assert not cluster.token
    schedule.refresh_from_db()
    assert (schedule.is_enabled, schedule.next_due_at) == (False, None)
    assert fire_due(timezone.now()) == 0
    assert request_expiries(timezone.now()) == []


def test_r12_what_goes_is_removed_without_the_cluster(people, stores_root: Path):
    """Its endpoint answers nobody, and the last proven copy goes too: the person was told."""
    cluster = make_stored_cluster(stores_root, project=people.project)
    backup = make_backup(cluster, kept_days=30)
    store_backup(folder(stores_root, OREGON), CONTENTS, backup_id=backup.code)
    drop_cluster(user=people.project_admin, cluster=cluster)
    assert run_next().state == JobState.SUCCESSFUL
    backup.refresh_from_db()
    assert backup.state == BackupState.DELETED
    assert [key for key in all_keys(folder(stores_root, OREGON)) if "/clusters/" in f"/{key}"] == []


def test_an_automatic_backup_that_is_being_made_is_canceled_and_goes_once_it_has_stopped(people, cluster):
    running = make_job(
        make_backup(
            cluster, kept_days=3, state=BackupState.CREATING, original_state=CopyState.TRANSFERRING
        ).copies.get(),
        type=JobType.BACKUP,
        state=JobState.IN_PROGRESS,
    )
    waiting = make_job(
        make_backup(cluster, kept_days=3, copies={VIRGINIA: CopyState.PLANNED}).copies.get(region=VIRGINIA)
    )
    jobs = drop_cluster(user=people.project_admin, cluster=cluster)
    assert [job.copy.backup for job in jobs] == [waiting.backup] * 2
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert (running.state, waiting.state) == (JobState.CANCELING, JobState.CANCELED)
    assert request_expiries(timezone.now()) == []
    move_job(running, JobState.CANCELED)
    settle(running)
    assert [job.copy for job in request_expiries(timezone.now())] == [running.copy]


@pytest.mark.parametrize("job_type", [JobType.BACKUP, JobType.RESTORE])
def test_what_a_person_asked_for_is_not_cut_short(people, cluster, job_type):
    copy = make_backup(cluster).copies.get() if job_type == JobType.RESTORE else None
    make_job(copy, type=job_type, cluster=cluster, state=JobState.IN_PROGRESS)
    before = all_rows()
    with pytest.raises(JobRefused, match="is in use by"):
        drop_cluster(user=people.project_admin, cluster=cluster)
    assert all_rows() == before


def test_a_copy_that_is_being_restored_elsewhere_goes_afterwards(people, cluster):
    backup = make_backup(cluster, kept_days=30)
    restore = make_job(backup.copies.get(), type=JobType.RESTORE, cluster=make_cluster(people.project), origin="manual")
    assert drop_cluster(user=people.project_admin, cluster=cluster) == []
    Job.objects.filter(pk=restore.pk).update(state=JobState.CANCELED, finished_at=timezone.now())
    assert len(request_expiries(timezone.now())) == 1


def test_a_dropped_cluster_cannot_be_dropped_again(people, cluster):
    drop_cluster(user=people.project_admin, cluster=cluster)
    with pytest.raises(JobRefused, match="was dropped already"):
        drop_cluster(user=people.project_admin, cluster=cluster)


@pytest.mark.parametrize("who", ["viewer", "operator", "backup_manager", "stranger"])
def test_it_takes_the_right_to_manage_clusters_and_backups(people, cluster, who):
    make_backup(cluster, kept_days=30)
    with pytest.raises(PrivilegeMissing):
        drop_cluster(user=getattr(people, who), cluster=cluster)
    assert Copy.objects.get().state == CopyState.AVAILABLE
