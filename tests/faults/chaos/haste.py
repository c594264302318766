"""The same product with short patience: what takes minutes by its constants takes seconds in a process that calls this.

Nothing else is touched. A constant that is not found any more is an error: the run would silently test the wrong thing.
"""

from __future__ import annotations

import importlib
import sys
from datetime import timedelta
from typing import Any

CONNECT, READ = 1.0, 1.2  # seconds; like the product's own, two attempts of them are below the deadline
DEADLINE, LEASE = 5.0, 8.0
DOUBT, BACKOFF_CAP, BREAK, SWEEP = 4.0, 3.0, 2.0, 1.0
BUSY = 2.0

CONSTANTS: dict[str, Any] = {
    "jada.outbox.sql.LEASE": timedelta(seconds=LEASE),
    "jada.outbox.sql.DEADLINE": timedelta(seconds=DEADLINE),
    "jada.outbox.sweep.DOUBT_LASTS": timedelta(seconds=DOUBT),
    "jada.outbox.failing.BACKOFF_CAP": BACKOFF_CAP,
    "jada.outbox.breakers.PAUSE": timedelta(seconds=BREAK),
    "jada.outbox.host.SWEEP_SECONDS": SWEEP,
    "jada.aws.cdn.BUSY": timedelta(seconds=BUSY),
    "jada.aws.public.TIMEOUT": READ,
}


def hasten() -> None:
    """Call it when the apps are loaded and before anything is delivered."""
    from botocore.config import Config

    from jada.aws import clients

    short = Config(connect_timeout=CONNECT, read_timeout=READ)
    clients.CONFIG, clients.CONFIG_OF_MAIL = clients.CONFIG.merge(short), clients.CONFIG_OF_MAIL.merge(short)
    clients.reset()
    for place, value in CONSTANTS.items():
        _replace(*place.rsplit(".", 1), value)


def _replace(module: str, name: str, value: Any) -> None:
    """There, and wherever it was imported by its name."""
    old = getattr(importlib.import_module(module), name, None)
    if type(old) is not type(value):
        raise LookupError(f"There is no {module}.{name} of this kind any more: say in haste.py what takes its place.")
    for where, found in list(sys.modules.items()):
        if where.startswith("jada.") and getattr(found, name, None) is old:
            setattr(found, name, value)
