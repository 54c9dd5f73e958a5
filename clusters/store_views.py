"""Settings > Regions: where backups go in each region."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import organizations_of, privileges_in_organization
from accounts.guard import ORGANIZATION, find, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.models import Organization
from accounts.privileges import Privilege

from . import services
from .errors import ClusterRefused
from .forms import StoreForm
from .models import Region, Store


def _find_organization(request: HtmxHttpRequest, code: str) -> Organization:
    return find(Organization.objects.all(), request, code=code)


@signed_in
@require_GET
def store_list(request: HtmxHttpRequest) -> HttpResponse:
    """Every region with its store, per organization of the user."""
    regions = list(Region.objects.all())
    groups = []
    for organization in organizations_of(request.user):
        stores = {store.region_id: store for store in Store.objects.of_organization(organization.pk)}
        may_manage = Privilege.CLUSTER_MANAGE in privileges_in_organization(request.user, organization)
        groups.append((organization, [(region, stores.get(region.code)) for region in regions], may_manage))
    return render(request, "clusters/store_list.html", {"groups": groups})


@needs(Privilege.CLUSTER_MANAGE, of=ORGANIZATION)
@require_http_methods(["GET", "POST"])
def store_edit(request: HtmxHttpRequest, organization: str, region: str) -> HttpResponse:
    """Set where backups go in one region; saved only after a test object was written, read back and deleted."""
    owner = _find_organization(request, organization)
    place = get_object_or_404(Region, code=region)
    store = Store.objects.of_organization(owner.pk).filter(region=place).first()
    form = StoreForm(request.POST or None, initial={"url": store.url if store else ""})
    if request.method == "POST" and form.is_valid():
        options = form.cleaned_data["options"] or None
        try:
            services.set_store(
                user=request.user, organization=owner, region=place, url=form.cleaned_data["url"], options=options
            )
        except ClusterRefused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, f"The store for {place} was tested and saved.")
            return redirect("clusters:store-list")
    context = {"form": form, "organization": owner, "region": place, "store": store}
    return render(request, "clusters/store_edit.html", context, status=422 if form.errors else 200)


@needs(Privilege.CLUSTER_MANAGE, of=ORGANIZATION)
@require_POST
def store_check(request: HtmxHttpRequest, organization: str, region: str) -> HttpResponse:
    """Write, read back, list and delete a small object in a store and show each step."""
    owner = _find_organization(request, organization)
    store = Store.objects.of_organization(owner.pk).filter(region=region).first()
    if store is None:
        raise Http404
    steps = services.check_stored(user=request.user, store=store)
    context = {"store": store, "steps": steps, "organization": owner}
    return render(request, "clusters/store_check.html", context)
