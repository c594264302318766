"""Effects that cost nothing outside: what remains is the engine. Six of state, two messages; a booking owes six of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jada.failures import Outcome
from jada.outbox.registry import Seen, Work, courier, projection
from tests.bench import log

STATES = tuple(f"bench.state{n}" for n in range(6))
MESSAGES = ("bench.mail_crew", "bench.mail_ops")
MIXES = {"mixed": (*STATES[:4], *MESSAGES), "states": STATES}


class Silent:
    def view(self, key: str) -> dict[str, str]:
        return {"trip": key, "text": "x" * 100}

    def read_back(self, key: str) -> Seen | None:
        return None


def _state(name: str) -> None:
    class Noop(Silent):
        def write(self, key: str, view: Any, version: int) -> Outcome:
            log.effect(key, name)
            return Outcome.WRITTEN

    projection(name, lane=name + ":{key}")(Noop)


for _name in STATES:
    _state(_name)


class Mail:
    def prepare(self, work: Work) -> Work:
        return work

    def send(self, prepared: Work, work: Work) -> Mapping[str, Any]:
        log.effect(work.key, work.topic)
        return {"message_id": work.key}

    def in_doubt(self, work: Work) -> str:
        return "hold"


for _name in MESSAGES:
    courier(_name)(type("Mail_" + _name.rpartition("_")[2], (Mail,), {}))
