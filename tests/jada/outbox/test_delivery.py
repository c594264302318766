from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils.timezone import now

from jada.failures import InDoubt, Misconfigured, Refused, Retry
from jada.outbox import delivery, desk, host, services, sql, sweep
from jada.outbox.claims import Claim
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect, Mirror
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(name: str, after: tuple[str, str] | None = None) -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", name, lane="mail:1", fact=name, after=after)
    assert effect is not None
    return effect


def state_of(effect: Effect) -> str:
    return Effect.objects.values_list("state", flat=True).get(pk=effect.pk)


def due_now() -> None:
    Effect.objects.filter(state=State.PENDING).update(run_at=now() - timedelta(seconds=1))


def the_database_refuses_records(monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[OperationalError]:
    """The next so many records fail; the list is what is left of them."""
    faults, done = [OperationalError("the server closed the connection")] * times, sql.done

    def with_a_fault(rows: Sequence[sql.Done]) -> set[int]:
        if faults:
            raise faults.pop()
        return done(rows)

    monkeypatch.setattr(sql, "done", with_a_fault)
    monkeypatch.setattr(desk, "PAUSE", 0)
    return faults


class TestAProjection:
    def test_is_read_when_it_runs_not_when_it_was_owed(self, world: World) -> None:
        world.rows["a"] = Thing("old", 1)
        owe()
        world.rows["a"] = Thing("new", 1)

        host.drain()

        assert world.copies["a"] == (1, Thing("new", 1))

    def test_is_followed_by_its_steps_in_order(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()

        host.drain()

        assert world.calls == ["write a", "edge a v1", "seen a"]
        mirror = Mirror.objects.get(topic="thing", key="a")
        assert (mirror.applied_version, mirror.seen_version) == (1, 1)

    def test_that_is_as_applied_makes_no_call_and_gives_its_number_back(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()
        host.drain()
        world.calls.clear()

        owe()
        host.drain()

        assert world.calls == []
        assert Mirror.objects.get(topic="thing", key="a").version == 1

    def test_whose_immaterial_part_changed_is_written_but_not_invalidated(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()
        host.drain()
        world.calls.clear()
        world.rows["a"] = Thing("x", 2)

        owe()
        host.drain()

        assert world.calls == ["write a"]

    def test_that_is_gone_leaves_a_tombstone(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()
        host.drain()
        del world.rows["a"]

        owe()
        host.drain()

        assert world.copies["a"] == (2, None)

    def test_fifty_edits_in_a_second_are_far_fewer_calls(self, world: World) -> None:
        for weight in range(50):
            world.rows["a"] = Thing("x", weight)
            owe()

        host.drain()

        assert world.copies["a"] == (1, Thing("x", 49))
        assert world.calls.count("write a") == 1

    def test_older_than_its_copy_stops_before_a_person(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        world.copies["a"] = (99, None)
        effect = owe()

        for _ in range(3):
            host.drain()
            due_now()

        effect.refresh_from_db()
        assert effect.state == State.DEAD
        assert "restored from a backup" in effect.last_error
        assert world.copies["a"] == (99, None)


class TestALane:
    def test_has_one_row_in_flight(self, world: World) -> None:
        say("first")
        say("second")

        taken = delivery.claim(limit=10)

        assert [c.work.key for c in taken] == ["first"]

    def test_goes_on_after_a_stuck_row(self, world: World) -> None:
        world.failures = [Refused("no such address")] * 3
        first, second = say("first"), say("second")

        for _ in range(3):
            host.drain()
            due_now()
        host.drain()

        assert (state_of(first), state_of(second)) == (State.DEAD, State.DONE)

    def test_of_another_object_is_not_held_up(self, world: World) -> None:
        world.failures = [Retry("throttled")]
        owe("a")
        owe("b")

        host.drain()

        assert "b" in world.copies
        assert "a" not in world.copies


class TestAFailure:
    def test_of_the_world_gives_the_attempt_back(self, world: World) -> None:
        world.failures = [Retry("throttled")]
        effect = owe()

        host.drain()

        effect.refresh_from_db()
        assert (effect.state, effect.attempts, effect.cause) == (State.PENDING, 0, "retry")
        assert effect.run_at > now()

    def test_of_the_world_ends_before_a_person_after_three_days(self, world: World) -> None:
        world.failures = [Retry("throttled")] * 2
        effect = owe()
        host.drain()
        Attempt.objects.update(at=now() - timedelta(hours=73))
        Effect.objects.update(run_at=now())

        host.drain()

        assert state_of(effect) == State.DEAD

    def test_of_the_configuration_says_so_after_three_tries(self, world: World) -> None:
        world.failures = [Misconfigured("no such bucket")] * 3
        effect = owe()

        for _ in range(3):
            host.drain()
            due_now()

        effect.refresh_from_db()
        assert (effect.state, effect.cause, effect.attempts) == (State.DEAD, "configuration", 3)

    def test_of_our_own_is_logged_and_tried_five_times(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        world.failures = [ZeroDivisionError("bug")] * 5
        effect = owe()

        for _ in range(5):
            host.drain()
            due_now()

        effect.refresh_from_db()
        assert (effect.state, effect.cause) == (State.DEAD, "bug")
        assert "Unable to deliver" in caplog.text

    def test_hides_the_secrets_in_its_text(self, world: World) -> None:
        world.failures = [Refused("bad link ?token=eyJhbGciOi.eyJzdWIiOi.c2ln")]
        effect = owe()

        host.drain()

        effect.refresh_from_db()
        assert "eyJ" not in effect.last_error
        assert "eyJ" not in Attempt.objects.get().error

    def test_leaves_what_waits_for_it_waiting(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        world.failures = [Misconfigured("no such bucket")] * 3
        owe()
        mail = say("guest", after=("thing", "a"))

        for _ in range(4):
            host.drain()
            due_now()

        assert state_of(mail) == State.PENDING
        assert world.sent == []

    def test_once_mended_supersedes_the_stuck_row(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        world.failures = [Misconfigured("no such bucket")] * 3
        stuck = owe()
        for _ in range(3):
            host.drain()
            due_now()

        owe()
        host.drain()

        assert state_of(stuck) == State.SUPERSEDED

    def test_once_mended_releases_what_waited_for_the_stuck_row(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        world.failures = [Misconfigured("no such bucket")] * 3
        owe()
        say("guest", after=("thing", "a"))
        for _ in range(3):
            host.drain()
            due_now()

        owe()
        host.drain()

        assert world.calls[3:] == ["write a", "edge a v4", "seen a", "send guest"]

    def test_retried_behind_a_later_row_in_flight_waits_and_holds_up_nobody(self, world: World) -> None:
        world.failures = [Refused("no such address")] * 3
        stuck = say("one")
        for _ in range(3):
            host.drain()
            due_now()
        world.failures = [InDoubt("read timeout")]
        say("two")
        host.drain()

        stuck.refresh_from_db()
        services.retry(effect=stuck, at=now() - timedelta(seconds=5))
        owe("b")
        host.drain()

        assert state_of(stuck) == State.PENDING
        assert "b" in world.copies


class TestAMessage:
    def test_is_sent_once(self, world: World) -> None:
        say("hello")

        host.drain()
        host.drain()

        assert world.sent == ["hello"]

    def test_waits_until_the_page_was_seen(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()
        say("guest", after=("thing", "a"))

        host.drain()

        assert world.calls == ["write a", "edge a v1", "seen a", "send guest"]

    def test_behind_a_page_that_is_as_applied_waits_until_the_earlier_put_was_seen(self, world: World) -> None:
        world.rows["a"] = Thing("x", 1)
        owe()
        delivery.run(delivery.claim()[0])
        Effect.objects.filter(topic="thing.seen").update(run_at=now() + timedelta(minutes=5))
        owe()
        say("guest", after=("thing", "a"))

        host.drain()
        before = list(world.sent)
        due_now()
        host.drain()

        assert (before, world.sent) == ([], ["guest"])

    def test_that_is_no_longer_worth_sending_is_withdrawn(self, world: World) -> None:
        world.withdrawn = "The link was revoked."
        effect = say("hello")

        host.drain()

        effect.refresh_from_db()
        assert (effect.state, effect.last_error) == (State.CANCELLED, "The link was revoked.")
        assert world.sent == []

    def test_of_which_it_is_not_known_whether_it_left_is_not_sent_again_at_once(self, world: World) -> None:
        world.failures = [InDoubt("read timeout")]
        effect = say("hello")

        host.drain()
        host.drain()

        assert state_of(effect) == State.IN_DOUBT
        assert world.calls == ["send hello"]

    def test_that_met_a_fault_of_ours_while_it_was_sent_is_in_doubt_too(self, world: World) -> None:
        world.failures = [ZeroDivisionError("after the call")]
        effect = say("hello")

        host.drain()
        due_now()
        host.drain()

        assert state_of(effect) == State.IN_DOUBT
        assert world.calls == ["send hello"]

    def test_that_left_is_recorded_again_and_never_sent_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        faults = the_database_refuses_records(monkeypatch, times=4)
        effect = say("hello")

        for _ in range(3):
            host.drain()
            due_now()

        assert (state_of(effect), world.sent, faults) == (State.DONE, ["hello"], [])

    def test_that_left_and_is_not_recorded_while_its_lease_lasts_is_in_doubt(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        the_database_refuses_records(monkeypatch, times=1000)
        monkeypatch.setattr(Claim, "has_time_for_a_record", lambda taken: False)
        effect = say("hello")

        host.drain()
        Effect.objects.update(lease_until=now() - timedelta(seconds=1))
        sweep.sweep()

        assert (state_of(effect), world.sent) == (State.IN_DOUBT, ["hello"])

    def test_refused_before_acceptance_may_be_tried_again(self, world: World) -> None:
        world.failures = [Retry("throttled", after=timedelta(0))]
        say("hello")

        host.drain()
        due_now()
        host.drain()

        assert world.sent == ["hello"]


class TestAWorkerThatLostItsLease:
    def test_changes_nothing_any_more(self, world: World) -> None:
        effect = owe()
        (mine,) = delivery.claim()
        Effect.objects.filter(pk=effect.pk).update(state=State.PENDING)  # rescued by the sweeper
        (other,) = delivery.claim()

        delivery.run(other)
        delivery.run(mine)

        effect.refresh_from_db()
        assert effect.state == State.DONE
        assert effect.claim_no == other.claim_no

    def test_does_not_send_a_message_twice(self, world: World) -> None:
        effect = say("hello")
        (mine,) = delivery.claim()
        Effect.objects.filter(pk=effect.pk).update(state=State.PENDING)
        (other,) = delivery.claim()

        delivery.run(other)
        delivery.run(mine)

        assert world.sent == ["hello"]


def test_backoff_grows_and_is_capped() -> None:
    assert delivery.backoff(0) <= 2
    assert all(delivery.backoff(40) <= delivery.BACKOFF_CAP for _ in range(20))
