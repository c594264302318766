"""What must stand outside, whoever forgot to write it: each app states the objects of its topics.

A plan is one query, so that a check of a million trips stays in the database (`violations`), and a reader that goes
from object to object can take them in slices (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

Plan = Callable[[], "QuerySet[Any]"]

_plans: dict[str, Plan] = {}


def plan(topic: str) -> Callable[[Plan], Plan]:
    """Register a function whose rows have `key` (the object), `subject` and `starts_at` (when it matters most)."""

    def register(function: Plan) -> Plan:
        if topic in _plans:
            raise ValueError(f"Two plans for the topic {topic!r}: state the objects of a topic in one place.")
        _plans[topic] = function
        return function

    return register


def planned(topic: str) -> QuerySet[Any] | None:
    """The objects of a topic as rows of (key, subject, starts_at); None where nobody stated them."""
    return _plans[topic]() if topic in _plans else None


def topics() -> frozenset[str]:
    return frozenset(_plans)
