"""Faults on order: which request is to go wrong, how, and how often."""

from __future__ import annotations

import random
import threading
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

ACTIONS = (
    "delay",  # `seconds`, then as usual: the latency of the world
    "late",  # applied at once, answered after `seconds`: beyond the client's patience
    "lost",  # applied, then the connection drops: nobody knows
    "silent",  # taken, not applied, not answered for `seconds`
    "reset",  # the connection drops before anything was applied
    "throttle",
    "500",
    "503",
    "403",
    "busy",  # CloudFront: too many invalidations in progress; S3: another conditional write is under way
)


@dataclass
class Order:
    """`times` None is for ever. `probability` is drawn for each request that fits, from the seeded source."""

    action: str
    service: str = "*"
    op: str = "*"
    key: str = "*"
    times: int | None = 1
    probability: float = 1.0
    seconds: float = 12.0
    fired: int = 0

    def fits(self, service: str, op: str, key: str) -> bool:
        wanted = ((self.service, service), (self.op, op), (self.key, key))
        return all(fnmatchcase(found, pattern) for pattern, found in wanted)


class Orders:
    """Of all that stand and fit, the first that fires is obeyed; a delay goes together with another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset(seed=0)

    def reset(self, *, seed: int) -> None:
        with self._lock:
            self._orders: list[Order] = []
            self._random = random.Random(seed)

    def add(self, **order: Any) -> None:
        if order.get("action") not in ACTIONS:
            raise ValueError(f"There is no fault {order.get('action')!r}: order one of {', '.join(ACTIONS)}.")
        with self._lock:
            self._orders.append(Order(**order))

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()

    def standing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(order) for order in self._orders]

    def take(self, service: str, op: str, key: str) -> tuple[float, Order | None]:
        """Seconds to wait before anything else, and the one fault to commit."""
        delay, fault = 0.0, None
        with self._lock:
            for order in self._orders:
                if not order.fits(service, op, key) or order.times == 0:
                    continue
                if fault is not None and order.action != "delay":
                    continue
                if order.probability < 1 and self._random.random() >= order.probability:
                    continue
                order.fired += 1
                order.times = None if order.times is None else order.times - 1
                if order.action == "delay":
                    delay += order.seconds
                else:
                    fault = order
        return delay, fault
