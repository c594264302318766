"""The other end of `/_rig/`: start the fakes, order faults, read the ledger."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.rig import ledger

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Rig:
    """A running process of fakes. `begun` is the ledger's length when this test began."""

    url: str
    ledger: Path
    environment: dict[str, str]
    pid: int
    begun: int = field(default=0)

    def order(self, action: str, **order: Any) -> None:
        """Order a fault: `service`, `op`, `key` (patterns), `times` (None: for ever), `probability`, `seconds`."""
        self._ask("POST", "orders", {"action": action, **order})

    def calm(self) -> None:
        """No fault from now on."""
        self._ask("DELETE", "orders")

    def fired(self) -> int:
        """How many of the ordered faults have come true: one that never fires looks like success."""
        return sum(order["fired"] for order in self._ask("GET", "orders"))

    def habits(self, **habits: Any) -> None:
        """See `tests.rig.world.Habits`: edge_lag, edge_life, events, hidden, seed."""
        self._ask("POST", "habits", habits)

    def reset(self) -> None:
        """Forget everything but the ledger, which begins anew for `lines`."""
        self._ask("POST", "reset")
        self.begun = ledger.read(self.ledger)[-1].n

    def mails(self) -> list[dict[str, Any]]:
        """Every mail that was taken, in order: id, from, to, subject, text, links, tags, header."""
        found: list[dict[str, Any]] = self._ask("GET", "mails")
        return found

    def objects(self) -> dict[str, dict[str, Any]]:
        """What stands in the buckets: version, digest and stated version by key."""
        found: dict[str, dict[str, Any]] = self._ask("GET", "objects")
        return found

    def items(self) -> dict[str, dict[str, Any]]:
        """What stands in the table, in DynamoDB's own JSON, by event id."""
        found: dict[str, dict[str, Any]] = self._ask("GET", "items")
        return found

    def publish(self, message_id: str, kind: str) -> bool:
        """Put an event (Send, Delivery, Bounce, Complaint, Reject) about a taken mail into the queue."""
        return bool(self._ask("POST", "publish", {"message_id": message_id, "kind": kind}))

    def release(self) -> int:
        """Publish what the habit `reorder` held back, the newest first."""
        return int(self._ask("POST", "release"))

    def enqueue(self, body: str, **queue: str) -> None:
        """Put any text into the queue: what is malformed, or of another topic."""
        self._ask("POST", "queue", {"body": body, **queue})

    def lines(self, service: str = "*", op: str = "*", outcome: str = "*") -> list[ledger.Line]:
        """What this test has caused so far, in the order in which it took effect."""
        wanted = (("service", service), ("op", op), ("outcome", outcome))
        found = ledger.read(self.ledger, after=self.begun)
        return [line for line in found if all(want in ("*", getattr(line, name)) for name, want in wanted)]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        address = urlsplit(self.url)
        with contextlib.closing(HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
            connection.request(method, f"/_rig/{path}", json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            return json.loads(answer.read())


@contextlib.contextmanager
def running(path: Path, *, port: int = 0) -> Iterator[Rig]:
    """The fakes in a process of their own, which nobody's signals reach; their ledger at `path`."""
    args = [sys.executable, "-m", "tests.rig.fakes", "--port", str(port), "--ledger", str(path), "--until-eof"]
    process = subprocess.Popen(args, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Rig(said["url"], path, said["environment"], process.pid)
    finally:
        process.terminate()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
