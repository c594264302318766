"""Writing history. Called inside the transaction of the act, so that the two stand or fall together."""

from collections.abc import Mapping
from datetime import datetime

from jada.audit.actors import Actor
from jada.audit.models import Event


def record(*, act: str, subject: str, by: Actor, at: datetime, detail: Mapping[str, object] | None = None) -> Event:
    """One row of history. `detail` is {field: [old, new]} or plain facts, JSON only; no money, no contacts."""
    return Event.objects.create(
        act=act, subject=subject, actor_kind=by.kind, actor_name=by.name, at=at, detail=dict(detail or {})
    )
