"""What the navigation offers to whom, and what it costs."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import first_start
from tests.builders import make_people, text_of

pytestmark = pytest.mark.django_db
COSTS = 'href="/costs/"'


@pytest.mark.parametrize(
    ("who", "is_offered"),
    [
        ("owner", True),
        ("project_admin", True),
        ("billing_admin", True),
        ("viewer", False),
        ("operator", False),
        ("backup_manager", False),
        ("cluster_viewer", False),
    ],
)
def test_costs_are_offered_to_those_who_may_see_them(people, client, who, is_offered):
    client.force_login(getattr(people, who))
    for url in ("/", "/clusters/", "/settings/regions/"):
        assert (COSTS in client.get(url).content.decode()) == is_offered, url
    assert (client.get("/costs/").status_code == 200) == is_offered


def test_workers_are_offered_to_owners(people, client):
    for who in ("owner", "project_admin", "viewer", "billing_admin", "stranger"):
        client.force_login(getattr(people, who))
        is_owner = who in {"owner", "stranger"}  # the stranger owns another organization
        assert ('href="/workers/"' in client.get("/clusters/").content.decode()) == is_owner, who
        assert client.get("/workers/").status_code == (200 if is_owner else 403), who


def test_the_navigation_costs_a_page_at_most_one_query(people, client):
    client.force_login(people.viewer)
    with CaptureQueriesContext(connection) as captured:
        client.get("/clusters/new/")  # refused: the page of the refusal has a navigation too
    asked = [query["sql"] for query in captured if "billing: view" in query["sql"]]
    assert len(asked) == 1


def test_the_sign_in_page_asks_nothing_once_it_knows_that_somebody_is_here(people, client, django_assert_num_queries):
    client.get("/sign-in/")
    with django_assert_num_queries(0):
        assert client.get("/sign-in/").status_code == 200


def test_an_empty_site_says_how_its_first_owner_is_made(client, db):
    first_start._check_somebody.cache_clear()
    words = text_of(client.get("/sign-in/"))
    assert "create_owner" in words
    make_people()
    assert "create_owner" not in text_of(client.get("/sign-in/"))
