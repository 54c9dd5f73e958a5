from django.urls import path

from . import region_loss_views, views

app_name = "dashboard"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("latest-jobs/", views.latest_jobs, name="latest-jobs"),
    path("region-loss/", region_loss_views.region_loss, name="region-loss"),
    path("region-loss/csv/", region_loss_views.region_loss_csv, name="region-loss-csv"),
    path("costs/", views.costs, name="costs"),
]
