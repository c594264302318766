from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils.timezone import now

from jada.outbox import delivery, host, sweep
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str) -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", name, lane="mail:1", fact=name)
    assert effect is not None
    return effect


def left_behind(effect: Effect, state: State) -> None:
    """As a worker leaves a row that is killed in mid-flight: its lease runs out."""
    delivery.claim()
    Effect.objects.filter(pk=effect.pk).update(state=state, lease_until=now() - timedelta(seconds=1))


def in_doubt_since(effect: Effect, age: timedelta) -> None:
    Effect.objects.filter(pk=effect.pk).update(state=State.IN_DOUBT, claim_no=1, lease_until=None)
    Attempt.objects.create(effect=effect, claim_no=1, at=now() - age, outcome="in_doubt")


def test_a_row_of_a_dead_worker_is_delivered_by_another(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    effect = owe()
    left_behind(effect, State.RUNNING)

    sweep.sweep()
    host.drain()

    effect.refresh_from_db()
    assert (effect.state, effect.attempts) == (State.DONE, 2)


def test_a_live_lease_is_left_alone(world: World) -> None:
    effect = owe()
    delivery.claim()

    assert sweep.rescue(now()) == 0
    effect.refresh_from_db()
    assert effect.state == State.RUNNING


def test_a_lease_from_a_clock_that_ran_ahead_does_not_last_for_ever(world: World) -> None:
    effect = owe()
    delivery.claim()
    Effect.objects.filter(pk=effect.pk).update(lease_until=now() + timedelta(hours=1))

    assert sweep.rescue(now()) == 1


def test_a_rescued_row_that_a_newer_one_overtook_is_superseded(world: World) -> None:
    old = owe()
    left_behind(old, State.RUNNING)
    newer = owe()

    sweep.sweep()

    old.refresh_from_db()
    newer.refresh_from_db()
    assert (old.state, newer.state) == (State.SUPERSEDED, State.PENDING)


def test_a_row_that_takes_its_worker_down_each_time_stops_before_a_person(world: World) -> None:
    effect = owe()
    left_behind(effect, State.RUNNING)
    Effect.objects.filter(pk=effect.pk).update(attempts=5)

    sweep.sweep()

    effect.refresh_from_db()
    assert effect.state == State.DEAD


def test_a_message_whose_worker_died_while_sending_is_in_doubt_and_not_sent_again(world: World) -> None:
    effect = say("hello")
    left_behind(effect, State.SENDING)

    sweep.sweep()
    host.drain()

    effect.refresh_from_db()
    assert effect.state == State.IN_DOUBT
    assert world.sent == []


def test_a_sweeper_that_dies_puts_a_message_in_doubt_wholly_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect = say("hello")
    left_behind(effect, State.SENDING)

    def dies(**fields: object) -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patched:
        patched.setattr(Attempt.objects, "create", dies)
        sweep.rescue(now())

    effect.refresh_from_db()
    assert effect.state == State.SENDING


def test_after_ten_minutes_a_harmless_repeat_is_sent(world: World) -> None:
    world.doubt = "resend"
    in_doubt_since(say("hello"), timedelta(minutes=11))

    sweep.sweep()
    host.drain()

    assert world.sent == ["hello"]


def test_after_ten_minutes_any_other_message_stands_before_a_person(world: World) -> None:
    effect = say("hello")
    in_doubt_since(effect, timedelta(minutes=11))

    sweep.sweep()
    host.drain()

    effect.refresh_from_db()
    assert (effect.state, effect.cause) == (State.DEAD, "in_doubt")
    assert world.sent == []


def test_before_ten_minutes_nothing_is_decided(world: World) -> None:
    effect = say("hello")
    in_doubt_since(effect, timedelta(minutes=9))

    sweep.sweep()

    effect.refresh_from_db()
    assert effect.state == State.IN_DOUBT


def test_rows_long_done_are_purged_and_stuck_ones_are_kept(world: World) -> None:
    done, dead = owe("a"), owe("b")
    month_ago = now() - timedelta(days=31)
    Effect.objects.filter(pk=done.pk).update(state=State.DONE, created_at=month_ago, done_at=month_ago)
    Effect.objects.filter(pk=dead.pk).update(state=State.DEAD, created_at=month_ago, done_at=month_ago)

    sweep.sweep()

    assert list(Effect.objects.all()) == [dead]
