"""What the scenarios about the world share: a trip that owes everything, and time that passes over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
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


def a_trip() -> Booking:
    """Crew to invite, a guest to tell, a page, an item, a mail to the office: nothing of it is delivered yet."""
    captain()
    return a_booking(vessel=crewed_vessel(captains=1, mates=0, hosts_over_12=0), guest_email="dana@example.com")


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


def die_at(place: str, *, nth: int = 1) -> None:
    """A worker is killed there while it delivers."""
    with failing(f"{place}:kill:{nth}"):
        life = stage.fork(lambda mouth: host.drain())
    assert life.killed


@contextmanager
def failing(order: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FAILPOINT", order)
        yield
    failpoints.forget()


def puts(rig: Rig, key: str) -> list[tuple[int | None, str]]:
    """(version, outcome) of every put of this object, in order."""
    return [(line.version, line.outcome) for line in rig.lines("s3", "PutObject") if line.key == key]
