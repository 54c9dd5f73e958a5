"""The Workers page: owners see who works, on what, and who fell silent; others' jobs stay theirs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs.presence import why_nothing_begins
from jobs.states import JobState
from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_cluster, make_copy, make_job, make_worker, text_of

pytestmark = pytest.mark.django_db
PAGES = ["jobs:worker-list", "jobs:worker-table"]


def held_by(worker: str, cluster=None, **changes):
    return make_job(cluster=cluster, state=JobState.IN_PROGRESS, worker=f"{worker}:0", **changes)


@pytest.mark.parametrize("name", PAGES)
def test_owners_look_and_colleagues_are_told_who_may(people, client, name):
    for who in ("project_admin", "operator", "viewer", "backup_manager", "cluster_viewer", "billing_admin"):
        client.force_login(getattr(people, who))
        answer = client.get(reverse(name))
        assert answer.status_code == 403, who
        assert "“cluster: manage” in the whole organization" in text_of(answer)
    for who in ("owner", "stranger"):
        client.force_login(getattr(people, who))
        assert client.get(reverse(name)).status_code == 200
        assert client.post(reverse(name)).status_code == 405
    client.logout()
    assert client.get(reverse(name)).status_code in {200, 302}


def test_each_worker_shows_what_it_takes_and_does(people, client):
    near = make_worker(name="near:7", host="near", pid=7, regions=[VIRGINIA])
    make_worker(name="far:9", host="far", pid=9, is_woken=False, version="older")
    mine = held_by(near.name, make_cluster(people.project, name="docs"))
    theirs = held_by("far:9")
    client.force_login(people.owner)
    page = client.get(reverse("jobs:worker-list"))
    words = text_of(page)
    assert "process 7" in words
    assert f"{VIRGINIA} 2 at a time, woken by messages" in words
    assert "Every region 2 at a time, looks by itself" in words
    assert "code older, this page runs" in words
    assert mine.get_absolute_url() in page.content.decode()
    assert theirs.code not in page.content.decode()
    assert words.count("A job of another organization") == 1


def test_a_silent_worker_is_shown_as_such(people, client):
    client.force_login(people.owner)
    make_worker(seen_at=timezone.now() - timedelta(minutes=3))
    words = text_of(client.get(reverse("jobs:worker-list")))
    assert "Silent" in words
    assert "3 minutes ago" in words
    assert "No worker is running, so no job begins." in words


def test_without_workers_the_page_says_how_to_start_one(people, client):
    client.force_login(people.owner)
    assert "python manage.py run_worker" in text_of(client.get(reverse("jobs:worker-list")))


def test_jobs_of_a_region_that_nobody_serves_are_told_of():
    now = timezone.now()
    make_worker(regions=[VIRGINIA])
    make_job(make_copy(state="planned"))
    assert why_nothing_begins(now) == ""
    make_job(make_copy(make_backup(), FRANKFURT, state="planned"))
    assert f"Jobs wait for {FRANKFURT}, but no worker takes" in why_nothing_begins(now)
    make_worker()
    assert why_nothing_begins(now) == ""


def test_twenty_workers_cost_as_many_queries_as_one(people, client, django_assert_max_num_queries):
    client.force_login(people.owner)
    url = reverse("jobs:worker-list")

    def add() -> None:
        worker = make_worker()
        held_by(worker.name, make_cluster(people.project))

    add()
    client.get(url)
    with django_assert_max_num_queries(12) as one:
        client.get(url)
    for _ in range(19):
        add()
    with django_assert_max_num_queries(len(one)):
        client.get(url)
