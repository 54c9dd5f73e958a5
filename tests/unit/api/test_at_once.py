"""The same call twice at the same moment, as a client sends it whose first answer is late: one thing comes of it."""

from __future__ import annotations

import json
from threading import Barrier, Thread
from typing import Any

from django.db import connections

from jobs.models import Job, Schedule
from jobs.states import JobType

TIMES = 3


def send_at_once(owner: Any, path: str, body: dict[str, Any]) -> list[Any]:
    """What each answer says, without the word of the moment."""
    barrier, answers = Barrier(TIMES), []

    def run() -> None:
        try:
            barrier.wait()
            response = owner.send("POST", path, body)
            answers.append((response.status_code, json.loads(response.content)))
        finally:
            connections.close_all()

    threads = [Thread(target=run) for _ in range(TIMES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_thing_comes_of_calls_that_arrive_together(committed, people, cluster, backup, owner, settings):
    settings.EMBEDDED_CLUSTERS = True
    one = f"/clusters/{cluster.code}/backups/{backup.code}"
    calls = [
        (f"{one}/restoreCollection", {"destClusterId": cluster.code}),
        (
            f"{one}/restoreCluster",
            {"projectId": people.project.code, "clusterName": "again", "cuSize": 1, "collectionStatus": "KEEP"},
        ),
        (
            f"/clusters/{cluster.code}/backups/policy",
            {"enabled": True, "frequency": "1", "startTime": "02:00-04:00", "retentionDays": 3},
        ),
    ]
    for path, body in calls:
        answers = send_at_once(owner, path, body)
        assert answers == [answers[0]] * TIMES, answers
        assert answers[0][0] == 200, answers
    assert Job.objects.filter(type=JobType.RESTORE).count() == 2
    assert Schedule.objects.count() == 1
