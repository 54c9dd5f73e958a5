"""Where `celery -A backupsite worker` looks for the application."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backupsite.settings")

import django

django.setup()

from jobs.celery_app import app  # noqa: E402  (rows need settings first)

__all__ = ["app"]
