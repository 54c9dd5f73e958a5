"""Secrets planted everywhere, and looked for in everything that leaves the site: pages, logs, rows that tell, dumps."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from accounts.invitation_services import Offer, invite
from accounts.keys import make_personal_key, make_project_key
from accounts.models import AuditEntry, User
from accounts.privileges import OrganizationRole, Privilege
from backups.states import CopyState
from clusters.models import Cluster, Store
from clusters.services import update_cluster
from dataplane.errors import StoreUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef, ServerInfo
from jobs.models import Job, JobEvent
from jobs.moves import claim_job
from jobs.states import JobState, JobType
from jobs.worker import run_job
from tests.builders import OREGON, VIRGINIA, make_backup, make_cluster, make_job, make_schedule, make_stores

pytestmark = pytest.mark.django_db

TOKEN, STORE_KEY, SEED = "root:planted-cluster-password", "planted-store-key", "PLANTEDSEED234567"  # noqa: S105
PASSWORD = "planted password of olga"  # noqa: S105


@dataclass
class World:
    client: Client
    owner: User
    cluster: Cluster
    codes: list[str]
    organization: str
    secrets: dict[str, str]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the site's own handler would write, of everything that any library says."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    [configured] = [found for found in root.handlers if isinstance(found.formatter, _formatter_class())]
    handler.setFormatter(configured.formatter)
    before, root.level = root.level, logging.DEBUG
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.level = before


def _formatter_class() -> type[logging.Formatter]:
    from backupsite.logs import SafeFormatter

    return SafeFormatter


@pytest.fixture
def world(people, client, stores_root, monkeypatch) -> World:
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("3.2", is_lite=True))
    make_stores(people.organization, OREGON, VIRGINIA, root=stores_root)
    Store.objects.update(options=f"region=eu-central-1\nsecret_access_key={STORE_KEY}")
    cluster = make_cluster(people.project, name="docs", token=TOKEN)
    update_cluster(
        user=people.owner, cluster=cluster, name="docs", plan=cluster.plan, cu_size=2, endpoint="http://127.0.0.1:2",
        token=TOKEN,
    )  # fmt: skip
    backup = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    people.owner.set_password(PASSWORD)
    people.owner.save()
    TOTP.activate(people.owner, SEED)
    mine = make_personal_key(user=people.owner, name="mine", privileges=[Privilege.BACKUP_VIEW], days=None)
    ours = make_project_key(
        user=people.owner, project=people.project, name="ours", privileges=[Privilege.BACKUP_VIEW], days=1
    )
    offer = Offer(people.organization, OrganizationRole.MEMBER)
    invitation, invited = invite(
        user=people.owner, organization=people.organization, email="new@example.com", offer=offer
    )
    client.force_login(people.owner)
    secrets = {
        "cluster token": TOKEN.partition(":")[2],
        "store key": STORE_KEY,
        "second factor": SEED,
        "password": PASSWORD,
        "person's key": mine.token,
        "project's key": ours.token,
        "invitation": invited,
        "session": client.cookies[settings.SESSION_COOKIE_NAME].value,
    }
    codes = [cluster.code, backup.code, original.code, make_schedule(cluster).code, people.organization.code]
    codes += [people.project.code, mine.key.code, ours.key.code, invitation.code]
    return World(client, people.owner, cluster, codes, people.organization.code, secrets)


def found_in(text: str, world: World, *, but: tuple[str, ...] = ()) -> list[str]:
    return [name for name, secret in world.secrets.items() if secret in text and name not in but]


# Where people come from elsewhere, with proof in the address.
FOR_STRANGERS = ("openid_connect", "account_reset_password_from_key")
# Whose code comes first in what begins so.
KINDS = {"clusters": "in01-", "backups": "backup", "jobs": "job-", "schedules": "sched-", "projects": "proj-"}


def addresses(world: World) -> Iterator[list[str]]:
    """Every page there is: the addresses it may have, of which one suffices."""
    known = {"region": [OREGON], "organization": [world.organization], "database": ["default"], "name": ["docs"]}

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, f"{pattern.namespace}:" if pattern.namespace else prefix)
            elif isinstance(pattern, URLPattern) and pattern.name:
                yield f"{prefix}{pattern.name}"

    for name in sorted(set(walk(get_resolver().url_patterns, ""))):
        if name.startswith(FOR_STRANGERS):
            continue
        found = []
        for names in _arguments(name):
            for values in product(*(known.get(argument, world.codes) for argument in names)):
                with suppress(NoReverseMatch):  # a number is wanted, and codes are none
                    found.append(reverse(name, kwargs=dict(zip(names, values, strict=True))))
        yield [address for address in found if _may_be_of(address)]


def _may_be_of(address: str) -> bool:
    first, _, rest = address.strip("/").partition("/")
    return first not in KINDS or not rest or rest.startswith((KINDS[first], "new"))


def _arguments(name: str) -> list[list[str]]:
    """The names of what an address takes, for each way to write it."""
    resolver: Any = get_resolver()
    for part in name.split(":")[:-1]:
        prefix, resolver = resolver.namespace_dict[part]
        del prefix
    inner = [names for ways, _, _, _ in resolver.reverse_dict.getlist(name.rpartition(":")[2]) for _, names in ways]
    outer: list[str] = []
    resolver = get_resolver()
    for part in name.split(":")[:-1]:
        prefix, resolver = resolver.namespace_dict[part]
        outer += [piece.partition(")s")[0] for piece in prefix.split("%(")[1:]]
    return [[*outer, *names] for names in inner if len(names) + len(outer) <= 2]


def run_failing(world: World, error: Exception, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A backup that a worker carries out and that ends with `error`, as a library might raise it."""

    def fail(*args: Any, **kwargs: Any) -> None:
        world.cluster.read_token()
        Store.objects.first().read_options()  # type: ignore[union-attr]
        raise error

    monkeypatch.setattr("jobs.work.take_backup", fail)
    make_job(type=JobType.BACKUP, cluster=make_cluster(world.cluster.project, token=TOKEN))
    job = claim_job("worker-1")
    assert job
    run_job(job, threading.Event())
    job.refresh_from_db()
    return job


