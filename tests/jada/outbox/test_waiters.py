"""Who waits for another row goes on in the end, whatever becomes of that row meanwhile."""

import threading

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from jada.outbox import delivery, host, registry, services, sweep
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str, *, after: str = "") -> Effect:
    with transaction.atomic():
        awaited = ("thing", after) if after else None
        effect = enqueue_message("letter", name, lane=f"mail:{name}", fact=name, after=awaited)
    assert effect
    return Effect.objects.get(pk=effect.pk)


def waits_for(waiter: Effect, effect: Effect) -> None:
    Effect.objects.filter(pk=waiter.pk).update(depends_on=effect)


def test_a_drop_passes_on_what_the_row_waits_for_now_not_when_it_was_read(world: World) -> None:
    world.rows["a"] = Thing("a", 1)
    owe()
    dropped, waiter = say("dropped", after="a"), say("waiter")
    waits_for(waiter, dropped)
    owe()  # replaces what `dropped` waited for when the console read it

    services.drop(effect=dropped, reason="told by phone", at=now())
    host.drain()

    assert world.sent == ["waiter"]


class TestWhoWaitsForARowThatWillNeverBeDelivered:
    def test_waits_for_its_successor(self, world: World) -> None:
        gone, successor = owe(), owe()
        waiter = say("waiter")
        waits_for(waiter, gone)

        sweep.sweep()

        waiter.refresh_from_db()
        assert waiter.depends_on_id == successor.pk

    def test_waits_for_one_that_stands_before_a_person(self, world: World) -> None:
        gone, stuck = owe(), owe()
        Effect.objects.filter(pk=stuck.pk).update(state=State.DEAD)
        waiter = say("waiter")
        waits_for(waiter, gone)

        sweep.sweep()

        waiter.refresh_from_db()
        assert waiter.depends_on_id == stuck.pk

    def test_goes_when_there_is_none(self, world: World) -> None:
        gone = owe()
        Effect.objects.update(state=State.CANCELLED)
        waits_for(say("waiter"), gone)

        sweep.sweep()
        host.drain()

        assert world.sent == ["waiter"]

    def test_goes_when_even_its_topic_is_gone(self, world: World) -> None:
        gone = owe()
        Effect.objects.update(state=State.CANCELLED, topic="of.yesterday")
        waits_for(say("waiter"), gone)

        sweep.sweep()
        host.drain()

        assert world.sent == ["waiter"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
class TestAMessageWrittenAtThisInstant:
    """Its act has read which row it must wait for, and commits while that row ends or is replaced."""

    def test_does_not_go_before_the_steps_of_the_put_that_it_waited_for(self, world: World) -> None:
        world.rows["a"] = Thing("a", 1)
        owe()
        (taken,) = delivery.claim()

        beside(lambda: delivery.run(taken))

        assert Effect.objects.get(topic="letter").depends_on.topic == registry.topic("thing").then[-1]

    def test_does_not_wait_for_ever_for_a_row_that_was_replaced(self, world: World) -> None:
        world.rows["a"] = Thing("a", 1)
        owe()

        beside(owe)
        host.drain()

        assert world.sent == ["l"]


def beside(act: object) -> None:
    """Run `act` in a thread while an act that owes a message after the thing has not been committed."""
    ended = threading.Event()

    def run() -> None:
        try:
            act()  # type: ignore[operator]
        finally:
            connection.close()
            ended.set()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        enqueue_message("letter", "l", lane="mail:l", fact="l", after=("thing", "a"))
        thread.start()
        ended.wait(0.5)  # it would be over by then, if nothing held it up
    thread.join(10)
