"""Pages about clusters and their live collections."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import has, projects_with
from accounts.guard import ANY_PROJECT, find, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege, any_of
from dataplane.errors import CollectionMissing, DataPlaneError

from . import live, services
from .errors import ClusterRefused
from .forms import ClusterForm, ClusterSettingsForm, SearchForm, TypedConfirmationForm
from .hits import hit_rows, shown_fields
from .models import Cluster
from .rules import why_not_backed_up


def _find_cluster(request: HtmxHttpRequest, code: str) -> Cluster:
    clusters = Cluster.objects.existing().for_list().select_related("project__organization")
    return find(clusters, request, code=code)


def _page_context(request: HtmxHttpRequest, cluster: Cluster, tab: str) -> dict[str, Any]:
    """What the head of every cluster page shows."""
    return {
        "cluster": cluster,
        "tab": tab,
        "backup_refusal": why_not_backed_up(cluster.plan),
        "copy_refusal": services.copy_refusal(cluster),
        "may_back_up": has(request.user, Privilege.BACKUP_MANAGE, cluster.project),
        "may_manage": has(request.user, Privilege.CLUSTER_MANAGE, cluster.project),
    }


@signed_in
@require_GET
def cluster_list(request: HtmxHttpRequest) -> HttpResponse:
    clusters = Cluster.objects.visible_to(request.user).existing().for_list()
    rows = [(cluster, why_not_backed_up(cluster.plan), services.copy_refusal(cluster)) for cluster in clusters]
    may_add = projects_with(request.user, Privilege.CLUSTER_MANAGE).exists()
    return render(request, "clusters/cluster_list.html", {"rows": rows, "may_add": may_add})


@needs(Privilege.CLUSTER_MANAGE, of=ANY_PROJECT)
@require_http_methods(["GET", "POST"])
def cluster_create(request: HtmxHttpRequest) -> HttpResponse:
    form = ClusterForm(request.POST or None, user=request.user, initial={"cu_size": 1})
    if request.method == "POST" and form.is_valid():
        try:
            cluster = services.register_cluster(user=request.user, **form.cleaned_data)
        except ClusterRefused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, f"{cluster.name} answered and is registered.")
            return redirect(cluster)
    status = 422 if request.method == "POST" else 200
    return render(request, "clusters/cluster_create.html", {"form": form}, status=status)


@needs(Privilege.CLUSTER_VIEW)
@require_GET
def cluster_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    cluster = _find_cluster(request, code)
    context = _page_context(request, cluster, "collections")
    try:
        collections = live.collections_of(cluster)
    except DataPlaneError as failure:
        context["failure"] = str(failure)
    else:
        context["collections"] = [(collection, live.word_field(collection)) for collection in collections]
    return render(request, "clusters/cluster_detail.html", context)


@needs(Privilege.CLUSTER_MANAGE)
@require_http_methods(["GET", "POST"])
def cluster_settings(request: HtmxHttpRequest, code: str) -> HttpResponse:
    cluster = _find_cluster(request, code)
    form = ClusterSettingsForm(request.POST or None, instance=_find_cluster(request, code))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            services.update_cluster(
                user=request.user,
                cluster=cluster,
                name=data["name"],
                plan=data["plan"],
                cu_size=data["cu_size"],
                endpoint=data.get("endpoint", cluster.endpoint),
                token="" if data.get("remove_token") else data.get("token") or None,
            )
        except ClusterRefused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            messages.success(request, "Saved.")
            return redirect("clusters:cluster-settings", code)
    context = _page_context(request, _find_cluster(request, code), "settings") | {"form": form}
    return render(request, "clusters/cluster_settings.html", context, status=422 if form.errors else 200)


@needs(Privilege.CLUSTER_VIEW)
@require_POST
def cluster_check(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Try the connection; the answer is a sentence, also where it failed."""
    cluster = _find_cluster(request, code)
    try:
        server = live.check_connection(cluster)
    except DataPlaneError as failure:
        answer = {"failure": str(failure)}
    else:
        answer = {"version": server.version}
    if request.htmx:
        return render(request, "clusters/_connection.html", {"cluster": cluster} | answer)
    if "failure" in answer:
        messages.error(request, answer["failure"])
    else:
        messages.success(request, f"{cluster.name} answered: {answer['version']}.")
    return redirect(cluster)


def _find_collection(cluster: Cluster, database: str, name: str) -> Any:
    for collection in live.collections_of(cluster):
        if (collection.ref.database, collection.ref.name) == (database, name):
            return collection
    raise Http404(f"{cluster.name} has no collection called {name}.")


@needs(Privilege.CLUSTER_VIEW)
@require_GET
def collection_detail(request: HtmxHttpRequest, code: str, database: str, name: str) -> HttpResponse:
    """One live collection: how many rows, and a search by words where its vectors allow it and it is loaded."""
    cluster = _find_cluster(request, code)
    form = SearchForm(request.GET or None)
    context = _page_context(request, cluster, "collections") | {"database": database, "name": name, "form": form}
    context["may_load"] = context["may_back_up"] or context["may_manage"]
    try:
        collection = _find_collection(cluster, database, name)
        context |= {"collection": collection, "word_field": live.word_field(collection)}
        words = form.cleaned_data["words"] if form.is_valid() else ""
        if words and context["word_field"] and collection.is_loaded:
            hits = live.search_words(cluster, collection, words)
            fields = shown_fields(hits, primary_field=collection.primary_field)
            context |= {"words": words, "fields": fields, "hits": hit_rows(hits, fields)}
    except DataPlaneError as failure:
        context["failure"] = str(failure)
    return render(request, "clusters/collection_detail.html", context)


@needs(any_of(Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE))
@require_POST
def collection_load(request: HtmxHttpRequest, code: str, database: str, name: str) -> HttpResponse:
    """Load a collection for those who may use the cluster's memory, then search it for the words that came along."""
    cluster = _find_cluster(request, code)
    try:
        collection = _find_collection(cluster, database, name).ref
        services.load_collection(user=request.user, cluster=cluster, collection=collection)
    except CollectionMissing as missing:
        raise Http404(str(missing)) from missing
    except DataPlaneError as failure:
        messages.error(request, str(failure))
    form = SearchForm(request.POST)
    words = form.cleaned_data["words"] if form.is_valid() else ""
    url = reverse("clusters:collection-detail", args=[code, database, name])
    return redirect(f"{url}?{urlencode({'words': words})}" if words else url)


@needs(Privilege.CLUSTER_MANAGE)
@require_http_methods(["GET", "POST"])
def collection_drop(request: HtmxHttpRequest, code: str, database: str, name: str) -> HttpResponse:
    """Delete a collection in the live cluster; the name must be typed."""
    from dataplane.milvus import CollectionRef

    cluster = _find_cluster(request, code)
    form = TypedConfirmationForm(request.POST or None, name=name)
    if request.method == "POST" and form.is_valid():
        try:
            services.delete_collection(user=request.user, cluster=cluster, collection=CollectionRef(database, name))
        except CollectionMissing as missing:
            raise Http404(str(missing)) from missing
        except DataPlaneError as failure:
            form.add_error(None, str(failure))
        else:
            messages.success(request, f"The collection {name} was deleted from {cluster.name}.")
            return redirect(cluster)
    context = _page_context(request, cluster, "collections") | {"form": form, "database": database, "name": name}
    return render(request, "clusters/collection_drop.html", context, status=422 if form.errors else 200)
