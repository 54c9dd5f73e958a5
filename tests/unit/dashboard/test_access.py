"""Every address of the site, with every method, for every role, as a page and as a fragment (rule R4).

The world is built once; what a request changes is undone before the next. `tests/access` holds the roles and samples.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.guard import ONE_THING, ORGANIZATION
from accounts.keys import make_personal_key
from accounts.privileges import Need, Privilege
from dataplane.milvus import CollectionInfo, CollectionRef, ServerInfo
from tests.access.addresses import Address, addresses
from tests.access.calls import arguments_of, body_of, is_call, query_of
from tests.access.forms import Form, forms_on
from tests.access.people import REFUSED, ROLES, SIGN_IN, SIGNED_OUT, UNKNOWN, WRONG_METHOD, YES, expected
from tests.access.samples import ABOUT_ONESELF, NAMED_IN_BODY, POSTED, SAMPLES, Things, World, make_world, markers
from tests.access.table import FILE, need_of, render_table

pytestmark = pytest.mark.django_db

ADDRESSES = addresses()
METHODS = ("GET", "POST")
ALL_METHODS = (*METHODS, "PUT", "PATCH", "DELETE", "OPTIONS")
HTMX = {"HX-Request": "true"}
# For what does not depend on the role: methods that nobody may use.
SOME_ROLES = ("owner", "viewer", "stranger", SIGNED_OUT)
# What a method that an address does not take may come to, depending on what is asked first.
NEVER_ANSWERED = {WRONG_METHOD, SIGN_IN, REFUSED, "401"}


class Site:
    """The world, and a way to ask something of it as somebody without leaving a trace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._sessions: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        for who, user in world.people.items():
            if user is not None:
                client = Client()
                client.force_login(user)
                self._sessions[who] = client.cookies[settings.SESSION_COOKIE_NAME].value
                self._keys[who] = make_personal_key(user=user, name="x", privileges=list(Privilege), days=1).token

    def ask(self, who: str, method: str, path: str, data: Any = None, *, is_htmx: bool = False) -> Any:
        """As a person in a browser."""
        client = Client(raise_request_exception=False)
        if who in self._sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self._sessions[who]
        send = getattr(client, method.lower())
        return _undone(lambda: send(path, data or {}, headers=HTMX) if is_htmx else send(path, data or {}))

    def call(self, who: str, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        """As a program with a key of that person."""
        client = Client(raise_request_exception=False)
        headers = {"Authorization": f"Bearer {self._keys[who]}"} if who in self._keys else {}
        text = "" if body is None else json.dumps(body)
        return _undone(
            lambda: client.generic(
                method, path, text, content_type="application/json", headers=headers, query_params=query
            )
        )

    def send(self, address: Address, who: str, method: str, things: Things, *, is_htmx: bool = False) -> Any:
        """With what the address wants to get, so that nothing is wrong but who sends it."""
        path = path_of(address, things)
        if is_call(address):
            return self.call(who, method, path, body_of(address, method, things), query_of(address, method, things))
        if address.access.is_for_machines:
            return self.call(who, method, path)
        posted = POSTED.get(address.name, lambda things: {})(things) if method == "POST" else None
        return self.ask(who, method, path, posted, is_htmx=is_htmx)

    def methods_of(self, address: Address) -> list[str]:
        if isinstance(address.access.needs, Mapping):
            return sorted(address.access.needs)
        sent = {method: self.send(address, "owner", method, self.world.ours) for method in METHODS}
        return [method for method, answer in sent.items() if answer.status_code != 405]


def _undone(ask: Callable[[], Any]) -> Any:
    with transaction.atomic():
        answer = ask()
        transaction.set_rollback(True)
    return answer


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr("clusters.live.collections_of", lambda cluster: [found])
        patch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("3.2", is_lite=True))
        patch.setattr("clusters.live.load_collection", lambda cluster, ref: None)
        yield Site(make_world(tmp_path_factory.mktemp("stores")))
        transaction.set_rollback(True)


