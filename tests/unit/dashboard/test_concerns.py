"""What needs a look: it appears when something breaks and goes when that was made good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from backups.models import Backup
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from dashboard.concerns import RECENT, concerns_of
from jobs.models import Job, Schedule, ScheduledRun
from jobs.retention import request_expiries
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    People,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_schedule,
    make_worker,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


def titles(people: People) -> list[str]:
    return [concern.title for concern in concerns_of(people.viewer, now=timezone.now())]


def fail_backup(cluster: Cluster) -> Backup:
    return make_backup(
        cluster,
        state=BackupState.FAILED,
        original_state=CopyState.FAILED,
        copies={VIRGINIA: CopyState.CANCELED},
        reason="docs does not answer.",
    )


@pytest.mark.parametrize("state", list(CopyState))
def test_a_copy_needs_a_look_exactly_while_it_is_failed_or_damaged(people, cluster, state):
    make_backup(cluster, copies={FRANKFURT: state})
    broken = state in {CopyState.FAILED, CopyState.DAMAGED}
    assert titles(people) == (["Copy in Frankfurt"] if broken else [])


def test_a_damaged_original_needs_a_look(people, cluster):
    make_backup(cluster, original_state=CopyState.DAMAGED)
    assert titles(people) == ["Original in Oregon"]


def test_a_broken_copy_of_a_deleted_backup_needs_none(people, cluster):
    make_backup(cluster, state=BackupState.DELETED, copies={FRANKFURT: CopyState.FAILED})
    assert titles(people) == []


def test_a_failed_backup_needs_one_look_until_a_newer_one_is_available(people, cluster):
    make_backup(cluster)
    fail_backup(cluster)
    make_backup(make_cluster(people.project))
    assert titles(people) == ["Backup of docs"]
    make_backup(cluster)
    assert titles(people) == []


def test_the_failed_backup_of_a_dropped_cluster_needs_none(people, cluster):
    fail_backup(cluster)
    Cluster.objects.update(dropped_at=timezone.now())
    assert titles(people) == []


def test_a_check_that_could_not_be_made_needs_a_look_until_the_copy_was_proven(people, cluster):
    copy = make_copy(make_backup(cluster), FRANKFURT)
    make_job(copy, type=JobType.VERIFY, state=JobState.FAILED, reason="Frankfurt does not answer.")
    assert titles(people) == ["Check copy in Frankfurt"]
    make_job(copy, type=JobType.VERIFY, state=JobState.SUCCESSFUL)
    assert titles(people) == []


def test_a_check_that_found_damage_is_told_once_as_the_damaged_copy(people, cluster):
    copy = make_copy(make_backup(cluster), FRANKFURT, state=CopyState.DAMAGED)
    check = make_job(copy, type=JobType.VERIFY, state=JobState.FAILED, reason="Damage found.")
    assert titles(people) == ["Copy in Frankfurt"]
    make_job(copy, type=JobType.REPAIR, state=JobState.SUCCESSFUL)
    copy.state = CopyState.AVAILABLE
    copy.save()
    assert check.state == JobState.FAILED
    assert titles(people) == []


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize(("job_type", "title"), [(JobType.RESTORE, "Restore into docs"), (JobType.DELETE, "Delete in")])
def test_a_restore_or_deletion_needs_a_look_exactly_when_it_failed_or_crashed(people, cluster, job_type, title, state):
    make_job(make_backup(cluster).copies.get(), type=job_type, state=state)
    broken = state in {JobState.FAILED, JobState.CRASHED}
    assert [found.startswith(title) for found in titles(people)] == [True] * broken


def test_a_failed_restore_needs_none_after_a_week_or_a_success_from_any_copy(people, cluster):
    backup = make_backup(cluster, copies={FRANKFURT: CopyState.AVAILABLE})
    original = backup.copies.get(region=OREGON)
    make_job(original, type=JobType.RESTORE, state=JobState.FAILED, finished_at=timezone.now() - 2 * RECENT)
    assert titles(people) == []
    make_job(original, type=JobType.RESTORE, state=JobState.FAILED)
    other = make_cluster(people.project, name="other")
    make_job(original, type=JobType.RESTORE, state=JobState.SUCCESSFUL, cluster=other)
    assert titles(people) == ["Restore into docs"]
    make_job(backup.copies.get(region=FRANKFURT), type=JobType.RESTORE, state=JobState.SUCCESSFUL)
    assert titles(people) == []


def test_a_failed_deletion_needs_none_after_that_copy_was_deleted(people, cluster):
    backup = make_backup(cluster, copies={FRANKFURT: CopyState.DELETED})
    for copy in backup.copies.all():
        make_job(copy, type=JobType.DELETE, state=JobState.FAILED)
    make_job(backup.copies.get(region=FRANKFURT), type=JobType.DELETE, state=JobState.SUCCESSFUL)
    assert titles(people) == ["Delete in Oregon"]


def test_failed_jobs_whose_work_was_done_since_need_none(people, cluster):
    """A copy that failed and was made again leaves its failed job behind."""
    copy = make_copy(make_backup(cluster), VIRGINIA)
    make_job(copy, state=JobState.FAILED, finished_at=timezone.now() - timedelta(minutes=5))
    assert Job.objects.filter(state=JobState.FAILED).exists()
    assert titles(people) == []


def test_only_those_who_may_look_at_backups_see_what_needs_a_look(people, cluster):
    fail_backup(cluster)
    now = timezone.now()
    assert len(concerns_of(people.viewer, now=now)) == 1
    assert concerns_of(people.billing_admin, now=now) == concerns_of(people.stranger, now=now) == []


def test_the_overview_counts_and_lists_exactly_what_needs_a_look(people, cluster, client):
    make_worker()
    client.force_login(people.viewer)
    url = reverse("dashboard:overview")
    assert b"needs-a-look" not in client.get(url).content
    fail_backup(cluster)
    make_backup(make_cluster(people.project), copies={FRANKFURT: CopyState.DAMAGED})
    page = client.get(url)
    assert "Needs a look 2 listed below" in text_of(page)
    section = page.content.decode().partition('id="needs-a-look"')[2].partition("</section>")[0]
    assert section.count("<tr>") == 1 + 2
    assert "Copy in Frankfurt" in section
    assert "docs does not answer." in section


def test_that_no_worker_runs_is_the_first_thing_to_look_at(people, cluster, client):
    fail_backup(cluster)
    make_worker(seen_at=timezone.now() - timedelta(minutes=1))
    for who, page in (("owner", "/workers/"), ("viewer", "/jobs/")):
        client.force_login(getattr(people, who))
        words = client.get("/").content.decode()
        assert 'Needs a look</span><span class="figure__value">2' in words
        first = words.partition('id="needs-a-look"')[2].partition("<tbody>")[2].partition("</tr>")[0]
        assert "No worker is running, so no job begins." in first
        assert f'href="{page}"' in first
    client.force_login(people.billing_admin)
    assert "No worker is running" not in text_of(client.get("/"))
    make_worker()
    client.force_login(people.owner)
    assert "No worker is running" not in text_of(client.get("/"))


def miss(schedule: Schedule, *, days_ago: int) -> ScheduledRun:
    due_at = timezone.now() - timedelta(days=days_ago)
    return ScheduledRun.objects.create(schedule=schedule, due_at=due_at, state="missed", reason=f"Away {days_ago}.")


def test_the_missed_runs_of_a_schedule_need_one_look_until_a_later_one_has_succeeded(people, cluster):
    schedule = make_schedule(cluster, name="nightly")
    miss(schedule, days_ago=2)
    miss(schedule, days_ago=1)
    (concern,) = concerns_of(people.viewer, now=timezone.now())
    assert (concern.title, concern.backup, concern.reason) == ("Schedule nightly", "2 runs missed", "Away 1.")
    assert concern.url == schedule.get_absolute_url()
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    ScheduledRun.objects.create(schedule=schedule, due_at=timezone.now(), state="started", job=job)
    assert titles(people) == ["Schedule nightly"]
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=timezone.now(), lease="", lease_until=None)
    assert titles(people) == []


def test_missed_runs_of_a_schedule_that_is_off_or_may_not_be_seen_need_none(people, cluster):
    miss(make_schedule(cluster, is_enabled=False), days_ago=1)
    miss(make_schedule(make_cluster()), days_ago=1)
    assert titles(people) == []


def test_a_copy_that_stays_past_its_days_needs_a_look_while_it_stays(people, cluster):
    backup = make_backup(cluster, kept_days=1)
    backup.copies.update(stored_at=timezone.now() - timedelta(days=2))
    request_expiries(timezone.now())
    (concern,) = concerns_of(people.viewer, now=timezone.now())
    assert (concern.title, concern.state_label) == ("Original in Oregon", "Kept past its days")
    assert "last proven copy of this cluster" in concern.reason
    make_backup(cluster)
    request_expiries(timezone.now())
    assert titles(people) == []
