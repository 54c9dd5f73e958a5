from django.urls import include, path

from . import backup_views, check_views, drop_views, restore_views, schedule_views, views, worker_views

app_name = "jobs"

_jobs = [
    path("", views.job_list, name="job-list"),
    path("table/", views.job_table, name="job-table"),
    path("<slug:code>/", views.job_detail, name="job-detail"),
    path("<slug:code>/progress/", views.job_progress, name="job-progress"),
    path("<slug:code>/throughput/", views.job_throughput, name="job-throughput"),
    path("<slug:code>/cancel/", views.job_cancel, name="job-cancel"),
]
urlpatterns = [
    path("jobs/", include(_jobs)),
    path("workers/", worker_views.worker_list, name="worker-list"),
    path("workers/table/", worker_views.worker_table, name="worker-table"),
    path("clusters/<slug:code>/backups/new/", backup_views.backup_create, name="backup-create"),
    path("clusters/<slug:code>/backups/quote/", backup_views.backup_quote, name="backup-quote"),
    path("backups/<slug:code>/copies/<slug:region>/retry/", views.copy_retry, name="copy-retry"),
    path("backups/<slug:code>/copies/<slug:region>/check/", check_views.copy_check, name="copy-check"),
    path("backups/<slug:code>/copies/<slug:region>/repair/", check_views.copy_repair, name="copy-repair"),
    path("clusters/<slug:code>/schedules/", schedule_views.schedule_list, name="schedule-list"),
    path("clusters/<slug:code>/schedules/new/", schedule_views.schedule_create, name="schedule-create"),
    path("clusters/<slug:code>/schedules/preview/", schedule_views.schedule_preview, name="schedule-preview"),
    path("clusters/<slug:code>/drop/", drop_views.cluster_drop, name="cluster-drop"),
    path("schedules/<slug:code>/", schedule_views.schedule_detail, name="schedule-detail"),
    path("schedules/<slug:code>/edit/", schedule_views.schedule_edit, name="schedule-edit"),
    path("schedules/<slug:code>/switch/", schedule_views.schedule_switch, name="schedule-switch"),
    path("schedules/<slug:code>/delete/", schedule_views.schedule_delete, name="schedule-delete"),
    path("backups/<slug:code>/restore/", restore_views.restore_create, name="restore-create"),
    path("backups/<slug:code>/delete/", restore_views.backup_delete, name="backup-delete"),
]
