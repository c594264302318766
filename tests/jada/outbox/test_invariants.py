"""Each invariant is broken behind the outbox's back, and the check names it and the row."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.models import F
from django.utils.timezone import now

from jada.outbox import host, plans
from jada.outbox.delivery import claim
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.invariants import INVARIANTS, Violation, violations
from jada.outbox.models import Attempt, Effect, Mirror
from tests.factories.bookings import a_booking
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(fact: str = "said") -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", fact, lane="mail:x", fact=fact)
    assert effect is not None
    return effect


def change(effect: Effect, **values: object) -> Effect:
    """As SQL would, past every guard."""
    Effect.objects.filter(pk=effect.pk).update(**values)
    return effect


def delivered(world: World) -> Effect:
    """One object and one message, each in place."""
    world.rows["a"] = Thing("anchor", 12)
    effect = owe()
    say()
    host.drain()
    return Effect.objects.get(pk=effect.pk)


def broken() -> dict[str, tuple[str, ...]]:
    return {violation.invariant: violation.rows for violation in violations()}


def sentences() -> list[str]:
    return [violation.says for violation in violations()]


def test_all_hold_of_rows_that_were_delivered(world: World) -> None:
    delivered(world)

    assert violations() == []


def test_all_hold_of_rows_that_wait(world: World) -> None:
    owe()
    say()

    assert violations() == []


def test_each_says_what_rows_alone_do_not_show() -> None:
    assert list(INVARIANTS) == [f"I{n}" for n in range(1, 11)]
    assert all(i.holds.endswith(".") and i.blind.endswith(".") and i.questions for i in INVARIANTS.values())


class TestAtomic:
    def test_holds_of_a_booking(self) -> None:
        a_booking()

        assert violations() == []

    @pytest.mark.parametrize("topic", ["crew.event", "guests.page", "guests.slug"])
    def test_breaks_when_a_booking_has_lost_what_it_owes(self, topic: str) -> None:
        a_booking()
        Effect.objects.filter(topic=topic).delete()

        assert [v.says for v in violations() if v.invariant == "I1"] == [
            f"objects of {topic} that were never owed, by key"
        ]

    def test_breaks_when_a_standing_trip_has_no_page(self) -> None:
        from guests.models import GuestPage

        booking = a_booking()
        GuestPage.objects.all().delete()

        assert broken()["I1"] == (booking.public_id,)

    def test_is_asked_of_every_plan(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        stated = Mirror.objects.filter(topic="other")
        monkeypatch.setattr(plans, "_plans", {"thing": lambda: stated.values("key")})
        Mirror.objects.create(topic="other", key="forgotten")

        assert broken()["I1"] == ("forgotten",)


class TestProgress:
    def test_breaks_when_a_due_row_is_claimed_by_nobody(self, world: World) -> None:
        row = change(owe(), run_at=now() - HOUR)

        assert broken() == {"I2": (str(row.pk),)}

    def test_breaks_when_nobody_rescues(self, world: World) -> None:
        row = owe()
        claim()
        change(row, lease_until=now() - HOUR)

        assert broken() == {"I2": (str(row.pk),)}

    def test_breaks_when_nobody_decides_about_a_doubt(self, world: World) -> None:
        row = change(say(), state=State.IN_DOUBT)
        Attempt.objects.create(effect=row, claim_no=1, at=now() - HOUR, outcome="in_doubt")

        assert broken() == {"I2": (str(row.pk),)}

    def test_breaks_when_nobody_knows_the_topic(self, world: World) -> None:
        row = change(owe(), topic="abandoned", run_at=now() - HOUR)

        assert broken() == {"I2": (str(row.pk),)}

    def test_holds_while_a_row_waits_for_another(self, world: World) -> None:
        change(owe(), run_at=now() + HOUR)
        with transaction.atomic():
            enqueue_message("letter", "behind", lane="mail:x", fact="behind", after=("thing", "a"))
        Effect.objects.filter(topic="letter").update(run_at=now() - HOUR)

        assert violations() == []


class TestOrder:
    def test_breaks_when_a_later_message_was_sent_first(self, world: World) -> None:
        first, _ = say("one"), say("two")
        host.drain()
        change(first, done_at=now() + HOUR)

        assert broken() == {"I3": (str(first.pk),)}

    def test_holds_when_a_person_tried_the_earlier_one_again(self, world: World) -> None:
        first, _ = say("one"), say("two")
        host.drain()
        change(first, done_at=now() + HOUR)
        Attempt.objects.create(effect=first, claim_no=1, at=now(), outcome="dead")

        assert violations() == []

    def test_breaks_when_a_later_put_has_the_lower_number(self, world: World) -> None:
        first = delivered(world)
        world.rows["a"] = Thing("chain", 12)
        owe()
        host.drain()
        change(first, version=2)

        assert broken() == {"I3": (str(first.pk),)}


@pytest.mark.django_db(transaction=True)  # SQLite changes no constraint inside a transaction
class TestExclusivity:
    def test_breaks_when_the_database_has_lost_its_constraint(self, world: World) -> None:
        constraint = next(c for c in Effect._meta.constraints if c.name == "outbox_one_in_flight")
        with connection.schema_editor() as editor:
            editor.remove_constraint(Effect, constraint)
        try:
            assert broken() == {"I4": ("outbox_one_in_flight",)}
        finally:
            with connection.schema_editor() as editor:
                editor.add_constraint(Effect, constraint)

    @pytest.mark.parametrize(
        ("name", "state"), [("outbox_one_in_flight", State.RUNNING), ("outbox_one_pending_state", State.PENDING)]
    )
    def test_names_the_lane_where_it_broke(self, world: World, name: str, state: State) -> None:
        constraint: models.BaseConstraint = next(c for c in Effect._meta.constraints if c.name == name)
        with connection.schema_editor() as editor:
            editor.remove_constraint(Effect, constraint)
        try:
            for _ in range(2):
                row = Effect.objects.create(topic="thing", key="a", mode="S", lane="thing:a", state=state)
                change(row, lease_until=now() + HOUR if state == State.RUNNING else None, claimed_by="somebody")

            assert {v.rows for v in violations()} == {("thing:a",), (name,)}
        finally:
            Effect.objects.all().delete()
            with connection.schema_editor() as editor:
                editor.add_constraint(Effect, constraint)


class TestNumbers:
    def test_break_when_more_was_applied_than_taken(self, world: World) -> None:
        delivered(world)
        Mirror.objects.update(version=0)

        assert "mirrors that applied or saw a number nobody took, by id" in sentences()

    def test_break_when_an_older_backup_was_restored(self, world: World) -> None:
        row = delivered(world)
        Mirror.objects.update(version=0, applied_version=0, seen_version=0)

        assert broken()["I5"] == (str(row.pk),)


class TestConvergence:
    def test_breaks_when_a_change_was_owed_to_nobody(self, world: World) -> None:
        delivered(world)
        world.rows["a"] = Thing("anchor", 13)

        assert broken() == {"I6": (str(Mirror.objects.get().pk),)}

    def test_breaks_when_the_last_number_was_never_applied(self, world: World) -> None:
        delivered(world)
        Mirror.objects.update(version=F("version") + 1)

        assert broken() == {"I6": (str(Mirror.objects.get().pk),)}

    def test_waits_for_what_is_on_its_way_or_stuck(self, world: World) -> None:
        delivered(world)
        world.rows["a"] = Thing("anchor", 13)
        row = owe()
        assert violations() == []
        change(row, state=State.DEAD, last_error="Refused.")

        assert violations() == []


class TestSaidOnce:
    def test_breaks_when_a_message_has_lost_its_fact(self, world: World) -> None:
        row = change(say(), fact=None)

        assert broken() == {"I7": (str(row.pk),)}

    def test_breaks_when_a_mail_that_left_is_about_to_leave_again(self) -> None:
        from jada.mail.models import Message

        a_booking(guest_email="dana@example.com")
        message = Message.objects.filter(kind="guest.booked").get()
        Message.objects.filter(pk=message.pk).update(sent_at=now())

        assert broken()["I7"] == (str(message.pk),)


class TestFinality:
    def test_breaks_when_a_delivered_row_was_tried_again(self, world: World) -> None:
        row = delivered(world)
        Attempt.objects.create(effect=row, claim_no=row.claim_no + 1, at=now(), outcome="retry")

        assert broken() == {"I8": (str(row.pk),)}

    @pytest.mark.parametrize("values", [{"done_at": None}, {"lease_until": now()}, {"claim_no": 0}])
    def test_breaks_when_a_delivered_row_looks_otherwise(self, world: World, values: dict[str, object]) -> None:
        row = change(delivered(world), **values)

        assert broken() == {"I8": (str(row.pk),)}

    def test_breaks_when_a_row_in_flight_has_no_owner(self, world: World) -> None:
        row = owe()
        claim()
        change(row, claimed_by="")

        assert broken() == {"I8": (str(row.pk),)}


class TestBoundedAndVisible:
    def test_breaks_when_tries_have_no_end(self, world: World) -> None:
        row = change(owe(), attempts=6)

        assert broken() == {"I9": (str(row.pk),)}

    def test_breaks_when_a_row_waits_for_one_that_never_comes(self, world: World) -> None:
        before = change(owe(), state=State.CANCELLED, done_at=now())
        row = change(say(), depends_on=before)

        assert broken() == {"I10": (str(row.pk),)}

    def test_breaks_when_a_doubt_has_no_history(self, world: World) -> None:
        row = change(say(), state=State.IN_DOUBT)

        assert broken() == {"I10": (str(row.pk),)}

    def test_breaks_when_a_stuck_row_says_nothing(self, world: World) -> None:
        row = change(owe(), state=State.DEAD)

        assert broken() == {"I10": (str(row.pk),)}

    def test_breaks_at_a_state_there_is_not(self, world: World) -> None:
        row = change(owe(), state="lost")

        assert broken() == {"I10": (str(row.pk),)}


class TestTheCommand:
    def test_says_that_all_is_well(self, world: World) -> None:
        out = StringIO()

        call_command("outbox_check", stdout=out)

        assert out.getvalue().count("ok ") == 10

    def test_ends_with_an_error_and_a_sentence(self, world: World) -> None:
        row, out = change(say(), fact=None), StringIO()

        with pytest.raises(SystemExit) as ended:
            call_command("outbox_check", stdout=out)

        assert ended.value.code == 1
        assert f"I7: messages without a fact, which could be owed again unnoticed ({row.pk})" in out.getvalue()

    def test_answers_machines(self, world: World) -> None:
        row, out = change(say(), fact=None), StringIO()

        with pytest.raises(SystemExit):
            call_command("outbox_check", "--json", stdout=out)

        answer = {invariant["name"]: invariant for invariant in json.loads(out.getvalue())}
        assert answer["I7"]["violations"][0]["rows"] == [str(row.pk)]
        assert answer["I1"]["violations"] == []


def test_names_twenty_rows_and_says_that_there_are_more() -> None:
    violation = Violation("I2", "late", tuple(str(n) for n in range(21)))

    assert str(violation).endswith("18, 19 and more)")
