"""What a person may do to a delivery that got stuck, or that should not happen any more."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from jada.failures import Misconfigured
from jada.outbox import delivery, host, services
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str, after: tuple[str, str] | None = None) -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", name, lane=f"mail:{name}", fact=name, after=after)
    assert effect is not None
    return effect


def stuck(world: World, key: str = "a") -> Effect:
    world.failures += [Misconfigured("no such bucket")] * 3
    effect = owe(key)
    for _ in range(3):
        host.drain()
        Effect.objects.filter(state=State.PENDING).update(run_at=now() - timedelta(seconds=1))
    effect.refresh_from_db()
    assert effect.state == State.DEAD
    return effect


def test_a_dropped_delivery_is_cancelled_with_the_reason(world: World) -> None:
    effect = stuck(world)

    assert services.drop(effect=effect, reason="The boat was sold.", at=now())

    effect.refresh_from_db()
    assert (effect.state, effect.last_error) == (State.CANCELLED, "Dropped: The boat was sold.")


def test_what_waited_for_a_dropped_delivery_goes_on(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    page = owe()
    say("guest", after=("thing", "a"))

    services.drop(effect=page, reason="The page is not wanted.", at=now())
    host.drain()

    assert world.calls == ["send guest"]


def test_what_waited_for_a_dropped_step_waits_for_what_the_step_waited_for(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    owe()
    say("guest", after=("thing", "a"))
    delivery.run(delivery.claim()[0])
    seen = Effect.objects.get(topic="thing.seen")

    services.drop(effect=seen, reason="The edge is being moved.", at=now())

    assert Effect.objects.get(topic="letter").depends_on == Effect.objects.get(topic="thing.edge")


def test_a_delivery_under_way_is_not_dropped(world: World) -> None:
    effect = owe()
    delivery.claim()
    effect.refresh_from_db()

    assert not services.drop(effect=effect, reason="Too late.", at=now())


def test_a_claim_made_since_the_page_was_read_keeps_its_row(world: World) -> None:
    effect = owe()
    delivery.run(delivery.claim()[0])

    assert not services.drop(effect=effect, reason="Too late.", at=now())


def test_many_are_retried_and_those_that_are_not_stuck_are_left_out(world: World) -> None:
    first, second = stuck(world, "a"), stuck(world, "b")
    waiting = owe("c")

    again = services.retry_many(effects=[second, waiting, first], at=now())

    assert again == [first, second]
    assert Effect.objects.filter(state=State.PENDING).count() == 3


def test_many_are_dropped_with_one_reason(world: World) -> None:
    effects = [stuck(world, "a"), stuck(world, "b")]

    assert services.drop_many(effects=effects, reason="Season's end.", at=now()) == effects

    assert set(Effect.objects.values_list("state", flat=True)) == {State.CANCELLED}
