"""What stops a worker from doing harm: too little lease, code too old, a row it does not know, a piece that fails."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils.timezone import now

from jada.failures import Unknown
from jada.outbox import claims, delivery, host, registry, sql, sweep
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect, Heartbeat, RequestKey
from jada.outbox.records import Delivered, Failure
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str) -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", name, lane=f"mail:{name}", fact=name)
    assert effect is not None
    return effect


def stands_still(taken: delivery.Claim) -> None:
    """As a process that was stopped after its claim: less than a call's deadline is left of the lease."""
    taken.ends -= (sql.LEASE - sql.DEADLINE).total_seconds() + 1


class TestTheGuardOfTheStart:
    def test_a_worker_that_stood_still_calls_nothing_and_gives_the_row_back(self, world: World) -> None:
        owe()
        (taken,) = delivery.claim()
        stands_still(taken)

        delivery.run(taken)

        row = Effect.objects.get()
        assert world.calls == []
        assert (row.state, row.attempts) == (State.PENDING, 0)

    def test_a_message_whose_lease_is_nearly_over_is_not_marked_as_being_sent(self, world: World) -> None:
        effect = say("hello")
        (taken,) = delivery.claim()
        Effect.objects.update(lease_until=now() + timedelta(seconds=20))  # its own clock stood still with it

        delivery.run(taken)

        effect.refresh_from_db()
        assert effect.state == State.RUNNING
        assert world.sent == []

    def test_what_was_given_back_is_delivered_once(self, world: World) -> None:
        say("hello")
        (taken,) = delivery.claim()
        stands_still(taken)

        delivery.run(taken)
        host.drain()

        assert world.sent == ["hello"]


class TestWhatNobodyHereKnows:
    def test_f27_a_row_of_an_unknown_topic_waits_and_is_shown(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sweep, "_alarmed", {})
        effect = owe()
        thing = registry._topics.pop("thing")
        long_ago = now() - timedelta(days=9)
        Effect.objects.update(run_at=long_ago)

        host.drain()
        sweep.sweep()
        sweep.sweep()

        assert list(Effect.objects.of_unknown_topics()) == [effect]
        assert caplog.text.count("Nobody here knows how to deliver thing") == 1
        registry._topics["thing"] = thing
        assert not Effect.objects.of_unknown_topics().exists()
        host.drain()
        assert world.copies["a"]

    def test_a_letter_that_this_code_does_not_know_waits_and_keeps_its_attempts(self, world: World) -> None:
        world.failures = [Unknown("This worker runs older code.")]
        effect = owe()

        host.drain()

        effect.refresh_from_db()
        assert (effect.state, effect.attempts, effect.cause) == (State.PENDING, 0, "unknown")
        assert list(Effect.objects.of_unknown_topics()) == [effect]


class TestASweep:
    def test_goes_on_when_one_piece_fails_and_gives_no_sign_of_life(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        effect = owe()
        delivery.claim()
        Effect.objects.update(lease_until=now() - timedelta(seconds=1))

        def broken(at: object) -> int:
            raise OperationalError("disk full")

        monkeypatch.setattr(sweep, "settle", broken)
        RequestKey.objects.create(
            scope="s", key="k", request_hash="h", status=201, body={}, created_at=now() - timedelta(days=31)
        )

        sweep.sweep()

        effect.refresh_from_db()
        assert effect.state == State.PENDING
        assert not RequestKey.objects.exists()
        assert not Heartbeat.objects.filter(name="sweeper").exists()

    def test_says_in_the_history_that_a_worker_was_lost(self, world: World) -> None:
        owe()
        delivery.claim()
        Effect.objects.update(lease_until=now() - timedelta(seconds=1))

        sweep.sweep()

        assert Attempt.objects.get().outcome == "lost_lease"

    def test_leaves_a_row_that_was_claimed_anew_since_it_looked(self, world: World) -> None:
        owe()
        delivery.claim()
        Effect.objects.update(lease_until=now() + timedelta(seconds=5))

        assert sweep.rescue(now()) == 0


def test_a_claim_of_many_is_two_statements(world: World, django_assert_num_queries: object) -> None:
    for key in "abcdefgh":
        world.rows[key] = Thing(key, 1)
        owe(key)
    delivery.claim()  # what is asked once a second has been asked

    with transaction.atomic(), django_assert_num_queries(2):  # type: ignore[operator]
        taken = claims.take(limit=7)

    assert len(taken) == 7


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
class TestAConnectionThatBreaksInAHandler:
    @pytest.fixture
    def breaks(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        handler = registry.topic("thing").handler
        view = handler.view

        def broken(key: str) -> Thing | None:
            monkeypatch.setattr(handler, "view", view)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return view(key)

        monkeypatch.setattr(handler, "view", broken)

    def test_is_not_the_fault_of_the_row(self, world: World, breaks: None) -> None:
        effect = owe()

        host.drain(budget=1)

        effect.refresh_from_db()
        assert (effect.state, effect.attempts, effect.cause) == (State.PENDING, 0, "retry")

    def test_fails_no_other_row(self, world: World, breaks: None) -> None:
        for key in "ab":
            owe(key)
        taken = delivery.claim(limit=2)

        first, second = map(delivery.start, taken)

        assert isinstance(first, Failure)
        assert isinstance(second, Delivered)
