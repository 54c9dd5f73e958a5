"""The rules of the product, below the forms: pure functions, services, and what the database itself refuses.

R13 and R14 are proven in tests/unit/pricing, R11 and the rest of R9 and R10 in jobs/test_schedule_services.py and
test_schedule_firing.py, R12 in jobs/test_drops.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection
from django.http import Http404

from accounts.access import find_with
from accounts.errors import PrivilegeMissing
from accounts.models import User
from accounts.privileges import Privilege, ProjectRole
from backups.errors import BackupRefused, StaleBackup
from backups.models import Backup, Copy
from backups.services import complete_copy, record_contents
from backups.states import CopyState, Origin
from clusters.errors import ClusterRefused
from clusters.models import Cluster, Region
from clusters.rules import RegionFacts, check_copy_targets, copy_targets, why_not_backed_up, why_not_copied
from dataplane.errors import StoreUnreachable
from dataplane.exclusions import always_excluded
from dataplane.stores.base import ObjectInfo
from dataplane.stores.local import LocalStore
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.services import cancel_job, request_backup, request_deletion, retry_copy
from jobs.states import JobState, JobType
from tests.builders import (
    AWS_FRANKFURT,
    AZURE_FRANKFURT,
    AZURE_IRELAND,
    FRANKFURT,
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_people,
    make_store,
    make_stores,
    make_user,
    region,
)
from tests.unit.dataplane.builders import all_keys, make_chunk, make_entry, make_manifest
from tests.unit.jobs.world import (
    folder,
    make_due,
    make_stored_backup,
    make_stored_cluster,
    run_next,
    store_made_up_rows,
)

IN_MEMORY = {
    code: RegionFacts(code, provider, name, continent)
    for code, provider, name, continent in [
        (OREGON, "gcp", "Google Cloud", "North America"),
        (VIRGINIA, "gcp", "Google Cloud", "North America"),
        (FRANKFURT, "gcp", "Google Cloud", "Europe"),
        (AWS_FRANKFURT, "aws", "AWS", "Europe"),
        (AZURE_IRELAND, "azure", "Azure", "Europe"),
        (AZURE_FRANKFURT, "azure", "Azure", "Europe"),
    ]
}
needs_database = pytest.mark.django_db


def facts(*codes: str) -> list[RegionFacts]:
    return [IN_MEMORY[code] for code in codes]


def regions(*codes: str) -> list[Region]:
    return [region(code) for code in codes]


def admin_of(backup: Backup) -> User:
    return make_user(project=backup.project, role=ProjectRole.ADMIN)


def nothing_was_written() -> bool:
    return not (Backup.objects.exists() or Copy.objects.exists() or Job.objects.exists())


@pytest.fixture
def cluster(people) -> Cluster:
    """A Dedicated cluster in Oregon whose organization has stores in three regions."""
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT)
    return make_cluster(people.project)


# R1: only Dedicated clusters can be backed up.


@pytest.mark.parametrize(("plan", "advice"), [("free", "Upgrade"), ("serverless", "Migrate")])
def test_r1_free_and_serverless_are_refused_with_what_to_do_instead(plan, advice):
    reason = why_not_backed_up(plan)
    assert reason is not None
    assert advice in reason
    assert "Dedicated" in reason
    assert why_not_copied(plan, "gcp") == reason


def test_r1_dedicated_can_be_backed_up():
    assert why_not_backed_up("dedicated") is None


@needs_database
@pytest.mark.parametrize("plan", ["free", "serverless"])
def test_r1_the_service_refuses_such_a_cluster_and_writes_nothing(people, plan):
    make_stores(people.organization, OREGON)
    with pytest.raises(BackupRefused, match="cannot be backed up"):
        request_backup(user=people.owner, cluster=make_cluster(people.project, plan=plan))
    assert nothing_was_written()


@needs_database
def test_r1_an_automatic_backup_is_refused_too(people):
    make_stores(people.organization, OREGON)
    with pytest.raises(BackupRefused, match="Serverless"):
        request_backup(
            user=None, cluster=make_cluster(people.project, plan="serverless"), origin=Origin.AUTO, kept_days=7
        )
    assert nothing_was_written()


# R2: copies go to other regions of the same provider.


def test_r2_only_other_regions_of_the_same_provider_are_offered():
    offered = copy_targets(IN_MEMORY[OREGON], IN_MEMORY.values())
    assert [target.code for target in offered] == [VIRGINIA, FRANKFURT]


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ([AWS_FRANKFURT], "belongs to AWS, but the cluster runs on Google Cloud"),
        ([VIRGINIA, AZURE_IRELAND], "belongs to Azure"),
        ([OREGON], "own region"),
        ([VIRGINIA, FRANKFURT, VIRGINIA], f"{VIRGINIA} was chosen twice"),
    ],
)
def test_r2_wrong_targets_are_refused_by_name(targets, sentence):
    with pytest.raises(ClusterRefused, match=sentence) as refusal:
        check_copy_targets("dedicated", IN_MEMORY[OREGON], facts(*targets))
    assert refusal.value.field == "regions"


@needs_database
@pytest.mark.parametrize("targets", [[AWS_FRANKFURT], [OREGON], [VIRGINIA, VIRGINIA], [VIRGINIA, AZURE_IRELAND]])
def test_r2_the_service_refuses_wrong_targets_and_writes_nothing(people, cluster, targets):
    make_stores(people.organization, AWS_FRANKFURT, AZURE_IRELAND)
    with pytest.raises(ClusterRefused):
        request_backup(user=people.owner, cluster=cluster, regions=regions(*targets))
    assert nothing_was_written()


@needs_database
def test_r2_the_database_holds_one_copy_per_region():
    backup = make_backup(copies={VIRGINIA: CopyState.PLANNED})
    with pytest.raises(IntegrityError):
        make_copy(backup, VIRGINIA, state=CopyState.PLANNED)


# R3: Azure is backed up, but not copied.


def test_r3_backups_on_azure_cannot_be_copied_even_within_azure():
    assert why_not_copied("dedicated", "azure") is not None
    with pytest.raises(ClusterRefused, match="Azure"):
        check_copy_targets("dedicated", IN_MEMORY[AZURE_IRELAND], facts(AZURE_FRANKFURT))


@needs_database
def test_r3_the_service_takes_a_backup_on_azure_but_refuses_copies_of_it(people):
    make_stores(people.organization, AZURE_IRELAND, AZURE_FRANKFURT)
    cluster = make_cluster(people.project, region=AZURE_IRELAND)
    with pytest.raises(ClusterRefused, match="Clusters on Azure can be backed up, but"):
        request_backup(user=people.owner, cluster=cluster, regions=regions(AZURE_FRANKFURT))
    assert nothing_was_written()
    assert request_backup(user=people.owner, cluster=cluster).state == JobState.PENDING


# R4: who may act, who may look.

MAY_ACT = ["owner", "project_admin", "backup_manager"]
MAY_LOOK_ONLY = ["operator", "viewer"]
MAY_NEITHER = ["cluster_viewer", "billing_admin"]


@needs_database
@pytest.mark.parametrize("who", MAY_ACT)
def test_r4_owner_project_admin_and_the_privilege_may_back_up(people, cluster, who):
    job = request_backup(user=getattr(people, who), cluster=cluster)
    assert job.created_by == getattr(people, who)


@needs_database
@pytest.mark.parametrize("who", [*MAY_LOOK_ONLY, *MAY_NEITHER, "stranger"])
def test_r4_nobody_else_may_and_the_refusal_names_the_privilege(people, cluster, who):
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        request_backup(user=getattr(people, who), cluster=cluster)
    assert nothing_was_written()


@needs_database
@pytest.mark.parametrize("who", [*MAY_ACT, *MAY_LOOK_ONLY])
def test_r4_who_may_look_sees_backups_and_jobs(people, who):
    backup = make_backup(make_cluster(people.project))
    job = make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    assert list(Backup.objects.visible_to(getattr(people, who))) == [backup]
    assert list(Job.objects.visible_to(getattr(people, who))) == [job]


@needs_database
@pytest.mark.parametrize("who", [*MAY_NEITHER, "stranger"])
def test_r4_who_may_not_look_sees_none(people, who):
    backup = make_backup(make_cluster(people.project))
    make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    assert not Backup.objects.visible_to(getattr(people, who)).exists()
    assert not Job.objects.visible_to(getattr(people, who)).exists()


@needs_database
def test_r4_a_stranger_learns_nothing_a_colleague_learns_the_privilege(people):
    backup = make_backup(make_cluster(people.project))
    with pytest.raises(Http404):
        find_with(people.stranger, Privilege.BACKUP_VIEW, Backup.objects.all(), code=backup.code)
    with pytest.raises(PrivilegeMissing, match="backup: view"):
        find_with(people.cluster_viewer, Privilege.BACKUP_VIEW, Backup.objects.all(), code=backup.code)


# R5: what no backup holds.


@needs_database
def test_r5_the_catalogue_keeps_what_was_left_out_and_how_many_shards_there_were():
    backup = make_backup()
    manifest = replace(make_manifest(make_entry([make_chunk(b"rows")], shards=8)), exclusions=always_excluded())
    record_contents(backup, manifest)
    backup.refresh_from_db()
    left_out = " ".join(row["what"] for row in backup.exclusions)
    assert "TTL" in left_out
    assert "db_admin" in left_out
    assert "scaling" in left_out
    assert backup.collections.get().shard_count == 8


# R6 and R7: copies follow the original.


@needs_database
def test_r6_no_copy_job_exists_before_the_original_has_succeeded(people, cluster):
    job = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA, FRANKFURT))
    assert list(Job.objects.all()) == [job]
    assert set(job.backup.copies.values_list("region", "state")) == {
        (OREGON, CopyState.PLANNED),
        (VIRGINIA, CopyState.PLANNED),
        (FRANKFURT, CopyState.PLANNED),
    }


@needs_database
def test_r6_when_the_original_fails_its_copy_jobs_end_as_canceled_with_that_reason(people, cluster, monkeypatch):
    original = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA, FRANKFURT))
    Job.objects.update(max_attempts=1)

    def fail(plan: object, **_: object) -> None:
        raise StoreUnreachable("The disk of Oregon is gone.")

    monkeypatch.setattr("jobs.work.take_backup", fail)
    assert run_next().state == JobState.FAILED
    children = list(original.children.order_by("target_region"))
    assert [child.target_region_id for child in children] == [FRANKFURT, VIRGINIA]
    for child in children:
        assert child.state == JobState.CANCELED
        assert child.reason == "Canceled because the original backup failed: The disk of Oregon is gone."
        assert child.copy.state == CopyState.CANCELED
        assert child.copy.reason == child.reason
    assert not Job.objects.active().exists()
    assert not Copy.objects.planned().exists()


@needs_database
def test_r6_when_the_original_is_canceled_its_copy_jobs_end_as_canceled_with_that_reason(people, cluster):
    original = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA))
    cancel_job(user=people.project_admin, job=original)
    child = original.children.get()
    assert child.state == JobState.CANCELED
    assert child.reason == "Canceled because the original backup was canceled"
    assert not Job.objects.active().exists()
    assert set(original.backup.copies.values_list("state", flat=True)) == {CopyState.CANCELED}


@needs_database
def test_r6_a_copy_cannot_be_tried_again_while_there_is_no_original(people, cluster):
    original = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA))
    cancel_job(user=people.owner, job=original)
    with pytest.raises(JobRefused, match="nothing to copy"):
        retry_copy(user=people.owner, copy=original.children.get().copy)


@needs_database
def test_r7_the_list_shows_the_original_first_and_then_one_more_job_per_region(people, stores_root, monkeypatch):
    cluster = make_stored_cluster(stores_root, regions=[VIRGINIA, FRANKFURT], project=people.project)
    original = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA, FRANKFURT))
    [row] = Job.objects.visible_to(people.owner).for_list()
    assert (row, list(row.children.all())) == (original, [])

    monkeypatch.setattr("jobs.work.take_backup", store_made_up_rows)
    assert run_next().state == JobState.SUCCESSFUL
    [row] = Job.objects.visible_to(people.owner).for_list()
    assert row == original
    assert [(job.type, job.state) for job in row.children.all()] == [(JobType.COPY, JobState.PENDING)] * 2
    assert {job.target_region_id for job in row.children.all()} == {VIRGINIA, FRANKFURT}


# R8 and R9: how long copies are kept.


@needs_database
def test_r8_a_manual_backup_and_its_copies_have_no_end(people, cluster):
    job = request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA))
    assert set(job.backup.copies.values_list("kept_days", flat=True)) == {None}


@needs_database
@pytest.mark.parametrize("retention", [{"kept_days": 7}, {"kept_days_by_region": {VIRGINIA: 7}}])
def test_r8_a_retention_for_a_manual_backup_is_refused(people, cluster, retention):
    with pytest.raises(BackupRefused, match="kept until deleted"):
        request_backup(user=people.owner, cluster=cluster, regions=regions(VIRGINIA), **retention)
    assert nothing_was_written()


@needs_database
def test_r8_the_database_refuses_a_manual_copy_that_expires():
    with pytest.raises(IntegrityError):
        make_copy(make_backup(), VIRGINIA, kept_days=7)


@needs_database
@pytest.mark.parametrize("kept_days", [None, 0])
def test_r9_the_database_refuses_an_automatic_copy_without_a_retention(kept_days):
    with pytest.raises(IntegrityError):
        make_copy(make_backup(), VIRGINIA, origin=Origin.AUTO, kept_days=kept_days)


@needs_database
@pytest.mark.parametrize(
    "retention",
    [{}, {"kept_days_by_region": {VIRGINIA: 3}}, {"kept_days": 7}, {"kept_days": 7, "kept_days_by_region": {}}],
)
def test_r9_an_automatic_backup_needs_a_retention_for_the_original_and_every_region(cluster, retention):
    with pytest.raises(BackupRefused, match="needs a retention"):
        request_backup(user=None, cluster=cluster, origin=Origin.AUTO, regions=regions(VIRGINIA), **retention)
    assert nothing_was_written()


@needs_database
def test_r9_the_retentions_of_original_and_regions_are_independent(cluster):
    job = request_backup(
        user=None,
        cluster=cluster,
        origin=Origin.AUTO,
        regions=regions(VIRGINIA, FRANKFURT),
        kept_days=7,
        kept_days_by_region={VIRGINIA: 1, FRANKFURT: 400},
    )
    kept = dict(job.backup.copies.values_list("region", "kept_days"))
    assert kept == {OREGON: 7, VIRGINIA: 1, FRANKFURT: 400}


# R10: one manual backup at a time.

ACTIVE = [JobState.PENDING, JobState.IN_PROGRESS, JobState.VERIFYING, JobState.CANCELING]
ENDED = [JobState.SUCCESSFUL, JobState.FAILED, JobState.CRASHED, JobState.CANCELED]


@needs_database
@pytest.mark.parametrize("origin", [Origin.MANUAL, Origin.AUTO])
@pytest.mark.parametrize("state", ACTIVE)
def test_r10_a_manual_backup_waits_for_any_other_of_the_cluster(people, cluster, origin, state):
    running = make_job(type=JobType.BACKUP, cluster=cluster, state=state, origin=origin)
    with pytest.raises(JobRefused, match=f"is already pending or running \\({running.code}\\)"):
        request_backup(user=people.owner, cluster=cluster)
    assert Job.objects.get() == running


@needs_database
@pytest.mark.parametrize("state", ENDED)
def test_r10_a_manual_backup_may_follow_one_that_ended(people, cluster, state):
    make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    assert request_backup(user=people.owner, cluster=cluster).state == JobState.PENDING


@needs_database
@pytest.mark.parametrize("origin", [Origin.MANUAL, Origin.AUTO])
def test_r10_an_automatic_backup_runs_even_if_another_one_is_running(cluster, origin):
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS, origin=origin)
    job = request_backup(user=None, cluster=cluster, origin=Origin.AUTO, kept_days=7)
    assert job.state == JobState.PENDING


@needs_database
def test_r10_another_cluster_and_a_running_copy_are_no_hindrance(people, cluster):
    make_job(type=JobType.BACKUP, cluster=make_cluster(people.project), state=JobState.IN_PROGRESS)
    make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.TRANSFERRING), state=JobState.IN_PROGRESS)
    assert request_backup(user=people.owner, cluster=cluster).state == JobState.PENDING


@needs_database
def test_r10_the_database_itself_refuses_a_second_active_manual_backup(cluster):
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    make_job(type=JobType.BACKUP, cluster=cluster, origin=Origin.AUTO)
    with pytest.raises(IntegrityError):
        make_job(type=JobType.BACKUP, cluster=cluster)


def test_r10_of_two_requests_at_once_one_wins_and_the_other_hears_why(committed):
    people = make_people()
    make_store(people.organization, OREGON)
    cluster = make_cluster(people.project)
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            together.wait()
            request_backup(user=people.owner, cluster=cluster)
            outcomes.append("queued")
        except JobRefused as refusal:
            outcomes.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refusal, queued = sorted(outcomes)
    assert queued == "queued"
    assert "is already" in refusal
    assert Job.objects.count() == Backup.objects.count() == 1


# R15: available means proven.


@needs_database
@pytest.mark.parametrize("missing", ["verified_at", "stored_at", "size_bytes"])
def test_r15_the_database_refuses_an_available_copy_without_proof(missing):
    backup = make_backup()
    with pytest.raises(IntegrityError):
        make_copy(backup, VIRGINIA, state=CopyState.AVAILABLE, **{missing: None})


@needs_database
@pytest.mark.parametrize("state", [CopyState.PLANNED, CopyState.TRANSFERRING, CopyState.FAILED])
def test_r15_the_service_completes_only_a_copy_that_is_being_verified(state):
    copy = make_copy(state=state)
    with pytest.raises(StaleBackup):
        complete_copy(copy, size_bytes=1)
    copy.refresh_from_db()
    assert (copy.state, copy.verified_at) == (state, None)


@needs_database
def test_r15_a_verified_copy_knows_when_it_was_proven():
    copy = make_copy(state=CopyState.VERIFYING)
    complete_copy(copy, size_bytes=5)
    assert copy.state == CopyState.AVAILABLE
    assert copy.verified_at is not None
    assert copy.size_bytes == 5


@needs_database
def test_r15_a_target_that_gives_back_other_bytes_never_has_an_available_copy(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    Job.objects.update(max_attempts=2)
    read = LocalStore.read

    def read_damaged(store: LocalStore, key: str) -> Iterator[bytes]:
        is_chunk_in_virginia = store.root.name == VIRGINIA and key.endswith(".parquet")
        return (piece[::-1] for piece in read(store, key)) if is_chunk_in_virginia else read(store, key)

    monkeypatch.setattr(LocalStore, "read", read_damaged)
    for expected in (JobState.PENDING, JobState.FAILED):
        assert run_next().state == expected
        assert not Copy.objects.available().filter(region=VIRGINIA).exists()
        make_due()
    copy = Copy.objects.get(region=VIRGINIA)
    assert copy.state == CopyState.FAILED
    assert copy.verified_at is None
    assert "5 of 6 objects damaged" in copy.reason


@needs_database
def test_r15_a_failed_copy_does_not_hide_behind_the_green_backup(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    (stores_root / VIRGINIA).rmdir()
    Job.objects.update(max_attempts=1)
    assert {run_next().state, run_next().state} == {JobState.FAILED, JobState.SUCCESSFUL}
    backup.refresh_from_db()
    assert backup.state == "available"
    states = dict(backup.copies.values_list("region", "state"))
    assert states == {OREGON: CopyState.AVAILABLE, VIRGINIA: CopyState.FAILED, FRANKFURT: CopyState.AVAILABLE}


# R16: absence is proven, never inferred from an error.


@needs_database
def test_r16_a_store_that_cannot_be_listed_loses_nothing_and_the_row_stays(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root)
    request_deletion(user=admin_of(backup), backup=backup)
    Job.objects.active().update(max_attempts=2)
    before = all_keys(folder(stores_root, OREGON))

    def fail(store: LocalStore, prefix: str) -> Iterator[ObjectInfo]:
        raise StoreUnreachable("Oregon does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "list", fail)
        assert run_next().state == JobState.PENDING
        make_due()
        job = run_next()
    assert (job.state, job.reason) == (JobState.FAILED, "Oregon does not answer.")
    copy = backup.copies.get()
    assert (copy.state, copy.deleted_at) == (CopyState.DELETING, None)
    backup.refresh_from_db()
    assert backup.state == "available"
    assert all_keys(folder(stores_root, OREGON)) == before

    request_deletion(user=admin_of(backup), backup=backup)
    assert run_next().state == JobState.SUCCESSFUL
    backup.refresh_from_db()
    assert (backup.state, backup.copies.get().state) == ("deleted", CopyState.DELETED)
    assert all_keys(folder(stores_root, OREGON)) == []


@needs_database
def test_r16_a_folder_that_is_gone_is_no_empty_store(stores_root):
    backup = make_stored_backup(stores_root)
    request_deletion(user=admin_of(backup), backup=backup)
    (stores_root / OREGON).rename(stores_root / "unmounted")
    Job.objects.active().update(max_attempts=1)
    assert run_next().state == JobState.FAILED
    assert backup.copies.get().state == CopyState.DELETING
    assert all_keys(folder(stores_root, "unmounted")) != []


@needs_database
def test_r16_the_backup_is_closed_only_with_its_last_copy(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    request_deletion(user=admin_of(backup), backup=backup)
    (stores_root / VIRGINIA).rename(stores_root / "unmounted")
    Job.objects.active().update(max_attempts=1)
    assert {run_next().state, run_next().state} == {JobState.FAILED, JobState.SUCCESSFUL}
    backup.refresh_from_db()
    assert backup.state == "available"
    assert dict(backup.copies.values_list("region", "state")) == {
        OREGON: CopyState.DELETED,
        VIRGINIA: CopyState.DELETING,
    }
