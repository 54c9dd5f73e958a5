"""Every address of the site."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import TemplateView

from accounts.guard import open_to_all

from . import views

urlpatterns = [
    path("", include("dashboard.urls")),
    path("", include("clusters.urls")),
    path("", include("jobs.urls")),
    path("", include("backups.urls")),
    path("prices/", include("pricing.urls")),
    path("", include("api.urls")),
    path("", include("accounts.signin_urls")),
    path("", include("accounts.key_urls")),
    path("audit/", include("accounts.audit_urls")),
    path("", include("accounts.people_urls")),
    path("health/", views.health_ready, name="health"),
    path("health/live/", views.health_live, name="health-live"),
    path("health/ready/", views.health_ready, name="health-ready"),
]

if settings.DEBUG:
    gallery = open_to_all("It shows parts of pages without data.")(
        TemplateView.as_view(template_name="design/gallery.html")
    )
    urlpatterns.append(path("design/", gallery, name="gallery"))
