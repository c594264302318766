"""The state behind the fakes, and the one lock under which a request is judged, applied and written down."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.ledger import Ledger
from tests.rig.orders import Orders
from tests.rig.wire import Request

ACCOUNT, REGION = "123456789012", "us-west-2"
DISTRIBUTION = "E1GUESTPAGES"
QUEUE = "jada-mail-events"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:jada-mail-events"


@dataclass
class Habits:
    """How this world behaves when nothing is ordered. Times are seconds.

    `events`: publish, withhold, repeat (each twice) or reorder (newest first) what the mail service reports.
    """

    edge_lag: float = 0.0  # until an invalidation has reached the edge
    edge_life: float | None = None  # instead of what a page's own Cache-Control says
    events: str = "publish"
    hidden: float = 30.0  # how long a received message of a queue is nobody else's
    seed: int = 0
    bucket: str = "queenofsandiego.com"
    ops_bucket: str = "sailjada.com"
    table: str = "ShipCaptainCrew-events"


class World:
    def __init__(self, ledger: Path) -> None:
        self.lock = threading.RLock()
        self.ledger, self.orders, self.habits = Ledger(ledger), Orders(), Habits()

    def set(self, **habits: Any) -> None:
        with self.lock:
            self.habits = Habits(**{**vars(self.habits), **habits})
            if "seed" in habits:
                self.orders.reset(seed=habits["seed"])

    def note(self, request: Request, service: str, op: str, key: str, outcome: str, **facts: Any) -> int:
        fault = {"fault": request.fault} if request.fault else {}
        return self.ledger.write(service, op, key, outcome, **fault, **facts)


def stamp(at: float | None = None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
