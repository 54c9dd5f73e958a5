from django.urls import include, path

from . import store_views, views

app_name = "clusters"

_clusters = [
    path("", views.cluster_list, name="cluster-list"),
    path("new/", views.cluster_create, name="cluster-create"),
    path("<slug:code>/", views.cluster_detail, name="cluster-detail"),
    path("<slug:code>/settings/", views.cluster_settings, name="cluster-settings"),
    path("<slug:code>/check/", views.cluster_check, name="cluster-check"),
    path("<slug:code>/collections/<str:database>/<str:name>/", views.collection_detail, name="collection-detail"),
    path("<slug:code>/collections/<str:database>/<str:name>/load/", views.collection_load, name="collection-load"),
    path("<slug:code>/collections/<str:database>/<str:name>/drop/", views.collection_drop, name="collection-drop"),
]
_regions = [
    path("", store_views.store_list, name="store-list"),
    path("<slug:organization>/<slug:region>/", store_views.store_edit, name="store-edit"),
    path("<slug:organization>/<slug:region>/check/", store_views.store_check, name="store-check"),
]
urlpatterns = [path("clusters/", include(_clusters)), path("settings/regions/", include(_regions))]
