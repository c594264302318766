"""What the database says when all is quiet, as plain data for the judge; runs inside the product's environment."""

from __future__ import annotations

import dataclasses
from typing import Any

from bookings.models import Booking
from guests.models import GuestPage
from jada.mail.models import Message
from jada.outbox import reconcile, registry
from jada.outbox.invariants import violations
from jada.outbox.models import Attempt, Effect, Mirror

FINAL = ("done", "superseded", "cancelled")


def testimony() -> dict[str, Any]:
    return {
        "bookings": _bookings(),
        "effects": list(
            Effect.objects.order_by("pk").values(
                "id",
                "topic",
                "key",
                "mode",
                "lane",
                "fact",
                "state",
                "cause",
                "created_at",
                "run_at",
                "done_at",
                "payload",
            )
        ),
        "doubts": list(Attempt.objects.filter(outcome="in_doubt").values_list("effect_id", flat=True)),
        "letters": {str(pk): kind for pk, kind in Message.objects.values_list("pk", "kind")},
        "pages": dict(GuestPage.objects.values_list("code", "booking__public_id")),
        "mirrors": list(Mirror.objects.values("topic", "key", "version", "applied_version", "seen_version")),
        "differ": _differ(),
        "reconcile": _reconcile(),
        "check": _check(),
    }


def _bookings() -> list[dict[str, Any]]:
    names = ("external_id", "public_id", "status", "party_size", "starts_at", "revision")
    return list(Booking.objects.order_by("pk").values(*names))


def _differ() -> list[str]:
    """Every projected object against a rendering of now: the content by its digest, the number by the mirror's."""
    found = []
    for mirror in Mirror.objects.order_by("topic", "key"):
        place = registry.topic(mirror.topic) if mirror.topic in registry.known() else None
        if place is None or place.kind != "projection":
            continue
        seen, view = place.handler.read_back(mirror.key), place.handler.view(mirror.key)
        stands = (seen.version, seen.digest) if seen else None
        if stands != (mirror.applied_version, registry.digest(view)) and view is not None:
            found.append(
                f"{mirror.topic} {mirror.key}: stands {stands and stands[0]}, applied {mirror.applied_version}"
            )
    return found


def _reconcile() -> list[str]:
    """The product's own judgement."""
    objects = [reconcile.Object(m.topic, m.key) for m in Mirror.objects.all() if m.topic in registry.known()]
    report = reconcile.reconcile([one for one in objects if registry.topic(one.topic).kind == "projection"], heal=False)
    # What the edge may still hold of a change that nobody acts on is on its way, not different.
    found = report.of(reconcile.DIFFERS) + report.of(reconcile.NOT_CHECKED)
    return [str(dataclasses.asdict(finding)) for finding in found]


def _check() -> list[str]:
    return [str(violation) for violation in violations()]
