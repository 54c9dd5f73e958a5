"""A form that arrives twice is carried out once, also without JavaScript; a changed one is another wish."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import SentForm
from accounts.once import SENT_BEFORE
from backups.models import Backup
from clusters.models import Cluster
from dataplane.errors import ClusterUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.models import Job, Schedule
from jobs.states import JobState
from tests.builders import OREGON, VIRGINIA, all_rows, make_cluster, make_stores, text_of

pytestmark = pytest.mark.django_db

SCHEDULE = {"name": "nightly", "kind": "basic", "days": ["1"], "window_start": "01:00", "time_zone": "UTC"}
SCHEDULE |= {"scope": "cluster", "kept_days": "7", "is_enabled": "on"}


@pytest.fixture(autouse=True)
def live_collections(monkeypatch) -> None:
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])


@pytest.fixture
def cluster(people) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA)
    return make_cluster(people.project, name="docs-search")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def once_of(client: Client, url: str) -> str:
    """The code in the form that the page shows."""
    [code] = re.findall(r'name="once" value="([^"]+)"', client.get(url).content.decode())
    return code


def backup_url(cluster: Cluster) -> str:
    return reverse("jobs:backup-create", args=[cluster.code])


def end_jobs() -> None:
    """So that a second backup would not be refused for running beside the first (R10)."""
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=timezone.now())


def test_a_backup_form_sent_twice_makes_one_backup_and_leads_to_the_same_place(admin, cluster):
    form = {"scope": "cluster", "once": once_of(admin, backup_url(cluster))}
    first = admin.post(backup_url(cluster), form)
    end_jobs()
    before = all_rows()
    again = admin.post(backup_url(cluster), form)
    assert (again.status_code, again["Location"]) == (302, first["Location"])
    assert SENT_BEFORE in [str(message) for message in get_messages(again.wsgi_request)]
    assert all_rows() == before


def test_a_schedule_form_sent_twice_makes_one_schedule(admin, cluster):
    url = reverse("jobs:schedule-create", args=[cluster.code])
    form = SCHEDULE | {"once": once_of(admin, url)}
    first, again = admin.post(url, form), admin.post(url, form)
    assert Schedule.objects.get().get_absolute_url() == first["Location"] == again["Location"]


def test_going_back_and_changing_something_is_another_wish(admin, cluster):
    form = {"scope": "cluster", "once": once_of(admin, backup_url(cluster))}
    admin.post(backup_url(cluster), form)
    end_jobs()
    admin.post(backup_url(cluster), form | {"copy": "on", "regions": [VIRGINIA]})
    assert Backup.objects.count() == 2


def test_a_form_opened_anew_asks_for_the_same_again(admin, cluster):
    for _ in range(2):
        admin.post(backup_url(cluster), {"scope": "cluster", "once": once_of(admin, backup_url(cluster))})
        end_jobs()
    assert Backup.objects.count() == 2


def test_what_was_refused_may_be_sent_again_as_it_is(admin, cluster):
    form = {"scope": "cluster", "once": "the same"}
    admin.post(backup_url(cluster), {"scope": "cluster"})
    assert admin.post(backup_url(cluster), form).status_code == 422
    end_jobs()
    assert admin.post(backup_url(cluster), form).status_code == 302
    assert Backup.objects.count() == 2


def test_what_one_person_sent_does_not_stop_another(admin, cluster, people):
    form = {"scope": "cluster", "once": "the same"}
    admin.post(backup_url(cluster), form)
    end_jobs()
    admin.force_login(people.owner)
    admin.post(backup_url(cluster), form)
    assert Backup.objects.count() == 2


def test_marks_go_after_a_day_with_the_next_form_of_the_same_person(admin, cluster):
    admin.post(backup_url(cluster), {"scope": "cluster", "once": "old"})
    end_jobs()
    SentForm.objects.update(at=timezone.now() - timedelta(days=2))
    admin.post(backup_url(cluster), {"scope": "cluster", "once": "new"})
    assert SentForm.objects.count() == 1


def test_a_cluster_that_does_not_answer_costs_nothing_of_what_was_chosen(admin, cluster, monkeypatch):
    def fail(cluster: Cluster) -> list[CollectionInfo]:
        raise ClusterUnreachable("docs-search does not answer. Start it.")

    monkeypatch.setattr("clusters.live.collections_of", fail)
    form = {"scope": "collection", "collections": ["default/docs"], "copy": "on", "regions": [VIRGINIA]}
    answer = admin.post(backup_url(cluster), form)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="default/docs" checked' in page
    assert f'value="{VIRGINIA}" checked' in page
    assert "nothing was queued" in text_of(answer)


def test_the_days_of_a_region_that_was_hidden_are_there_again_after_an_error(admin, cluster):
    """Scripts send nothing of what is hidden, and an error brings all of the form back."""
    url = reverse("jobs:schedule-create", args=[cluster.code])
    answer = admin.post(url, SCHEDULE | {"name": "", "kind": "cron", "cron": "30 2 * * *", "days": []})
    assert answer.status_code == 422
    shown = {name: answer.context["form"][name].value() for name in (f"kept-{VIRGINIA}", "days", "cron", "kept_days")}
    assert shown == {f"kept-{VIRGINIA}": 7, "days": [1, 2, 3, 4, 5, 6, 7], "cron": "30 2 * * *", "kept_days": "7"}


def test_days_that_were_all_unticked_stay_unticked(admin, cluster):
    url = reverse("jobs:schedule-create", args=[cluster.code])
    answer = admin.post(url, SCHEDULE | {"days": []})
    assert answer.status_code == 422
    assert not answer.context["form"]["days"].value()
