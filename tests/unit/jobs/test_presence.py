"""Workers say that they live, and fall silent when they die."""

from __future__ import annotations

import os
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.models import Worker
from jobs.presence import GENERAL, Presence, living_queues, queue_of, queues_for, regions_in, worker_name
from jobs.worker import sweep
from jobs.worker_models import FORGET_AFTER, SILENT_SECONDS
from tests.builders import VIRGINIA, make_worker
from tests.site import wait_until


def test_a_worker_has_a_row_while_it_lives_and_renews_it(committed, monkeypatch):
    monkeypatch.setattr("jobs.presence.BEAT_SECONDS", 0.01)
    with Presence(queues_for([VIRGINIA])):
        wait_until(lambda: Worker.objects.exists(), "it has a row")
        first = Worker.objects.get()
        assert (first.name, first.pid, first.queues) == (worker_name(), os.getpid(), [queue_of(VIRGINIA)])
        wait_until(lambda: Worker.objects.get().seen_at > first.seen_at, "it has renewed it")
        Worker.objects.all().delete()
        wait_until(lambda: Worker.objects.exists(), "it has a row again")
    # Whoever stops waits for it no longer than a beat, which is short here.
    wait_until(lambda: not Worker.objects.exists(), "it has taken its row away")


@pytest.mark.django_db
def test_a_worker_that_is_silent_counts_for_nothing():
    now = timezone.now()
    make_worker(is_woken=True, seen_at=now - timedelta(seconds=SILENT_SECONDS + 1))
    assert not Worker.objects.living(now).exists()
    assert living_queues(now) == frozenset()
    make_worker(is_woken=True)
    assert living_queues(now) == {GENERAL}


@pytest.mark.django_db
def test_the_sweep_forgets_workers_that_have_been_silent_for_long():
    make_worker(name="dead", seen_at=timezone.now() - FORGET_AFTER - timedelta(seconds=1))
    make_worker(name="silent", seen_at=timezone.now() - timedelta(minutes=5))
    sweep()
    assert list(Worker.objects.values_list("name", flat=True)) == ["silent"]


def test_queues_are_named_after_regions():
    assert queues_for([]) == [GENERAL]
    assert regions_in([*queues_for([VIRGINIA]), GENERAL]) == [VIRGINIA]


@pytest.mark.django_db
def test_worker_health_tells_whether_a_worker_of_this_host_lives():
    with pytest.raises(CommandError, match="No worker has been seen on this host"):
        call_command("worker_health")
    make_worker(host="elsewhere")
    with pytest.raises(CommandError, match="No worker has been seen on this host"):
        call_command("worker_health")
    call_command("worker_health", "--anywhere", stdout=StringIO())
    said = StringIO()
    make_worker(name="here", host=worker_name().partition(":")[0])
    call_command("worker_health", stdout=said)
    assert said.getvalue().startswith("here was seen ")
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    with pytest.raises(CommandError, match="here was seen last at"):
        call_command("worker_health")


@pytest.mark.django_db
def test_a_region_that_does_not_exist_is_refused_by_name():
    with pytest.raises(CommandError, match="There is no region called gcp-mars"):
        call_command("run_worker", "--region", "gcp-mars")
