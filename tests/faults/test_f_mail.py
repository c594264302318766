"""F8 to F12 and F35: a mail leaves once, whatever dies or is silent around the one call. The fakes' ledger is the judge.

A process is killed by `os._exit` at a failpoint, in a fork of this one; the world outside is a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from botocore.config import Config
from django.db import transaction

from jada.aws import clients
from jada.mail import sync, tasks
from jada.mail.models import BlockedAddress, MailEvent, Message
from jada.outbox import breakers, failpoints, host
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect
from jada.outbox.sweep import sweep
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel
from tests.faults import stage
from tests.rig.client import Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CREW, OPS, GUEST = "crew.invitation", "ops.booked", "guest.booked"
DOUBT_IS_OVER = timedelta(minutes=11)
LEASE_IS_OVER = timedelta(minutes=2)

Owing = Callable[[str], Message]


@pytest.fixture(autouse=True)
def silent_service(fake_aws: Rig) -> Iterator[Rig]:
    """The mail service tells of a mail only when a test says so."""
    fake_aws.habits(events="withhold")
    yield fake_aws
    failpoints.forget()
    breakers.forget()


@pytest.fixture
def owe() -> Owing:
    """A trip is booked, and of all that it owes one mail is left."""

    def only(kind: str) -> Message:
        captain()
        a_booking(vessel=crewed_vessel(captains=1, mates=0, hosts_over_12=0), guest_email="dana@example.com")
        message = Message.objects.select_related("effect").get(kind=kind)
        assert message.effect is not None
        with transaction.atomic():
            Effect.objects.exclude(pk=message.effect.pk).update(state=State.CANCELLED)
            Effect.objects.filter(pk=message.effect.pk).update(depends_on=None)
        return message

    return only


def die_at(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is killed there while it delivers."""
    monkeypatch.setenv("FAILPOINT", f"{place}:kill:1")
    life = stage.fork(lambda mouth: host.drain())
    monkeypatch.delenv("FAILPOINT")
    assert life.killed


def go_on(passed: timedelta) -> None:
    """After so long another worker sweeps and delivers."""
    stage.pass_time(passed)
    breakers.forget()
    sweep()
    host.drain()


def state_of(message: Message) -> State:
    assert message.effect is not None
    return State(Effect.objects.get(pk=message.effect.pk).state)


def asked_for(rig: Rig) -> int:
    """How many requests for a mail reached the service, taken or turned away."""
    return len(rig.lines("ses", "SendEmail"))


# --- killed while sending --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CREW, OPS, GUEST])
def test_f08_a_worker_killed_after_the_answer_is_settled_by_the_event(
    kind: str, owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(kind)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)
    assert state_of(message) == State.IN_DOUBT

    fake_aws.publish(fake_aws.mails()[0]["id"], "Send")
    tasks.poll_events()
    go_on(DOUBT_IS_OVER)

    message.refresh_from_db()
    assert state_of(message) == State.DONE
    assert message.provider_id == fake_aws.mails()[0]["id"]
    assert message.sent_at
    assert Attempt.objects.filter(effect=message.effect, outcome="reconciled").count() == 1
    assert len(fake_aws.mails()) == 1


