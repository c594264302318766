"""Which topics exist and who handles them. Filled by each app's `sync.py`, as the admin is by `admin.py`.

Three kinds of handler:

- a *projection* of our state onto one outside object (DynamoDB item, S3 page), fenced by a version;
- a *step* that follows a projection (invalidate its address, see it live) and reads nothing of its own;
- a *courier* for messages, sent once, never repeated blindly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Protocol

from jada.failures import Outcome


@dataclass(frozen=True)
class Work:
    """What a handler is told about the row it serves. `payload` of a step: version and digest of the put it follows."""

    effect_id: int
    topic: str
    key: str
    attempt: int
    version: int
    payload: Mapping[str, Any] = field(default_factory=dict)
    claim_no: int = 0  # of this claim; travels with a message, so that what is told of it later says which one it was


@dataclass(frozen=True)
class Seen:
    """What stands outside now, for reconcile: its version and a digest of its content, and fields worth naming."""

    version: int
    digest: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Projection(Protocol):
    """One outside object as a function of our rows. `view` answers a frozen dataclass, None when it is gone."""

    def view(self, key: str) -> Any | None: ...
    def write(self, key: str, view: Any | None, version: int) -> Outcome: ...
    def read_back(self, key: str) -> Seen | None: ...


class Courier(Protocol):
    """Sends one frozen message. `prepare` answers what to send, or a `Withdrawn`; `send` makes the one call."""

    def prepare(self, work: Work) -> Any: ...
    def send(self, prepared: Any, work: Work) -> Mapping[str, Any]: ...
    def in_doubt(self, work: Work) -> str: ...


@dataclass(frozen=True)
class Withdrawn:
    """The last look before sending found a reason not to: the trip is cancelled, the link revoked."""

    reason: str


@dataclass(frozen=True)
class Topic:
    name: str
    lane: str
    handler: Any
    kind: str  # projection, step, courier
    then: tuple[str, ...] = ()  # steps that follow a put whose material part changed
    confirms: str = ""  # a step that makes this projection "seen in public"

    def lane_of(self, key: str) -> str:
        return self.lane.format(key=key)


_topics: dict[str, Topic] = {}


def projection(name: str, *, lane: str, then: tuple[str, ...] = ()) -> Callable[[type], type]:
    """Register a class as the projection `name`; `then` names the steps that follow a material change, in order."""

    def register(cls: type) -> type:
        _add(Topic(name, lane, cls(), "projection", then=then))
        return cls

    return register


def step(name: str, *, lane: str, confirms: str = "") -> Callable[[Callable[[Work], Any]], Callable[[Work], Any]]:
    """Register a function of one `Work` that follows a projection. It may raise any DeliveryFailure."""

    def register(function: Callable[[Work], Any]) -> Callable[[Work], Any]:
        _add(Topic(name, lane, function, "step", confirms=confirms))
        return function

    return register


def courier(name: str) -> Callable[[type], type]:
    """Register a class as the courier of messages of topic `name`; their lanes are named when they are written."""

    def register(cls: type) -> type:
        _add(Topic(name, "{key}", cls(), "courier"))
        return cls

    return register


def _add(topic: Topic) -> None:
    if topic.name in _topics:
        raise ValueError(f"Two handlers for the topic {topic.name!r}: give one of them another name.")
    _topics[topic.name] = topic


def topic(name: str) -> Topic:
    return _topics[name]


def known() -> frozenset[str]:
    return frozenset(_topics)


def digest(view: object) -> str:
    """A stable fingerprint of a view object: sha256 of its canonical JSON."""
    data = asdict(view) if is_dataclass(view) and not isinstance(view, type) else view
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
