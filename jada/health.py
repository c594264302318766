"""Is the process alive, can it serve, and does the outbox keep up. Numbers only: anybody may ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from jada.outbox import signs
from jada.outbox.enums import State
from jada.outbox.models import Effect

_migrated = False  # seen once by this process; what is applied stays so, and reading every migration costs 100 ms


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. It touches nothing else, so that a slow database restarts no web process."""
    return JsonResponse({"live": True})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """503 only where another process would serve better: the database does not answer this one, or lacks migrations
    that this one's code needs (in a deployment the old processes go on; they are content with a newer database).

    Everything else is counted for the alarm and takes nothing out of service. Late and stuck deliveries, a silent
    worker, a restored database are the same for every process, and the console is where a person sets them right.
    """
    try:
        if not _is_migrated():
            return JsonResponse({"ready": False, "database": True, "migrated": False}, status=503)
        return JsonResponse({"ready": True, "database": True, "migrated": True, **_outbox(datetime.now(UTC))})
    except DatabaseError:
        return JsonResponse({"ready": False}, status=503)


def _is_migrated() -> bool:
    global _migrated  # noqa: PLW0603  once true, true for the life of the process
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _outbox(at: datetime) -> Mapping[str, object]:
    """`heartbeat_seconds` are ages, null for what never ran; `target_newer` says that `outbox_restored` is due."""
    due = Effect.objects.filter(state=State.PENDING, run_at__lte=at).order_by("run_at").values_list("run_at", flat=True)
    oldest = due.first()
    beats = signs.beats()
    return {
        "oldest_due_seconds": int((at - oldest).total_seconds()) if oldest else 0,
        "dead": Effect.objects.filter(state=State.DEAD).count(),
        "in_doubt": Effect.objects.filter(state=State.IN_DOUBT).count(),
        "unknown_topics": Effect.objects.of_unknown_topics().count(),
        "target_newer": Effect.objects.newer_outside().exists(),
        "heartbeat_seconds": {part: int((at - last).total_seconds()) if last else None for part, last in beats.items()},
    }
