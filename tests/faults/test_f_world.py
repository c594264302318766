"""F7, F19, F20, F22, F23, F24, F32: what AWS holds is right in the end, whoever dies, is late or is refused on the way.

The fakes' ledger is the judge: it says what took effect outside, and in which order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.config import Config
from django.conf import settings
from django.core.files.storage import storages
from django.db import connection

from bookings.services import cancel_booking
from jada.audit.actors import SYSTEM
from jada.aws import clients, public, table
from jada.failures import Outcome, Retry
from jada.mail.models import Message
from jada.outbox import breakers, host
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.reconcile import HEALING, Object, reconcile
from tests.faults import stage
from tests.faults.chaos.machine import until
from tests.faults.trips import LEASE_IS_OVER, a_trip, code_of, die_at, leave_only, page_of, puts, today, work_off
from tests.rig.client import Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

GONE_AT = datetime(2099, 9, 1, tzinfo=UTC)
EDGE, PAGE, SEEN = "guests.page_edge", "guests.page", "guests.page_seen"


@pytest.fixture
def impatient(fake_aws: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for an answer instead of ten, and everything else as it is shipped."""
    monkeypatch.setattr(clients, "CONFIG", clients.CONFIG.merge(Config(read_timeout=0.5)))
    clients.reset()


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def seen_in_public(code: str) -> str:
    return public.fetch(f"{settings.GUEST_BASE_URL}/g/{code}").body.decode()


# --- a worker dies around a put ------------------------------------------------------------------------------------


def test_f07_killed_after_the_put_the_page_is_put_again_under_a_higher_number(fake_aws: Rig) -> None:
    booking = a_trip()
    leave_only(PAGE)
    die_at("response_before_record")

    work_off()

    assert puts(fake_aws, page_of(booking)) == [(1, "accepted"), (2, "accepted")]
    assert Effect.objects.get(topic=PAGE).state == State.DONE
    followed = Effect.objects.filter(topic__in=(EDGE, SEEN)).order_by("topic")
    assert list(followed.values_list("topic", "state")) == [(EDGE, State.DONE), (SEEN, State.DONE)]


def test_f07_a_put_whose_answer_was_lost_is_found_there_already(fake_aws: Rig) -> None:
    booking = a_trip()
    leave_only(PAGE)
    fake_aws.order("lost", service="s3", op="PutObject", key=page_of(booking), times=1)

    work_off()

    assert fake_aws.fired() == 1
    accepted = [version for version, outcome in puts(fake_aws, page_of(booking)) if outcome == "accepted"]
    assert accepted == sorted(set(accepted))
    assert fake_aws.objects()[page_of(booking)]["version"] == accepted[-1]


# --- a cancellation overtakes nothing --------------------------------------------------------------------------------


def test_f19_a_trip_cancelled_before_anything_left_tells_nobody_and_its_page_says_so(fake_aws: Rig) -> None:
    booking = a_trip()
    cancel_booking(booking=booking, reason="Gale warning", by=SYSTEM, at=today())

    work_off()

    assert "cancelled" in seen_in_public(code_of(booking)).lower()
    assert {mail["to"][0].split("<")[-1].strip(">") for mail in fake_aws.mails()} <= {settings.OPS_EMAIL}


def test_f19_cancelled_between_put_and_invalidation_everything_follows_in_order(fake_aws: Rig) -> None:
    booking = a_trip()
    fake_aws.order("503", service="cloudfront", op="CreateInvalidation", times=None)
    host.drain()
    seen_in_public(code_of(booking))  # the edge keeps the page of a trip that is on
    cancel_booking(booking=booking, reason="Gale warning", by=SYSTEM, at=today())
    fake_aws.calm()

    work_off()

    assert "cancelled" in seen_in_public(code_of(booking)).lower()
    last_put = [line.n for line in fake_aws.lines("s3", "PutObject", "accepted") if line.key == page_of(booking)][-1]
    invalidated = [line.n for line in fake_aws.lines("cloudfront", "CreateInvalidation", "accepted")]
    assert invalidated[-1] > last_put
    crew = [mail["subject"] for mail in fake_aws.mails() if "crew.example" in mail["to"][0]]
    assert len(crew) == 2
    assert "cancel" in crew[1].lower()
    assert "cancel" not in crew[0].lower()


# --- the bucket refuses ----------------------------------------------------------------------------------------------


def test_f20_a_page_that_may_not_be_written_holds_up_the_guest_s_mail_and_nobody_else_s(fake_aws: Rig) -> None:
    a_trip()
    fake_aws.order("403", service="s3", op="PutObject", times=None)

    work_off(rounds=8)

    page, mail = (
        Effect.objects.get(topic=PAGE),
        Effect.objects.get(pk=Message.objects.get(kind="guest.booked").effect_id),
    )
    assert (page.state, page.cause) == (State.DEAD, "configuration")
    assert (mail.state, mail.depends_on) == (State.PENDING, page)
    assert fake_aws.lines("cloudfront", "CreateInvalidation") == []
    told = Message.objects.exclude(kind="guest.booked").values_list("effect__state", flat=True)
    assert set(told) == {State.DONE}
    assert len(fake_aws.mails()) == len(told)


