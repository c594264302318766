"""The page's way out, run whole: database, outbox, a local AWS over HTTP, and its edge looked at from the public side."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils.timezone import now

from bookings.models import Booking
from bookings.services import TripDetails, amend_booking, cancel_booking
from guests import codes, services, sync
from guests.enums import PageState
from guests.models import GuestPage
from guests.page import render
from jada.audit.actors import SYSTEM
from jada.aws import public
from jada.failures import Outcome, Refused, Retry
from jada.mail.models import Message
from jada.outbox import delivery, host, registry
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from jada.outbox.registry import Work
from tests.emulator import Emulator
from tests.factories.bookings import a_booking

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SOON = timedelta(days=40)
CODE = "XHQGMDH"


def soon(**changes: Any) -> Booking:
    start = (now() + SOON).replace(hour=20, minute=0, second=0, microsecond=0)
    times = {"starts_at": start, "ends_at": start + timedelta(hours=3)}
    return a_booking(at=now(), given_code=CODE, **(times | changes))


def moved(booking: Booking, by: timedelta) -> None:
    booking = Booking.objects.select_related("vessel").get(pk=booking.pk)
    trip = TripDetails.of(booking)
    later = {**vars(trip), "starts_at": trip.starts_at + by, "ends_at": trip.ends_at + by}
    amend_booking(booking=booking, trip=TripDetails(**later), by=SYSTEM, at=now())


def bucket() -> Any:
    return storages["guest"]


def stored(key: str) -> Any:
    return bucket().read(key)


def state() -> PageState:
    """What the page says of itself, and what a list narrowed to each state says of it: one and the same."""
    pages = GuestPage.objects.with_delivery()
    listed = [state for state in PageState if pages.in_state(state).filter(code=CODE).exists()]
    assert listed == [pages.get(code=CODE).delivery]
    return listed[0]


def drain_until_seen() -> None:
    """Deliver, not waiting for the pause between two looks."""
    for _ in range(4):
        host.drain()
        Effect.objects.filter(state=State.PENDING).update(run_at=now())


def invalidations(outputs: dict[str, str]) -> list[list[str]]:
    from jada.aws import clients

    distribution = outputs["GuestDistributionId"]
    listed = clients.cloudfront().list_invalidations(DistributionId=distribution)["InvalidationList"]
    found = [
        clients.cloudfront().get_invalidation(DistributionId=distribution, Id=i["Id"]) for i in listed.get("Items", [])
    ]
    return [sorted(i["Invalidation"]["InvalidationBatch"]["Paths"]["Items"]) for i in found]


def mail_to(aws: Emulator, address: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{aws.url}/_ministack/ses/messages") as answer:
        accounts = json.load(answer)["messages"]
    return [message for messages in accounts.values() for message in messages if address in message["To"]]


class TestTheWholeWay:
    def test_a_booking_is_live_at_the_printed_address_in_any_case(self, brand: str) -> None:
        soon()

        drain_until_seen()

        for path in (f"/g/{CODE}", "/g/xhqgmdh", "/g/xhqgmdh.html", "/g/xhqgmdh/"):
            answer = public.fetch(brand + path)
            assert answer.status == 200
            assert answer.content_type == "text/html; charset=utf-8"
            assert b"Dana, you\xe2\x80\x99re sailing." in answer.body
        assert state() is PageState.LIVE

    def test_the_calendar_file_stands_beside_it(self, brand: str) -> None:
        soon()

        drain_until_seen()

        answer = public.fetch(f"{brand}/g/xhqgmdh.ics")
        assert answer.content_type == "text/calendar; charset=utf-8"
        assert b"BEGIN:VEVENT" in answer.body

    def test_both_spellings_are_invalidated_once_a_version(self, brand: str, stack: dict[str, str]) -> None:
        soon()

        drain_until_seen()
        drain_until_seen()

        assert invalidations(stack) == [["/g/XHQGMDH", "/g/xhqgmdh.html", "/g/xhqgmdh.ics"]]

    def test_a_move_is_live_though_the_edge_held_the_old_page(self, brand: str) -> None:
        booking = soon()
        drain_until_seen()
        assert (
            b"1:00 PM" in public.fetch(f"{brand}/g/{CODE}").body
            or b"12:00 PM" in public.fetch(f"{brand}/g/{CODE}").body
        )

        moved(booking, timedelta(minutes=17))
        drain_until_seen()

        assert b":17 PM" in public.fetch(f"{brand}/g/{CODE}").body
        assert state() is PageState.LIVE

    def test_the_slugs_send_on_and_never_name_the_code(self, brand: str) -> None:
        booking = soon()
        moved(booking, timedelta(days=1))
        drain_until_seen()

        slugs = {slug.current: slug.slug for slug in GuestPage.objects.get().slugs.all()}
        old, new = (public.fetch(f"{brand}/g/{slugs[current]}") for current in (False, True))

        assert f"url=/g/{slugs[True]}.html".encode() in old.body
        assert (old.status, new.status) == (200, 200)
        assert CODE.lower().encode() not in (old.body + new.body).lower()

    def test_a_cancelled_trip_says_so_and_keeps_no_address(self, brand: str) -> None:
        booking = soon()
        drain_until_seen()

        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=now())
        drain_until_seen()

        answer = public.fetch(f"{brand}/g/{CODE}")
        assert b"This trip is cancelled." in answer.body
        assert b"Harbor Island" not in answer.body

    def test_the_guests_mail_leaves_behind_the_live_page_and_names_it(self, brand: str, aws_server: Emulator) -> None:
        address = "dana.live@example.com"
        soon(guest_email=address)
        host.drain(budget=1)
        assert mail_to(aws_server, address) == []

        drain_until_seen()

        assert len(mail_to(aws_server, address)) == 1
        message = Message.objects.get(kind="guest.booked")
        assert f"{brand}/g/{CODE}" in message.text
        assert f'href="{brand}/g/{CODE}"' in message.html
        assert message.subject.startswith("Dana, you’re sailing on ")

    def test_a_change_and_a_cancellation_are_told_in_order(self, brand: str, aws_server: Emulator) -> None:
        address = "dana.order@example.com"
        booking = soon(guest_email=address)
        drain_until_seen()
        moved(booking, timedelta(hours=1))
        drain_until_seen()
        cancel_booking(booking=Booking.objects.get(), reason="storm", by=SYSTEM, at=now())

        drain_until_seen()

        told = Message.objects.filter(recipient__startswith="guest:").order_by("sent_at")
        assert [message.kind for message in told] == ["guest.booked", "guest.changed", "guest.cancelled"]
        assert len(mail_to(aws_server, address)) == 3
        assert "Before:" in told[1].text

    def test_money_alone_makes_no_call(self, brand: str) -> None:
        booking = soon()
        drain_until_seen()
        before = stored("g/xhqgmdh.html").version

        booking = Booking.objects.select_related("vessel").get()
        trip = TripDetails(**{**vars(TripDetails.of(booking)), "private_note": "gross 840.75"})
        amend_booking(booking=booking, trip=trip, by=SYSTEM, at=now())
        drain_until_seen()

        assert stored("g/xhqgmdh.html").version == before


class TestProjection:
    def test_what_stands_in_the_bucket_is_the_rendering_of_the_view(self, brand: str) -> None:
        soon()
        drain_until_seen()

        found = stored("g/xhqgmdh.html")

        page = GuestPage.objects.select_related("booking__vessel__berth").get()
        assert found.body == render(services.view_of(page), version=found.version)
        assert found.cache_control == "max-age=0, s-maxage=300, stale-while-revalidate=60"

    def test_a_late_writer_is_told_of_the_newer_page(self, brand: str) -> None:
        soon()
        drain_until_seen()
        handler = registry.topic("guests.page").handler

        outcome = handler.write(CODE, handler.view(CODE), 0)

        assert outcome is Outcome.NEWER

    def test_reading_back_agrees_with_the_view(self, brand: str) -> None:
        soon()
        drain_until_seen()
        handler = registry.topic("guests.page").handler

        seen = handler.read_back(CODE)

        assert seen.digest == registry.digest(handler.view(CODE)) == Mirror.objects.get(topic="guests.page").digest
        assert seen.version == Mirror.objects.get(topic="guests.page").applied_version

    def test_a_page_edited_by_hand_is_noticed(self, brand: str) -> None:
        soon()
        drain_until_seen()
        version = stored("g/xhqgmdh.html").version
        bucket().publish("g/xhqgmdh.html", b"<p>by hand</p>", version=version + 1)

        seen = registry.topic("guests.page").handler.read_back(CODE)

        assert seen.digest != Mirror.objects.get(topic="guests.page").digest

    def test_a_slug_reads_back_too(self, brand: str) -> None:
        soon()
        drain_until_seen()
        handler, slug = registry.topic("guests.slug").handler, GuestPage.objects.get().slug

        assert handler.read_back(slug).digest == registry.digest(handler.view(slug))
        assert handler.read_back("2020-01-01-nobody-sunset") is None

    def test_a_page_whose_booking_is_gone_has_a_last_word(self, brand: str) -> None:
        handler = registry.topic("guests.page").handler

        assert handler.view("ZZZZZZZ") is None
        assert handler.write("ZZZZZZZ", None, 5) is Outcome.WRITTEN
        assert b"This trip is over." in stored("g/zzzzzzz.html").body

    def test_a_slug_whose_page_is_gone_has_one_too(self, brand: str) -> None:
        handler = registry.topic("guests.slug").handler

        assert handler.view("2020-01-01-nobody-sunset") is None
        assert handler.write("2020-01-01-nobody-sunset", None, 5) is Outcome.WRITTEN

    def test_a_turn_of_the_clock_is_written_without_an_invalidation(self, brand: str, stack: dict[str, str]) -> None:
        booking = soon()
        drain_until_seen()

        services.turn_pages(at=booking.starts_at - timedelta(days=5))
        drain_until_seen()

        assert b'data-phase="week"' in stored("g/xhqgmdh.html").body
        assert len(invalidations(stack)) == 1

    def test_the_end_of_the_page_is_at_the_edge_at_once(self, brand: str) -> None:
        booking = soon()
        drain_until_seen()

        services.turn_pages(at=booking.ends_at + timedelta(days=8))
        drain_until_seen()

        assert b"Dana" not in public.fetch(f"{brand}/g/{CODE}").body
        assert b"This trip is no longer on." in public.fetch(f"{brand}/g/{GuestPage.objects.get().slug}").body


class TestSeenLive:
    def work(self, version: int) -> Work:
        return Work(1, "guests.page_seen", CODE, 1, 0, {"version": version, "digest": ""})

    def test_an_older_copy_is_looked_at_again_later(self, brand: str) -> None:
        soon()
        drain_until_seen()

        with pytest.raises(Retry):
            sync.see_it_live(self.work(stored("g/xhqgmdh.html").version + 1))

    def test_a_page_that_is_not_there_is_looked_at_again_later(self, brand: str) -> None:
        with pytest.raises(Retry):
            sync.see_it_live(self.work(1))

    def test_other_bytes_of_the_same_version_stand_before_a_person(self, brand: str) -> None:
        soon()
        drain_until_seen()
        found = stored("g/xhqgmdh.html")
        self.replace(found.body + b" ")
        public.fetch(f"{brand}/g/{CODE}")  # the edge still holds the true page

        with pytest.raises(Refused, match="other bytes"):
            sync.see_it_live(self.work(found.version))

    def test_a_wrong_content_type_stands_before_a_person(self, brand: str) -> None:
        soon()
        drain_until_seen()
        found = stored("g/xhqgmdh.html")
        self.replace(found.body, content_type="application/octet-stream")

        with pytest.raises(Refused, match="octet-stream"):
            sync.see_it_live(self.work(found.version))

    def replace(self, body: bytes, content_type: str = "text/html; charset=utf-8") -> None:
        from jada.aws import cdn, clients

        clients.s3().put_object(
            Bucket="queenofsandiego.com",
            Key="g/xhqgmdh.html",
            Body=body,
            ContentType=content_type,
            Metadata={"rev": str(stored("g/xhqgmdh.html").version)},
        )
        if content_type != "text/html; charset=utf-8":
            cdn.invalidate(codes.public_paths(CODE), reference=f"by-hand-{content_type}")


class TestState:
    def test_a_new_page_waits(self) -> None:
        soon()

        assert state() is PageState.WAITING

    def test_a_page_that_is_written_but_not_seen_is_on_its_way(self, brand: str) -> None:
        soon()
        while not Effect.objects.filter(topic="guests.page", state=State.DONE).exists():
            delivery.run(delivery.claim()[0])

        assert state() is PageState.ON_ITS_WAY

    def test_a_page_that_cannot_be_written_is_failed(self) -> None:
        soon()
        Effect.objects.filter(topic="guests.page").update(state=State.DEAD)

        assert state() is PageState.FAILED


class TestLetters:
    def test_a_mail_about_a_trip_that_is_off_is_withdrawn(self) -> None:
        booking = soon(guest_email="dana@example.com")
        message = Message.objects.get(kind="guest.booked")
        letter = sync.Booked()

        assert letter.withdrawn(message) == ""
        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=now(), tell=False)

        assert letter.withdrawn(message) == "The trip is not on any more."

    def test_a_cancellation_is_withdrawn_when_the_trip_stands_again(self) -> None:
        soon(guest_email="dana@example.com")

        assert sync.Cancelled().withdrawn(Message.objects.get(kind="guest.booked")) == "The trip is on again."

    def test_the_address_is_the_one_on_file_now(self) -> None:
        booking = soon(guest_email="dana@example.com")
        message = Message.objects.get(kind="guest.booked")
        booking.guest_email = "new@example.com"
        booking.save()

        address = sync.Booked().address(message)

        assert address is not None
        assert address.email == "new@example.com"

    def test_no_address_is_no_recipient(self) -> None:
        booking = soon(guest_email="dana@example.com")
        message = Message.objects.get(kind="guest.booked")
        booking.guest_email = ""
        booking.save()

        assert sync.Booked().address(message) is None
