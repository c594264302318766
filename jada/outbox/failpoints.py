"""Places where a fault can be ordered, to prove what a crash there costs. Nothing is armed in production (jada.E013).

`FAILPOINT=name:action:nth` in the environment arms one: the `nth` time that this process passes `name` it is killed
(`kill`), an exception is raised (`raise`), the database fails (`dberror`) or the thread stands still (`hang`).
Several are separated by commas. `request_written` lies in the SDK: only the rig of the fault tests can pass it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import Final

from django.db import OperationalError

NAMES: Final = (
    "after_insert",
    "before_commit",
    "after_commit_before_bell",
    "after_claim",
    "before_sending",
    "after_sending",
    "request_written",
    "response_before_record",
    "before_record",
    "after_record",
    "in_sweep",
)
ACTIONS: Final = ("kill", "raise", "hang", "dberror")
HANGS: Final = 3600.0  # seconds: beyond every lease; whoever ordered it ends the process


class Planned(Exception):
    """The fault that was ordered. Whatever handles it must handle any error of a program."""


_passed: Counter[str] = Counter()
_counting = threading.Lock()


def fp(name: str) -> None:
    """Pass the place `name`: nothing happens unless `FAILPOINT` orders it."""
    if ordered := os.environ.get("FAILPOINT"):
        _pass(name, ordered)


def _pass(name: str, ordered: str) -> None:
    with _counting:
        _passed[name] += 1
        count = _passed[name]
    for order in ordered.split(","):
        where, action, nth = order.split(":")
        if where == name and int(nth) == count:
            _do(action, name)


def _do(action: str, name: str) -> None:
    match action:
        case "kill":
            os._exit(137)
        case "raise":
            raise Planned(f"ordered at {name}")
        case "dberror":
            raise OperationalError(f"ordered at {name}")
        case "hang":
            stand_still(name)


def stand_still(name: str) -> None:
    """As a process that is stopped at `name`. A rig may replace it by one that can be woken: then it is a zombie."""
    time.sleep(HANGS)


def passed() -> dict[str, int]:
    """How often this process has passed each place since the last `forget`; counted while `FAILPOINT` orders anything."""
    with _counting:
        return dict(_passed)


def forget() -> None:
    """Count anew: for several orders in one process."""
    with _counting:
        _passed.clear()
