"""Parts that replace themselves: the focus finds its way back, and nothing is read out at every poll."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from backups.states import BackupState, CopyState
from clusters.models import Cluster
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, TOKYO, VIRGINIA, People, make_backup, make_cluster, make_job

pytestmark = pytest.mark.django_db


class Focusable(HTMLParser):
    """Collects the id, or its absence, of everything that takes the focus."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"a", "button", "summary", "select", "textarea"} or (
            tag == "input" and values.get("type") != "hidden"
        ):
            self.ids.append(values.get("id"))


@pytest.fixture
def cluster(people: People) -> Cluster:
    return make_cluster(people.project)


@pytest.fixture
def admin(people: People, client: Client) -> Client:
    client.force_login(people.project_admin)
    return client


def parts(cluster: Cluster) -> list[str]:
    """Addresses of live parts that show everything they ever show."""
    copies = {VIRGINIA: CopyState.TRANSFERRING, FRANKFURT: CopyState.FAILED, TOKYO: CopyState.AVAILABLE}
    backup = make_backup(cluster, copies=copies)
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    running = make_job(backup.copies.get(region=VIRGINIA), state=JobState.IN_PROGRESS, parent=original)
    failed = make_job(backup.copies.get(region=FRANKFURT), state=JobState.FAILED, parent=original)
    for _ in range(51):
        make_job(cluster=cluster)
    return [
        reverse("jobs:job-table"),
        reverse("jobs:job-table") + "?page=2",
        *(reverse("jobs:job-progress", args=[job.code]) for job in (original, running, failed)),
        reverse("backups:backup-copies", args=[backup.code]),
    ]


def test_everything_that_takes_the_focus_has_an_id_of_its_own(admin, cluster):
    for url in parts(cluster):
        page = admin.get(url).content.decode()
        ids = Focusable(page).ids
        assert ids, url
        assert None not in ids, (url, page)
        everything = re.findall(r'\bid="([^"]+)"', page)
        assert len(set(everything)) == len(everything), url


def test_no_status_inside_a_live_part_is_read_out_at_every_poll(admin, cluster):
    for url in parts(cluster):
        assert b'role="status"' not in admin.get(url).content, url
    assert admin.get(reverse("jobs:job-list")).content.count(b'id="news" role="status"') == 1


def news(client: Client, url: str) -> str:
    found = re.search(r'data-news="([^"]*)"', client.get(url).content.decode())
    assert found, url
    return found[1]


def test_the_news_of_a_job_change_with_its_state_and_not_with_its_progress(admin, cluster):
    job = make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    url = reverse("jobs:job-progress", args=[job.code])
    first = news(admin, url)
    Job.objects.update(bytes_done=5, bytes_total=10)
    assert news(admin, url) == first == f"Backup of {cluster.name}: In progress"
    Job.objects.update(state=JobState.VERIFYING)
    assert news(admin, url) == f"Backup of {cluster.name}: Verifying"


def test_the_news_of_a_backup_name_the_state_of_every_copy(admin, cluster):
    backup = make_backup(cluster, state=BackupState.AVAILABLE, copies={FRANKFURT: CopyState.VERIFYING})
    words = news(admin, reverse("backups:backup-copies", args=[backup.code]))
    assert words == f"{backup.name}: Available; Oregon: Available; Frankfurt: Verifying"
