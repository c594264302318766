"""Reading copies back: which, how often, what counts as a difference, and what a run does about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from jada.failures import Misconfigured, Refused, Retry
from jada.outbox import copies, host, plans, registry
from jada.outbox.copies import PERSON, Copy, differences, shown
from jada.outbox.entries import enqueue
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from jada.outbox.reconcile import (
    DIFFERS,
    GIVE_UP,
    HEALING,
    NOT_CHECKED,
    ON_ITS_WAY,
    Object,
    check,
    due,
    everything,
    reconcile,
    reconcile_in_turn,
)
from jada.outbox.registry import Seen
from jada.outbox.signals import copy_healed
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The small outside world of the outbox, whose projection is read back by version and digest."""
    monkeypatch.setattr(copies, "_readers", {})
    monkeypatch.setattr(plans, "_plans", {})

    def read_back(key: str) -> Seen | None:
        world.call(f"read {key}")
        stands = world.copies.get(key)
        return Seen(stands[0], registry.digest(stands[1])) if stands else None

    monkeypatch.setattr(registry.topic("thing").handler, "read_back", read_back, raising=False)
    return world


def written(world: World, *keys: str) -> None:
    from django.db import transaction

    for key in keys:
        world.rows[key] = Thing(key, 1)
        with transaction.atomic():
            enqueue("thing", key, subject=f"booking:{key}")
    host.drain()
    world.calls.clear()


def objects(*keys: str) -> Iterator[Object]:
    return (Object("thing", key, f"booking:{key}") for key in keys)


class TestADifference:
    def test_is_of_one_field_and_says_old_and_new(self) -> None:
        found = differences(Copy(store="table", object="x", found={"at": "16:30"}, wanted={"at": "15:30"}))

        assert [str(d) for d in found] == ["table x at: 16:30 instead of 15:30"]

    def test_of_a_private_field_shows_neither(self) -> None:
        copy = Copy(store="s", object="x", found={"gate": "4711"}, wanted={"gate": "8822"}, private=frozenset({"gate"}))

        assert [(d.old, d.new) for d in differences(copy)] == [("not shown", "not shown")]

    def test_yes_is_not_one(self) -> None:
        assert differences(Copy(store="s", object="x", found={"ready": 1}, wanted={"ready": True})) != []

    def test_of_a_field_that_is_not_ours_names_it_and_no_more(self) -> None:
        [found] = differences(Copy(store="s", object="x", found={"owed": "840"}, wanted={}))

        assert (found.field, found.old, found.new) == ("owed", "not ours", "nothing")

    @pytest.mark.parametrize(
        "text",
        [
            *("$840", "840.75", "840.7", "1,250", "1 250", "USD840", "840usd", "840 dollars"),
            *("dana@guest.example", "+1 619 555 0117", "(619) 555-0117", "6195550117"),
        ],
    )
    def test_never_shows_an_amount_or_a_contact(self, text: str) -> None:
        assert shown(f"call {text}") == "not shown"

    @pytest.mark.parametrize(
        "text", ["2026-11-07T15:30:00-08:00", "20261107T153000", "3:30 PM", "12 guests, 1 crew", "text/html"]
    )
    def test_shows_times(self, text: str) -> None:
        assert shown(text) == text


