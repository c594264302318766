"""Who hears what: the trip, the boat, the berth, the member; and who hears us."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import serializers

from crew.models import CrewEvent, CrewMember
from crew.signals import crew_changed
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.crew import a_crew_event, accepted, captain, mate

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        calls.append(kwargs)

    crew_changed.connect(listen)
    yield calls
    crew_changed.disconnect(listen)


def marked_by(event: CrewEvent, act: Callable[[], object]) -> bool:
    """Whether the act notes that the event may differ from its copy outside."""
    newest = Effect.objects.latest("pk").pk
    act()
    return Effect.objects.filter(topic="crew.event", key=event.public_id, state=State.PENDING, pk__gt=newest).exists()


def test_a_boat_described_anew_marks_its_trips() -> None:
    event = a_crew_event()

    assert marked_by(event, event.booking.vessel.save)


def test_a_berth_described_anew_marks_its_trips() -> None:
    event = a_crew_event()

    assert marked_by(event, event.booking.vessel.berth.save)


def test_a_member_described_anew_marks_their_trips() -> None:
    juno = mate("juno")
    event = a_crew_event()

    assert marked_by(event, juno.save)


def test_another_member_marks_nothing() -> None:
    event = a_crew_event()
    silas = mate("silas")

    assert not marked_by(event, silas.save)


def test_a_loaded_fixture_marks_nothing() -> None:
    juno = mate("juno")
    event = a_crew_event()
    text = serializers.serialize("json", CrewMember.objects.filter(pk=juno.pk))

    assert not marked_by(event, lambda: [row.save() for row in serializers.deserialize("json", text)])


def test_an_answer_is_announced_with_its_trip(heard: list[dict[str, Any]]) -> None:
    captain("ines")
    event = a_crew_event()
    heard.clear()

    accepted(event, "ines")

    (told,) = heard
    assert (told["event"], told["booking"]) == (event, event.booking)
    assert str(told["by"]) == "Ines Calloway (crew)"
