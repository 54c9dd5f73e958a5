from django.urls import path

from . import views

app_name = "dashboard"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("latest-jobs/", views.latest_jobs, name="latest-jobs"),
    path("costs/", views.costs, name="costs"),
]
