"""The audit log: what is written, whose it is, that it stays, and that a refusal is written once."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, models, transaction

from accounts.append_only import RowsStay
from accounts.audit import record, record_refusals, refusals_as
from accounts.audit_actions import Action, Outcome
from accounts.audit_context import Source, coming_from, note_refusal
from accounts.errors import PrivilegeMissing, Refused
from accounts.models import AuditEntry, Organization, OrganizationMember
from accounts.privileges import Privilege
from tests.builders import make_cluster, make_organization, make_user


@pytest.fixture
def entry(people) -> AuditEntry:
    cluster = make_cluster(people.project, name="docs")
    record(Action.CLUSTER_ADDED, user=people.owner, target=cluster, details={"region": cluster.region_id})
    return AuditEntry.objects.get()


def test_an_entry_says_who_did_what_to_which_thing_and_whose_log_it_is(people, entry):
    assert (entry.actor, entry.actor_name) == (people.owner, f"Olga Owner ({people.owner.email})")
    assert (entry.action, entry.outcome, entry.details) == ("cluster.added", "done", {"region": "gcp-us-west1"})
    assert (entry.target_type, entry.target_name) == ("cluster", "docs")
    assert entry.target_code.startswith("in01-")
    assert (entry.organization, entry.project) == (people.organization, people.project)
    assert str(entry).endswith("added a cluster: docs")


def test_what_nobody_asked_for_was_done_by_the_site_or_by_a_command(people):
    record(Action.ORGANIZATION_CHANGED, user=None, target=people.organization)
    with coming_from(Source(command="set_longest_retention")):
        record(Action.ORGANIZATION_CHANGED, user=None, target=people.organization)
    names = AuditEntry.objects.order_by("pk").values_list("actor_name", flat=True)
    assert list(names) == ["The site", "manage.py set_longest_retention"]


def test_what_concerns_a_person_alone_is_told_to_each_of_their_organizations(people):
    elsewhere = make_organization("Third")
    OrganizationMember.objects.create(organization=elsewhere, user=people.viewer)
    record(Action.ROLE_GIVEN, user=people.viewer)
    assert {entry.organization for entry in AuditEntry.objects.all()} == {people.organization, elsewhere}
    assert len({entry.code for entry in AuditEntry.objects.all()}) == 2


def test_what_concerns_nobody_known_is_nobodys(db):
    record(Action.ACCESS_REFUSED, user=None, outcome=Outcome.REFUSED, reason="No such person.")
    assert AuditEntry.objects.get().organization is None


def test_it_goes_with_the_change_that_it_tells_of(people):
    @transaction.atomic
    def change_and_fail():
        record(Action.ORGANIZATION_CHANGED, user=people.owner, target=people.organization)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert not AuditEntry.objects.exists()


def test_an_address_a_request_and_a_key_come_from_the_edge(people):
    with coming_from(Source(address="203.0.113.9", request_id="abc", key_code="key-1", key_name="Nightly")):
        record(Action.ORGANIZATION_CHANGED, user=people.owner, target=people.organization)
    entry = AuditEntry.objects.get()
    assert (entry.address, entry.request_id, entry.key_code, entry.key_name) == (
        "203.0.113.9",
        "abc",
        "key-1",
        "Nightly",
    )


def test_details_are_small(people):
    record(Action.ORGANIZATION_CHANGED, user=None, target=people.organization, details={"much": "x" * 10_000})
    assert AuditEntry.objects.get().details["left out"] == ["much"]


def test_no_call_of_ours_changes_or_removes_an_entry(entry):
    every = AuditEntry.objects.all()
    for attempt in (
        entry.save,
        entry.delete,
        every.delete,
        lambda: every.update(reason="x"),
        lambda: AuditEntry.objects.bulk_update([entry], ["reason"]),
        lambda: AuditEntry.objects.update_or_create(pk=entry.pk, defaults={"reason": "x"}),
    ):
        with pytest.raises(RowsStay):
            attempt()


def test_the_database_itself_refuses_to_change_or_remove_an_entry(entry):
    statements = [
        "UPDATE accounts_auditentry SET reason = 'x'",
        "DELETE FROM accounts_auditentry",
        "DELETE FROM accounts_auditentry WHERE id = (SELECT max(id) FROM accounts_auditentry)",
    ]
    if connection.vendor == "postgresql":
        connection.check_constraints()  # what is still to be checked would be in the way of it
        statements += ["TRUNCATE accounts_auditentry CASCADE", "TRUNCATE accounts_organization CASCADE"]
    for statement in statements:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEntry.objects.get().reason == ""


@pytest.mark.parametrize("kept", ["id", "code"])
def test_nor_can_one_be_replaced(entry, kept):
    """Where SQLite has INSERT OR REPLACE, PostgreSQL has ON CONFLICT, which SQLite understands too."""
    changed = {"id": "id + 1", "code": "'audit-other'"} | {kept: kept} | {"reason": "'x'"}
    columns = [str(field.column) for field in AuditEntry._meta.concrete_fields]
    values = ", ".join(changed.get(column, column) for column in columns)
    rows = f"INTO accounts_auditentry ({', '.join(columns)}) SELECT {values} FROM accounts_auditentry WHERE true"
    statements = [f"INSERT {rows} ON CONFLICT ({kept}) DO UPDATE SET reason = 'x'"]
    if connection.vendor == "sqlite":
        statements.append(f"INSERT OR REPLACE {rows}")
    for statement in statements:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEntry.objects.get().reason == ""


def test_no_name_makes_an_entry_look_like_another_one(people):
    people.viewer.name = "Olga Owner (olga@example.com)\nOlga \u202eOwner"
    people.project.name = "Search\u2028deleted"
    record(Action.ROLE_GIVEN, user=people.viewer, target=people.project, reason="so\r", details={"to": ["a\u2066b"]})
    entry = AuditEntry.objects.get()
    assert entry.actor_name == (f"Olga Owner (olga@example.com)\\u000aOlga \\u202eOwner ({people.viewer.email})")
    assert (entry.target_name, entry.reason) == ("Search\\u2028deleted", "so\\u000d")
    assert entry.details == {"to": ["a\\u2066b"]}


def test_no_name_is_so_long_that_it_hides_whose_it_is(people):
    people.viewer.name, people.viewer.email = "n" * 120, f"{'v' * 64}@{'d' * 180}.com"
    record(Action.ROLE_GIVEN, user=people.viewer, target=people.project)
    assert AuditEntry.objects.get().actor_name.endswith(f" ({people.viewer.email})")


def test_no_address_of_a_page_makes_a_refusal_look_like_another_one(people):
    with coming_from(Source()) as source:
        note_refusal(PrivilegeMissing(Privilege.BACKUP_MANAGE), user=people.viewer)
        record_refusals(source, path="GET /a\n\u202e", code="b\u2029", was_denied=True)
    entry = AuditEntry.objects.get()
    assert (entry.target_name, entry.target_code) == ("GET /a\\u000a\\u202e", "b\\u2029")


def test_it_can_be_read_after_everything_it_names_has_gone(people, entry):
    make_user("Kim", organization=people.organization)
    people.owner.organization_memberships.all().delete()
    people.owner.delete()
    type(entry).objects.get()
    assert AuditEntry.objects.get().actor_name.startswith("Olga Owner")


def test_an_organization_with_a_history_is_not_removed_by_accident(people, entry):
    empty = make_organization("Empty")
    Organization.objects.filter(pk=empty.pk).delete()
    with pytest.raises(models.ProtectedError):
        people.organization.delete()


class TestRefusals:
    def test_one_is_written_when_the_request_has_ended_with_what_was_wanted(self, people):
        cluster = make_cluster(people.project, name="docs")

        @refusals_as(Action.BACKUP_REQUESTED, of="cluster")
        @transaction.atomic
        def request_backup(*, user, cluster):
            raise Refused("One runs already.")

        with coming_from(Source(address="203.0.113.9")) as source:
            with pytest.raises(Refused):
                request_backup(user=people.owner, cluster=cluster)
            assert not AuditEntry.objects.exists()
            record_refusals(source, path="POST /clusters/x/")
            record_refusals(source, path="POST /clusters/x/")
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.outcome, entry.reason) == ("backup.requested", "refused", "One runs already.")
        assert (entry.target_name, entry.project, entry.actor) == ("docs", people.project, people.owner)
        assert entry.address == "203.0.113.9"

    def test_who_stands_further_out_knows_better_what_was_wanted(self, people):
        @refusals_as(Action.CLUSTER_ADDED, of="project")
        def inner(*, user, project):
            raise Refused("Name taken.")

        @refusals_as(Action.RESTORE_REQUESTED, of="project")
        def outer(*, user, project):
            try:
                inner(user=user, project=project)
            except Refused as refusal:
                raise Refused("No restore.") from refusal

        with coming_from(Source()) as source:
            with pytest.raises(Refused):
                outer(user=people.owner, project=people.project)
            record_refusals(source, path="POST /x/")
        assert AuditEntry.objects.get().action == "restore.requested"

    def test_a_missing_privilege_counts_only_where_it_was_the_answer(self, people):
        for was_denied in (False, True):
            with coming_from(Source()) as source:
                note_refusal(PrivilegeMissing(Privilege.BACKUP_MANAGE), user=people.viewer, project=people.project)
                record_refusals(source, path="GET /clusters/in01-1/", code="in01-1", was_denied=was_denied)
            assert AuditEntry.objects.count() == was_denied
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.target_type, entry.target_code) == ("access.refused", "page", "in01-1")
        assert entry.details == {"privileges": ["backup: manage"]}
        assert "“backup: manage”" in entry.reason

    def test_a_page_that_asks_again_and_again_is_written_down_once(self, people):
        for path in ("GET /a/", "GET /a/", "GET /b/"):
            with coming_from(Source()) as source:
                note_refusal(PermissionDenied("No."), user=people.viewer)
                record_refusals(source, path=path, was_denied=True)
        assert AuditEntry.objects.count() == 2

    def test_no_organization_reads_of_another_what_its_member_was_refused_there(self, people):
        OrganizationMember.objects.create(organization=make_organization("Third"), user=people.viewer)
        with coming_from(Source()) as source:
            note_refusal(PermissionDenied("No."), user=people.viewer)
            record_refusals(source, path="GET /clusters/in01-1/", was_denied=True)
        assert AuditEntry.objects.get().organization is None
