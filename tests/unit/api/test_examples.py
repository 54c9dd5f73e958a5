"""Every call's example, as the document and the page show it, works; and what comes back is what they say."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from api.api import openapi
from backups.states import CopyState
from dataplane.milvus import ServerInfo
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_job

pytestmark = pytest.mark.django_db

DOCUMENT = openapi()
CALLS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture
def world(people, cluster, backup, settings, monkeypatch) -> dict[str, str]:
    """What the names in the examples stand for."""
    settings.EMBEDDED_CLUSTERS = True
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("2.5", is_lite=False))
    ended = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    other = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE, FRANKFURT: CopyState.FAILED})
    waiting = make_job(other.copies.get(region=VIRGINIA), type=JobType.VERIFY, state=JobState.PENDING)
    failed = make_job(other.copies.get(region=FRANKFURT), type=JobType.COPY, state=JobState.FAILED)
    return {
        "$project": people.project.code,
        "$cluster": cluster.code,
        "$backup": backup.code,
        "$job": ended.code,
        "$running job": waiting.code,
        "$failed copy job": failed.code,
        "$endpoint": "http://milvus.example:19530",
    }


def filled_in(value: Any, world: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled_in(part, world) for name, part in value.items()}
    if isinstance(value, list):
        return [filled_in(part, world) for part in value]
    return world[value] if isinstance(value, str) and value.startswith("$") else value


@pytest.mark.parametrize(("method", "path", "operation"), CALLS, ids=[call[2]["operationId"] for call in CALLS])
def test_the_example_works_and_is_answered_as_described(owner, world, method, path, operation):
    example = filled_in(operation["x-example"], world)
    address = path.removeprefix("/v2")
    for name, value in example["path"].items():
        address = address.replace(f"{{{name}}}", value)
    response = owner.send(method, address, example["body"], **example["query"])
    assert response.status_code == 200, response.content
    assert response.json()["code"] == 0
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(response.json())


def test_every_call_tells_what_it_does_and_how_it_refuses():
    for _, path, operation in CALLS:
        assert operation.get("description"), path
        assert {"400", "401", "403", "404", "429"} <= operation["responses"].keys(), path