def path_of(address: Address, things: Things) -> str:
    if is_call(address):
        return reverse(address.name, args=arguments_of(address, things))
    return reverse(address.name, args=SAMPLES[address.name](things) if address.takes_arguments else [])


def outcome_of(answer: HttpResponse) -> str:
    target = answer.headers.get("HX-Redirect") or answer.headers.get("Location", "")
    if target.startswith("/sign-in/?next=") or target == "/sign-in/":
        return SIGN_IN
    # 400, 409 and 422 say what is wrong with what was asked, to who may ask it.
    return YES if answer.status_code < 400 or answer.status_code in {400, 409, 422} else str(answer.status_code)


def test_every_address_that_takes_arguments_has_a_sample():
    wanting = [address for address in ADDRESSES if address.takes_arguments and not is_call(address)]
    missing = [address.name for address in wanting if address.name not in SAMPLES]
    assert missing == [], "say in tests/access/samples.py what these addresses are about"
    assert SAMPLES.keys() <= {address.name for address in ADDRESSES}


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address.name)
def test_each_role_is_answered_what_the_declaration_says(site, address):
    methods = site.methods_of(address)
    assert methods
    if address.access.is_for_machines:
        answer = site.ask("owner", methods[0], path_of(address, site.world.ours))
        assert answer.status_code == 401, "a session opened what wants a key"
    for method in ALL_METHODS:
        if method in methods:
            need = need_of(address.access, method)
            for who in ROLES:
                _check_cell(site, address, method, need, who)
        else:
            for who in SOME_ROLES if method in METHODS else ("owner",):
                answer = site.send(address, who, method, site.world.ours)
                assert outcome_of(answer) in NEVER_ANSWERED, (method, who)


def _check_cell(site: Site, address: Address, method: str, need: Need | None, who: str) -> None:
    wanted = {expected(address.access, need, who)}
    if wanted == {YES} and (":" not in address.name or address.name in ABOUT_ONESELF):
        # Those who have no second factor are not asked for one, and who is half-way in begins again.
        wanted = {YES, REFUSED, UNKNOWN, SIGN_IN}
    if wanted == {YES} and address.name in NAMED_IN_BODY and who != "owner":
        # Whoever holds what is declared is told what becomes of it in the project that was named.
        wanted = {YES, REFUSED, UNKNOWN}
    is_page = not address.access.is_for_machines
    for is_htmx in (False, True) if is_page else (False,):
        answer = site.send(address, who, method, site.world.ours, is_htmx=is_htmx)
        words = _words_of(answer)
        assert outcome_of(answer) in wanted, (method, who, is_htmx, words[-300:])
        if wanted == {REFUSED}:
            assert need is not None
            assert any(f"“{privilege.value}”" in words for privilege in need.privileges)
        _check_markers(site.world, who, words)


def _words_of(answer: Any) -> str:
    """Everything that was answered, as people and programs read it."""
    content: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        return json.dumps(json.loads(content), ensure_ascii=False)
    return content.decode()


def _check_markers(world: World, who: str, content: str) -> None:
    """Nothing is read by those who may not look at it, whatever the page is about."""
    role = ROLES[who]
    sees = {
        "organization": not role.is_stranger,
        "members": Privilege.MEMBER_MANAGE in role.in_project,
        "cluster": Privilege.CLUSTER_VIEW in role.in_project,
        "cost": bool({Privilege.CLUSTER_VIEW, Privilege.BILLING_VIEW} & role.in_project),
        "backup": Privilege.BACKUP_VIEW in role.in_project,
        "store": Privilege.CLUSTER_MANAGE in role.in_organization,
    }
    ours, theirs = markers(world.ours), markers(world.theirs)
    shown = {word: kind for word, kind in (ours if not role.is_stranger else theirs).items() if word in content}
    assert not [word for word, kind in shown.items() if not sees[kind] and not role.is_stranger], who
    assert not [word for word in (theirs if not role.is_stranger else ours) if word in content], who


NAMING_SOMETHING = [address for address in ADDRESSES if address.access.of in {ONE_THING, ORGANIZATION}]