def test_no_page_shows_one(world):
    shown = 0
    for choices in addresses(world):
        for address in choices:
            answer = world.client.get(address)
            if answer.status_code == 200:
                streamed = answer.streaming_content if answer.streaming else [answer.content]
                assert found_in(b"".join(streamed).decode(), world) == [], address
                shown += 1
            if answer.status_code in {200, 405}:
                break
    assert shown >= 45, "the walk has lost its way"


def test_no_job_event_page_or_log_repeats_what_a_library_said(world, log, monkeypatch):
    told = f"bad gateway for {TOKEN} at https://root:planted-cluster-password@host with secret_access_key={STORE_KEY}"
    failed = run_failing(world, StoreUnreachable(f"Oregon could not write: {told}."), monkeypatch)
    crashed = run_failing(world, RuntimeError(told), monkeypatch)
    assert "Oregon could not write: bad gateway" in failed.reason
    assert crashed.state == JobState.CRASHED
    for job in (failed, crashed):
        assert found_in(world.client.get(job.get_absolute_url()).content.decode(), world) == []
    rows = [str(row) for model in (Job, JobEvent, AuditEntry) for row in model.objects.values()]
    assert found_in("".join(rows), world) == []
    assert "bad gateway" in log.getvalue()
    assert found_in(log.getvalue(), world) == []


def test_a_page_that_falls_over_shows_none_and_neither_does_its_traceback(world, log, monkeypatch):
    def fall_over(cluster: Cluster) -> None:
        raise RuntimeError(f"no idea what to do with {cluster.read_token()}")

    monkeypatch.setattr("clusters.live.collections_of", fall_over)
    world.client.raise_request_exception = False
    answer = world.client.get(world.cluster.get_absolute_url())
    assert answer.status_code == 500
    assert found_in(answer.content.decode(), world) == []
    assert "no idea what to do with ***" in log.getvalue()
    assert found_in(log.getvalue(), world) == []


def test_neither_the_log_nor_its_csv_holds_one(world):
    answer = world.client.get(reverse("audit:audit-csv"))
    text = b"".join(answer.streaming_content).decode()
    assert "key.made" in text
    assert found_in(text, world) == []


def test_no_dump_holds_one(world):
    """Sessions aside, whose rows are called by what the cookie says: the manual says to leave them out."""
    output = io.StringIO()
    call_command("dumpdata", exclude=["sessions", "usersessions"], stdout=output)
    assert world.cluster.code in output.getvalue()
    assert found_in(output.getvalue(), world) == []


def test_a_signing_in_that_fails_leaves_no_password_anywhere(world, log):
    Client().post("/sign-in/", {"username": world.owner.email, "password": f"{PASSWORD}x"})
    Client().post("/sign-in/", {"username": PASSWORD, "password": "x"})
    assert found_in(log.getvalue(), world) == []
    assert found_in("".join(str(row) for row in AuditEntry.objects.values()), world) == []
