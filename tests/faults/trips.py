"""What the scenarios about the world share: a trip that owes everything, and time that passes over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import transaction

from bookings.models import Booking
from guests.models import GuestPage
from jada.outbox import breakers, failpoints, host
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.sweep import sweep
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel
from tests.faults import stage
from tests.rig.client import Rig

LEASE_IS_OVER = timedelta(minutes=3)


def today() -> datetime:
    """Processes and a database server take part, which no test moves in time."""
    return datetime.now(UTC)


def next_month() -> datetime:
    """A start: at noon or one at the dock."""
    return today().replace(hour=20, minute=0, second=0, microsecond=0) + timedelta(days=30)


def a_trip() -> Booking:
    """Crew to invite, a guest to tell, a page, an item, a mail to the office: nothing of it is delivered yet."""
    captain()
    vessel = crewed_vessel(captains=1, mates=0, hosts_over_12=0)
    return a_booking(vessel=vessel, at=today(), starts_at=next_month(), guest_email="dana@example.com")


def code_of(booking: Booking) -> str:
    return GuestPage.objects.get(booking=booking).code


def page_of(booking: Booking) -> str:
    """The page's key in the bucket."""
    return f"g/{code_of(booking).lower()}.html"


def leave_only(*topics: str) -> None:
    """Of all that is owed only these topics are left."""
    with transaction.atomic():
        Effect.objects.exclude(topic__in=topics).filter(state=State.PENDING).update(state=State.CANCELLED)


def work_off(*, rounds: int = 12, passing: timedelta = LEASE_IS_OVER) -> None:
    """Deliver, and let time pass, until nothing is owed or nothing more can be done."""
    for _ in range(rounds):
        breakers.forget()
        sweep()
        host.drain()
        if not Effect.objects.unfinished().exists():
            return
        stage.pass_time(passing)


def die_at(place: str, act: Callable[[], object] = host.drain, *, nth: int = 1) -> None:
    """A process is killed there. The fault is ordered in that process alone: threads of this one pass the place too."""

    def armed(mouth: stage.Mouth) -> None:
        os.environ["FAILPOINT"] = f"{place}:kill:{nth}"
        failpoints.forget()
        act()

    assert stage.fork(armed).killed


def puts(rig: Rig, key: str) -> list[tuple[int | None, str]]:
    """(version, outcome) of every put of this object, in order."""
    return [(line.version, line.outcome) for line in rig.lines("s3", "PutObject") if line.key == key]
