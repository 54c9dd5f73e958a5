"""Asking for checks and repairs: who may, what can be had, and the words in which it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.errors import PrivilegeMissing
from backups.models import Copy
from backups.states import CopyState
from clusters.models import Cluster
from jobs.check_services import request_repair, request_verification
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.services import cancel_job, retry_copy
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, VIRGINIA, all_rows, make_backup, make_cluster, make_copy, make_job

pytestmark = pytest.mark.django_db

REQUESTS: dict[str, Callable[[Any, Copy], Job]] = {
    "check": lambda user, copy: request_verification(user=user, copy=copy),
    "repair": lambda user, copy: request_repair(user=user, copy=copy),
}


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


def damaged(cluster: Cluster) -> Copy:
    return make_copy(make_backup(cluster), FRANKFURT, state=CopyState.DAMAGED)


@pytest.mark.parametrize("depth", ["full", "quick"])
def test_a_check_is_queued_with_its_depth_and_leaves_the_copy_usable(people, cluster, depth):
    copy = make_copy(make_backup(cluster), FRANKFURT)
    job = request_verification(user=people.backup_manager, copy=copy, depth=depth)
    assert (job.type, job.copy, job.target_region_id) == (JobType.VERIFY, copy, FRANKFURT)
    assert (job.parameters, job.created_by) == ({"depth": depth}, people.backup_manager)
    assert [event.to_state for event in job.events.all()] == [JobState.PENDING]
    assert Copy.objects.get(pk=copy.pk).state == CopyState.AVAILABLE


def test_a_depth_that_does_not_exist_is_refused(people, cluster):
    with pytest.raises(JobRefused, match="no check called thorough"):
        request_verification(user=people.owner, copy=damaged(cluster), depth="thorough")  # type: ignore[arg-type]


@pytest.mark.parametrize("state", sorted(set(CopyState) - {CopyState.AVAILABLE, CopyState.DAMAGED}))
def test_only_what_has_arrived_can_be_checked(people, cluster, state):
    copy = make_copy(make_backup(cluster), FRANKFURT, state=state)
    before = all_rows()
    with pytest.raises(JobRefused, match="There is nothing to check: the copy is"):
        request_verification(user=people.owner, copy=copy)
    assert all_rows() == before


@pytest.mark.parametrize("state", sorted(set(CopyState) - {CopyState.DAMAGED}))
def test_only_a_damaged_copy_is_repaired(people, cluster, state):
    copy = make_copy(make_backup(cluster), FRANKFURT, state=state)
    with pytest.raises(JobRefused, match="Only a damaged copy is repaired"):
        request_repair(user=people.owner, copy=copy)


def test_a_copy_that_no_other_region_could_mend_is_not_repaired(people, cluster):
    copy = make_backup(cluster, original_state=CopyState.DAMAGED).copies.get()
    make_copy(make_backup(), VIRGINIA)  # of another cluster: nothing in it belongs to this one
    with pytest.raises(JobRefused, match="No other region holds anything of this cluster"):
        request_repair(user=people.owner, copy=copy)
    make_copy(make_backup(cluster), VIRGINIA)
    assert request_repair(user=people.owner, copy=copy).type == JobType.REPAIR


@pytest.mark.parametrize("name", REQUESTS)
def test_one_job_at_a_time_works_on_a_copy(people, cluster, name):
    copy = damaged(cluster)
    REQUESTS[name](people.owner, copy)
    before = all_rows()
    for again in REQUESTS.values():
        with pytest.raises(JobRefused, match=r"Another job works on this copy: .* in Frankfurt, pending"):
            again(people.owner, copy)
    assert all_rows() == before


def test_a_copy_that_is_being_checked_is_not_made_again(people, cluster):
    copy = damaged(cluster)
    request_verification(user=people.owner, copy=copy)
    before = all_rows()
    with pytest.raises(JobRefused, match="Another job works on this copy: Check copy in Frankfurt"):
        retry_copy(user=people.owner, copy=copy)
    assert all_rows() == before


def test_a_restore_reads_a_copy_while_it_is_checked(people, cluster):
    copy = make_copy(make_backup(cluster), FRANKFURT)
    make_job(copy, type=JobType.RESTORE, state=JobState.IN_PROGRESS)
    assert request_verification(user=people.owner, copy=copy).type == JobType.VERIFY


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("state", [JobState.PENDING, JobState.IN_PROGRESS])
def test_a_canceled_check_or_repair_leaves_the_copy_as_it_was(people, cluster, name, state):
    copy = damaged(cluster)
    job = REQUESTS[name](people.owner, copy)
    before = Copy.objects.filter(pk=copy.pk).values().get()
    if state == JobState.IN_PROGRESS:
        job = make_job(
            copy=make_copy(make_backup(cluster), VIRGINIA, state=CopyState.DAMAGED), type=job.type, state=state
        )
    cancel_job(user=people.owner, job=job)
    assert job.state == (JobState.CANCELED if state == JobState.PENDING else JobState.CANCELING)
    assert Copy.objects.filter(pk=copy.pk).values().get() == before


@pytest.mark.parametrize("who", ["operator", "viewer", "cluster_viewer", "billing_admin", "stranger"])
@pytest.mark.parametrize("name", REQUESTS)
def test_without_the_privilege_nothing_happens(people, cluster, name, who):
    copy = damaged(cluster)
    before = all_rows()
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        REQUESTS[name](getattr(people, who), copy)
    assert all_rows() == before
