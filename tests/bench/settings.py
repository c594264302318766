"""The settings of the tests, with the durability that ships: `synchronous=FULL`, and the host that is measured."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, SILENCED_SYSTEM_CHECKS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.bench.noop"]
OUTBOX_HOST = os.environ.get("BENCH_HOST", "none")
CELERY_BROKER_URL = os.environ.get("BENCH_REDIS") or "memory://"
if "BENCH_GUEST_URL" in os.environ:
    GUEST_BASE_URL = os.environ["BENCH_GUEST_URL"]
CELERY_BEAT_SCHEDULE = {}  # reconcile would heal what was never put anywhere
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"
    )
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "jada.E010"]  # the public host is a fake on loopback
