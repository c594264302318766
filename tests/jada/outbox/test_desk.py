"""At the desk: what one transaction cannot write or claim costs nothing of the rest; and who stands there how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction
from django.utils.timezone import now

from jada.outbox import batches, claims, delivery, desk, heartbeats, registry, sql
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect, Heartbeat
from jada.outbox.pool import Pool
from jada.outbox.records import Delivered, Mark
from jada.outbox.registry import Batching, Order, Work
from tests.jada.outbox.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool() -> Callable[[int], Pool]:
    started: list[Pool] = []

    def start(size: int) -> Pool:
        started.append(Pool(size))
        return started[-1]

    yield start
    for one in started:
        one.stop()
        assert one.join(10)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str = "hello") -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", name, lane=f"mail:{name}", fact=name)
    assert effect
    return effect


def marked(effect: Effect) -> Mark:
    (taken,) = delivery.claim()
    assert taken.effect_id == effect.pk
    step = delivery.start(taken)
    assert isinstance(step, Mark)
    return step


def fails(**given: object) -> list[claims.Claim]:
    raise OperationalError("the server closed the connection")


def until(true: Callable[[], object], seconds: float = 10) -> None:
    patience = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < patience
        time.sleep(0.01)


class TestBatchesThatCannotBeClaimed:
    def test_cost_nothing_that_was_written_and_claimed_before_them(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(batches, "_looked_at", time.monotonic())
        sent, due = marked(say()), owe()
        monkeypatch.setattr(batches, "claim", fails)

        served = desk.serve([sent], room=2)

        assert (served.marked, [one.effect_id for one in served.claimed]) == ([sent], [due.pk])
        assert "Lost the lease" not in caplog.text

    def test_cost_nothing_that_was_claimed_alone(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        owe()
        monkeypatch.setattr(batches, "claim", fails)

        assert len(claims.claim(limit=2)) == 1


def test_a_mark_whose_commit_got_no_answer_is_no_reason_for_doubt(world: World) -> None:
    """It was committed, and nobody has sent anything since: the message leaves, once."""
    step = marked(say())
    sql.sending([(step.taken.effect_id, step.taken.claim_no)])

    served = desk.serve([step], room=0)

    assert served.marked == [step]


def test_another_claims_mark_is_not_taken_over(world: World) -> None:
    step = marked(say())
    Effect.objects.update(state=State.SENDING, claim_no=step.taken.claim_no + 1)

    assert desk.serve([step], room=0).marked == []


def test_a_record_that_no_database_takes_holds_nobody_up(
    world: World, pool: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery whose result cannot be written is tried for its whole lease; meanwhile the others are delivered."""
    run, result = delivery._RUNNERS["courier"], {"odd": object()}

    def odd(taken: claims.Claim) -> object:
        return Delivered(taken, result=result) if taken.work.key == "odd" else run(taken)

    monkeypatch.setitem(delivery._RUNNERS, "courier", odd)
    effect = say("odd")
    here = pool(2)
    until(lambda: Effect.objects.get(pk=effect.pk).state == State.RUNNING)
    for number in range(20):
        say(f"{number}")
    started = time.monotonic()

    here.wake()
    until(lambda: len(world.sent) == 20)

    assert time.monotonic() - started < 5  # at two visits of the desk a second it would take ten
    result["odd"] = "no more"
    until(lambda: Effect.objects.get(pk=effect.pk).state == State.DONE)


class TestWhileTheDatabaseDoesNotAnswer:
    def test_the_threads_beside_the_desk_rest(
        self, world: World, pool: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        silent, looks = threading.Event(), []
        served = desk.serve
        needed = Pool._is_needed

        def waits(finished: list[desk.Ending | Mark], *, room: int) -> desk.Served:
            silent.wait(10)
            return served(finished, room=room)

        def counted(self: Pool) -> bool:
            looks.append(1)
            return needed(self)

        monkeypatch.setattr(desk, "serve", waits)
        monkeypatch.setattr(Pool, "_is_needed", counted)
        here = pool(4)
        until(lambda: here._served)
        here._look_at = 0.0
        before = len(looks)

        time.sleep(0.5)  # what is measured: how often they look in that time

        assert len(looks) - before < 20
        silent.set()


def test_a_process_that_is_always_busy_gives_its_sign_of_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full = desk.Served(claimed=[object()])
    monkeypatch.setattr(desk, "serve", lambda finished, *, room: full)

    Pool(0)._serve([], 1, rung=True)

    assert Heartbeat.objects.filter(name=heartbeats.WORKER).exists()


def test_a_batch_begins_though_there_is_always_enough_of_other_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Order] = []
    batching = Batching(lambda key: [f"/{key}"], everything="/*")
    registry.batch_step("thing.batch", lane="thing:{key}", batching=batching)(calls.append)
    Effect.objects.create(topic="thing.batch", key="edge", mode="S", lane="thing:edge", run_at=now())
    for number in range(5):
        owe(f"{number}")
    monkeypatch.setattr(batches, "_looked_at", float("-inf"))

    (first,) = desk.serve([], room=1).claimed

    assert first.order is not None


def test_what_is_not_limited_does_not_wait_behind_what_is(world: World) -> None:
    @registry.courier("post", service="ses", rate=lambda: 1)
    class Post:
        def prepare(self, work: Work) -> str:
            return work.key

    with transaction.atomic():
        for number in range(9):
            enqueue_message("post", f"{number}", lane=f"post:{number}", fact=f"post:{number}")
    due = owe()

    claimed = desk.serve([], room=4).claimed

    assert due.pk in [one.effect_id for one in claimed]
