"""Making, changing and ending schedules: what the services do and refuse, whatever form it came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.errors import PrivilegeMissing, Refused
from accounts.models import Organization
from backups.models import Copy
from backups.states import CopyState, Origin
from clusters.models import Cluster
from jobs.errors import JobRefused
from jobs.models import Job, Schedule, ScheduledRun, ScheduleTarget
from jobs.retention import earlier_ends
from jobs.schedule_services import ScheduleRequest, create_schedule, delete_schedule, set_enabled, update_schedule
from jobs.schedule_states import RunCause, RunState, ScheduleKind
from jobs.schedules import due_times
from jobs.states import JobState, JobType
from tests.builders import (
    AWS_FRANKFURT,
    AZURE_FRANKFURT,
    AZURE_IRELAND,
    FRANKFURT,
    OREGON,
    TOKYO,
    VIRGINIA,
    all_rows,
    make_backup,
    make_cluster,
    make_job,
    make_schedule,
    make_stores,
)

pytestmark = pytest.mark.django_db

NIGHTLY = ScheduleRequest(
    name="nightly",
    kind=ScheduleKind.BASIC,
    time_zone="Europe/Berlin",
    kept_days=7,
    days=frozenset(range(1, 8)),
    window_start=time(1),
    kept_days_by_region={VIRGINIA: 3, FRANKFURT: 30},
)
HOURLY = replace(NIGHTLY, name="hourly", kind=ScheduleKind.CRON, cron=" 0  * * * *", kept_days_by_region={})


@pytest.fixture
def cluster(people) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT, AWS_FRANKFURT, AZURE_IRELAND, AZURE_FRANKFURT)
    return make_cluster(people.project, name="docs-search")


def make_copies_of(schedule: Schedule, *, kept_days: int = 7, stored_days_ago: int = 5) -> dict[str, Copy]:
    """The copies of a backup that `schedule` made: the original, and one in Virginia."""
    backup = make_backup(schedule.cluster, kept_days=kept_days, copies={VIRGINIA: CopyState.AVAILABLE})
    make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL, schedule=schedule)
    backup.copies.update(stored_at=timezone.now() - timedelta(days=stored_days_ago))
    return {copy.region_id: copy for copy in backup.copies.all()}


def test_an_enabled_schedule_makes_one_backup_at_once_and_then_waits_for_its_time(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    run = ScheduledRun.objects.get()
    assert (run.schedule, run.cause, run.state) == (schedule, RunCause.ENABLED, RunState.STARTED)
    assert run.job == Job.objects.get()
    assert (run.job.type, run.job.state, run.job.origin) == (JobType.BACKUP, JobState.PENDING, Origin.AUTO)
    assert run.job.schedule == schedule
    kept = dict(run.job.backup.copies.values_list("region", "kept_days"))
    assert kept == {OREGON: 7, VIRGINIA: 3, FRANKFURT: 30}
    assert schedule.next_due_at == due_times(schedule.rule, run.due_at, 1)[0]


def test_a_schedule_that_is_off_makes_nothing_until_it_is_switched_on(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY, is_enabled=False)
    assert (schedule.next_due_at, Job.objects.count()) == (None, 0)
    run = set_enabled(user=people.project_admin, schedule=schedule, is_enabled=True)
    assert run is not None
    assert run.job == Job.objects.get()
    schedule.refresh_from_db()
    assert schedule.is_enabled
    assert schedule.next_due_at is not None


def test_switching_on_twice_makes_one_backup(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    assert set_enabled(user=people.project_admin, schedule=schedule, is_enabled=True) is None
    assert Job.objects.count() == 1


def test_switching_off_and_on_while_its_backup_runs_makes_no_second_one(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    set_enabled(user=people.project_admin, schedule=schedule, is_enabled=False)
    schedule.refresh_from_db()
    assert (schedule.is_enabled, schedule.next_due_at) == (False, None)
    assert set_enabled(user=people.project_admin, schedule=schedule, is_enabled=True) is None
    assert Job.objects.count() == 1
    schedule.refresh_from_db()
    assert schedule.is_enabled


def test_switching_on_makes_a_backup_although_a_manual_one_runs(people, cluster):
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    assert Job.objects.get(run__schedule=schedule).is_active


def test_a_cluster_has_as_many_schedules_as_one_likes_of_different_names(people, cluster):
    for request in (NIGHTLY, HOURLY):
        create_schedule(user=people.project_admin, cluster=cluster, request=request, is_enabled=False)
    assert set(cluster.schedules.values_list("name", "cron")) == {("nightly", ""), ("hourly", "0 * * * *")}
    with pytest.raises(JobRefused, match="already has a schedule called nightly") as caught:
        create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "  "}, "name", "a name of 1 to 80"),
        ({"name": "x" * 81}, "name", "a name of 1 to 80"),
        ({"days": frozenset()}, "days", "at least one day"),
        ({"window_start": None}, "window_start", "when the window begins"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "no time zone called Mars"),
        ({"kind": ScheduleKind.CRON, "cron": "61 * * * *"}, "cron", "bad minute"),
        ({"collections": []}, "collections", "at least one collection"),
        ({"collections": [("default", "docs")] * 2}, "collections", "chosen twice"),
        ({"kept_days": 0}, "kept_days", "1 to 30 days, not 0"),
        ({"kept_days": 31}, "kept_days", "1 to 30 days, not 31"),
        ({"kept_days_by_region": {VIRGINIA: 31}}, f"kept-{VIRGINIA}", "1 to 30 days"),
        ({"kept_days_by_region": {OREGON: 7}}, "regions", "own region"),
        ({"kept_days_by_region": {AWS_FRANKFURT: 7}}, "regions", "belongs to AWS"),
        ({"kept_days_by_region": {TOKYO: 7}}, "regions", "No store is set up for"),
        ({"kept_days_by_region": {"gcp-mars-north1": 7}}, "regions", "no region called gcp-mars"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_writes_nothing(people, cluster, changes, field, words):
    existing = make_schedule(cluster)
    before = all_rows()
    request = replace(NIGHTLY, **changes)
    for ask in (
        lambda: create_schedule(user=people.project_admin, cluster=cluster, request=request),
        lambda: update_schedule(user=people.project_admin, schedule=existing, request=request),
    ):
        with pytest.raises(Refused, match=r".") as caught:
            ask()
        assert caught.value.field == field
        assert words in str(caught.value)
    assert all_rows() == before


@pytest.mark.parametrize(("plan", "words"), [("free", "Free clusters cannot"), ("serverless", "Serverless clusters")])
def test_r1_no_schedule_for_a_cluster_without_backups(people, plan, words):
    cluster = make_cluster(people.project, plan=plan)
    with pytest.raises(JobRefused, match=words):
        create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)


def test_r3_on_azure_a_schedule_makes_no_copies(people, cluster):
    azure = make_cluster(people.project, region=AZURE_IRELAND)
    with pytest.raises(Refused, match="cannot be copied"):
        create_schedule(
            user=people.project_admin, cluster=azure, request=replace(NIGHTLY, kept_days_by_region={AZURE_FRANKFURT: 1})
        )
    create_schedule(user=people.project_admin, cluster=azure, request=replace(NIGHTLY, kept_days_by_region={}))


def test_r9_the_organization_says_how_long_is_too_long(people, cluster):
    Organization.objects.filter(pk=people.organization.pk).update(max_retention_days=90)
    request = replace(NIGHTLY, kept_days=90, kept_days_by_region={VIRGINIA: 90})
    create_schedule(user=people.project_admin, cluster=cluster, request=request, is_enabled=False)
    with pytest.raises(JobRefused, match="1 to 90 days, not 91"):
        create_schedule(user=people.project_admin, cluster=cluster, request=replace(request, kept_days=91))


def test_r9_the_database_refuses_a_schedule_or_a_target_without_retention(cluster):
    schedule = make_schedule(cluster, targets={VIRGINIA: 3})
    for rows in (Schedule.objects.filter(pk=schedule.pk), ScheduleTarget.objects.filter(schedule=schedule)):
        for kept_days in (0, None):
            with pytest.raises(IntegrityError):
                _update_alone(rows, kept_days=kept_days)


def _update_alone(rows, **changes) -> None:
    from django.db import transaction

    with transaction.atomic():
        rows.update(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"is_enabled": False},
        {"next_due_at": None},
        {"kind": ScheduleKind.CRON},
        {"cron": "* * * * *"},
        {"days": ""},
        {"window_start": None},
    ],
)
def test_the_database_refuses_a_schedule_that_is_neither_one_thing_nor_the_other(cluster, changes):
    schedule = make_schedule(cluster)
    with pytest.raises(IntegrityError):
        _update_alone(Schedule.objects.filter(pk=schedule.pk), **changes)


@pytest.mark.parametrize("who", ["viewer", "operator", "cluster_viewer", "stranger"])
def test_r4_nobody_without_the_privilege_changes_a_schedule(people, cluster, who):
    schedule, user = make_schedule(cluster), getattr(people, who)
    before = all_rows()
    for ask in (
        lambda: create_schedule(user=user, cluster=cluster, request=NIGHTLY),
        lambda: update_schedule(user=user, schedule=schedule, request=NIGHTLY),
        lambda: set_enabled(user=user, schedule=schedule, is_enabled=False),
        lambda: delete_schedule(user=user, schedule=schedule),
    ):
        with pytest.raises(PrivilegeMissing, match="backup: manage"):
            ask()
    assert all_rows() == before


def test_a_changed_time_is_the_next_one_and_an_unchanged_one_that_has_come_is_not_lost(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    has_come = timezone.now() - timedelta(seconds=1)
    Schedule.objects.update(next_due_at=has_come)
    schedule.refresh_from_db()
    update_schedule(user=people.project_admin, schedule=schedule, request=replace(NIGHTLY, name="every night"))
    schedule.refresh_from_db()
    assert (schedule.name, schedule.next_due_at) == ("every night", has_come)
    update_schedule(user=people.project_admin, schedule=schedule, request=HOURLY)
    schedule.refresh_from_db()
    assert schedule.next_due_at == due_times(schedule.rule, timezone.now(), 1)[0]
    assert list(schedule.targets.all()) == []


def test_a_shorter_retention_lists_what_ends_earlier_and_needs_a_yes(people, cluster):
    schedule = make_schedule(cluster, targets={VIRGINIA: 7})
    copies = make_copies_of(schedule)
    shorter = replace(NIGHTLY, kept_days=7, kept_days_by_region={VIRGINIA: 2})
    before = all_rows()
    with pytest.raises(JobRefused, match="would end 1 copy earlier") as caught:
        update_schedule(user=people.project_admin, schedule=schedule, request=shorter)
    assert caught.value.field == "accepts_earlier_ends"
    assert all_rows() == before
    (end,) = earlier_ends(schedule, kept_days=7, kept_days_by_region={VIRGINIA: 2})
    stored_at = copies[VIRGINIA].stored_at
    assert stored_at is not None
    assert end.copy == copies[VIRGINIA]
    assert (end.before - stored_at, end.after - stored_at) == (timedelta(days=7), timedelta(days=2))

    update_schedule(user=people.project_admin, schedule=schedule, request=shorter, accepts_earlier_ends=True)
    assert dict(Copy.objects.values_list("region", "kept_days")) == {OREGON: 7, VIRGINIA: 2}


def test_a_longer_retention_keeps_what_was_made_longer_and_needs_no_yes(people, cluster):
    schedule = make_schedule(cluster, targets={VIRGINIA: 7})
    make_copies_of(schedule)
    other = make_copies_of(make_schedule(cluster))
    update_schedule(
        user=people.project_admin,
        schedule=schedule,
        request=replace(NIGHTLY, kept_days=20, kept_days_by_region={VIRGINIA: 9}),
    )
    mine = Copy.objects.exclude(pk__in=[copy.pk for copy in other.values()])
    assert dict(mine.values_list("region", "kept_days")) == {OREGON: 20, VIRGINIA: 9}
    assert {copy.kept_days for copy in Copy.objects.filter(pk__in=[copy.pk for copy in other.values()])} == {7}


def test_a_region_that_is_no_target_any_more_keeps_its_copies_as_long_as_before(people, cluster):
    schedule = make_schedule(cluster, targets={VIRGINIA: 7})
    make_copies_of(schedule)
    request = replace(NIGHTLY, kept_days_by_region={})
    update_schedule(user=people.project_admin, schedule=schedule, request=request)
    assert Copy.objects.get(region=VIRGINIA).kept_days == 7


def test_deleting_a_schedule_keeps_its_backups_their_jobs_and_their_retention(people, cluster):
    schedule = create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    make_copies_of(schedule)
    before = all_rows()
    delete_schedule(user=people.project_admin, schedule=schedule)
    after = all_rows()
    assert (Schedule.objects.count(), ScheduledRun.objects.count()) == (0, 0)
    assert after["Copy"] == before["Copy"]
    assert after["Backup"] == before["Backup"]
    assert after["Job"] == [row | {"schedule_id": None} for row in before["Job"]]


def test_nothing_is_scheduled_for_a_dropped_cluster(people, cluster):
    schedule = make_schedule(cluster, is_enabled=False)
    Cluster.objects.update(dropped_at=timezone.now())
    with pytest.raises(JobRefused, match="was dropped"):
        create_schedule(user=people.project_admin, cluster=cluster, request=NIGHTLY)
    with pytest.raises(JobRefused, match="was dropped"):
        set_enabled(user=people.project_admin, schedule=schedule, is_enabled=True)


def test_a_schedule_whose_time_zone_is_gone_can_be_given_another(people, cluster):
    schedule = make_schedule(cluster, time_zone="Europe/Atlantis")
    update_schedule(user=people.owner, schedule=schedule, request=NIGHTLY)
    schedule.refresh_from_db()
    assert schedule.next_due_at == due_times(schedule.rule, timezone.now(), 1)[0]


def test_why_a_schedule_is_off_is_written_down(people, cluster):
    schedule = create_schedule(user=people.owner, cluster=cluster, request=NIGHTLY, is_enabled=False)
    assert schedule.off_reason == f"{people.owner} made it switched off, and nobody has switched it on since."
    set_enabled(user=people.owner, schedule=schedule, is_enabled=True)
    schedule.refresh_from_db()
    assert schedule.off_reason == ""
    set_enabled(user=people.project_admin, schedule=schedule, is_enabled=False)
    schedule.refresh_from_db()
    assert schedule.off_reason.startswith(f"Switched off by {people.project_admin}, 20")


def test_deleting_a_schedule_that_is_gone_is_refused(people, cluster):
    schedule = make_schedule(cluster)
    delete_schedule(user=people.owner, schedule=Schedule.objects.get())
    for act in (
        lambda: delete_schedule(user=people.owner, schedule=schedule),
        lambda: set_enabled(user=people.owner, schedule=schedule, is_enabled=False),
        lambda: update_schedule(user=people.owner, schedule=schedule, request=NIGHTLY),
    ):
        with pytest.raises(JobRefused, match="has just been deleted"):
            act()
