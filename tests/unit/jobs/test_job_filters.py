"""Finding jobs: filters and search in the address, pages that stay where they are, and what each of them costs."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backups.states import CopyState
from backupsite.storage import QuickCompressor
from clusters.models import Cluster
from jobs.models import Job
from jobs.moves import create_job
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    TOKYO,
    VIRGINIA,
    HasContent,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_project,
    make_schedule,
    text_of,
)

pytestmark = pytest.mark.django_db

LIST = "/jobs/"
LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def family(cluster: Cluster, *, at: datetime | None = None, **changes: Any) -> Job:
    """An original that succeeded, with a copy that failed in Frankfurt and one that succeeded in Virginia."""
    backup = make_backup(cluster, copies={FRANKFURT: CopyState.FAILED, VIRGINIA: CopyState.AVAILABLE})
    values = {"created_at": at or timezone.now()} | changes
    first = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL, **values)
    for region, state in ((FRANKFURT, JobState.FAILED), (VIRGINIA, JobState.SUCCESSFUL)):
        make_job(backup.copies.get(region=region), state=state, parent=first)
    return first


def first_jobs_on(answer: HasContent) -> list[str]:
    """Codes of the rows that are not nested, from top to bottom."""
    return re.findall(r'<tr id="job-row-([^"]+)" data-state', answer.content.decode())


def link_on(answer: HasContent, name: str) -> str:
    [found] = re.findall(rf'id="pager-{name}" rel="\w+" href="([^"]+)"', answer.content.decode())
    return unescape(found)


def test_a_family_is_found_through_one_job_that_is_all_that_was_asked_for(admin, cluster):
    family(cluster)
    for query, is_found in (
        ("type=copy&state=failed", True),
        ("type=backup&state=failed", False),
        (f"state=failed&region={FRANKFURT}", True),
        (f"state=failed&region={VIRGINIA}", False),
        (f"type=copy&region={VIRGINIA}&state=successful", True),
    ):
        assert bool(first_jobs_on(admin.get(f"{LIST}?{query}"))) == is_found, query


def test_filters_are_combined_with_the_cluster_the_schedule_and_the_time(admin, cluster):
    schedule = make_schedule(cluster)
    old = family(cluster, at=LONG_AGO, schedule=schedule)
    family(cluster)
    for query in (
        f"cluster={cluster.code}&schedule={schedule.code}",
        f"cluster={cluster.code}&state=failed&until=2026-03-01T12:01",
        "since=2026-03-01T12:00&until=2026-03-01T12:01&type=copy",
        "until=2026-03-02",
    ):
        assert first_jobs_on(admin.get(f"{LIST}?{query}")) == [old.code], query
    assert first_jobs_on(admin.get(f"{LIST}?until=2026-03-01T12:00")) == []


def test_a_copy_made_later_belongs_where_its_original_stands(admin, cluster):
    old = family(cluster, at=LONG_AGO)
    new = family(cluster)
    later = create_job(JobType.COPY, copy=make_copy(old.backup, TOKYO), origin="manual", created_by=None, parent=old)
    assert later.family_at == LONG_AGO
    assert first_jobs_on(admin.get(LIST)) == [new.code, old.code]
    assert first_jobs_on(admin.get(f"{LIST}?region={TOKYO}")) == [old.code]


@pytest.mark.parametrize("part", ["whole", "beginning", "shouted"])
@pytest.mark.parametrize("thing", ["first job", "copy job", "backup"])
def test_an_id_or_how_it_begins_finds_the_family(admin, cluster, thing, part):
    wanted = family(cluster)
    family(cluster)
    code = {"first job": wanted.code, "copy job": wanted.children.latest("pk").code, "backup": wanted.backup.code}[
        thing
    ]
    text = {"whole": code, "beginning": code[:-2], "shouted": code.upper()}[part]
    assert wanted.code in first_jobs_on(admin.get(LIST, {"q": text}))
    assert first_jobs_on(admin.get(LIST, {"q": code})) == [wanted.code]


def test_an_id_that_begins_like_too_many_is_asked_to_be_longer(admin, cluster, monkeypatch):
    monkeypatch.setattr("jobs.listing.MOST_FOUND", 2)
    first = family(cluster)
    answer = admin.get(LIST, {"q": "job-"})
    assert "begin with “job-”. Type more of it." in text_of(answer)
    assert first_jobs_on(answer) == [first.code]


def test_an_id_of_somebody_elses_is_not_found(people, client, cluster):
    first = family(cluster)
    client.force_login(people.stranger)
    answer = client.get(LIST, {"q": first.code})
    assert "No job matches these filters" in text_of(answer)
    assert not first_jobs_on(answer)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("type=nonsense", "There is no such type of job."),
        ("state=nonsense", "There is no such state."),
        ("cluster=nonsense", "There is no such cluster, or you may not see it."),
        ("region=nonsense", "There is no such region, or you may not see it."),
        ("schedule=nonsense", "There is no such schedule, or you may not see it."),
        ("since=yesterday", "That is no date and time, such as 2026-03-31 02:00."),
        ("until=9999-99-99", "That is no date and time"),
        ("since=2026-03-02&until=2026-03-01", "The end is not after the beginning"),
        ("q=%27%3B--", "IDs are made of letters, digits, - and _."),
        ("q=" + "j" * 200, "at most 100 characters"),
    ],
)
def test_a_bad_value_is_told_in_words_and_the_other_filters_still_count(admin, cluster, query, words):
    family(cluster)
    other = make_job(type=JobType.BACKUP, cluster=make_cluster(cluster.project), state=JobState.FAILED)
    answer = admin.get(f"{LIST}?{query}&cluster={other.cluster.code}" if "cluster" not in query else f"{LIST}?{query}")
    assert answer.status_code == 200
    assert words in text_of(answer)
    assert "What is marked above was left out." in text_of(answer)
    assert other.code in first_jobs_on(answer)


@pytest.mark.parametrize("query", ["before=nonsense", "after=job-x", "before=&after=", "page=7", "seen=%FF"])
def test_a_place_that_is_none_shows_the_newest(admin, cluster, query):
    first = family(cluster)
    assert first_jobs_on(admin.get(f"{LIST}?{query}")) == [first.code]


def test_what_is_filtered_is_told_with_a_link_that_clears_it_alone(admin, cluster):
    page = admin.get(f"{LIST}?state=failed&cluster={cluster.code}&type=").content.decode()
    assert "State: Failed" in page
    assert "Cluster: docs" in page
    assert f'href="?cluster={cluster.code}"' in page
    assert 'href="?state=failed"' in page


@pytest.mark.parametrize("query", ["", "state=failed&"])
def test_pages_go_to_the_oldest_and_back_and_show_each_family_once(admin, cluster, monkeypatch, query):
    monkeypatch.setattr("jobs.views.PAGE_SIZE", 2)
    # Two of one moment, which only the row number tells apart.
    codes = [family(cluster, at=LONG_AGO + timedelta(hours=hour)).code for hour in (1, 2, 3, 3, 4)][::-1]
    answer = admin.get(f"{LIST}?{query}")
    seen = [first_jobs_on(answer)]
    for name in ("older", "older", "newer", "newer"):
        answer = admin.get(LIST + link_on(answer, name))
        seen.append(first_jobs_on(answer))
    assert seen == [codes[:2], codes[2:4], codes[4:], codes[2:4], codes[:2]]
    assert b"pager-newer" not in answer.content


def test_a_page_stays_where_it_is_while_newer_jobs_come(admin, cluster, monkeypatch):
    monkeypatch.setattr("jobs.views.PAGE_SIZE", 1)
    oldest, middle = family(cluster), family(cluster)
    older = LIST + link_on(admin.get(LIST), "older")
    newest = family(cluster)
    answer = admin.get(older)
    assert first_jobs_on(answer) == [oldest.code]
    answer = admin.get(LIST + link_on(answer, "newer"))
    assert first_jobs_on(answer) == [middle.code]
    assert first_jobs_on(admin.get(LIST + link_on(answer, "newer"))) == [newest.code]


def test_a_list_of_several_projects_is_the_newest_of_all_of_them(people, client, monkeypatch):
    monkeypatch.setattr("jobs.views.PAGE_SIZE", 2)
    # As if a query took few lists: whatever is asked in parts comes out in one order.
    monkeypatch.setattr("accounts.newest.LISTS_AT_ONCE", 1)
    one, two = make_cluster(people.project), make_cluster(make_project(people.organization))
    codes = [family(cluster).code for cluster in (one, two, make_cluster(), one)]
    client.force_login(people.owner)
    answer = client.get(LIST)
    assert first_jobs_on(answer) == [codes[3], codes[1]]
    assert first_jobs_on(client.get(LIST + link_on(answer, "older"))) == [codes[0]]


@pytest.mark.parametrize(
    "query", ["", "type=copy", "state=failed", "region=" + FRANKFURT, "since=2026-01-01T00:00", "q=job-"]
)
def test_a_page_costs_the_same_for_one_family_and_for_twenty(admin, cluster, query, django_assert_num_queries):
    family(cluster)
    admin.get(LIST)  # once a minute it is written down when a person was last seen
    with CaptureQueriesContext(connection) as captured:
        admin.get(f"{LIST}?{query}")
    for _ in range(19):
        family(cluster)
    with django_assert_num_queries(len(captured)):
        assert len(first_jobs_on(admin.get(f"{LIST}?{query}"))) == 20


def test_the_list_and_its_table_answer_alike(admin, cluster):
    family(cluster)
    url = reverse("jobs:job-table")
    assert first_jobs_on(admin.get(f"{url}?state=failed")) == first_jobs_on(admin.get(f"{LIST}?state=failed"))


def test_the_first_load_of_a_full_list_is_at_most_60_kilobytes_compressed(admin, cluster):
    for _ in range(50):
        family(cluster)
    answer = admin.get(LIST, headers={"accept-encoding": "gzip"})
    page = gzip.decompress(answer.content)
    assert page.count(b'class="is-nested"') == 100
    linked = re.findall(r'(?:src|href)="/static/([^"]+\.(?:js|css|svg))"', page.decode())
    found = [Path(str(finders.find(name))).read_bytes() for name in linked]
    assert len(found) > 10
    size_bytes = sum(len(QuickCompressor.compress_brotli(data)) for data in found) + len(answer.content)
    assert size_bytes <= 60_000


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite for its plan; of PostgreSQL the benchmark tells")
@pytest.mark.parametrize(
    "query",
    ["", "type=copy", "state=failed", "type=copy&state=failed", f"region={FRANKFURT}", "cluster=", "schedule=", "q="],
)
def test_every_filter_enters_the_jobs_by_an_index(admin, cluster, query):
    first = family(cluster, schedule=make_schedule(cluster))
    assert first.schedule is not None
    values = {"cluster=": cluster.code, "schedule=": first.schedule.code, "q=": first.backup.code[:-2]}
    with CaptureQueriesContext(connection) as captured:
        assert first_jobs_on(admin.get(f"{LIST}?{query}{values.get(query, '')}")) == [first.code]
    plans = []
    for asked in captured:
        if "jobs_job" in asked["sql"] or "backups_backup" in asked["sql"]:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN QUERY PLAN " + asked["sql"].replace("%", "%%"))
                plans += [(str(row[-1]), asked["sql"]) for row in cursor.fetchall()]
    assert plans
    assert not [plan for plan in plans if plan[0].startswith(("SCAN jobs_job", "SCAN backups_backup"))]
    if query == "q=":
        # Looked for among all of a project, an id would cost more with every job there is.
        assert not [plan for plan in plans if "(project_id=?" in plan[0]]
