"""Whatever is sent, by whomever: no server error. `make fuzz REQUESTS=100000` sends as much as you like."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random, randrange

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import transaction
from django.test import Client

from accounts.keys import make_personal_key
from accounts.models import User
from accounts.privileges import Privilege
from backups.states import CopyState
from jobs.states import JobState, JobType
from tests.builders import (
    OREGON,
    VIRGINIA,
    People,
    make_backup,
    make_cluster,
    make_job,
    make_schedule,
    make_stores,
    make_worker,
)
from tests.fuzz.nonsense import Fuzzer, Request

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or randrange(1, 10**9)
BATCH = 250
"""After so many requests everything is put back as it was: a world in which all is deleted asks no questions."""


@pytest.fixture(autouse=True)
def _quiet_and_offline(settings) -> Iterator[None]:
    # No address may be reached, so nothing waits for a cluster or a name server.
    settings.ALLOWED_NETWORKS = []
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def build(people: People, stores_root: Path) -> tuple[dict[str, str], list[str]]:
    """One thing of each kind by the argument that names it, and the codes of all, the stranger's things included."""
    elsewhere = people.stranger.organization_memberships.get().organization
    things, codes = {"region": VIRGINIA, "provider": "gcp", "database": "default", "name": "docs"}, []
    for organization, project in ((elsewhere, elsewhere.projects.get()), (people.organization, people.project)):
        cluster = make_cluster(project, name="docs")
        make_stores(organization, OREGON, VIRGINIA, root=stores_root / organization.code)
        backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
        original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
        job = make_job(backup.copies.get(region=VIRGINIA), state=JobState.FAILED, parent=original, reason="Disk gone.")
        schedule = make_schedule(cluster, is_enabled=False)
        things |= {"organization": organization.code, "clusters": cluster.code, "backups": backup.code}
        things |= {"jobs": job.code, "schedules": schedule.code}
        codes += [thing.code for thing in (cluster, backup, original, job, schedule, organization, project)]
    make_worker()
    return things, [*codes, OREGON, VIRGINIA]


class Clients:
    """A client for each kind of person, signed in again whenever a request has signed it out."""

    def __init__(self, people: dict[str, User | None], *, token: str) -> None:
        self._people = people
        self._clients = {who: Client() for who in people}
        self._clients["key"] = Client(headers={"authorization": f"Bearer {token}"})

    def send(self, request: Request) -> int:
        client, user = self._clients[request.who], self._people.get(request.who)
        if user is not None and SESSION_KEY not in client.session:
            client.force_login(user)
        answer = client.generic(
            request.method, request.path, request.body, content_type=request.content_type, **request.environ
        )
        return int(answer.status_code)

    def page(self, path: str) -> str:
        try:
            with transaction.atomic():
                return str(self._clients["owner"].get(path).content.decode(errors="replace"))
        except Exception:  # noqa: BLE001 - told by the requests themselves, with their seed
            return ""


def test_no_request_is_a_server_error(people, stores_root):
    owners = {"owner": people.owner, "viewer": people.viewer, "stranger": people.stranger, "nobody": None}
    (things, codes), random = build(people, stores_root), Random(SEED)
    token = make_personal_key(user=people.owner, name="fuzz", privileges=list(Privilege), days=None).token
    clients, failures, statuses = Clients(owners, token=token), Counter[str](), Counter[int]()
    clients.send(Request("owner", "GET", "/", b"", ""))  # signs in whoever shows the forms
    answered = set[str]()
    fuzzer = Fuzzer(random, things=things, codes=codes, who=[*owners, "key"], show=clients.page)
    began, sent = time.monotonic(), 0
    while sent < REQUESTS:
        with transaction.atomic():
            for _ in range(min(BATCH, REQUESTS - sent)):
                request = fuzzer.request()
                sent += 1
                try:
                    with transaction.atomic():
                        status = clients.send(request)
                except Exception:  # noqa: BLE001 - every one is a finding
                    failures[f"{request}\n{traceback.format_exc()[-3000:]}"] += 1
                    continue
                statuses[status] += 1
                if status == 200:
                    answered.add(request.who)
                if status >= 500:
                    failures[f"{status}: {request}"] += 1
            transaction.set_rollback(True)
    sys.stdout.write(
        f"\n{sent:,} requests in {time.monotonic() - began:.1f} s, seed {SEED}: {sorted(statuses.items())}\n"
    )
    assert REQUESTS < 1000 or answered == {*owners, "key"}, "somebody saw no page at all"
    told = "\n\n".join(list(failures)[:10])
    assert not failures, f"{failures.total()} of {sent} requests failed. FUZZ_SEED={SEED} repeats them.\n\n{told}"
