"""A mail in doubt that did arrive: a person says so, and nobody is told twice. One that was dropped may have left too."""

from __future__ import annotations

import pytest

from jada.audit.models import Event
from jada.mail.enums import EventKind
from jada.mail.inbox import take_as_arrived
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect
from jada.outbox.services import drop
from tests.jada.mail.test_inbox import LATER, OPS, hear, owe, put, state_of, told

pytestmark = pytest.mark.django_db


def arrived(message: Message) -> bool:
    return take_as_arrived(effect=Effect.objects.get(pk=message.effect_id), by=OPS, at=LATER)


@pytest.mark.parametrize(("state", "cause"), [(State.IN_DOUBT, ""), (State.DEAD, "in_doubt")])
def test_a_person_ends_the_doubt(state: State, cause: str) -> None:
    message = owe()
    put(message, state, cause=cause)

    assert arrived(message)

    message.refresh_from_db()
    assert (message.state, message.sent_at) == (State.DONE, LATER)
    assert Event.objects.filter(act="mail.message.arrived", subject="booking:X", actor_name="ops").exists()
    assert "asked, and it arrived" in Attempt.objects.get(effect_id=message.effect_id).error


def test_it_is_said_once() -> None:
    message = owe()
    put(message, State.IN_DOUBT)

    assert [arrived(message), arrived(message)] == [True, False]


@pytest.mark.parametrize(
    ("state", "cause"), [(State.DEAD, "refused"), (State.PENDING, ""), (State.SENDING, ""), (State.DONE, "")]
)
def test_where_there_is_no_doubt_nothing_is_believed(state: State, cause: str) -> None:
    message = owe()
    put(message, state, cause=cause)

    assert not arrived(message)

    assert state_of(message) == state


def test_a_dropped_mail_of_which_the_service_tells_did_leave() -> None:
    message = owe()
    put(message, State.IN_DOUBT)
    drop(effect=Effect.objects.get(pk=message.effect_id), reason="asked, it came", at=LATER)
    assert Message.objects.get(pk=message.pk).state == State.CANCELLED

    hear(told(message, EventKind.DELIVERY))

    assert Message.objects.get(pk=message.pk).state == State.DONE
