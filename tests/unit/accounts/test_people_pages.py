"""The pages about people, projects and the organization."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import CustomRole, OrganizationMember, Project
from accounts.privileges import OrganizationRole, Privilege, ProjectRole
from tests.builders import make_organization, make_project, make_user, text_of

pytestmark = pytest.mark.django_db


def member(people, who):
    return OrganizationMember.objects.get(organization=people.organization, user=getattr(people, who))


def test_an_owner_sees_everybody_with_every_role(people, client):
    client.force_login(people.owner)
    words = text_of(client.get(reverse("people:member-list")))
    for line in ("Vera Viewer vera-viewer", "Data Viewer of Search", "Bea Backup's role of Search", "Billing Admin"):
        assert line in words
    assert "Stan Stranger" not in words


def test_who_manages_one_project_is_led_to_it_and_sees_no_others(people, client):
    make_project(people.organization, name="Secret plans")
    client.force_login(people.project_admin)
    page = client.get(reverse("people:member-list"))
    assert "Vera Viewer" not in text_of(page)
    assert "Secret plans" not in text_of(page)
    assert reverse("people:project-detail", args=[people.project.code]) in page.content.decode()


def test_a_person_with_two_organizations_chooses_which_to_look_at(people, client):
    other = make_organization("Other")
    OrganizationMember.objects.create(organization=other, user=people.owner, role=OrganizationRole.OWNER)
    client.force_login(people.owner)
    page = client.get(reverse("people:member-list"), {"organization": other.code})
    assert "Vera Viewer" not in text_of(page)
    assert f'href="?organization={people.organization.code}"' in page.content.decode()
    assert "Vera Viewer" in text_of(client.get(reverse("people:member-list")))


def test_ones_own_rights_are_shown_with_the_reason_for_each(people, client):
    client.force_login(people.backup_manager)
    words = text_of(client.get(reverse("people:own-rights")))
    assert "backup: manage Bea Backup's role of Search" in words
    assert "cluster: view Bea Backup's role of Search, where it comes with “backup: manage”" in words
    assert "cluster: manage" not in words


def test_a_role_is_changed_on_a_persons_page(people, client):
    client.force_login(people.owner)
    url = reverse("people:member-role", args=[member(people, "viewer").code])
    assert client.post(url, {"role": "billing_admin"}).status_code == 302
    assert member(people, "viewer").role == OrganizationRole.BILLING_ADMIN
    assert client.post(url, {"role": "nonsense"}).status_code == 422


def test_the_last_owner_is_told_why_the_role_stays(people, client):
    client.force_login(people.owner)
    owner = member(people, "owner")
    answer = client.post(reverse("people:member-role", args=[owner.code]), {"role": "member"})
    assert answer.status_code == 422
    assert "Make somebody else an owner first" in text_of(answer)
    answer = client.post(reverse("people:member-remove", args=[owner.code]))
    assert answer.status_code == 422
    assert "Make somebody else an owner first" in text_of(answer)


def test_whoever_is_removed_sees_nothing_with_the_session_they_have(people, client):
    theirs = client_of(people.viewer)
    project = reverse("people:own-rights")
    assert "Search" in text_of(theirs.get(project))
    client.force_login(people.owner)
    url = reverse("people:member-remove", args=[member(people, "viewer").code])
    assert "backup: view" in text_of(client.get(url))
    client.post(url)
    assert "You belong to no organization" in text_of(theirs.get(project))
    assert "You belong to no organization" in text_of(theirs.get(reverse("people:member-list")))


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_somebody_of_the_organization_is_added_to_a_project(people, client):
    project = make_project(people.organization, name="Ranking")
    client.force_login(people.owner)
    page = reverse("people:project-detail", args=[project.code])
    assert "Nobody has a role here yet" in text_of(client.get(page))
    data = {"member": member(people, "viewer").code, "role": "operator"}
    assert client.post(reverse("people:project-add", args=[project.code]), data)["Location"] == page
    assert "Vera Viewer" in text_of(client.get(page))
    role = reverse("people:project-member-role", args=[project.code, data["member"]])
    assert client.post(role, {"role": "admin"}).status_code == 302
    assert people.viewer.project_memberships.get(project=project).role == ProjectRole.ADMIN
    assert client.post(role.replace("/role/", "/remove/")).status_code == 302
    assert not people.viewer.project_memberships.filter(project=project).exists()


def test_only_who_manages_the_organization_learns_who_else_is_in_it(people, client):
    make_user("Walter Elsewhere", project=make_project(people.organization), role=ProjectRole.VIEWER)
    page = reverse("people:project-detail", args=[people.project.code])
    client.force_login(people.project_admin)
    assert "Walter" not in text_of(client.get(page))
    client.force_login(people.owner)
    assert "Walter" in text_of(client.get(page))


def test_whoever_gives_up_managing_is_led_to_a_page_they_may_see(people, client):
    client.force_login(people.project_admin)
    own = member(people, "project_admin").code
    url = reverse("people:project-member-role", args=[people.project.code, own])
    answer = client.post(url, {"role": "viewer"}, follow=True)
    assert answer.status_code == 200


def test_a_custom_role_is_made_changed_and_deleted(people, client):
    client.force_login(people.owner)
    organization = people.organization.code
    data = {"name": "Nights", "privileges": ["backup: view"]}
    assert client.post(reverse("people:role-create", args=[organization]), data).status_code == 302
    role = CustomRole.objects.get(name="Nights")
    edit = reverse("people:role-edit", args=[role.code])
    assert "the role is not given to anybody" in text_of(client.get(edit))
    assert client.post(edit, data | {"privileges": []}).status_code == 422
    assert client.post(edit, data | {"privileges": ["backup: manage"]}).status_code == 302
    assert "backup: view, backup: manage, cluster: view" in text_of(
        client.get(reverse("people:role-list", args=[organization]))
    )
    assert client.post(reverse("people:role-delete", args=[role.code])).status_code == 302


def test_who_is_affected_by_a_change_is_said_before_it(people, client):
    client.force_login(people.owner)
    role = CustomRole.objects.get(members__user=people.backup_manager)
    for name in ("people:role-edit", "people:role-delete"):
        assert "Bea Backup Search" in text_of(client.get(reverse(name, args=[role.code])))


def test_projects_and_the_organization_get_their_names_and_limits(people, client):
    client.force_login(people.owner)
    code = people.organization.code
    assert client.post(reverse("people:project-create", args=[code]), {"name": "Search"}).status_code == 422
    assert client.post(reverse("people:project-create", args=[code]), {"name": "Ranking"}).status_code == 302
    project = Project.objects.get(name="Ranking")
    rename = reverse("people:project-rename", args=[project.code])
    assert client.post(rename, {"project-name": "Search"}).status_code == 422
    assert client.post(rename, {"project-name": "Scores"}).status_code == 302
    settings = reverse("people:organization-settings", args=[code])
    assert client.post(settings, {"name": "Acme 2", "max_retention_days": 0}).status_code == 422
    assert client.post(settings, {"name": "Acme 2", "max_retention_days": 90}).status_code == 302
    people.organization.refresh_from_db()
    assert (people.organization.name, people.organization.max_retention_days) == ("Acme 2", 90)


@pytest.mark.parametrize("name", ["people:member-list", "people:own-rights", "project", "member", "roles"])
def test_one_and_twenty_members_cost_the_same_number_of_queries(people, client, name):
    urls = {
        "project": reverse("people:project-detail", args=[people.project.code]),
        "member": reverse("people:member-detail", args=[member(people, "viewer").code]),
        "roles": reverse("people:role-list", args=[people.organization.code]),
    }
    client.force_login(people.owner)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(urls.get(name) or reverse(name)).status_code == 200
        return len(captured)

    queries()
    few = queries()
    for number in range(20):
        privileges = [Privilege.BACKUP_VIEW, Privilege.BILLING_VIEW]
        make_user(f"Person {number}", project=people.project, role=ProjectRole.CUSTOM, privileges=privileges)
        make_project(people.organization)
    assert queries() == few
