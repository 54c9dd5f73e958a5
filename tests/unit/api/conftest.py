"""A site with an API, a key for each person, and calls that are checked against what the document says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.keys import make_personal_key
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Backup
from backups.states import CopyState
from clusters.models import Cluster
from tests.builders import FRANKFURT, OREGON, VIRGINIA, People, make_backup, make_cluster, make_stores


@pytest.fixture
def cluster(people: People, stores_root: Any) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT, root=stores_root)
    return make_cluster(people.project, name="docs")


@pytest.fixture
def backup(cluster: Cluster) -> Backup:
    return make_backup(cluster, collections=("articles", "questions"), copies={VIRGINIA: CopyState.AVAILABLE})


@pytest.fixture
def key_of(db: None) -> Callable[..., str]:
    def make(user: User, *privileges: Privilege) -> str:
        return make_personal_key(user=user, name="tests", privileges=privileges or list(Privilege), days=1).token

    return make


class Caller:
    """Calls as a program does: JSON in, JSON out, no cookie, no CSRF token."""

    def __init__(self, key: str) -> None:
        self._client = Client(enforce_csrf_checks=True)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return self._client.generic(
            method,
            f"/v2{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers=self._headers,
            query_params=query,
        )

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The data of a call that succeeds."""
        response = self.send(method, path, body, **query)
        answer = response.json()
        assert (response.status_code, answer["code"]) == (200, 0), answer
        return answer["data"]

    def refusal(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, int, str]:
        """Status, code and sentence of a call that is refused."""
        response = self.send(method, path, body, **query)
        answer = response.json()
        assert response.status_code >= 400, answer
        assert answer["code"] != 0
        return response.status_code, answer["code"], answer["message"]


@pytest.fixture
def call(key_of: Callable[..., str]) -> Callable[..., Caller]:
    return lambda user, *privileges: Caller(key_of(user, *privileges))


@pytest.fixture
def owner(call: Callable[..., Caller], people: People) -> Caller:
    return call(people.owner)


@pytest.fixture
def count_queries(owner: Caller) -> Callable[[str], int]:
    """How many questions a list asks of the database, once the key is known to be in use.

    Without the cache's, in which calls are counted by the clock: every ten seconds a row begins there.
    """
    cache = str(settings.CACHES["default"]["LOCATION"])

    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            owner.ask("GET", path, pageSize=100)
        return sum(cache not in str(query["sql"]) for query in captured)

    owner.ask("GET", "/projects")
    return count
