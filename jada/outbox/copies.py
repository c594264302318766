"""What stands outside beside what should: the words in which a reader of copies says what differs.

A *reader* answers, for one object, every place where a copy of it can be looked at: the table, the bucket, the public
address. Projections read their own; `reader` registers those of what is no projection, such as the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from django.db.models import QuerySet

from jada.outbox import plans, registry

WRITE: Final = "write"  # written out again under a higher number, what follows included
PERSON: Final = "person"  # only a person can set it right
HIDDEN: Final = "not shown"
LONGEST: Final = 120

# An amount or a contact that somebody typed into a copy by hand must not travel on in what we say about it.
_TELLING = re.compile(
    r"[$€£¥@]|\b\d+[.,]\d{1,2}\b|\b\d{1,3}([., ’']\d{3})+\b|\+\d|\(?\b\d{3}\)?[ .-]{1,2}\d{3}[ .-]?\d{4}\b|\b\d{7,15}\b"
    r"|(?<![a-z])(?:usd|eur|gbp|dollars?|euros?|bucks)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One copy of an object. `found` and `wanted` are {field: plain value}; None where nothing stands, or should.

    `private` fields are compared and never shown. Until `settles_at` a stale copy is on its way by design: an edge may
    keep a page for minutes.
    """

    store: str
    object: str
    found: Mapping[str, Any] | None
    wanted: Mapping[str, Any] | None
    private: frozenset[str] = frozenset()
    settles_at: datetime | None = None
    cure: str = WRITE


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field that differs: `old` stands outside, `new` is what the database says."""

    store: str
    object: str
    field: str
    old: str
    new: str
    cure: str = WRITE

    def __str__(self) -> str:
        return f"{self.store} {self.object} {self.field}: {self.old} instead of {self.new}"


class Reader(Protocol):
    """`copies` may call the network and raises a DeliveryFailure when a copy cannot be read.

    One that is no projection has `plan()` as well, the objects as `plans` wants them, or None and its few `keys`; and
    `heal(key, at=...)`: True when the object is right again, or will be.
    """

    def copies(self, key: str, version: int) -> list[Copy]: ...


_readers: dict[str, Any] = {}


def reader(name: str) -> Callable[[type], type]:
    """Register a class as the reader of `name`, which is no projection."""

    def register(cls: type) -> type:
        if name in _readers or name in registry.known():
            raise ValueError(f"Two readers for {name!r}: give one of them another name.")
        _readers[name] = cls()
        return cls

    return register


def readable() -> list[str]:
    """Every kind of object that can be read back, what crew and guests hold first."""
    projections = (name for name in sorted(registry.known()) if registry.topic(name).kind == "projection")
    return [*projections, *sorted(_readers)]


def reader_of(name: str) -> Any:
    return _readers[name] if name in _readers else registry.topic(name).handler


def planned(name: str) -> QuerySet[Any] | None:
    """The objects that should have copies, as rows of (key, subject, starts_at)."""
    rows: QuerySet[Any] | None = _readers[name].plan() if name in _readers else plans.planned(name)
    return rows


def keys_of(name: str) -> tuple[str, ...]:
    """Those of a reader that looks at a few places and not at objects one by one: a whole folder, say."""
    keys: tuple[str, ...] = getattr(reader_of(name), "keys", ())
    return keys


def copies_of(name: str, key: str, version: int) -> list[Copy]:
    """A projection that names no fields is compared by its version and digest."""
    handler = reader_of(name)
    if hasattr(handler, "copies"):
        found: list[Copy] = handler.copies(key, version)
        return found
    seen, view = handler.read_back(key), handler.view(key)
    stands = None if seen is None else {"version": seen.version, "digest": seen.digest}
    gone = view is None and seen is None
    return [Copy(store=name, object=key, found=stands, wanted=None if gone else _wanted(view, version))]


def _wanted(view: object, version: int) -> dict[str, object]:
    return {"version": version, "digest": registry.digest(view)}


def differences(copy: Copy) -> list[Difference]:
    """Field by field, in the order in which they are wanted; what is there and not ours comes last."""
    found, wanted = copy.found, copy.wanted
    if found is None or wanted is None:
        pairs = [] if found == wanted else [("object", _there(found), _there(wanted))]
    else:
        pairs = list(_fields(copy, found, wanted))
    return [
        Difference(store=copy.store, object=copy.object, field=field, old=old, new=new, cure=copy.cure)
        for field, old, new in pairs
    ]


def _there(facts: Mapping[str, object] | None) -> str:
    return "missing" if facts is None else "there"


def _fields(copy: Copy, found: Mapping[str, object], wanted: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    for field, value in wanted.items():
        if field not in found:
            yield field, "missing", HIDDEN if field in copy.private else shown(value)
        elif found[field] != value or type(found[field]) is not type(value):
            hide = field in copy.private
            yield field, HIDDEN if hide else shown(found[field]), HIDDEN if hide else shown(value)
    for field in sorted(found.keys() - wanted.keys()):
        yield field[:40], "not ours", "nothing"


def shown(value: object) -> str:
    """A value in words, short; what reads like an amount or a contact is not shown at all."""
    match value:
        case None | "":
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return shown("; ".join(shown(part) for part in value))
        case dict():
            return shown(", ".join(shown(part) for part in value.values() if part not in ("", None)))
        case datetime():
            return value.isoformat()
    text = str(value)
    if _TELLING.search(text):
        return HIDDEN
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
