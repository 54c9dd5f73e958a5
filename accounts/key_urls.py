from django.urls import path

from . import key_views as views

app_name = "keys"

urlpatterns = [
    path("account/keys/", views.key_list, name="key-list"),
    path("account/keys/new/", views.key_create, name="key-create"),
    path("account/keys/<str:code>/revoke/", views.key_revoke, name="key-revoke"),
    path("projects/<str:code>/keys/", views.project_key_list, name="project-key-list"),
    path("projects/<str:code>/keys/new/", views.project_key_create, name="project-key-create"),
    path("projects/<str:code>/keys/<str:key>/revoke/", views.project_key_revoke, name="project-key-revoke"),
    path("api/whoami", views.whoami, name="whoami"),
]
