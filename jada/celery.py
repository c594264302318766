"""Celery: doorbell, sweeper and schedule of the production host. Its messages carry no data (ADR 2)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")

app = Celery("jada")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_django_does(**kwargs: Any) -> None:
    """Somebody answers, so Celery leaves the loggers alone: its own handlers would write links and keys out."""