class TestOneObject:
    def test_that_is_as_it_should_be_is_in_step_and_remembers_when(self, world: World) -> None:
        written(world, "a")
        at = now() + HOUR

        report = reconcile(objects("a"), heal=True, at=at)

        assert (report.in_step, report.findings, report.clean) == (1, [], True)
        assert Mirror.objects.get(key="a").checked_at == at

    def test_that_was_changed_outside_differs_and_keeps_what(self, world: World) -> None:
        written(world, "a")
        world.copies["a"] = (1, Thing("a", 99))

        report = reconcile(objects("a"), heal=False)

        assert [d.field for d in report.of(DIFFERS)[0].differences] == ["digest"]
        assert [kept["field"] for kept in Mirror.objects.get(key="a").differences] == ["digest"]
        assert not report.clean

    def test_that_is_about_to_be_written_is_not_even_read(self, world: World) -> None:
        from django.db import transaction

        written(world, "a")
        with transaction.atomic():
            enqueue("thing", "a")

        report = reconcile(objects("a"), heal=True)

        assert [f.standing for f in report.findings] == [ON_ITS_WAY]
        assert world.calls == []
        assert report.clean

    def test_that_is_written_while_it_is_read_is_on_its_way(self, world: World, monkeypatch: Any) -> None:
        written(world, "a")
        stale = Seen(1, "old")

        def read(key: str) -> Seen:
            world.rows["a"] = Thing("a", 5)
            Mirror.objects.filter(key="a").update(version=2, applied_version=2)
            return stale

        monkeypatch.setattr(registry.topic("thing").handler, "read_back", read)

        assert check(Object("thing", "a"), at=now()).standing == ON_ITS_WAY

    @pytest.mark.parametrize("failure", [Retry("throttled"), Misconfigured("no permission"), KeyError("version")])
    def test_that_cannot_be_read_is_not_checked_and_never_hidden(self, world: World, failure: Exception) -> None:
        written(world, "a")
        world.failures = [failure]

        report = reconcile(objects("a"), heal=True)

        assert [f.standing for f in report.findings] == [NOT_CHECKED]
        assert not report.clean
        assert Mirror.objects.get(key="a").checked_at is None

    def test_of_a_service_that_is_away_is_not_tried_for_ever(self, world: World) -> None:
        keys = [f"k{n}" for n in range(GIVE_UP + 3)]
        written(world, *keys)
        world.failures = [Retry("away")] * 99

        report = reconcile(objects(*keys), heal=True)

        assert len(report.of(NOT_CHECKED)) == len(keys)
        assert len(world.calls) == GIVE_UP

    @pytest.mark.parametrize("failure", [KeyError("version"), Refused("this object is not for you")])
    def test_that_fails_by_itself_keeps_nobody_behind_it_from_being_read(
        self, world: World, failure: Exception
    ) -> None:
        keys = [f"k{n}" for n in range(GIVE_UP + 3)]
        written(world, *keys)
        world.failures = [failure] * GIVE_UP

        report = reconcile(objects(*keys), heal=True)

        assert (len(report.of(NOT_CHECKED)), report.in_step) == (GIVE_UP, 3)

    def test_beyond_the_runs_time_is_counted_as_left(self, world: World) -> None:
        written(world, "a", "b")

        report = reconcile(objects("a", "b"), heal=True, seconds=-1)

        assert (report.left, report.clean, world.calls) == (2, False, [])


