"""Jobs, daily usage and quotes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.privileges import Privilege
from backups.models import Copy
from backups.states import CopyState
from jobs.metering import catch_up
from jobs.models import Job
from jobs.states import FINAL, HELD, JobState, JobType
from tests.builders import OREGON, VIRGINIA, make_backup, make_job

pytestmark = pytest.mark.django_db

SHOWN = {
    JobState.PENDING: "PENDING",
    JobState.IN_PROGRESS: "IN_PROGRESS",
    JobState.VERIFYING: "IN_PROGRESS",
    JobState.CANCELING: "CANCELING",
    JobState.SUCCESSFUL: "SUCCESSFUL",
    JobState.FAILED: "FAILED",
    JobState.CRASHED: "FAILED",
    JobState.CANCELED: "CANCELED",
}


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_a_word_that_clients_know(owner, backup, state):
    job = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=state, reason="It was so.")
    told = owner.ask("GET", f"/jobs/{job.code}")
    assert told["status"] == SHOWN[state]
    assert told["reason"] == "It was so."
    assert (told["endTime"] is not None) == (state in FINAL)
    assert [row["jobId"] for row in owner.ask("GET", "/backupsite/jobs", status=SHOWN[state])["jobs"]] == [job.code]
    assert state in HELD or told["progress"] in {"0", "100"}


def test_a_job_of_nobody_has_its_code(owner):
    assert owner.refusal("GET", "/jobs/job-nobody")[:2] == (404, 96026)


def test_jobs_are_listed_by_cluster_newest_first(owner, cluster, backup):
    first = make_job(backup.copies.get(is_original=True), state=JobState.SUCCESSFUL)
    second = make_job(backup.copies.get(is_original=False), state=JobState.FAILED)
    found = owner.ask("GET", "/backupsite/jobs", clusterId=cluster.code)
    assert [row["jobId"] for row in found["jobs"]] == [second.code, first.code]
    assert owner.ask("GET", "/backupsite/jobs", clusterId="in01-0")["count"] == 0


def test_a_waiting_job_is_canceled_and_an_ended_one_is_not(owner, backup):
    job = make_job(backup.copies.get(is_original=False), type=JobType.COPY, state=JobState.PENDING)
    Copy.objects.filter(pk=job.copy_id).update(state=CopyState.PLANNED, verified_at=None)
    assert owner.ask("POST", f"/backupsite/jobs/{job.code}/cancel", {})["status"] == "CANCELED"
    assert owner.refusal("POST", f"/backupsite/jobs/{job.code}/cancel", {})[0] == 400


def test_a_failed_copy_is_made_again_and_nothing_else_is(owner, cluster):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    failed = make_job(backup.copies.get(region=VIRGINIA), type=JobType.COPY, state=JobState.FAILED)
    again = owner.ask("POST", f"/backupsite/jobs/{failed.code}/retry", {})
    assert Job.objects.get(code=again["jobId"]).copy_id == failed.copy_id
    assert owner.refusal("POST", f"/backupsite/jobs/{original.code}/retry", {})[0] == 400


def test_a_copy_is_verified_where_one_is(owner, cluster, backup):
    url = f"/backupsite/clusters/{cluster.code}/backups/{backup.code}/verify"
    full = owner.ask("POST", url, {"regionId": VIRGINIA})
    quick = owner.ask("POST", url, {"depth": "quick"})
    jobs = {job.code: job for job in Job.objects.filter(type=JobType.VERIFY)}
    assert (jobs[full["jobId"]].target_region_id, jobs[full["jobId"]].parameters["depth"]) == (VIRGINIA, "full")
    assert (jobs[quick["jobId"]].target_region_id, jobs[quick["jobId"]].parameters["depth"]) == (OREGON, "quick")
    assert owner.refusal("POST", url, {"regionId": "moon-1"})[:2] == (404, 96001)
    assert owner.refusal("POST", url, {"regionId": VIRGINIA})[0] == 400


STORED = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def stored(backup):
    Copy.objects.update(stored_at=STORED, size_bytes=30 * 10**9)
    Copy.objects.filter(is_original=False).update(sent_bytes=30 * 10**9, source_region=OREGON)
    # Deleted in the evening of the next day: both days were begun.
    Copy.objects.update(state=CopyState.DELETED, deleted_at=STORED + timedelta(days=1, hours=9))
    catch_up(STORED + timedelta(days=2))
    return backup


def test_daily_usage_adds_up(owner, stored):
    usage = owner.ask("POST", "/usage/query", {"start": "2026-03-01", "end": "2026-04-01"})
    assert [day["intervalStart"] for day in usage["results"]] == ["2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"]
    assert [day["total"] for day in usage["results"]] == pytest.approx([0.64, 0.04])
    assert usage["total"] == pytest.approx(0.68)
    assert usage["totals"] == [{"amount": pytest.approx(0.68), "currency": "USD"}]
    items = usage["results"][0]["items"]
    assert {item["costType"] for item in items} == {"backup", "backup_transfer"}
    assert sum(item["amount"] for item in items) == pytest.approx(0.64)
    moments = owner.ask("POST", "/usage/query", {"start": "2026-03-10T00:00:00Z", "end": "2026-03-10T23:59:59Z"})
    assert len(moments["results"]) == 1


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("yesterday", "2026-04-01", 96007),
        ("2026-03-01", "2026-13-01", 96007),
        ("2026-03-01", "2026-03-01T10:00:00", 96007),
        ("0001-01-01", "0001-01-02", 96007),
        ("2026-03-02", "2026-03-01", 96035),
        ("2026-01-01", "2026-12-01", 96035),
    ],
)
def test_a_range_that_is_none_has_its_code(owner, start, end, code):
    assert owner.refusal("POST", "/usage/query", {"start": start, "end": end})[:2] == (400, code)


def test_usage_is_for_those_who_may_see_bills(call, people, stored):
    body = {"start": "2026-03-01", "end": "2026-04-01"}
    assert call(people.viewer).refusal("POST", "/usage/query", body)[:2] == (403, 96015)
    assert call(people.billing_admin).ask("POST", "/usage/query", body)["total"] == pytest.approx(0.68)
    assert call(people.owner, Privilege.BACKUP_MANAGE).refusal("POST", "/usage/query", body)[0] == 403


def test_r14_a_quote_of_the_seeds_example(owner):
    body = {
        "sizeBytes": 20 * 10**9,
        "regionId": "gcp-us-west1",
        "targetRegionIds": ["gcp-us-east4", "gcp-europe-west3"],
        "days": 30,
    }
    quote = owner.ask("POST", "/backupsite/quote", body)
    assert (quote["storage"], quote["transfer"], quote["total"]) == pytest.approx((0.8, 2.0, 2.8))
    assert quote["isComplete"] is True
    unknown = owner.ask(
        "POST", "/backupsite/quote", body | {"regionId": "aws-us-east-1", "targetRegionIds": ["aws-us-west-2"]}
    )
    assert unknown["isComplete"] is False
    assert unknown["missing"]


@pytest.mark.parametrize(
    "changes",
    [
        {"regionId": "moon-1"},
        {"targetRegionIds": ["moon-1"]},
        {"targetRegionIds": ["gcp-us-west1"]},
        {"targetRegionIds": ["aws-us-east-1"]},
        {"targetRegionIds": ["gcp-us-east4"] * 2},
    ],
)
def test_a_quote_for_what_cannot_be_had_is_refused(owner, changes):
    body = {"sizeBytes": 1, "regionId": "gcp-us-west1", "targetRegionIds": []}
    assert owner.refusal("POST", "/backupsite/quote", body | changes)[1] == 96001


def test_now_is_a_moment_like_any_other(owner, stored):
    today = timezone.now().date()
    body = {"start": (today - timedelta(days=1)).isoformat(), "end": (today + timedelta(days=1)).isoformat()}
    assert owner.ask("POST", "/usage/query", body) == {"results": [], "total": 0.0, "totals": []}
