"""No view is served that does not say what it asks, and what it says is what is asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch, URLResolver, get_resolver

from accounts.audit_context import Source, coming_from
from accounts.errors import PrivilegeMissing
from accounts.guard import (
    ANY_ORGANIZATION,
    ANY_PROJECT,
    ORGANIZATION,
    GuardMiddleware,
    declaration_of,
    find,
    needs,
    open_to_all,
    signed_in,
)
from accounts.models import Organization
from accounts.privileges import Privilege, Restriction, all_of, any_of
from backupsite.declarations import FOREIGN_VIEWS
from clusters.models import Cluster
from tests.builders import make_cluster

pytestmark = pytest.mark.django_db


def call(view, user=None, *, method: str = "GET", **arguments):
    """The answer that `view` gives `user` through the guard alone."""
    request = getattr(RequestFactory(), method.lower())("/some/page/?with=this")
    request.user = user or AnonymousUser()
    request.resolver_match = ResolverMatch(view, (), arguments)

    def serve(request: Any) -> HttpResponse:
        refusal = guard.process_view(request, view, (), arguments)
        if refusal is not None:
            return refusal
        try:
            return view(request, **arguments)
        except Exception as trouble:
            answer = guard.process_exception(request, trouble)
            if answer is None:
                raise
            return answer

    guard = GuardMiddleware(serve)
    return guard(request)


def show(request, **arguments):
    """A view that looks at nothing."""
    return HttpResponse("shown")


def show_cluster(request, code):
    return HttpResponse(find(Cluster.objects.all(), request, code=code).name)


def declared(declaration, view=show):
    return declaration(lambda request, **arguments: view(request, **arguments))


def test_a_view_without_a_declaration_is_served_to_nobody(people):
    with pytest.raises(ImproperlyConfigured, match="/some/page/"):
        call(lambda request: HttpResponse("secret"), people.owner)


def test_who_is_signed_out_is_sent_to_sign_in_and_comes_back_to_the_same_address():
    for view in (declared(signed_in), declared(needs(Privilege.BACKUP_VIEW))):
        answer = call(view)
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/some/page/%3Fwith%3Dthis")


def test_what_is_open_needs_nobody():
    assert call(declared(open_to_all("It is a test."))).content == b"shown"


def test_one_thing_is_found_with_the_declared_privilege(people):
    code = make_cluster(people.project, name="docs").code
    view = declared(needs(Privilege.BACKUP_MANAGE), show_cluster)
    assert call(view, people.backup_manager, code=code).content == b"docs"
    with pytest.raises(PrivilegeMissing, match="“backup: manage” for this"):
        call(view, people.viewer, code=code)


def test_a_view_of_one_thing_that_never_found_it_is_not_served(people):
    for declaration in (needs(Privilege.BACKUP_VIEW), needs(Privilege.CLUSTER_MANAGE, of=ORGANIZATION)):
        with pytest.raises(ImproperlyConfigured, match="without `find`"):
            call(declared(declaration), people.owner)


def test_a_view_that_declares_no_privilege_cannot_find_one_thing(people):
    code = make_cluster(people.project).code
    with pytest.raises(ImproperlyConfigured, match="which privilege"):
        call(declared(signed_in, show_cluster), people.owner, code=code)


def test_methods_may_need_different_privileges_and_those_not_named_are_refused(people):
    code = make_cluster(people.project).code
    view = declared(needs({"GET": Privilege.BACKUP_VIEW, "POST": Privilege.BACKUP_MANAGE}), show_cluster)
    assert call(view, people.viewer, code=code).status_code == 200
    assert call(view, people.viewer, method="HEAD", code=code).status_code == 200
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        call(view, people.viewer, method="POST", code=code)
    refusal = call(view, people.owner, method="DELETE", code=code)
    assert (refusal.status_code, refusal["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_only_a_declaration_by_method_lets_in_more_than_get_and_post(people, method):
    for declaration in (signed_in, open_to_all("It is a test.")):
        assert call(declared(declaration), people.owner, method=method).status_code == 405
    more = declared(needs({method: Privilege.BILLING_VIEW}, of=ANY_PROJECT))
    assert call(more, people.owner, method=method).status_code == 200


def test_a_refusal_is_noted_once_for_the_audit_log_with_what_it_was_about(people):
    cluster = make_cluster(people.project)
    for declaration, view, target in (
        (needs(Privilege.BACKUP_MANAGE), show_cluster, cluster),
        (needs(Privilege.BILLING_VIEW, of=ANY_PROJECT), show, None),
    ):
        with coming_from(Source()) as source, pytest.raises(PrivilegeMissing):
            call(declared(declaration, view), people.viewer, code=cluster.code)
        [refusal] = source.refusals
        assert (refusal.user, refusal.target) == (people.viewer, target)


def test_several_privileges_are_needed_together_or_one_of_them(people):
    code = make_cluster(people.project).code
    both = declared(needs(all_of(Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE)), show_cluster)
    one = declared(needs(any_of(Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE)), show_cluster)
    assert call(both, people.project_admin, code=code).status_code == 200
    assert call(one, people.backup_manager, code=code).status_code == 200
    with pytest.raises(PrivilegeMissing, match="the privilege “cluster: manage” for this"):
        call(both, people.backup_manager, code=code)
    with pytest.raises(PrivilegeMissing, match="the privileges “cluster: manage” and “backup: manage” for this"):
        call(both, people.viewer, code=code)
    with pytest.raises(PrivilegeMissing, match="“cluster: manage” or “backup: manage”"):
        call(one, people.viewer, code=code)


def test_a_page_about_no_single_thing_needs_its_privilege_somewhere(people):
    view = declared(needs(Privilege.BILLING_VIEW, of=ANY_PROJECT))
    assert call(view, people.billing_admin).status_code == 200
    with pytest.raises(PrivilegeMissing, match="billing: view"):
        call(view, people.viewer)


def test_the_whole_organization_is_more_than_one_of_its_projects(people):
    view = declared(needs(Privilege.CLUSTER_MANAGE, of=ANY_ORGANIZATION))
    assert call(view, people.owner).status_code == 200
    with pytest.raises(PrivilegeMissing, match="“cluster: manage” in the whole organization"):
        call(view, people.project_admin)


def test_machines_are_refused_in_json(people):
    code = make_cluster(people.project).code
    view = declared(needs(Privilege.BACKUP_MANAGE, for_machines=True), show_cluster)
    somewhere = declared(needs(Privilege.BILLING_VIEW, of=ANY_PROJECT, for_machines=True))
    answers = [call(view, code=code), call(view, people.viewer, code=code), call(view, people.stranger, code=code)]
    assert [answer.status_code for answer in answers] == [401, 403, 404]
    assert "backup: manage" in answers[1].content.decode()
    assert call(somewhere, people.viewer).status_code == 403
    assert {answer["Content-Type"] for answer in answers} == {"application/json"}


def test_who_acts_with_less_than_they_hold_is_asked_for_what_is_left(people):
    mine, other = make_cluster(people.project), make_cluster(people.project)
    owner = people.owner
    view = declared(needs(Privilege.BACKUP_MANAGE), show_cluster)
    whole = declared(needs(Privilege.CLUSTER_MANAGE, of=ANY_ORGANIZATION))

    owner.restriction = Restriction(frozenset({Privilege.BACKUP_VIEW}))
    with pytest.raises(PrivilegeMissing, match="backup: manage"):
        call(view, owner, code=mine.code)
    with pytest.raises(PrivilegeMissing):
        call(whole, owner)

    owner.restriction = Restriction(frozenset(Privilege), project_id=people.project.pk)
    assert call(view, owner, code=other.code).status_code == 200
    with pytest.raises(PrivilegeMissing):
        call(whole, owner)
    organization = declared(needs(Privilege.CLUSTER_MANAGE, of=ORGANIZATION, for_machines=True), _show_organization)
    assert call(organization, owner, code=people.organization.code).status_code == 404


def _show_organization(request, code):
    return HttpResponse(find(Organization.objects.all(), request, code=code).name)


def _addresses(patterns, namespaces=()):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _addresses(pattern.url_patterns, inner)
        else:
            yield ":".join((*namespaces, pattern.name or str(pattern.pattern))), pattern.callback


def test_every_address_of_the_site_has_a_declaration_and_every_foreign_one_is_there():
    views = dict(_addresses(get_resolver().url_patterns))
    assert [name for name, view in views.items() if declaration_of(view, name) is None] == []
    assert FOREIGN_VIEWS.keys() <= views.keys()
    assert [name for name in FOREIGN_VIEWS if hasattr(views[name], "access")] == []
