"""The judge's book: one JSON line for every request that the fakes answered, in the order in which they took effect.

It is a plain file outside our database. Whatever dies, it was not the writer of this file: a line stands once its
request was applied, before anybody was told. `n` is the order; `wall` and `mono` are seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READS = frozenset({"read", "missing"})


@dataclass(frozen=True)
class Line:
    """`outcome`: accepted, same (a repeat that changed nothing), refused, turned_away, read or missing."""

    n: int
    mono: float
    wall: float
    service: str
    op: str
    key: str
    outcome: str
    fault: str = ""
    version: int | None = None
    digest: str = ""
    effect: str = ""
    claim: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """Appends whole lines by one write each; callers hold the lock under which the request is applied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._n = sum(1 for _ in path.open("rb"))

    def write(self, service: str, op: str, key: str, outcome: str, **facts: Any) -> int:
        self._n += 1
        named = {"n": self._n, "mono": time.monotonic(), "wall": time.time()}
        line = named | {"service": service, "op": op, "key": key, "outcome": outcome} | facts
        os.write(self._file, json.dumps(line).encode() + b"\n")
        return self._n

    def close(self) -> None:
        os.close(self._file)


def read(path: Path | str, *, after: int = 0) -> list[Line]:
    """Every line behind the `after`-th; a line that is being written is not one yet."""
    return [line for line in _lines(Path(path)) if line.n > after]


def _lines(path: Path) -> Iterator[Line]:
    names = set(Line.__dataclass_fields__) - {"facts"}
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            found = json.loads(raw)
            known = {name: found.pop(name) for name in list(found) if name in names}
            yield Line(**known, facts=found)
