"""A service that does not answer is asked twice a minute, and nothing is counted against what waits for it."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from jada.failures import Refused, Retry
from jada.outbox import breakers, host
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Breaker, Effect
from tests.jada.outbox.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(*keys: str) -> None:
    with transaction.atomic():
        for key in keys:
            enqueue("thing", key)


def an_outage(world: World, **after: timedelta) -> None:
    world.failures = [Retry("away", **after) for _ in range(20)]
    owe(*"abcdefghij")
    host.drain()


def let_pass() -> None:
    Breaker.objects.update(open_until=now() - timedelta(seconds=1))
    Effect.objects.filter(state=State.PENDING).update(run_at=now() - timedelta(seconds=1))
    breakers.forget()


def test_after_five_failures_in_a_row_nothing_more_is_tried(world: World) -> None:
    an_outage(world)

    assert len(world.calls) == 5
    assert set(Effect.objects.values_list("state", "attempts")) == {(State.PENDING, 0)}
    assert Attempt.objects.count() == 5


def test_what_needs_another_service_goes_on(world: World) -> None:
    an_outage(world)
    world.failures.clear()
    with transaction.atomic():
        enqueue_message("letter", "hello", lane="mail:1", fact="hello")

    host.drain()

    assert world.sent == ["hello"]


def test_half_a_minute_later_one_more_failure_is_enough(world: World) -> None:
    an_outage(world)

    let_pass()
    host.drain()

    assert len(world.calls) == 6


def test_an_answer_lets_all_of_it_go(world: World) -> None:
    an_outage(world)
    world.failures.clear()

    let_pass()
    host.drain()

    assert len(world.copies) == 10
    assert Breaker.objects.get(service="thing").failures == 0


def test_a_pause_that_the_service_asks_for_is_an_answer(world: World) -> None:
    an_outage(world, after=timedelta(seconds=60))

    assert len(world.calls) == 10


def test_a_refusal_is_an_answer(world: World) -> None:
    world.failures = [Retry("away")] * 4 + [Refused("no")] + [Retry("away")] * 5
    owe(*"abcdefghij")

    host.drain()

    assert len(world.calls) == 10
