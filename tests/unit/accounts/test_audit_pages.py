"""The page of the audit log and its CSV: who may read what, filters, paging, and what a spreadsheet makes of it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import record
from accounts.audit_actions import Action, Outcome
from accounts.audit_views import PAGE_SIZE
from accounts.models import AuditEntry
from accounts.privileges import Privilege, ProjectRole
from tests.builders import make_cluster, make_project, make_user, text_of

pytestmark = pytest.mark.django_db

PAGE, CSV = "/audit/", "/audit/entries.csv"


@pytest.fixture
def owner(people, client) -> Client:
    client.force_login(people.owner)
    return client


@pytest.fixture
def world(people) -> Any:
    """An entry of the organization, one in each of its two projects, and one elsewhere."""
    other = make_project(people.organization, name="Other")
    record(Action.ORGANIZATION_CHANGED, user=people.owner, target=people.organization)
    record(Action.CLUSTER_ADDED, user=people.project_admin, target=make_cluster(people.project, name="in-search"))
    record(
        Action.CLUSTER_REMOVED,
        user=people.owner,
        target=make_cluster(other, name="in-other"),
        outcome=Outcome.REFUSED,
        reason="It is in use.",
    )
    record(Action.ORGANIZATION_CHANGED, user=people.stranger)
    return other


def shown(client: Client, **query: str) -> list[str]:
    """What the entries on the page are about."""
    return [entry.target_name for entry in client.get(PAGE, query).context["entries"]]


def rows_of(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def make_entries(people: Any, count: int) -> None:
    for number in range(count):
        record(Action.ORGANIZATION_CHANGED, user=people.owner, target=people.organization, details={"number": number})


class TestWhoReadsWhat:
    def test_an_owner_reads_everything_of_the_organization_and_nothing_of_others(self, owner, world):
        assert shown(owner) == ["in-other", "in-search", "Acme"]

    def test_a_project_admin_reads_what_is_of_the_project(self, people, world, client):
        client.force_login(people.project_admin)
        assert shown(client) == ["in-search"]
        for place in (people.organization.code, world.code, "org-unknown"):
            assert shown(client, place=place) == ["in-search"]
            assert len(rows_of(client.get(CSV, {"place": place}))) == 2

    def test_a_custom_role_may_read_it(self, people, world, client):
        client.force_login(make_user(project=world, role=ProjectRole.CUSTOM, privileges=[Privilege.AUDIT_VIEW]))
        assert shown(client) == ["in-other"]

    @pytest.mark.parametrize("who", ["operator", "viewer", "backup_manager", "cluster_viewer", "billing_admin"])
    def test_nobody_else_does_and_none_is_offered_it(self, people, client, who):
        client.force_login(getattr(people, who))
        assert client.get(PAGE).status_code == client.get(CSV).status_code == 403
        assert 'href="/audit/"' not in client.get("/clusters/").content.decode()

    def test_it_is_offered_to_those_who_may_read_it(self, people, client):
        for who in (people.owner, people.project_admin):
            client.force_login(who)
            assert 'href="/audit/"' in client.get("/clusters/").content.decode()

    def test_what_another_organization_did_to_a_shared_code_stays_there(self, people, owner, world):
        assert not shown(owner, person=people.stranger.email)
        code = AuditEntry.objects.filter(actor=people.stranger).get().code
        assert len(shown(owner, before=code)) <= 3


class TestFilters:
    def test_by_person_action_outcome_and_thing(self, people, owner, world):
        cluster = AuditEntry.objects.get(target_name="in-search").target_code
        assert shown(owner, person="adam") == ["in-search"]
        assert shown(owner, person=people.owner.email) == ["in-other", "Acme"]
        assert shown(owner, action="cluster.added") == ["in-search"]
        assert shown(owner, outcome="refused") == ["in-other"]
        assert shown(owner, target=cluster) == ["in-search"]
        assert shown(owner, person="adam", outcome="refused") == []
        assert shown(owner, place=world.code) == ["in-other"]

    def test_by_what_the_site_itself_did(self, people, owner, world):
        record(Action.COPY_EXPIRED, user=None, target=people.organization)
        assert len(shown(owner, person="the site")) == 1

    def test_by_day(self, people, owner, world):
        today, tomorrow = timezone.now().date(), timezone.now().date() + timedelta(days=1)
        assert len(shown(owner, since=str(today), until=str(today))) == 3
        assert shown(owner, since=str(tomorrow)) == []
        assert shown(owner, until=str(today - timedelta(days=1))) == []

    @pytest.mark.parametrize(
        "nonsense",
        [
            {"since": "yesterday"},
            {"until": "9999-12-31"},
            {"since": "0001-01-01"},
            {"action": "x"},
            {"outcome": "\0"},
            {"person": "\0"},
            {"target": "x" * 1_000},
            {"before": "nothing"},
            {"after": "\N{SNOWMAN}"},
        ],
    )
    def test_nonsense_filters_nothing(self, owner, world, nonsense):
        assert owner.get(PAGE, nonsense).status_code == 200
        assert len(shown(owner, **nonsense)) == 3

    def test_a_refusal_says_why_and_a_detail_what(self, people, owner, world):
        make_entries(people, 1)
        words = text_of(owner.get(PAGE))
        assert "It is in use." in words
        assert "number: 0" in words


class TestPaging:
    def test_every_entry_is_on_one_page_both_ways_while_others_are_written(self, people, owner):
        make_entries(people, 2 * PAGE_SIZE + 10)
        # Many at the same moment: the order among them still has to hold.
        seen: list[str] = []
        page = owner.get(PAGE)
        while True:
            seen += [entry.code for entry in page.context["entries"]]
            make_entries(people, 3)
            if not page.context["older"]:
                break
            page = owner.get(PAGE, {"before": page.context["older"]})
        assert len(seen) == len(set(seen)) == 2 * PAGE_SIZE + 10
        back = owner.get(PAGE, {"after": page.context["newer"]})
        assert [entry.code for entry in back.context["entries"]] == seen[PAGE_SIZE : 2 * PAGE_SIZE]
        assert (back.context["newer"], back.context["older"]) == (seen[PAGE_SIZE], seen[2 * PAGE_SIZE - 1])

    def test_the_first_page_has_no_newer_one_and_keeps_its_filters(self, people, owner):
        make_entries(people, PAGE_SIZE + 1)
        page = owner.get(PAGE, {"person": "olga"})
        assert page.context["newer"] == ""
        assert f"?person=olga&amp;before={page.context['older']}" in page.content.decode()

    def test_twenty_entries_cost_as_many_queries_as_one(self, people, owner, world):
        def count() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert owner.get(PAGE).status_code == 200
            return len(captured)

        owner.get(PAGE)
        before = count()
        for number in range(19):
            record(Action.CLUSTER_ADDED, user=people.owner, target=make_cluster(people.project, name=f"c{number}"))
        assert count() == before

    def test_each_filter_is_answered_from_an_index(self, people):
        every = AuditEntry.objects.of_organization(people.organization).for_list()
        for rows in (
            every,
            every.filter(action="cluster.added"),
            every.filter(target_code="in01-1"),
            every.between(timezone.now(), None),
            AuditEntry.objects.of_project(people.project).for_list(),
        ):
            plan = rows[:50].explain()
            assert "audit_of_" in plan or connection.vendor != "sqlite", plan
            assert "TEMP B-TREE FOR ORDER BY" not in plan.replace("LAST TERM OF ORDER BY", ""), plan


class TestCsv:
    def test_it_holds_what_the_page_shows(self, owner, world):
        head, *rows = rows_of(owner.get(CSV, {"outcome": "refused"}))
        [entry] = [dict(zip(head, row, strict=True)) for row in rows]
        assert (entry["name"], entry["outcome"], entry["reason"]) == ("in-other", "refused", "It is in use.")
        assert entry["who"].startswith("Olga Owner (")

    def test_nothing_in_it_is_a_formula(self, people, owner):
        for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1"):
            people.organization.name = name
            record(Action.ORGANIZATION_CHANGED, user=people.owner, target=people.organization, reason=name)
        for row in rows_of(owner.get(CSV))[1:]:
            assert all(cell.lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "\r") for cell in row), row

    def test_it_ends_somewhere_and_says_so(self, people, owner, monkeypatch):
        monkeypatch.setattr("accounts.audit_views.MOST_EXPORTED", 3)
        make_entries(people, 3)
        assert len(rows_of(owner.get(CSV))) == 4
        make_entries(people, 1)
        *_, last = rows_of(owner.get(CSV))
        assert last == ["There are more than 3 entries. Narrow the filters for the others."]
