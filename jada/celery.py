"""Celery: doorbell, sweeper and schedule of the production host. Its messages carry no data (ADR 2)."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_process_shutdown, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")
# They import every page and API, 20 MB that no delivery needs, and end nothing; what must, does (below).
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("jada")
app.set_default()  # of every thread: the doorbell rings from one of its own
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def refuse_unsafe_start(**kwargs: Any) -> None:
    """Celery looks at Django's checks and goes on; an unsafe configuration ends it here, as it ends the web process."""
    from jada import checks  # the apps are loaded by now

    checks.refuse_unsafe_start()


@setup_logging.connect
def log_as_django_does(**kwargs: Any) -> None:
    """Somebody answers, so Celery leaves the loggers alone: its own handlers would write links and keys out."""


@worker_process_shutdown.connect
@worker_shutdown.connect
def finish_what_is_under_way(**kwargs: Any) -> None:
    """The threads that deliver outlive the task that woke them: a call that is cut off would leave its mail in doubt."""
    from jada.outbox import host

    host.finish(seconds=10)