class TestHealing:
    def differing(self, world: World) -> None:
        written(world, "a")
        world.copies["a"] = (1, Thing("a", 99))

    def test_writes_it_under_a_higher_number_with_what_follows_and_is_clean_after(self, world: World) -> None:
        self.differing(world)

        report = reconcile(objects("a"), heal=True)
        host.drain()

        assert [f.standing for f in report.findings] == [HEALING]
        assert world.copies["a"] == (2, Thing("a", 1))
        assert world.calls == ["read a", "write a", "edge a v2", "seen a"]
        assert reconcile(objects("a"), heal=True).findings == []

    def test_is_told_upwards_in_its_own_transaction_and_stops_nobody_behind_it(self, world: World) -> None:
        written(world, "a", "b")
        world.copies |= {key: (1, Thing(key, 99)) for key in "ab"}
        heard: list[Any] = []

        def hear(**news: Any) -> None:
            heard.append(news["subject"])
            if news["key"] == "a":
                raise RuntimeError("history cannot be kept")

        copy_healed.connect(hear)
        try:
            report = reconcile(objects("a", "b"), heal=True)
        finally:
            copy_healed.disconnect(hear)

        assert heard == ["booking:a", "booking:b"]
        assert [(f.object.key, f.standing) for f in report.findings] == [("a", DIFFERS), ("b", HEALING)]
        assert "RuntimeError" in report.findings[0].note
        assert list(Effect.objects.unfinished().values_list("key", flat=True)) == ["b"]

    def test_leaves_what_is_stuck_to_its_own_row(self, world: World) -> None:
        self.differing(world)
        Effect.objects.filter(topic="thing").update(state=State.DEAD)

        [finding] = reconcile(objects("a"), heal=True).findings

        assert finding.standing == DIFFERS
        assert "stuck" in finding.note

    def test_by_the_schedule_is_tried_once_and_then_left_to_a_person(self, world: World) -> None:
        self.differing(world)
        reconcile(objects("a"), heal=True, again=False)
        host.drain()
        world.copies["a"] = (2, Thing("a", 99))  # somebody is at it again

        [finding] = reconcile(objects("a"), heal=True, again=False).findings
        by_a_person = reconcile(objects("a"), heal=True, again=True)

        assert "healed before" in finding.note
        assert len(by_a_person.of(HEALING)) == 1

    def test_leaves_alone_what_only_a_person_can_set_right(self, world: World) -> None:
        @copies.reader("mail")
        class Mails:
            def plan(self) -> None:
                return None

            def copies(self, key: str, version: int) -> list[Copy]:
                return [Copy(store="mail", object=key, found={"at": "4"}, wanted={"at": "3"}, cure=PERSON)]

        [finding] = reconcile([Object("mail", "x")], heal=True).findings

        assert (finding.standing, finding.note) == (DIFFERS, "Only a person can set this right.")

    def test_of_a_reader_of_its_own_asks_the_reader(self, world: World) -> None:
        @copies.reader("calendar")
        class Calendar:
            stands = {"x": "4", "y": "4"}

            def plan(self) -> None:
                return None

            def copies(self, key: str, version: int) -> list[Copy]:
                return [Copy(store="calendar", object=key, found={"at": self.stands[key]}, wanted={"at": "3"})]

            def heal(self, key: str, *, at: datetime) -> bool:
                self.stands[key] = "3" if key == "x" else "4"
                return key == "x"

        report = reconcile([Object("calendar", "x"), Object("calendar", "y")], heal=True)

        assert [f.object.key for f in report.of(HEALING)] == ["x"]
        assert [f.object.key for f in report.of(DIFFERS)] == ["y"]


class TestWhatIsDue:
    """Stated by a plan over mirrors, which have a key and a time: no app is needed."""

    @pytest.fixture(autouse=True)
    def planned(self, world: World) -> None:
        from django.db.models import F, Value

        @plans.plan("thing")
        def things() -> Any:
            return Mirror.objects.filter(topic="plan").values(
                "key", subject=Value("booking:x"), starts_at=F("applied_at")
            )

    def trip(self, key: str, *, starts: datetime, read: datetime | None) -> None:
        Mirror.objects.create(topic="plan", key=key, applied_at=starts)
        if read:
            Mirror.objects.create(topic="thing", key=key, checked_at=read)

    def test_near_trips_hourly_and_all_else_daily_the_longest_unread_first(self) -> None:
        at = now()
        self.trip("near, read 2 h ago", starts=at + HOUR, read=at - 2 * HOUR)
        self.trip("near, read now", starts=at + HOUR, read=at)
        self.trip("far, read 2 h ago", starts=at + 30 * DAY, read=at - 2 * HOUR)
        self.trip("far, read 2 d ago", starts=at + 30 * DAY, read=at - 2 * DAY)
        self.trip("far, never read", starts=at + 30 * DAY, read=None)

        assert [one.key for one in due(at=at)] == ["far, never read", "far, read 2 d ago", "near, read 2 h ago"]

    def test_what_differed_is_looked_at_again_within_the_hour(self) -> None:
        at = now()
        self.trip("far", starts=at + 30 * DAY, read=at - 2 * HOUR)
        Mirror.objects.filter(topic="thing", key="far").update(differences=[{"field": "at"}])

        assert [one.key for one in due(at=at)] == ["far"]

    def test_what_no_plan_names_any_more_is_read_too(self) -> None:
        Mirror.objects.create(topic="thing", key="orphan", applied_version=3)

        assert [one.key for one in due(at=now())] == ["orphan"]
        assert [one.key for one in everything(topic="thing")] == ["orphan"]

    def test_everything_comes_in_slices_and_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jada.outbox.reconcile.SLICE", 2)
        for number in range(5):
            self.trip(f"k{number}", starts=now() + number * DAY, read=now())

        assert [one.key for one in everything()] == [f"k{number}" for number in range(5)]

    def test_since_narrows_it_to_trips_that_start_later(self) -> None:
        at = now()
        self.trip("soon", starts=at + HOUR, read=None)
        self.trip("later", starts=at + 5 * DAY, read=None)

        assert [one.key for one in everything(since=at + DAY)] == ["later"]

    def test_a_round_of_the_schedule_says_only_so_when_healing_is_off(self, world: World, settings: Any) -> None:
        settings.RECONCILE_HEAL = False
        self.trip("a", starts=now() + HOUR, read=None)
        written(world, "a")
        world.copies["a"] = (1, Thing("a", 99))

        report = reconcile_in_turn(at=now())

        assert [f.standing for f in report.findings] == [DIFFERS]
        assert Effect.objects.unfinished().count() == 0