def test_f08_an_event_that_came_while_the_row_was_still_sending_settles_it_too(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(GUEST)
    die_at("response_before_record", monkeypatch)
    fake_aws.publish(fake_aws.mails()[0]["id"], "Delivery")
    tasks.poll_events()
    assert state_of(message) == State.SENDING

    go_on(LEASE_IS_OVER)
    tasks.poll_events()

    message.refresh_from_db()
    assert state_of(message) == State.DONE
    assert message.delivered_at


def test_f08_even_a_late_event_takes_it_from_before_the_person(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(GUEST)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)
    go_on(DOUBT_IS_OVER)
    assert state_of(message) == State.DEAD

    fake_aws.publish(fake_aws.mails()[0]["id"], "Delivery")
    tasks.poll_events()

    assert state_of(message) == State.DONE


def test_f09_without_an_event_a_crew_link_is_sent_again_and_is_the_same_link(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(CREW)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)
    assert len(fake_aws.mails()) == 1

    go_on(DOUBT_IS_OVER)

    first, second = fake_aws.mails()
    assert state_of(message) == State.DONE
    assert first["links"] == second["links"] != []
    assert [first["tags"]["claim"], second["tags"]["claim"]] == ["1", "2"]


def test_f09_without_an_event_the_manager_s_mail_is_sent_once_more_marked_and_never_a_third_time(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(OPS)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)
    stage.pass_time(DOUBT_IS_OVER)
    sweep()
    die_at("response_before_record", monkeypatch)

    for _ in range(3):
        go_on(DOUBT_IS_OVER)

    first, second = fake_aws.mails()
    assert not first["subject"].startswith("Possible repeat")
    assert second["subject"] == f"Possible repeat: {first['subject']}"
    assert state_of(message) == State.DEAD


def test_f09_without_an_event_a_guest_s_mail_waits_for_a_person(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(GUEST)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)

    for _ in range(3):
        go_on(DOUBT_IS_OVER)

    assert message.effect is not None
    stuck = Effect.objects.stuck().get(pk=message.effect.pk)
    assert (stuck.state, stuck.cause) == (State.DEAD, "in_doubt")
    assert len(fake_aws.mails()) == 1


def test_f10_a_worker_killed_before_the_request_costs_the_crew_no_mail(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(CREW)
    die_at("after_sending", monkeypatch)
    go_on(LEASE_IS_OVER)
    assert (state_of(message), asked_for(fake_aws)) == (State.IN_DOUBT, 0)

    go_on(DOUBT_IS_OVER)

    assert state_of(message) == State.DONE
    assert len(fake_aws.mails()) == 1


# --- a service that is late or busy ----------------------------------------------------------------------------------


@pytest.fixture
def impatient(fake_aws: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for an answer instead of ten, and everything else as it is shipped."""
    monkeypatch.setattr(clients, "CONFIG_OF_MAIL", clients.CONFIG_OF_MAIL.merge(Config(read_timeout=0.5)))
    clients.reset()


@pytest.mark.parametrize("fault", ["late", "lost"])
def test_f11_an_answer_that_does_not_come_leaves_one_request_and_a_doubt(
    fault: str, owe: Owing, fake_aws: Rig, impatient: None
) -> None:
    message = owe(GUEST)
    fake_aws.order(fault, service="ses", op="SendEmail", seconds=1.5)

    host.drain()
    host.drain()

    assert fake_aws.fired() == 1
    assert state_of(message) == State.IN_DOUBT
    assert asked_for(fake_aws) == 1
    assert len(fake_aws.mails()) == 1


def test_f11_the_event_of_a_late_answer_ends_the_doubt(owe: Owing, fake_aws: Rig, impatient: None) -> None:
    message = owe(GUEST)
    fake_aws.order("late", service="ses", op="SendEmail", seconds=1.5)
    host.drain()

    fake_aws.publish(fake_aws.mails()[0]["id"], "Send")
    tasks.poll_events()

    assert state_of(message) == State.DONE
    assert asked_for(fake_aws) == 1


def test_f12_twenty_throttlings_end_in_one_mail_and_cost_no_attempt(owe: Owing, fake_aws: Rig) -> None:
    message = owe(GUEST)
    fake_aws.order("throttle", service="ses", op="SendEmail", times=20)

    for _ in range(21):
        go_on(timedelta(minutes=16))

    assert message.effect is not None
    effect = Effect.objects.get(pk=message.effect.pk)
    assert effect.state == State.DONE
    assert effect.attempts == 1
    assert len(fake_aws.mails()) == 1
    assert asked_for(fake_aws) == 21


# --- what the queue may hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", ["repeat", "reorder"])
def test_f35_repeated_and_reordered_events_say_the_same_once(habit: str, owe: Owing, fake_aws: Rig) -> None:
    fake_aws.habits(events=habit)
    message = owe(GUEST)
    host.drain()
    fake_aws.release()

    tasks.poll_events()
    tasks.poll_events()

    message.refresh_from_db()
    assert sorted(MailEvent.objects.values_list("kind", flat=True)) == ["Delivery", "Send"]
    assert message.outcome == "delivered"
    assert sync.poll() == 0


def test_f35_what_is_not_ours_or_not_readable_is_refused_and_kept(owe: Owing, fake_aws: Rig) -> None:
    message = owe(GUEST)
    host.drain()
    foreign = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-west-2:999999999999:theirs", "Message": "{}"}
    for body in ("not json", json.dumps(foreign), json.dumps(["a list"]), json.dumps(foreign)):
        fake_aws.enqueue(body)

    tasks.poll_events()

    assert MailEvent.objects.refused().count() == 3  # the same one twice is one
    assert MailEvent.objects.refused().filter(problem__contains="another topic").count() == 1
    message.refresh_from_db()
    assert message.outcome == "sent"
    assert sync.poll() == 0  # all of it has left the queue


def test_f35_an_event_of_a_mail_that_is_not_ours_changes_nothing(owe: Owing, fake_aws: Rig) -> None:
    message = owe(GUEST)
    host.drain()
    sent = fake_aws.mails()[0]
    fake_aws.publish(sent["id"], "Delivery")
    Effect.objects.filter(pk=message.effect_id).delete()  # purged, and its number is nobody's
    Message.objects.update(provider_id="")

    tasks.poll_events()

    event = MailEvent.objects.get()
    assert event.applied_at
    assert event.message is None


def test_a_bounce_proves_the_mail_and_stops_the_next_one(
    owe: Owing, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = owe(CREW)
    die_at("response_before_record", monkeypatch)
    go_on(LEASE_IS_OVER)

    fake_aws.publish(fake_aws.mails()[0]["id"], "Bounce")
    tasks.poll_events()
    go_on(DOUBT_IS_OVER)

    message.refresh_from_db()
    assert state_of(message) == State.DONE
    assert message.outcome == "bounced"
    assert BlockedAddress.objects.standing().count() == 1
    assert len(fake_aws.mails()) == 1
