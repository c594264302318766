"""The web process. An unsafe or incomplete configuration stops it with a sentence."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")

from django.conf import settings  # the settings are named first
from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from jada.checks import refuse_unsafe_start  # after the apps are loaded
from jada.outbox import host

refuse_unsafe_start()


def deliver_too(**kwargs: object) -> None:
    """The first request starts the worker threads: by then the server has forked."""
    host.start_threads()


if settings.OUTBOX_HOST == "thread":
    request_started.connect(deliver_too, dispatch_uid="jada.deliver_too")
elif settings.OUTBOX_HOST == "celery":
    import jada.celery  # noqa: F401  names the broker at which this process rings
