"""Which topics exist and who handles them. Filled by each app's `sync.py`, as the admin is by `admin.py`.

Kinds of handler:

- a *projection* of our state onto one outside object (DynamoDB item, S3 page), fenced by a version;
- a *step* that follows a projection (see it live) and reads nothing of its own;
- a *batch step*, of which one call serves many rows (invalidate the addresses of many pages);
- a *courier* for messages, sent once, never repeated blindly.

A topic names the `service` outside that it needs, its own name unless said otherwise: when a service does not answer,
all that needs it waits together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
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
    subject: str = ""  # what it is about, such as booking:…; for the log


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
class Order:
    """One call for many rows. The same `reference` always names the same `members`: a repeat is the same order."""

    reference: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Batching:
    """What one key adds to a call, how much a call may name, and the one name that stands for all of them."""

    members: Callable[[str], Iterable[str]]
    everything: str
    most: int = 100
    too_many: int = 2000  # so many waiting members are replaced by `everything`


@dataclass(frozen=True)
class Topic:
    name: str
    lane: str
    handler: Any
    kind: str  # projection, step, batch, courier
    then: tuple[str, ...] = ()  # steps that follow a put whose material part changed
    confirms: str = ""  # a step that makes this projection "seen in public"
    service: str = ""  # what it needs outside; its own name if none is given
    rate: Callable[[], float] | None = None  # messages a second that its service takes; 0 is any number
    batching: Batching | None = None

    def lane_of(self, key: str) -> str:
        return self.lane.format(key=key)


_topics: dict[str, Topic] = {}


def projection(name: str, *, lane: str, then: tuple[str, ...] = (), service: str = "") -> Callable[[type], type]:
    """Register a class as the projection `name`; `then` names the steps that follow a material change, in order."""

    def register(cls: type) -> type:
        _add(Topic(name, lane, cls(), "projection", then=then, service=service or name))
        return cls

    return register


def step(
    name: str, *, lane: str, confirms: str = "", service: str = ""
) -> Callable[[Callable[[Work], Any]], Callable[[Work], Any]]:
    """Register a function of one `Work` that follows a projection. It may raise any DeliveryFailure."""

    def register(function: Callable[[Work], Any]) -> Callable[[Work], Any]:
        _add(Topic(name, lane, function, "step", confirms=confirms, service=service or name))
        return function

    return register


def batch_step(
    name: str, *, lane: str, batching: Batching, service: str = ""
) -> Callable[[Callable[[Order], str]], Callable[[Order], str]]:
    """Register a function of one `Order` that serves many rows at once and answers the other side's id of it."""

    def register(function: Callable[[Order], str]) -> Callable[[Order], str]:
        _add(Topic(name, lane, function, "batch", service=service or name, batching=batching))
        return function

    return register


def courier(name: str, *, service: str = "", rate: Callable[[], float] | None = None) -> Callable[[type], type]:
    """Register a class as the courier of messages of topic `name`; their lanes are named when they are written."""

    def register(cls: type) -> type:
        _add(Topic(name, "{key}", cls(), "courier", service=service or name, rate=rate))
        return cls

    return register


def _add(topic: Topic) -> None:
    if topic.name in _topics:
        raise ValueError(f"Two handlers for the topic {topic.name!r}: give one of them another name.")
    _topics[topic.name] = topic


def topics() -> Iterable[Topic]:
    return _topics.values()


def topic(name: str) -> Topic:
    return _topics[name]


def known() -> frozenset[str]:
    return frozenset(_topics)


def digest(view: object) -> str:
    """A stable fingerprint of a view object: sha256 of its canonical JSON."""
    data = asdict(view) if is_dataclass(view) and not isinstance(view, type) else view
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