@pytest.mark.parametrize("address", NAMING_SOMETHING, ids=lambda address: address.name)
def test_what_is_another_organizations_is_answered_like_what_does_not_exist(site, address):
    theirs = path_of(address, site.world.theirs)
    nobodys = theirs
    for code in site.world.theirs.codes().values():
        nobodys = nobodys.replace(code, _nobodys(code))
    assert theirs != nobodys
    ask = site.call if address.access.is_for_machines else site.ask
    for method in site.methods_of(address):
        body = body_of(address, method, site.world.ours) if is_call(address) else None
        answers = [ask("owner", method, path, body) for path in (theirs, nobodys)]
        assert {outcome_of(answer) for answer in answers} == {UNKNOWN}
        assert _likened(answers[0], theirs) == _likened(answers[1], nobodys)


def test_a_field_or_a_filter_takes_a_foreign_code_for_one_that_does_not_exist(site):
    """Every form and link of every page that names one of our things is sent with one of theirs in its place."""
    ours, theirs = site.world.ours.codes(), site.world.theirs.codes()
    kinds = {code: kind for kind, code in ours.items()}
    tried = set()
    for address in ADDRESSES:
        path = path_of(address, site.world.ours)
        page = site.ask("owner", "GET", path)
        if outcome_of(page) != YES or address.access.is_for_machines:
            continue
        for form in forms_on(path, _words_of(page)):
            for name, value in form.choices:
                if value not in kinds or (form.action, form.method, name) in tried:
                    continue
                tried.add((form.action, form.method, name))
                _compare_codes(site, form, name, theirs[kinds[value]])
    fields = {name for _, _, name in tried}
    assert {"cluster", "schedule", "target", "project"} <= fields, "the test no longer finds what it is about"


def _compare_codes(site: Site, form: Form, name: str, code: str) -> None:
    answers = [
        (site.ask("owner", form.method, form.action, form.defaults | {name: wanted}), wanted)
        for wanted in (code, _nobodys(code))
    ]
    assert {answer.status_code for answer, _ in answers} <= {200, 302, 404, 422}
    foreign, unknown = (_likened(answer, wanted) for answer, wanted in answers)
    assert foreign == unknown, (form.action, name)
    assert not [word for word in markers(site.world.theirs) if word in foreign.replace(code, "")]


def _nobodys(code: str) -> str:
    """A code of the same look that belongs to nothing."""
    return code[:-6] + "000000"


def _likened(answer: HttpResponse, named: str) -> str:
    """What was answered, without what differs from one answer to the next: the tokens, and what was asked for."""
    words = f"{answer.status_code} {answer.headers.get('Location', '')} {_words_of(answer)}"
    for part in (named, *named.strip("/").split("/")[1:2]):
        words = words.replace(part, "…")
    return re.sub(r"[A-Za-z0-9]{64}|nonce-[^']+", "", words)


def test_what_was_typed_into_an_address_is_no_server_error(site):
    for query in ("?page=x", "?page=-1", "?page=99", "?type=nonsense&state=%00&cluster='", "?cluster=" + "x" * 10_000):
        for name in ("jobs:job-list", "jobs:job-table", "backups:backup-list"):
            assert site.ask("owner", "GET", reverse(name) + query).status_code == 200, (name, query)


def test_somebody_who_left_loses_access_at_once(site):
    url, viewer = reverse("jobs:job-detail", args=[site.world.ours.job.code]), site.world.people["viewer"]
    assert viewer is not None
    assert site.ask("viewer", "GET", url).status_code == 200
    with transaction.atomic():
        viewer.organization_memberships.all().delete()
        viewer.project_memberships.all().delete()
        assert site.ask("viewer", "GET", url).status_code == 404
        transaction.set_rollback(True)


def test_the_table_in_the_documentation_is_this_one(site):
    table = render_table([(address, site.methods_of(address)) for address in ADDRESSES])
    if os.environ.get("ACCESS_TABLE") == "write":
        FILE.write_text(table)
    assert FILE.read_text() == table, "docs/access.md is stale: run `make access` and read what has changed"
