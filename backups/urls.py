from django.urls import path

from . import views

app_name = "backups"
urlpatterns = [
    path("backups/", views.backup_list, name="backup-list"),
    path("backups/<slug:code>/", views.backup_detail, name="backup-detail"),
    path("backups/<slug:code>/copies/", views.backup_copies, name="backup-copies"),
    path("backups/<slug:code>/rename/", views.backup_rename, name="backup-rename"),
    path("clusters/<slug:code>/backups/", views.cluster_backups, name="cluster-backups"),
]