class TestTheCommand:
    def run(self, *args: str) -> tuple[str, int]:
        out = StringIO()
        try:
            call_command("reconcile", *args, stdout=out)
        except SystemExit as end:
            return out.getvalue(), int(end.code or 0)
        return out.getvalue(), 0

    def test_ends_with_zero_when_all_is_in_step(self, world: World) -> None:
        written(world, "a")

        assert self.run() == ("1 in step.\n", 0)

    def test_ends_with_one_and_says_what_differs(self, world: World) -> None:
        written(world, "a", "b")
        world.copies["a"] = (7, Thing("a", 1))

        said, status = self.run()

        assert status == 1
        assert "thing a: differs" in said
        assert "  thing a version: 7 instead of 1" in said
        assert said.endswith("1 in step, 1 differs.\n")

    def test_ends_with_zero_when_it_is_being_set_right(self, world: World) -> None:
        written(world, "a")
        world.copies["a"] = (1, Thing("a", 9))

        said, status = self.run("--heal")

        assert (status, "1 healing" in said) == (0, True)

    def test_speaks_json(self, world: World) -> None:
        written(world, "a")
        world.copies["a"] = (7, Thing("a", 1))

        said, status = self.run("--json")

        told = json.loads(said)
        assert (status, told["clean"], told["in_step"]) == (1, False, 0)
        assert told["findings"][0]["differences"] == [
            {"store": "thing", "object": "a", "field": "version", "old": "7", "new": "1", "cure": "write"}
        ]

    @pytest.mark.parametrize(
        ("args", "sentence"),
        [
            (("--topic", "thin"), "choose one of thing"),
            (("--since", "yesterday"), "give a day"),
            (("--since", "2026-13-40"), "give a day"),
            (("--since", "9999-12-31T23:59-08:00"), "give a day"),
            (("--booking", "NOBODY"), "Nothing outside belongs to a booking NOBODY:"),
            (("--booking", "NOBODY", "--topic", "thing"), "a booking NOBODY under thing:"),
        ],
    )
    def test_refuses_what_it_does_not_know_with_a_sentence(
        self, world: World, args: tuple[str, ...], sentence: str
    ) -> None:
        with pytest.raises(CommandError, match=sentence):
            self.run(*args)

    def test_narrows_to_one_booking(self, world: World) -> None:
        written(world, "A", "B")

        assert self.run("--booking", "a") == ("1 in step.\n", 0)


def test_two_readers_of_one_name_are_refused(world: World) -> None:
    copies.reader("x")(type("Reader", (), {}))

    with pytest.raises(ValueError, match="Two readers"):
        copies.reader("x")(type("Reader", (), {}))


def test_two_plans_of_one_topic_are_refused(world: World) -> None:
    plans.plan("x")(Mirror.objects.all)

    with pytest.raises(ValueError, match="Two plans"):
        plans.plan("x")(Mirror.objects.all)
