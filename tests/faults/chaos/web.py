"""The web process, hastened: what gunicorn loads in a chaos run."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")

from jada.wsgi import application
from tests.faults.chaos.haste import hasten

hasten()

__all__ = ["application"]
