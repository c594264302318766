"""What the edge gives back, and for how long it remembers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jada.aws.edge.deployed import Lifetime


@dataclass(frozen=True)
class Answer:
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        return Answer(self.status, {**self.headers, **headers}, self.body)


@dataclass(frozen=True)
class Kept:
    answer: Answer
    since: float
    until: float


class Cache:
    """Answers by (path after the function, query in the key). `clock` answers seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], Kept] = {}

    def get(self, key: tuple[str, str]) -> Answer | None:
        now, kept = self._clock(), self._kept.get(key)
        if kept is None or kept.until <= now:
            return None
        return kept.answer.with_headers({"x-cache": "Hit from cloudfront", "age": str(int(now - kept.since))})

    def put(self, key: tuple[str, str], answer: Answer, seconds: float) -> None:
        if seconds > 0:
            now = self._clock()
            self._kept[key] = Kept(answer, now, now + seconds)

    def forget(self, pattern: str) -> None:
        """Drop a path; case counts, and only a star at the end stands for more."""
        for key in [key for key in self._kept if _matches(key[0], pattern)]:
            del self._kept[key]


def _matches(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def seconds_to_keep(headers: Mapping[str, str], lifetime: Lifetime) -> int:
    """How long a good answer stays at the edge: what the origin says, within the bounds of the cache policy."""
    control = headers.get("cache-control", "")
    if re.search(r"\b(?:no-store|no-cache|private)\b", control):
        return lifetime.minimum
    said = re.search(r"\bs-maxage=(\d+)", control) or re.search(r"\bmax-age=(\d+)", control)
    if said is None:
        return max(lifetime.default, lifetime.minimum)
    return min(max(int(said[1]), lifetime.minimum), lifetime.maximum)
