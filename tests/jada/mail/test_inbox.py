"""What an event does, once it is kept: to its message, to a doubt, to an address. Repeated and in any order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction

from jada.audit.actors import SYSTEM, Actor
from jada.audit.models import Event
from jada.mail import inbox
from jada.mail.enums import EventKind
from jada.mail.events import Told, tag_of
from jada.mail.models import BlockedAddress, MailEvent, Message
from jada.mail.services import owe_message
from jada.mail.signals import mail_bounced
from jada.outbox.enums import State
from jada.outbox.models import Attempt, Effect
from tests.factories.bookings import NOW

pytestmark = pytest.mark.django_db

DANA = "dana@example.com"
OPS = Actor("user", "ops")
LATER = NOW + timedelta(minutes=1)


def owe(fact: str = "test:1") -> Message:
    with transaction.atomic():
        message = owe_message(
            kind="guest.booked", fact=fact, recipient="guest:X", about="booking:X", values={}, lane=fact, at=NOW
        )
    assert message is not None
    return message


def put(message: Message, state: State, *, claim_no: int = 1, cause: str = "") -> None:
    assert message.effect_id is not None
    Effect.objects.filter(pk=message.effect_id).update(state=state, claim_no=claim_no, cause=cause)


def told(message: Message, kind: EventKind = EventKind.SEND, **changes: Any) -> Told:
    said = {
        "identity": sha256(f"{kind}{changes}".encode()).hexdigest(),
        "kind": kind,
        "provider_id": "0101-abc",
        "recipient": DANA,
        "effect_no": message.effect_id,
        "claim_no": 1,
        "fact_tag": tag_of(message.fact),
        "occurred_at": LATER,
        "accepted_at": NOW,
    }
    return Told(**(said | changes))


def hear(*events: Told, at: datetime = LATER) -> None:
    inbox.keep(told=events, at=at)
    for event in MailEvent.objects.waiting().order_by("pk"):
        inbox.apply(event_id=event.pk, at=at)


def state_of(message: Message) -> State:
    return State(Effect.objects.get(pk=message.effect_id).state)


@pytest.fixture
def news() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear_it(**kwargs: Any) -> None:
        heard.append({name: kwargs[name] for name in ("recipient", "address", "kind", "about", "at")})

    mail_bounced.connect(hear_it)
    yield heard
    mail_bounced.disconnect(hear_it)


# --- what became of a message ----------------------------------------------------------------------------------------

BOUNCE = {"kind": EventKind.BOUNCE, "permanent": True, "detail": {"bounceType": "Permanent"}}
AWAY = {"kind": EventKind.BOUNCE, "detail": {"bounceType": "Transient"}}


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([{"kind": EventKind.SEND}], "sent"),
        ([{"kind": EventKind.SEND}, {"kind": EventKind.DELIVERY}], "delivered"),
        ([{"kind": EventKind.SEND}, {"kind": EventKind.DELAY}], "held_up"),
        ([{"kind": EventKind.DELAY}, {"kind": EventKind.DELIVERY}], "delivered"),
        ([{"kind": EventKind.DELIVERY}, BOUNCE], "bounced"),
        ([{"kind": EventKind.DELIVERY}, AWAY], "delivered"),
        ([{"kind": EventKind.DELIVERY}, {"kind": EventKind.COMPLAINT}], "reported"),
        ([{"kind": EventKind.REJECT}], "bounced"),
        ([{"kind": EventKind.DELIVERY}, {"kind": EventKind.OPEN}, {"kind": EventKind.CLICK}], "delivered"),
    ],
)
def test_the_outcome_is_the_same_in_whatever_order_it_is_told(events: list[dict[str, Any]], outcome: str) -> None:
    for number, order in enumerate(permutations(events)):
        message = owe(f"test:{number}")
        put(message, State.DONE)

        hear(*(told(message, identity=f"{number}{n}", **event) for n, event in enumerate(order)))

        message.refresh_from_db()
        assert message.outcome == outcome


def test_an_event_told_twice_is_kept_and_applied_once() -> None:
    message = owe()

    hear(told(message), told(message))
    hear(told(message))

    assert MailEvent.objects.count() == 1


def test_the_first_delivery_counts_and_the_last_delay() -> None:
    message = owe()
    hour = timedelta(hours=1)

    for kind in (EventKind.DELIVERY, EventKind.DELAY):
        hear(*(told(message, kind, identity=f"{kind}{n}", occurred_at=NOW + n * hour) for n in (2, 1, 3)))

    message.refresh_from_db()
    assert (message.delivered_at, message.held_up_at) == (NOW + hour, NOW + 3 * hour)


def test_what_was_rejected_never_left() -> None:
    message = owe()

    hear(told(message, EventKind.REJECT))

    message.refresh_from_db()
    assert message.sent_at is None
    assert message.bounced_at == LATER


def test_without_our_tags_the_service_s_id_says_which_mail_it_is() -> None:
    message = owe()
    Message.objects.update(provider_id="0101-abc")

    hear(told(message, EventKind.DELIVERY, effect_no=None, claim_no=None, fact_tag=""))

    message.refresh_from_db()
    assert message.delivered_at == LATER


def test_a_number_that_was_another_row_s_before_a_restore_is_not_believed() -> None:
    message = owe()
    put(message, State.IN_DOUBT)

    hear(told(message, fact_tag=tag_of("what was told before the restore")))
    inbox.settle(at=LATER)

    message.refresh_from_db()
    assert state_of(message) == State.IN_DOUBT
    assert message.sent_at is None


def test_a_refused_one_has_no_effect() -> None:
    inbox.keep(told=[Told(identity="x", problem="It is no notification.")], at=NOW)

    inbox.apply(event_id=MailEvent.objects.get().pk, at=NOW)

    assert MailEvent.objects.get().applied_at is None


# --- doubt -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "cause", "after"),
    [
        (State.IN_DOUBT, "", State.DONE),
        (State.PENDING, "", State.DONE),  # to be repeated by its kind's rule, and not repeated yet
        (State.DEAD, "in_doubt", State.DONE),
        (State.DEAD, "refused", State.DEAD),
        (State.SENDING, "", State.SENDING),
        (State.RUNNING, "", State.RUNNING),
        (State.CANCELLED, "", State.CANCELLED),
    ],
)
def test_an_event_ends_a_doubt_and_nothing_else(state: State, cause: str, after: State) -> None:
    message = owe()
    put(message, state, cause=cause)
    hear(told(message))

    inbox.settle(at=LATER)

    assert state_of(message) == after


def test_a_settled_row_says_how_it_was_settled() -> None:
    message = owe()
    put(message, State.IN_DOUBT)
    hear(told(message, EventKind.DELIVERY))

    assert inbox.settle(at=LATER) == 1
    assert inbox.settle(at=LATER) == 0

    effect = Effect.objects.get(pk=message.effect_id)
    assert effect.result == {"message_id": "0101-abc", "reconciled": True}
    assert effect.done_at == LATER
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.claim_no) == ("reconciled", 1)
    assert "delivered" in attempt.error


def test_a_row_that_was_never_claimed_is_proven_by_nothing() -> None:
    message = owe()
    hear(told(message))

    inbox.settle(at=LATER)

    assert state_of(message) == State.PENDING


def test_an_event_of_a_claim_that_never_was_proves_nothing() -> None:
    message = owe()
    put(message, State.IN_DOUBT, claim_no=1)
    hear(told(message, claim_no=7))

    inbox.settle(at=LATER)

    assert state_of(message) == State.IN_DOUBT


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "trouble"),
    [
        (BOUNCE, "bounced"),
        ({"kind": EventKind.COMPLAINT}, "reported"),
        (AWAY, None),
        ({"kind": EventKind.REJECT}, None),
        ({"kind": EventKind.DELAY}, None),
    ],
)
def test_only_a_bounce_for_good_and_a_complaint_block_an_address(event: dict[str, Any], trouble: str | None) -> None:
    hear(told(owe(), **event))

    block = inbox.blocked("Dana@Example.com ")
    assert (block.trouble if block else None) == trouble


def test_a_block_is_told_once_with_whose_it_is(news: list[dict[str, Any]]) -> None:
    message = owe()

    hear(told(message, **BOUNCE, identity="1"), told(message, **BOUNCE, identity="2"))

    assert news == [{"recipient": "guest:X", "address": DANA, "kind": "bounced", "about": "booking:X", "at": LATER}]


def test_a_lifted_block_is_history_and_the_address_is_mailed_again() -> None:
    hear(told(owe(), **BOUNCE))

    inbox.lift_block(block=BlockedAddress.objects.get(), by=OPS, at=LATER)
    inbox.lift_block(block=BlockedAddress.objects.get(), by=SYSTEM, at=LATER)

    assert inbox.blocked(DANA) is None
    event = Event.objects.get(act="mail.address.unblocked")
    assert (event.subject, event.actor_name) == ("booking:X", "ops")
    assert DANA not in str(event.detail)


@pytest.mark.parametrize(("after", "blocked"), [(timedelta(hours=-1), False), (timedelta(hours=1), True)])
def test_after_a_lift_only_a_newer_bounce_blocks(after: timedelta, blocked: bool, news: list[dict[str, Any]]) -> None:
    message = owe()
    hear(told(message, **BOUNCE))
    lifted = LATER + timedelta(hours=2)
    inbox.lift_block(block=BlockedAddress.objects.get(), by=OPS, at=lifted)

    hear(told(message, **BOUNCE, identity="again", occurred_at=lifted + after))

    assert (inbox.blocked(DANA) is not None) is blocked
    assert len(news) == 1 + blocked
