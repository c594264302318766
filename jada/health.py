"""Is the process alive, can it serve, and does the outbox keep up. Numbers only: anybody may ask."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from jada.outbox.enums import State
from jada.outbox.models import Effect


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. It touches nothing else, so that a slow database restarts no web process."""
    return JsonResponse({"live": True})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not.

    Late and stuck deliveries are counted for the alarm; they take no web process out of service, because the console
    is where a person sets them right.
    """
    try:
        return JsonResponse({"ready": True, **_outbox(datetime.now(UTC))})
    except DatabaseError:
        return JsonResponse({"ready": False}, status=503)


def _outbox(at: datetime) -> dict[str, int]:
    due = Effect.objects.filter(state=State.PENDING, run_at__lte=at).order_by("run_at").values_list("run_at", flat=True)
    oldest = due.first()
    return {
        "oldest_due_seconds": int((at - oldest).total_seconds()) if oldest else 0,
        "dead": Effect.objects.filter(state=State.DEAD).count(),
        "in_doubt": Effect.objects.filter(state=State.IN_DOUBT).count(),
    }