def test_f20_once_it_is_mended_and_retried_the_page_is_live_and_the_guest_is_told(fake_aws: Rig) -> None:
    from jada.outbox import services

    booking = a_trip()
    fake_aws.order("403", service="s3", op="PutObject", times=None)
    work_off(rounds=8)
    fake_aws.calm()

    services.retry_many(effects=Effect.objects.stuck(), at=datetime.now(UTC))
    work_off()

    assert not Effect.objects.unfinished().exists()
    assert seen_in_public(code_of(booking))
    assert sum("dana@example.com" in mail["to"][0] for mail in fake_aws.mails()) == 1


# --- late writers ----------------------------------------------------------------------------------------------------


def test_f22_a_put_that_arrives_after_the_deletion_does_not_bring_the_item_back(fake_aws: Rig, impatient: None) -> None:
    fake_aws.order("delay", service="dynamodb", op="PutItem", key="EV1", times=2, seconds=2)

    with pytest.raises(Retry):  # both attempts are still on their way
        table.put_event({"event_id": "EV1", "title": "Sunset"}, version=1, digest="d1")
    ended = table.tombstone("EV1", 2, GONE_AT)
    until(lambda: len(fake_aws.lines("dynamodb", "PutItem")) == 3, "The arrival of what was late", seconds=20)

    assert ended is Outcome.WRITTEN
    lines = [(line.version, line.outcome) for line in fake_aws.lines("dynamodb", "PutItem")]
    assert lines == [(2, "accepted"), (1, "refused"), (1, "refused")]
    assert (table.read_event("EV1") or {})["deleted"] is True


def test_f23_a_page_that_returns_to_an_earlier_text_is_safe_from_a_stale_writer(fake_aws: Rig) -> None:
    def publish(text: str, version: int) -> Outcome:
        body = f"<!doctype html><p>{text}</p><!-- v={version} -->".encode()
        outcome: Outcome = storages["guest"].publish("g/xhqgmdh.html", body, version=version)
        return outcome

    publish("A", 1)
    fake_aws.order("delay", service="s3", op="PutObject", times=1, seconds=1)
    ends: list[Outcome] = []
    stale = meanwhile(lambda: ends.append(publish("stale", 2)))  # it has looked, and its put is on its way
    until(lambda: fake_aws.fired() == 1, "The stale writer's put", seconds=20)
    publish("B", 3)
    publish("A", 4)
    stale.join(20)

    assert ends == [Outcome.NEWER]
    assert puts(fake_aws, "g/xhqgmdh.html") == [(1, "accepted"), (3, "accepted"), (4, "accepted"), (2, "refused")]
    assert storages["guest"].read("g/xhqgmdh.html").version == 4


# --- one invalidation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["response_before_record", "after_claim"])
def test_f24_a_crash_around_an_invalidation_orders_it_once(place: str, fake_aws: Rig) -> None:
    a_trip()
    leave_only(PAGE)
    fake_aws.order("503", service="cloudfront", op="CreateInvalidation", times=2)  # put, and the steps are owed
    host.drain()
    stage.pass_time(LEASE_IS_OVER)
    breakers.forget()
    fake_aws.calm()
    die_at(place)

    work_off()

    lines = fake_aws.lines("cloudfront", "CreateInvalidation")
    asked = {line.key for line in lines if line.outcome != "turned_away"}
    assert len([line for line in lines if line.outcome == "accepted"]) == 1
    assert len(asked) == 1
    assert Effect.objects.get(topic=EDGE).state == State.DONE


def test_f24_the_answer_of_an_invalidation_is_lost_and_it_is_ordered_once(fake_aws: Rig) -> None:
    a_trip()
    leave_only(PAGE)
    fake_aws.order("lost", service="cloudfront", op="CreateInvalidation", times=2)

    work_off(passing=timedelta(minutes=10))

    outcomes = [line.outcome for line in fake_aws.lines("cloudfront", "CreateInvalidation")]
    assert fake_aws.fired() == 2
    assert outcomes[:1] == ["accepted"]
    assert set(outcomes[1:]) == {"same"}


# --- behind our back -------------------------------------------------------------------------------------------------


def test_f32_what_raw_sql_changed_behind_our_back_is_found_and_healed(fake_aws: Rig) -> None:
    booking = a_trip()
    work_off()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bookings_booking SET party_size = 11 WHERE public_id = %s", [booking.public_id])
    item = Object("crew.event", booking.public_id)

    found = reconcile([item], heal=True)
    work_off()

    assert len(found.of(HEALING)) == 1
    assert fake_aws.items()[booking.public_id]["party_size"] == {"N": "11"}
    assert reconcile([item], heal=False).clean
