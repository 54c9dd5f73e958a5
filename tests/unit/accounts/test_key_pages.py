"""The pages about API keys: a key is shown by the answer that made it, and by nothing else."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.keys import authenticate, make_project_key
from accounts.models import ApiKey, AuditEntry
from accounts.privileges import Privilege
from tests.builders import make_project, text_of

pytestmark = pytest.mark.django_db

MINE, NEW = "/account/keys/", "/account/keys/new/"


def wishes_of(client: Client, url: str = NEW, **changes: object) -> dict[str, object]:
    """What the form sends: its mark, and what somebody filled in."""
    mark = re.search(r'name="mark" value="([^"]+)"', client.get(url).content.decode())
    assert mark
    return {"name": "nightly", "privileges": ["backup: view"], "lifetime": "90", "mark": mark[1]} | changes


def token_in(page: str) -> str:
    found = set(re.findall(r"bks_[\w-]{43}", page))
    assert len(found) == 1
    return found.pop()


@pytest.fixture
def viewer(people, client) -> Client:
    client.force_login(people.viewer)
    return client


@pytest.fixture
def admin(people) -> Client:
    client = Client()
    client.force_login(people.project_admin)
    return client


@pytest.fixture
def of_project(people) -> str:
    return reverse("keys:project-key-list", args=[people.project.code])


def test_a_key_is_shown_once_and_works(people, viewer):
    page = viewer.post(NEW, wishes_of(viewer))
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    token = token_in(page.content.decode())
    assert authenticate(token) == people.viewer
    assert token not in viewer.get(MINE).content.decode()
    assert f"{token[:10]}…" in text_of(viewer.get(MINE))
    assert AuditEntry.objects.filter(action="key.made", actor=people.viewer).count() == 1


def test_a_form_that_is_sent_again_makes_no_other_key_and_shows_none(viewer):
    wishes = wishes_of(viewer)
    viewer.post(NEW, wishes)
    again = viewer.post(NEW, wishes, follow=True)
    assert "is not shown again" in text_of(again)
    assert "bks_" not in re.sub(r"bks_[\w-]{6}…", "", again.content.decode())
    assert ApiKey.objects.count() == 1


def test_nobody_chooses_what_a_key_is_called_by(viewer):
    viewer.post(NEW, wishes_of(viewer, mark="key-1"))
    assert ApiKey.objects.get().code != "key-1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"privileges": []}, "Choose at least one privilege"),
        ({"privileges": ["backup: manage"]}, "backup: manage is not one of"),
        ({"name": ""}, "required"),
        ({"name": "x" * 10_000}, "at most 60"),
        ({"lifetime": "1000000"}, "not one of"),
        ({"project": "proj-unknown"}, "not one of"),
    ],
)
def test_nonsense_is_said_beside_its_field_and_makes_nothing(viewer, changes, sentence):
    answer = viewer.post(NEW, wishes_of(viewer, **changes))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not ApiKey.objects.exists()


def test_a_project_of_strangers_is_answered_as_one_that_does_not_exist(people, viewer):
    elsewhere = people.stranger.organization_memberships.get().organization.projects.get()
    errors = [
        viewer.post(NEW, wishes_of(viewer, project=code)).context["form"].errors for code in (elsewhere.code, "proj-x")
    ]
    assert errors[0] == errors[1]


def test_a_key_is_revoked_at_once_and_by_its_person_alone(people, viewer, admin):
    token = token_in(viewer.post(NEW, wishes_of(viewer)).content.decode())
    url = reverse("keys:key-revoke", args=[ApiKey.objects.get().code])
    assert admin.post(url).status_code == 404
    assert authenticate(token)
    assert "was revoked" in text_of(viewer.post(url, follow=True))
    assert authenticate(token) is None
    assert "Revoked" in text_of(viewer.get(MINE))


def test_a_list_shows_ones_own_keys_and_a_projects_shows_its_own(people, viewer, admin, of_project):
    viewer.post(NEW, wishes_of(viewer, name="mine alone"))
    admin.post(f"{of_project}new/", wishes_of(admin, f"{of_project}new/", name="the projects"))
    assert "mine alone" in text_of(viewer.get(MINE))
    assert "mine alone" not in text_of(admin.get(of_project))
    assert "the projects" in text_of(admin.get(of_project))
    assert "the projects" not in text_of(admin.get(MINE))


def test_a_project_offers_no_more_than_its_maker_holds_and_says_who_made_it(people, admin, of_project):
    page = admin.post(f"{of_project}new/", wishes_of(admin, f"{of_project}new/", privileges=["backup: manage"]))
    acting = authenticate(token_in(page.content.decode()))
    assert acting is not None
    assert acting.is_machine
    assert "by Adam Admin" in text_of(admin.get(of_project))


@pytest.mark.parametrize("path", ["", "new/"])
def test_a_projects_keys_are_for_those_who_manage_its_members(people, admin, viewer, of_project, path):
    assert admin.get(of_project + path).status_code == 200
    assert viewer.get(of_project + path).status_code == 403
    viewer.force_login(people.stranger)
    assert viewer.get(of_project + path).status_code == 404


def test_a_key_of_another_project_is_not_revoked_through_this_one(people, admin):
    other = make_project(people.organization)
    made = make_project_key(user=people.owner, project=other, name="x", privileges=[Privilege.BACKUP_VIEW], days=None)
    assert admin.post(reverse("keys:project-key-revoke", args=[people.project.code, made.key.code])).status_code == 404
    assert authenticate(made.token)


def test_what_was_typed_as_a_name_is_shown_as_text(viewer):
    viewer.post(NEW, wishes_of(viewer, name="<script>alert(1)</script>"))
    assert "<script>alert" not in viewer.get(MINE).content.decode()
