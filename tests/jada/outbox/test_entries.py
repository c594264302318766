import pytest
from django.db import transaction

from jada.outbox.entries import enqueue, enqueue_message, withdraw
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.jada.outbox.conftest import World

pytestmark = pytest.mark.django_db


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key, subject="booking:X")


def say(fact: str, **options: object) -> Effect | None:
    with transaction.atomic():
        return enqueue_message("letter", fact, lane="mail:1", fact=fact, **options)  # type: ignore[arg-type]


def test_outside_a_transaction_a_row_is_refused(world: World) -> None:
    with pytest.raises(RuntimeError, match="in the transaction that makes the change"):
        enqueue("thing", "a")


def test_a_rollback_leaves_no_row(world: World) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("thing", "a")
        1 / 0  # noqa: B018

    assert not Effect.objects.exists()


def test_two_changes_leave_one_pending_row_and_it_is_the_newer(world: World) -> None:
    first, second = owe(), owe()

    assert list(Effect.objects.filter(state=State.PENDING)) == [second]
    first.refresh_from_db()
    assert first.state == State.SUPERSEDED


def test_a_row_in_flight_is_left_alone_and_the_newer_waits_behind_it(world: World) -> None:
    first = owe()
    Effect.objects.filter(pk=first.pk).update(state=State.RUNNING)

    second = owe()

    first.refresh_from_db()
    assert (first.state, second.state) == (State.RUNNING, State.PENDING)


def test_the_same_fact_is_said_once(world: World) -> None:
    assert say("invite:1") is not None
    assert say("invite:1") is None
    assert Effect.objects.count() == 1


def test_a_message_waits_for_the_object_it_is_about(world: World) -> None:
    page = owe()
    message = say("guest:1", after=("thing", "a"))

    assert message is not None
    assert message.depends_on == page


def test_a_message_about_an_object_already_in_place_waits_for_nothing(world: World) -> None:
    message = say("guest:1", after=("thing", "a"))

    assert message is not None
    assert message.depends_on is None


def test_a_superseded_prerequisite_passes_its_waiters_on(world: World) -> None:
    owe()
    message = say("guest:1", after=("thing", "a"))
    newer = owe()

    assert message is not None
    message.refresh_from_db()
    assert message.depends_on == newer


def test_what_has_not_left_can_be_taken_back(world: World) -> None:
    message = say("invite:1")

    assert withdraw(lane="mail:1", topic="letter", reason="The trip is cancelled.") == 1
    assert message is not None
    message.refresh_from_db()
    assert (message.state, message.last_error) == (State.CANCELLED, "The trip is cancelled.")
