"""The jobs list and one job: what they show, when they ask again, and what their buttons do."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backups.states import CopyState
from clusters.models import Cluster
from jobs.models import Job
from jobs.moves import move_job
from jobs.states import ACTIVE, FINAL, JobState, JobType
from tests.builders import FRANKFURT, VIRGINIA, HasContent, all_rows, make_backup, make_cluster, make_job, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def family(cluster: Cluster) -> tuple[Job, Job, Job]:
    """An original that succeeded, a copy that runs and one that failed."""
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.TRANSFERRING, FRANKFURT: CopyState.FAILED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    running = make_job(
        backup.copies.get(region=VIRGINIA),
        state=JobState.IN_PROGRESS,
        parent=original,
        bytes_done=13_400_000_000,
        bytes_total=20_000_000_000,
    )
    failed = make_job(
        backup.copies.get(region=FRANKFURT), state=JobState.FAILED, parent=original, reason="Frankfurt is full."
    )
    return original, running, failed


def test_the_list_shows_the_original_with_its_copies_under_it(admin, cluster):
    jobs = family(cluster)
    page = admin.get(reverse("jobs:job-list")).content.decode()
    places = [page.index(f'id="job-row-{job.code}"') for job in jobs]
    assert places == sorted(places)
    assert page.count('class="is-nested"') == 2
    assert "13.40 GB of 20.00 GB" in page
    assert "Frankfurt is full." in page


def test_an_empty_list_says_the_next_step(admin):
    assert "The first one appears when you create a backup" in text_of(admin.get(reverse("jobs:job-list")))


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("?type=copy", True),
        ("?state=failed", True),
        ("?state=crashed", False),
        ("?type=restore", False),
        ("?type=nonsense", True),
    ],
)
def test_a_filter_keeps_an_original_whose_copy_was_looked_for(admin, cluster, query, is_shown):
    original, *_ = family(cluster)
    page = admin.get(reverse("jobs:job-list") + query).content.decode()
    assert (f'id="job-row-{original.code}"' in page) == is_shown
    assert page.count(f'id="job-row-{original.code}"') <= 1


def test_the_list_can_be_narrowed_to_one_cluster(admin, cluster, people):
    original, *_ = family(cluster)
    other = make_cluster(people.project)
    url = reverse("jobs:job-list")
    assert original.code in admin.get(f"{url}?cluster={cluster.code}").content.decode()
    assert original.code not in admin.get(f"{url}?cluster={other.code}").content.decode()


@pytest.mark.parametrize("state", list(JobState))
def test_a_page_asks_again_exactly_while_its_job_is_active(admin, cluster, state):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    for name, arguments in (("jobs:job-progress", [job.code]), ("jobs:job-detail", [job.code]), ("jobs:job-table", [])):
        assert (b"hx-get" in admin.get(reverse(name, args=arguments)).content) == (state in ACTIVE), name


@pytest.mark.parametrize("state", list(JobState))
def test_the_page_of_an_original_that_succeeded_asks_again_exactly_while_a_copy_is_active(admin, cluster, state):
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.PLANNED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    make_job(backup.copies.get(region=VIRGINIA), state=state, parent=original)
    for name in ("jobs:job-progress", "jobs:job-detail"):
        assert (b"hx-get" in admin.get(reverse(name, args=[original.code])).content) == (state in ACTIVE), name


@pytest.mark.parametrize("name", ["jobs:job-progress", "jobs:job-table"])
def test_a_fragment_has_one_root_that_replaces_itself(admin, cluster, name):
    job = make_job(type=JobType.BACKUP, cluster=cluster)
    fragment = admin.get(reverse(name, args=[job.code] if name == "jobs:job-progress" else [])).content.decode()
    assert fragment.strip().startswith(f'<div id="{name.removeprefix("jobs:")}"')
    assert "<html" not in fragment


def test_a_failure_stays_readable_while_the_job_waits_for_its_next_attempt(admin, cluster):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    move_job(job, JobState.PENDING, note="x", reason="docs does not answer.", not_before=timezone.now())
    words = text_of(admin.get(job.get_absolute_url()))
    assert "docs does not answer." in words
    assert "It is tried again by itself" in words
    assert "Attempt 1 of 5 has ended" in words


@pytest.mark.parametrize("state", sorted({JobState.PENDING, JobState.IN_PROGRESS, JobState.VERIFYING}))
def test_a_job_that_is_not_over_can_be_canceled_from_its_page(admin, cluster, state):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    url = reverse("jobs:job-cancel", args=[job.code])
    assert url in admin.get(job.get_absolute_url()).content.decode()
    assert admin.post(url)["Location"] == job.get_absolute_url()
    job.refresh_from_db()
    assert job.state == (JobState.CANCELED if state == JobState.PENDING else JobState.CANCELING)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_job_that_is_over_has_no_cancel_button_and_a_posted_one_is_refused(admin, cluster, state):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    url = reverse("jobs:job-cancel", args=[job.code])
    assert url not in admin.get(job.get_absolute_url()).content.decode()
    before = all_rows()
    assert "cannot be canceled" in text_of(admin.post(url, follow=True))
    assert all_rows() == before


def test_a_failed_copy_is_tried_again_from_its_page(admin, cluster):
    original, _, failed = family(cluster)
    url = reverse("jobs:copy-retry", args=[failed.backup.code, FRANKFURT])
    assert url in admin.get(failed.get_absolute_url()).content.decode()
    answer = admin.post(url)
    again = Job.objects.latest("pk")
    assert answer["Location"] == again.get_absolute_url()
    assert (again.parent, again.state, again.target_region_id) == (original, JobState.PENDING, FRANKFURT)
    before = all_rows()
    assert "Only a failed, canceled or damaged copy" in text_of(admin.post(url, follow=True))
    assert all_rows() == before


def test_who_may_only_look_has_no_buttons(cluster, people, client):
    client.force_login(people.viewer)
    _, running, failed = family(cluster)
    for job in (running, failed):
        page = client.get(job.get_absolute_url()).content.decode()
        assert "/cancel/" not in page
        assert "/retry/" not in page


def test_a_name_with_markup_is_shown_as_text(admin, cluster):
    backup = make_backup(cluster, name="<script>alert(1)</script>")
    job = make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.FAILED, reason="<b>no</b>")
    for url in (job.get_absolute_url(), reverse("jobs:job-list"), backup.get_absolute_url()):
        page = admin.get(url).content.decode()
        assert "<script>alert" not in page
        assert "<b>no" not in page


@pytest.mark.parametrize(
    ("state", "who", "is_offered"),
    [
        (CopyState.DAMAGED, "project_admin", True),
        (CopyState.DAMAGED, "viewer", False),
        (CopyState.AVAILABLE, "project_admin", False),
    ],
)
def test_a_check_that_found_damage_offers_the_repair(people, cluster, client, state, who, is_offered):
    client.force_login(getattr(people, who))
    copy = make_backup(cluster, copies={FRANKFURT: state}).copies.get(region=FRANKFURT)
    job = make_job(
        copy, type=JobType.VERIFY, state=JobState.FAILED, parameters={"depth": "full"}, reason="Damage found."
    )
    page = client.get(job.get_absolute_url()).content.decode()
    assert (reverse("jobs:copy-repair", args=[copy.backup.code, FRANKFURT]) in page) == is_offered


def poll_of(answer: HasContent) -> str:
    """What the jobs list asks next."""
    [found] = re.findall(r'hx-get="([^"]+)"', answer.content.decode())
    return unescape(found)


def test_while_nothing_else_changes_a_poll_brings_the_rows_at_work_alone(admin, cluster):
    original, running, failed = family(cluster)
    poll = poll_of(admin.get(reverse("jobs:job-list")))
    Job.objects.filter(pk=running.pk).update(bytes_done=15_000_000_000)
    for _ in range(2):
        answer = admin.get(poll)
        page = answer.content.decode()
        assert answer["HX-Reswap"] == "none"
        assert re.findall(r'<tr id="job-row-([^"]+)" class="is-nested"[^>]* hx-swap-oob="true"', page) == [running.code]
        assert "15.00 GB of 20.00 GB" in page
        assert original.code not in page
        assert failed.code not in page


def test_a_poll_brings_a_row_whose_state_has_changed_and_what_to_ask_next(admin, cluster):
    original, running, failed = family(cluster)
    poll = poll_of(admin.get(reverse("jobs:job-list")))
    move_job(running, JobState.VERIFYING)
    answer = admin.get(poll)
    assert answer["HX-Reswap"] == "none"
    assert "Verifying" in text_of(answer)
    assert re.findall(r'<tr id="job-row-([^"]+)"', answer.content.decode()) == [running.code]
    assert b'<div id="job-poll" hidden hx-get' in answer.content
    poll = poll_of(answer)
    assert b"job-poll" not in admin.get(poll).content
    move_job(running, JobState.SUCCESSFUL)
    last = admin.get(poll).content.decode()
    assert f'<tr id="job-row-{running.code}" class="is-nested" data-state="successful"' in last
    assert '<div id="job-poll" hidden hx-swap-oob="true"></div>' in last


def test_a_poll_brings_the_whole_table_once_there_are_other_jobs(admin, cluster):
    family(cluster)
    poll = poll_of(admin.get(reverse("jobs:job-list")))
    make_job(type=JobType.BACKUP, cluster=cluster)
    answer = admin.get(poll)
    assert "HX-Reswap" not in answer
    assert 'id="job-table"' in answer.content.decode()


@pytest.mark.parametrize("seen", ["", "nothing", "-", "0123456789abcdef-11"])
def test_a_poll_that_tells_nonsense_gets_the_whole_table(admin, cluster, seen):
    family(cluster)
    assert b'id="job-table"' in admin.get(reverse("jobs:job-table"), {"seen": seen}).content


def test_a_poll_looks_at_the_page_and_through_the_filters_that_are_shown(admin, cluster, monkeypatch):
    monkeypatch.setattr("jobs.views.PAGE_SIZE", 1)
    _, running, _ = family(cluster)
    newest = make_job(type=JobType.RESTORE, cluster=cluster, copy=running.copy, state=JobState.SUCCESSFUL)
    for query in (f"?before={newest.code}", "?type=copy"):
        answer = admin.get(poll_of(admin.get(reverse("jobs:job-list") + query)))
        assert answer["HX-Reswap"] == "none", query
        assert running.code in answer.content.decode(), query


def test_the_links_to_other_pages_do_not_take_along_what_a_poll_had_seen(admin, cluster, monkeypatch):
    monkeypatch.setattr("jobs.views.PAGE_SIZE", 1)
    family(cluster)
    newest = make_job(type=JobType.BACKUP, cluster=cluster)
    page = admin.get(reverse("jobs:job-table") + "?seen=nothing").content.decode()
    assert f'href="?before={newest.code}"' in page


@pytest.mark.parametrize(("state", "expected"), [(JobState.PENDING, "every 2s"), (JobState.IN_PROGRESS, "every 1s")])
def test_a_page_asks_every_second_while_a_job_is_at_work_and_less_while_it_waits(admin, cluster, state, expected):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=state)
    for url in (job.get_absolute_url(), reverse("jobs:job-list")):
        assert f'hx-trigger="{expected}"' in admin.get(url).content.decode()


def test_a_poll_costs_the_same_for_one_job_and_for_twenty(admin, cluster, django_assert_num_queries):
    family(cluster)
    poll = poll_of(admin.get(reverse("jobs:job-list")))
    with CaptureQueriesContext(connection) as captured:
        admin.get(poll)
    for_one = len(captured)
    for _ in range(19):
        family(cluster)
    poll = poll_of(admin.get(reverse("jobs:job-list")))
    with django_assert_num_queries(for_one):
        assert admin.get(poll)["HX-Reswap"] == "none"


def test_a_job_between_two_attempts_shows_why_it_waits_and_no_progress(admin, cluster):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS, bytes_done=1, bytes_total=2)
    move_job(job, JobState.PENDING, reason="docs does not answer.", not_before=timezone.now())
    for url in (job.get_absolute_url(), reverse("jobs:job-list")):
        page = admin.get(url)
        assert "docs does not answer." in text_of(page)
        assert b"<progress" not in page.content
