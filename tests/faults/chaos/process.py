"""One process of a chaos run: `python -m tests.faults.chaos.process worker|celery|office|prepare|judge`."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

VESSELS = 12


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jada.settings")
    django.setup()
    from tests.faults.chaos.haste import hasten

    hasten()
    with _clock(float(os.environ.get("CHAOS_CLOCK") or 0)):
        if limit := os.environ.get("CHAOS_DISK"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        {"worker": worker, "celery": celery, "office": office, "prepare": prepare, "judge": judge}[sys.argv[1]]()


def _clock(seconds: float) -> contextlib.AbstractContextManager[Any]:
    """This process believes another time; its monotonic clock goes on as it must."""
    if not seconds:
        return contextlib.nullcontext()
    import time_machine

    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)


# --- those who deliver -------------------------------------------------------------------------------------------


def worker() -> None:
    from django.core.management import call_command

    threading.Thread(target=_hear, name="events", daemon=True).start()
    call_command("outbox_worker", threads=3)


def celery() -> None:
    """A worker with its beat: the schedule of production, every second."""
    from django.conf import settings

    from jada.celery import app

    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        entry["schedule"] = 1.0
    app.conf.beat_schedule = settings.CELERY_BEAT_SCHEDULE
    place = f"{os.environ['VAR_DIR']}/beat-{os.getpid()}"
    app.worker_main(["worker", "-B", "-s", place, "-P", "threads", "-c", "3", "-l", "WARNING", "--without-gossip"])


def _hear() -> None:
    """The beat's part for a worker that has none: what became of the mails."""
    from django.db import close_old_connections

    from jada.mail.tasks import poll_events

    while True:
        close_old_connections()
        with contextlib.suppress(Exception):  # the database is away as often as not
            poll_events()
        time.sleep(0.5)


# --- the office --------------------------------------------------------------------------------------------------


def office() -> None:
    """Acts that have no door for other systems: one line of JSON in, one out."""
    from django.db import DatabaseError, close_old_connections

    acts = {"cancel": _cancel, "left": _left, "stuck": _stuck, "decide": _decide}
    for line in sys.stdin:
        asked = json.loads(line)
        close_old_connections()
        try:
            answer: Any = {"done": acts[asked.pop("act")](**asked)}
        except DatabaseError as error:
            answer = {"again": type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _cancel(event: str) -> str:
    from bookings.models import Booking
    from bookings.services import cancel_booking
    from jada.audit.actors import SYSTEM

    booking = Booking.objects.get(public_id=event)
    cancelled = cancel_booking(booking=booking, reason="Gale warning", by=SYSTEM, at=datetime.now(UTC))
    return str(cancelled.status)


def _left() -> int:
    from jada.outbox.models import Effect

    return Effect.objects.unfinished().count()


def _stuck() -> int:
    from jada.outbox.models import Effect

    return Effect.objects.filter(state="dead").count()


def _decide(arrived: list[int]) -> dict[str, int]:
    """A person before what is stuck: what did arrive is dropped, what did not is sent again."""
    from jada.outbox import services
    from jada.outbox.models import Effect

    counts = {"dropped": 0, "retried": 0}
    for effect in services.in_order(Effect.objects.filter(state="dead")):
        if effect.pk in arrived:
            counts["dropped"] += services.drop(effect=effect, reason="They have it.", at=datetime.now(UTC))
        else:
            counts["retried"] += services.retry(effect=effect, at=datetime.now(UTC))
    return counts


# --- before and after --------------------------------------------------------------------------------------------


def prepare() -> None:
    """A migrated database, a fleet, and a roster that is called out."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    from tests.factories.crew import captain, crewed_vessel, day_checklist, mate

    day_checklist()
    for number in range(VESSELS):
        crewed_vessel(key=f"boat-{number}", name=f"Boat {number}")
        captain(f"captain-{number}", email=f"captain-{number}@crew.example")
        mate(f"mate-{number}", email=f"mate-{number}@crew.example")


def judge() -> None:
    """What the database says, as one JSON object; the copies are read back through the product's own registry."""
    from tests.faults.chaos.testimony import testimony

    sys.stdout.write(json.dumps(testimony(), default=str))


if __name__ == "__main__":
    main()
