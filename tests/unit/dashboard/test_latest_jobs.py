"""The newest jobs on the overview: shown at once, and again by themselves while one of them runs."""

from __future__ import annotations

import pytest
from django.urls import reverse

from jobs.states import JobState
from tests.builders import make_backup, make_cluster, make_copy, make_job, text_of

pytestmark = pytest.mark.django_db
URL = reverse("dashboard:latest-jobs")


@pytest.mark.parametrize(
    ("state", "trigger"), [(JobState.IN_PROGRESS, "every 1s"), (JobState.PENDING, "every 2s"), (JobState.FAILED, "")]
)
def test_they_ask_for_themselves_until_all_have_ended(people, client, state, trigger):
    make_job(make_copy(make_backup(make_cluster(people.project)), state="planned"), state=state)
    client.force_login(people.viewer)
    for url in (URL, reverse("dashboard:overview")):
        page = client.get(url).content.decode()
        assert page.count('id="latest-jobs"') == 1
        assert (f'hx-get="{URL}" hx-trigger="{trigger}"' in page) is bool(trigger)


def test_nobody_sees_the_jobs_of_others(people, client):
    make_job()
    client.force_login(people.viewer)
    assert "No jobs yet" in text_of(client.get(URL))
