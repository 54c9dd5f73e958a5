from django.urls import include, path

from . import views
from .api import calls

app_name = "api"

urlpatterns = [
    path("api/openapi.json", views.openapi_document, name="openapi"),
    path("api/", views.reference, name="reference"),
    path("v2/", include(calls.urls())),
]
