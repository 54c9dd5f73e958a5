"""Calls made up from the document: none makes the site fail, and none is answered otherwise than it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.api import openapi
from backupsite.wsgi import application

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

pytestmark = pytest.mark.django_db
schema = schemathesis.openapi.from_dict(openapi())
schema.app = application


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The calls are made within the test's transaction, which ends with its connection."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def key(people, key_of, settings) -> str:
    settings.API_REQUESTS_PER_SECOND = 1_000_000
    return key_of(people.owner)


@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_call_fails_or_answers_otherwise_than_described(case, people, cluster, backup, key):
    known = {"cluster_id": cluster.code, "backup_id": backup.code, "project_id": people.project.code}
    # Half of the calls reach something that is there.
    if len(str(case.path_parameters)) % 2 == 0:
        case.path_parameters = {**case.path_parameters, **{n: v for n, v in known.items() if n in case.path_parameters}}
    # Called without a server, nobody unpacks what is answered: so it is asked for unpacked.
    headers = {"Authorization": f"Bearer {key}", "Host": "testserver", "Accept-Encoding": "identity"}
    case.call_and_validate(headers=headers, checks=CHECKS)
