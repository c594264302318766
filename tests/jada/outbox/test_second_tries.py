"""What comes back: beside another row of the same object, after days, or with words that no database takes."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from jada.failures import Retry
from jada.outbox import delivery, desk, failing, host, services, sweep
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect
from tests.jada.outbox.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def given_up(key: str = "a") -> Effect:
    effect = owe(key)
    Effect.objects.filter(pk=effect.pk).update(state=State.DEAD, done_at=now())
    effect.refresh_from_db()
    return effect


def states() -> list[str]:
    return list(Effect.objects.order_by("pk").values_list("state", flat=True))


def leases_end() -> None:
    Effect.objects.filter(state=State.RUNNING).update(lease_until=now() - timedelta(seconds=1))


class TestARetryByAPersonWhileANewerRowIsUnderWay:
    def test_the_newer_one_that_fails_replaces_it(self, world: World) -> None:
        world.failures = [Retry("throttled")]
        old, _ = given_up(), owe()
        (taken,) = delivery.claim()
        services.retry(effect=old, at=now())

        delivery.run(taken)

        assert states() == [State.SUPERSEDED, State.PENDING]

    def test_the_newer_one_is_rescued_when_its_worker_dies(self, world: World) -> None:
        old, _ = given_up(), owe()
        delivery.claim()
        services.retry(effect=old, at=now())
        leases_end()

        sweep.sweep()

        assert states() == [State.SUPERSEDED, State.PENDING]

    def test_who_waited_for_the_older_one_waits_for_the_newer(self, world: World) -> None:
        old, new = given_up(), owe()
        (taken,) = delivery.claim()
        services.retry(effect=old, at=now())
        waiter = Effect.objects.create(topic="letter", key="l", mode="M", lane="l", fact="l", depends_on=old)

        desk.serve([failing_once(taken)], room=0)

        waiter.refresh_from_db()
        assert waiter.depends_on_id == new.pk


def failing_once(taken: delivery.Claim) -> desk.Ending:
    return desk.records.Failure(taken, Retry("throttled"))


def test_one_row_that_cannot_be_rescued_keeps_no_other_from_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = owe("a"), owe("b")
    delivery.claim(limit=2)
    leases_end()
    requeue = failing.requeue

    def refuses_one(row: Effect, **given: object) -> bool:
        if row.pk == first.pk:
            raise RuntimeError("as if the database refused this one")
        return requeue(row, **given)

    monkeypatch.setattr(sweep, "requeue", refuses_one)

    sweep.sweep()

    second.refresh_from_db()
    assert second.state == State.PENDING


class TestWordsThatNoDatabaseTakes:
    def test_a_failure_with_a_nul_is_recorded(self, world: World) -> None:
        world.failures = [RuntimeError("line\0end")]
        effect = owe()

        host.drain(budget=1)

        effect.refresh_from_db()
        assert (effect.state, effect.last_error) == (State.PENDING, "RuntimeError: lineend")

    def test_half_a_character_is_replaced(self) -> None:
        assert failing.clean("a \udcff byte") == "a ? byte"


class TestTheThreeDaysOfARow:
    def test_begin_with_its_first_failure_not_with_its_act(self, world: World) -> None:
        """A message written a week before it is due has not failed for a week."""
        with transaction.atomic():
            effect = enqueue_message("letter", "l", lane="l", fact="l", not_before=now() - timedelta(seconds=1))
        assert effect
        Effect.objects.update(created_at=now() - timedelta(days=7))
        world.failures = [Retry("throttled")]

        host.drain(budget=1)

        effect.refresh_from_db()
        assert effect.state == State.PENDING

    def test_begin_anew_when_a_person_retries_it(self, world: World) -> None:
        effect = owe()
        Effect.objects.update(claim_no=9)
        Attempt.objects.create(effect=effect, claim_no=3, at=now() - timedelta(days=4), outcome="retry")
        Attempt.objects.create(effect=effect, claim_no=9, at=now() - timedelta(days=1), outcome="dead")
        world.failures = [Retry("throttled")]

        host.drain(budget=1)

        effect.refresh_from_db()
        assert effect.state == State.PENDING


def test_a_pause_that_the_other_side_names_is_the_least_and_grows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing.random, "uniform", lambda least, most: most)
    effect = owe()
    for claim_no in range(1, 9):
        Attempt.objects.create(effect=effect, claim_no=claim_no, at=now(), outcome="retry")
    Effect.objects.update(claim_no=8)
    world.failures = [Retry("not yet", timedelta(seconds=5))]

    host.drain(budget=1)

    effect.refresh_from_db()
    assert effect.run_at > now() + timedelta(minutes=5)
