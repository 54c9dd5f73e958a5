"""Copying a backup that exists to more regions."""

from __future__ import annotations

import pytest

from accounts.errors import PrivilegeMissing, Refused
from backups.models import Copy
from backups.states import CopyState, Origin
from clusters.models import Region
from jobs.models import Job
from jobs.services import request_copies
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_cluster, make_job, make_stores

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people, stores_root):
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT, root=stores_root)
    return make_cluster(people.project, name="docs")


def ask(people, backup, *codes, user=None, **kept) -> list[Job]:
    regions = [Region.objects.get(code=code) for code in codes]
    days = dict.fromkeys(codes, kept["days"]) if "days" in kept else None
    return request_copies(user=user or people.owner, backup=backup, regions=regions, kept_days_by_region=days)


def test_each_region_gets_a_planned_copy_and_a_job_under_the_original(people, cluster):
    backup = make_backup(cluster)
    original = make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    jobs = ask(people, backup, VIRGINIA, FRANKFURT)
    assert [(job.type, job.state, job.parent) for job in jobs] == [(JobType.COPY, JobState.PENDING, original)] * 2
    copies = backup.copies.filter(is_original=False)
    assert {(copy.region_id, copy.state, copy.kept_days) for copy in copies} == {
        (VIRGINIA, CopyState.PLANNED, None),
        (FRANKFURT, CopyState.PLANNED, None),
    }


def test_a_copy_of_an_automatic_backup_is_kept_for_its_days(people, cluster):
    backup = make_backup(cluster, kept_days=7)
    ask(people, backup, VIRGINIA, days=3)
    copy = backup.copies.get(region=VIRGINIA)
    assert (copy.kept_days, copy.origin) == (3, Origin.AUTO)


@pytest.mark.parametrize(("kept", "codes"), [({}, [VIRGINIA]), ({"days": 0}, [VIRGINIA]), ({"days": 31}, [VIRGINIA])])
def test_r9_an_automatic_backup_needs_days_within_the_limit(people, cluster, kept, codes):
    with pytest.raises(Refused):
        ask(people, make_backup(cluster, kept_days=7), *codes, **kept)


def test_r8_a_copy_of_a_manual_backup_has_no_end(people, cluster):
    with pytest.raises(Refused, match="kept until deleted"):
        ask(people, make_backup(cluster), VIRGINIA, days=3)


@pytest.mark.parametrize("codes", [[], [OREGON], ["aws-us-east-1"], [VIRGINIA, VIRGINIA], ["gcp-asia-southeast1"]])
def test_r2_regions_that_cannot_be_or_have_no_store_are_refused(people, cluster, codes):
    backup = make_backup(cluster)
    with pytest.raises(Refused):
        ask(people, backup, *codes)
    assert backup.copies.count() == 1
    assert not Job.objects.exists()


@pytest.mark.parametrize("state", [CopyState.AVAILABLE, CopyState.FAILED, CopyState.DELETED])
def test_a_region_that_has_a_copy_is_refused_in_words(people, cluster, state):
    backup = make_backup(cluster, copies={VIRGINIA: state})
    with pytest.raises(Refused, match=f"already; it is {state}"):
        ask(people, backup, VIRGINIA)


def test_a_backup_of_which_nothing_is_left_has_nothing_to_copy(people, cluster):
    backup = make_backup(cluster, original_state=CopyState.DELETING)
    with pytest.raises(Refused, match="nothing to copy from"):
        ask(people, backup, VIRGINIA)


def test_asked_twice_one_copy_is_made(people, cluster):
    backup = make_backup(cluster)
    ask(people, backup, VIRGINIA)
    with pytest.raises(Refused, match="planned"):
        ask(people, backup, VIRGINIA)
    assert Copy.objects.filter(region=VIRGINIA).count() == 1


def test_r4_it_takes_the_privilege(people, cluster):
    with pytest.raises(PrivilegeMissing):
        ask(people, make_backup(cluster), VIRGINIA, user=people.viewer)
