"""A small outside world: one projection with two steps and one courier, and what arrived there."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from jada.failures import Outcome
from jada.outbox import breakers, heartbeats, host, registry
from jada.outbox.registry import Seen, Withdrawn, Work


@dataclass(frozen=True)
class Thing:
    name: str
    weight: int


@dataclass
class World:
    """`rows` is our side, `copies` the outside; `failures` are raised by the next calls, in order."""

    rows: dict[str, Thing] = field(default_factory=dict)
    copies: dict[str, tuple[int, Thing | None]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    withdrawn: str = ""
    doubt: str = "hold"

    def call(self, what: str) -> None:
        self.calls.append(what)
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    yield
    host.finish()
    breakers.forget()
    heartbeats.forget()
    for thread in threading.enumerate():
        if thread.name in {"outbox-sweeper", "outbox-schedule"}:
            thread.join(10)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(registry, "_topics", {})
    here = World()

    @registry.projection("thing", lane="thing:{key}", then=("thing.edge", "thing.seen"))
    class Things:
        def view(self, key: str) -> Thing | None:
            return here.rows.get(key)

        def material(self, view: Thing) -> str:
            return view.name

        def write(self, key: str, view: Thing | None, version: int) -> Outcome:
            here.call(f"write {key}")
            if here.copies.get(key, (0, None))[0] > version:
                return Outcome.NEWER
            here.copies[key] = (version, view)
            return Outcome.WRITTEN

        def read_back(self, key: str) -> Seen | None:
            return None

    @registry.step("thing.edge", lane="thing:{key}")
    def edge(work: Work) -> None:
        here.call(f"edge {work.key} v{work.payload['version']}")

    @registry.step("thing.seen", lane="seen:{key}", confirms="thing")
    def seen(work: Work) -> None:
        here.call(f"seen {work.key}")

    @registry.courier("letter")
    class Letters:
        def prepare(self, work: Work) -> str | Withdrawn:
            return Withdrawn(here.withdrawn) if here.withdrawn else work.key

        def send(self, prepared: str, work: Work) -> Mapping[str, Any]:
            here.call(f"send {prepared}")
            here.sent.append(prepared)
            return {"message_id": f"m-{prepared}"}

        def in_doubt(self, work: Work) -> str:
            return here.doubt

    yield here
