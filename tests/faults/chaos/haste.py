"""The same product with short patience: what takes minutes by its constants takes seconds in a process that calls this.

Nothing else is touched. A constant that is not found any more is an error: the run would silently test the wrong thing.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from types import ModuleType
from typing import Any

LEASE = 5.0
CONNECT, READ = 1.0, 1.5  # seconds; below the lease, as the product's own are
DOUBT = 4.0
BACKOFF_CAP = 3.0
SWEEP = 1.0

CONSTANTS: dict[str, Any] = {
    "LEASE": timedelta(seconds=LEASE),
    "DOUBT_LASTS": timedelta(seconds=DOUBT),
    "BACKOFF_CAP": BACKOFF_CAP,
    "SWEEP_SECONDS": SWEEP,
}
IF_THERE: dict[str, Any] = {
    "DEADLINE": timedelta(seconds=2 * (CONNECT + READ) - 2),
    "BREAKER_SECONDS": 2.0,
    "LOOK_AGAIN": timedelta(seconds=0.5),
    "TURN_SECONDS": 5.0,
}


def hasten() -> None:
    """Call it when the apps are loaded and before anything is delivered."""
    from botocore.config import Config

    from jada.aws import clients, public

    short = Config(connect_timeout=CONNECT, read_timeout=READ)
    clients.CONFIG, clients.CONFIG_OF_MAIL = clients.CONFIG.merge(short), clients.CONFIG_OF_MAIL.merge(short)
    public.TIMEOUT = READ
    clients.reset()
    found = {name for module in _ours() for name in _shorten(module)}
    if missing := set(CONSTANTS) - found:
        raise LookupError(
            f"The outbox has no {', '.join(sorted(missing))} any more: say in haste.py what takes its place."
        )


def _ours() -> list[ModuleType]:
    import jada.outbox.host  # noqa: F401  the sweep and the engine come with it

    prefixes = ("jada.outbox.", "guests.sync", "crew.sync", "jada.mail.")
    return [module for name, module in list(sys.modules.items()) if name.startswith(prefixes)]


def _shorten(module: ModuleType) -> set[str]:
    wanted = CONSTANTS | IF_THERE
    here = {name for name in wanted if name in vars(module)}
    for name in here:
        setattr(module, name, _like(getattr(module, name), wanted[name]))
    return here & set(CONSTANTS)


def _like(old: Any, new: Any) -> Any:
    """In the unit that the module uses."""
    if isinstance(old, timedelta):
        return new if isinstance(new, timedelta) else timedelta(seconds=new)
    if isinstance(old, int | float):
        return new.total_seconds() if isinstance(new, timedelta) else new
    return new
