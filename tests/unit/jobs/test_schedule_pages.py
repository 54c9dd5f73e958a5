"""Schedules in the browser: the list, one schedule, the form with its preview, and what is posted by hand instead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backups.models import Copy
from backups.states import CopyState
from clusters.models import Cluster
from dataplane.errors import ClusterUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.models import Job, Schedule, ScheduledRun
from jobs.retention import LAST_PROVEN, request_expiries
from jobs.schedule_services import set_enabled
from jobs.states import JobState, JobType
from tests.builders import (
    AWS_FRANKFURT,
    AZURE_IRELAND,
    FRANKFURT,
    OREGON,
    VIRGINIA,
    all_rows,
    make_backup,
    make_cluster,
    make_job,
    make_schedule,
    make_stores,
    text_of,
)

pytestmark = pytest.mark.django_db

FILLED: dict[str, Any] = {
    "name": "nightly",
    "kind": "basic",
    "days": ["1", "3", "5"],
    "window_start": "01:00",
    "time_zone": "Europe/Berlin",
    "scope": "cluster",
    "kept_days": "7",
    "is_enabled": "on",
}
WITH_COPY: dict[str, Any] = FILLED | {"copy": "on", "regions": [VIRGINIA], f"kept-{VIRGINIA}": "3"}
CRON: dict[str, Any] = FILLED | {"kind": "cron", "cron": "30 2 * * *"}


@pytest.fixture(autouse=True)
def live_collections(monkeypatch) -> None:
    """What the cluster would tell: the only border that is replaced here."""
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 20_000_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])


@pytest.fixture
def cluster(people) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT, AWS_FRANKFURT, AZURE_IRELAND)
    return make_cluster(people.project, name="docs-search")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def create_url(cluster: Cluster) -> str:
    return reverse("jobs:schedule-create", args=[cluster.code])


def edit_url(schedule: Schedule) -> str:
    return reverse("jobs:schedule-edit", args=[schedule.code])


def test_a_schedule_is_added_makes_a_backup_and_is_shown(admin, cluster, people):
    answer = admin.post(create_url(cluster), WITH_COPY, follow=True)
    schedule = Schedule.objects.get()
    assert answer.redirect_chain == [(schedule.get_absolute_url(), 302)]
    words = text_of(answer)
    assert "Its first backup was queued." in words
    assert "Monday, Wednesday, Friday, 01:00 to 03:00, Europe/Berlin" in words
    assert "kept 3 days" in words
    assert (schedule.created_by, schedule.runs.count()) == (people.project_admin, 1)
    assert dict(schedule.targets.values_list("region", "kept_days")) == {VIRGINIA: 3}
    words = text_of(admin.get(reverse("jobs:schedule-list", args=[cluster.code])))
    assert "nightly" in words
    assert Job.objects.get().backup.name in words


def test_a_schedule_with_a_cron_expression_and_chosen_collections_is_added_switched_off(admin, cluster):
    chosen = {"scope": "collection", "collections": ["default/docs"], "is_enabled": ""}
    assert admin.post(create_url(cluster), CRON | chosen).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.kind, schedule.cron, schedule.is_enabled) == ("cron", "30 2 * * *", False)
    assert schedule.chosen_collections == [("default", "docs")]
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        (FILLED | {"name": ""}, "This field is required"),
        (FILLED | {"days": []}, "Choose at least one day of the week."),
        (FILLED | {"days": ["8"]}, "8 is not one of the available choices"),
        (FILLED | {"window_start": ""}, "Choose when the window begins."),
        (FILLED | {"window_start": "01:30"}, "01:30 is not one of the available choices"),
        (FILLED | {"time_zone": "Mars/Olympus"}, "Mars/Olympus is not one of the available choices"),
        (CRON | {"cron": ""}, "Write when, for example 30 2"),
        (CRON | {"cron": "0 0 0 * * *"}, "A cron expression has five fields"),
        (CRON | {"cron": "99 * * * *"}, "This is no cron expression: bad minute."),
        (CRON | {"cron": "x" * 101}, "at most 100 characters"),
        (FILLED | {"kept_days": ""}, "Say for how many days it stays in Oregon"),
        (FILLED | {"kept_days": "31"}, "less than or equal to 30"),
        (FILLED | {"kept_days": "0"}, "greater than or equal to 1"),
        (FILLED | {"scope": "collection"}, "Choose at least one collection"),
        (WITH_COPY | {f"kept-{VIRGINIA}": ""}, "Say for how many days it stays in"),
        (WITH_COPY | {f"kept-{VIRGINIA}": "31"}, "less than or equal to 30"),
        (WITH_COPY | {"copy": ""}, "copying is switched off"),
        (WITH_COPY | {"regions": []}, "Tick at least one region"),
        (WITH_COPY | {"regions": [AWS_FRANKFURT]}, "belongs to AWS"),
        (WITH_COPY | {"regions": [OREGON]}, "own region"),
        (WITH_COPY | {"regions": ["gcp-mars-north1"]}, "There is no region called gcp-mars-north1"),
        (
            WITH_COPY | {"regions": ["gcp-asia-northeast1"], "kept-gcp-asia-northeast1": "3"},
            "No store is set up for gcp-asia-northeast1",
        ),
        (FILLED | {"kind": "moon"}, "moon is not one of the available choices"),
        ({}, "This field is required"),
    ],
)
def test_bad_input_gets_422_the_sentence_and_its_own_words_back(admin, cluster, posted, sentence):
    before = all_rows()
    answer = admin.post(create_url(cluster), posted)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert all_rows() == before
    page = answer.content.decode()
    for name in ("name", "cron"):
        if value := posted.get(name):
            assert f'value="{value}"' in page
    if posted.get("kept_days") == "31":
        assert 'name="kept_days" value="31"' in page


def test_the_form_says_why_something_is_not_offered(admin, cluster, people):
    page = text_of(admin.get(create_url(cluster)))
    assert "No store is set up here." in page
    azure = make_cluster(people.project, region=AZURE_IRELAND)
    assert "their backups cannot be copied to other regions" in text_of(admin.get(create_url(azure)))
    serverless = make_cluster(people.project, plan="serverless")
    page = admin.get(create_url(serverless))
    assert "Serverless clusters cannot be backed up" in text_of(page)
    assert b'name="kind"' not in page.content
    assert admin.post(create_url(serverless), FILLED).status_code == 422


def test_the_preview_follows_the_form_and_prices_a_steady_month(admin, cluster):
    url = reverse("jobs:schedule-preview", args=[cluster.code])
    words = text_of(admin.get(url, CRON | {"copy": "on", "regions": [VIRGINIA], f"kept-{VIRGINIA}": "3"}))
    assert words.count("02:30") == 5
    assert "1 a day, about 20.00 GB each" in words
    # 7 x 20 GB x $0.02 and 3 x 20 GB x $0.02 a month; 30 x 20 GB x $0.02 to send.
    assert "$2.80" in words
    assert "$1.20" in words
    assert "Transfer to Virginia about 30 times $12.00" in words
    assert "Total in 30 days $16.00" in words
    words = text_of(admin.get(url, CRON | {"cron": "99 * * * *"}))
    assert "bad minute" in words
    assert "Total" not in words
    words = text_of(admin.get(url, FILLED | {"name": "", "kept_days": "99"}))
    assert words.count("01:00 to 03:00 CE") == 5
    assert "Total" not in words


def test_without_scripts_a_button_shows_the_next_runs_and_saves_nothing(admin, cluster):
    before = all_rows()
    answer = admin.post(create_url(cluster), CRON | {"name": "", "preview": "1"})
    assert answer.status_code == 200
    assert text_of(answer).count("02:30") >= 5
    assert "needs your attention" not in text_of(answer)
    assert 'value="30 2 * * *"' in answer.content.decode()
    assert all_rows() == before


def test_a_cluster_that_does_not_answer_can_have_a_schedule_for_all_of_it(admin, cluster, monkeypatch):
    def fail(cluster: Cluster) -> list[CollectionInfo]:
        raise ClusterUnreachable("docs-search does not answer. Start it.")

    monkeypatch.setattr("clusters.live.collections_of", fail)
    assert "docs-search does not answer. Start it." in text_of(admin.get(create_url(cluster)))
    assert admin.post(create_url(cluster), FILLED).status_code == 302
    chosen = make_schedule(cluster, scope="collection", collections=[["default", "docs"]])
    page = admin.get(edit_url(chosen)).content.decode()
    assert 'value="default/docs" checked' in page


def test_editing_begins_with_what_is_there_and_saves_what_was_changed(admin, cluster):
    schedule = make_schedule(cluster, targets={VIRGINIA: 5}, name="weekly", days="7", time_zone="Asia/Kolkata")
    page = admin.get(edit_url(schedule)).content.decode()
    for part in ('value="weekly"', 'value="Asia/Kolkata" selected', f'value="{VIRGINIA}" checked'):
        assert part in page
    assert 'name="days" value="7"' in page
    answer = admin.post(edit_url(schedule), WITH_COPY)
    assert answer["Location"] == schedule.get_absolute_url()
    schedule.refresh_from_db()
    assert (schedule.name, schedule.days, schedule.targets.get().kept_days) == ("nightly", "135", 3)


def test_a_cron_schedule_offers_every_day_to_whoever_turns_to_days(admin, cluster):
    page = admin.get(edit_url(make_schedule(cluster, cron="0 4 * * *"))).content.decode()
    assert 'value="0 4 * * *"' in page
    assert 'value="01:00" selected' in page
    assert all(f'name="days" value="{day}"' in page for day in range(1, 8))
    assert page.count("checked") >= 8


def test_what_would_end_earlier_is_listed_before_it_is_saved(admin, cluster):
    schedule = make_schedule(cluster)
    backup = make_backup(cluster, kept_days=7)
    make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL, schedule=schedule)
    shorter = FILLED | {"kept_days": "2"}
    answer = admin.post(edit_url(schedule), shorter)
    assert answer.status_code == 422
    words = text_of(answer)
    stored_at = Copy.objects.get().stored_at
    assert stored_at is not None
    assert f"{backup.name} in" in words
    assert f"{stored_at + timedelta(days=2):%Y-%m-%d %H:%M} UTC instead of" in words
    assert "Total in 30 days" in words
    assert words.count("This would end 1 copy earlier than before") == 1
    assert Copy.objects.get().kept_days == 7
    assert admin.post(edit_url(schedule), shorter | {"accepts_earlier_ends": "on"}).status_code == 302
    assert Copy.objects.get().kept_days == 2


def test_the_switch_makes_one_backup_at_once_and_can_be_turned_back(admin, cluster):
    schedule = make_schedule(cluster, is_enabled=False)
    url = reverse("jobs:schedule-switch", args=[schedule.code])
    words = text_of(admin.post(url, {"is_enabled": "on"}, follow=True))
    assert "is switched on. A backup was queued at once." in words
    assert Job.objects.count() == 1
    assert "is switched off." in text_of(admin.post(url, {"is_enabled": ""}, follow=True))
    assert Schedule.objects.get().is_enabled is False


def test_a_switch_that_a_rule_refuses_says_why(admin, cluster):
    schedule = make_schedule(cluster, is_enabled=False, targets={"gcp-asia-northeast1": 3})
    url = reverse("jobs:schedule-switch", args=[schedule.code])
    words = text_of(admin.post(url, {"is_enabled": "on"}, follow=True))
    assert "could not be switched on. No store is set up for gcp-asia-northeast1" in words
    assert Schedule.objects.get().is_enabled is False


def test_deleting_says_what_stays_and_does_it(admin, cluster):
    schedule = make_schedule(cluster)
    url = reverse("jobs:schedule-delete", args=[schedule.code])
    assert "The backups it has made stay" in text_of(admin.get(url))
    assert Schedule.objects.exists()
    admin.post(url)
    assert not Schedule.objects.exists()


def test_runs_are_listed_with_what_came_of_them(admin, cluster):
    schedule = make_schedule(cluster)
    backup = make_backup(cluster, kept_days=3, copies={VIRGINIA: CopyState.FAILED})
    job = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    now = timezone.now()
    ScheduledRun.objects.create(schedule=schedule, due_at=now, state="started", job=job)
    ScheduledRun.objects.create(
        schedule=schedule, due_at=now - timedelta(1), state="missed", reason="Nobody was there."
    )
    words = text_of(admin.get(schedule.get_absolute_url()))
    assert backup.name in words
    assert "Missed" in words
    assert "Nobody was there." in words
    assert ": failed" in words
    words = text_of(admin.get(reverse("jobs:schedule-list", args=[cluster.code])))
    assert backup.name in words
    assert "Nobody was there." not in words


def test_twenty_schedules_cost_as_many_queries_as_one(admin, cluster):
    def add() -> None:
        schedule = make_schedule(cluster, targets={VIRGINIA: 3, FRANKFURT: 3})
        backup = make_backup(cluster, kept_days=3, copies={VIRGINIA: CopyState.AVAILABLE})
        job = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
        ScheduledRun.objects.create(schedule=schedule, due_at=timezone.now(), state="started", job=job)

    url, counts = reverse("jobs:schedule-list", args=[cluster.code]), list[int]()
    admin.get(url)  # the first request of a session writes that down
    for more in (1, 19):
        for _ in range(more):
            add()
        with CaptureQueriesContext(connection) as captured:
            admin.get(url)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_jobs_of_a_schedule_lead_to_it_and_can_be_listed_alone(admin, cluster):
    schedule = make_schedule(cluster)
    mine = make_job(type=JobType.BACKUP, cluster=cluster, schedule=schedule)
    other = make_job(type=JobType.BACKUP, cluster=make_cluster(cluster.project))
    assert schedule.get_absolute_url() in admin.get(mine.get_absolute_url()).content.decode()
    words = text_of(admin.get(reverse("jobs:job-list"), {"schedule": schedule.code}))
    assert mine.code in words
    assert other.code not in words
    assert f"Only jobs of the schedule {schedule.name}" in words


def test_the_page_of_a_backup_says_when_a_copy_ends_and_why_one_stays(admin, cluster):
    backup = make_backup(cluster, kept_days=7)
    ends = text_of(admin.get(backup.get_absolute_url()))
    assert f"until {backup.copies.get().expires_at:%Y-%m-%d %H:%M} UTC" in ends
    backup.copies.update(stored_at=timezone.now() - timedelta(days=8))
    request_expiries(timezone.now())
    assert f"stays: {LAST_PROVEN}" in text_of(admin.get(backup.get_absolute_url()))


def test_removing_a_cluster_lists_what_goes_and_what_stays_and_wants_its_name(people, client, cluster):
    client.force_login(people.owner)
    schedule = make_schedule(cluster)
    automatic, manual = make_backup(cluster, kept_days=3), make_backup(cluster)
    url = reverse("jobs:cluster-drop", args=[cluster.code])
    assert url in client.get(reverse("clusters:cluster-settings", args=[cluster.code])).content.decode()
    lost, _, stays = text_of(client.get(url)).partition("What stays")
    assert schedule.name in lost
    assert automatic.name in lost
    assert manual.name not in lost
    assert manual.name in stays
    assert client.post(url, {"confirmation": "docs"}).status_code == 422
    answer = client.post(url, {"confirmation": cluster.name}, follow=True)
    assert "was removed from this site. 1 of its copies is being removed." in text_of(answer)
    assert client.get(cluster.get_absolute_url()).status_code == 404
    for page in (manual.get_absolute_url(), reverse("backups:backup-list")):
        left = client.get(page).content.decode()
        assert "removed" in left
        assert cluster.get_absolute_url() not in left


def test_a_refused_removal_says_why(people, client, cluster):
    client.force_login(people.owner)
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    url = reverse("jobs:cluster-drop", args=[cluster.code])
    answer = client.post(url, {"confirmation": cluster.name})
    assert answer.status_code == 422
    assert "is in use by Backup" in text_of(answer)


def test_the_regions_stand_in_the_order_of_the_form(admin, cluster):
    schedule = make_schedule(cluster, targets={FRANKFURT: 3, VIRGINIA: 3})
    words = text_of(admin.get(schedule.get_absolute_url()))
    assert words.index("Virginia") < words.index("Frankfurt")


def test_a_schedule_that_is_off_says_why_on_its_page_and_in_the_list(admin, cluster, people):
    schedule = make_schedule(cluster)
    set_enabled(user=people.owner, schedule=schedule, is_enabled=False)
    for url in (schedule.get_absolute_url(), reverse("jobs:schedule-list", args=[cluster.code])):
        assert f"Switched off by {people.owner}" in text_of(admin.get(url))
