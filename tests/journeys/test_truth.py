"""Copies are tampered with behind our back, one by one: each is found by name, healed, and a second look is clean.

Incidents I-24 to I-26: a table said 15:30, the pages 16:30, the edge hid the repair. Fault F32: raw SQL.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.db import connection
from django.utils.timezone import now

from bookings.models import Booking, CalendarEntry
from bookings.services import TripDetails, amend_booking
from guests import codes
from guests.models import GuestPage, PageSlug
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from jada.aws import clients, public, table
from jada.outbox import host
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from jada.outbox.reconcile import DIFFERS, HEALING, IN_STEP, ON_ITS_WAY, Report, everything, reconcile
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel, mate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CODE = "XHQGMDH"
HOUR = timedelta(hours=1)


@pytest.fixture
def booking(brand: str) -> Booking:
    """A trip at 1 PM in forty days, with all its copies in place."""
    captain()
    mate()
    start = (now() + timedelta(days=40)).replace(hour=20, minute=0, second=0, microsecond=0)
    made = a_booking(
        at=now(), vessel=crewed_vessel(name="Halcyon"), given_code=CODE, starts_at=start, ends_at=start + 3 * HOUR,
        guest_email="dana@guest.example",
    )  # fmt: skip
    delivered()
    return made


def delivered() -> None:
    """Let the worker run until nothing is owed, without waiting for its pauses."""
    for _ in range(6):
        host.drain()
        Effect.objects.filter(state=State.PENDING).update(run_at=now())


def look(*, heal: bool = False) -> Report:
    """Read everything back, as seen when the edge has had its minutes."""
    return reconcile(everything(), heal=heal, at=now() + HOUR)


def differing(report: Report) -> set[tuple[str, str, str]]:
    return {(d.store, d.object, d.field) for finding in report.findings for d in finding.differences}


def told(report: Report, field: str) -> tuple[str, str]:
    """(old, new) of the one field."""
    [found] = [d for finding in report.findings for d in finding.differences if d.field == field]
    return found.old, found.new


def put_by_hand(name: str, body: bytes, **changes: Any) -> None:
    """Write an object as somebody with a console of the bucket would, its metadata kept."""
    stored = storages["guest"].read(name)  # type: ignore[attr-defined]
    request = {
        "Bucket": settings.GUEST_BUCKET,
        "Key": name,
        "Body": body,
        "ContentType": stored.content_type,
        "CacheControl": stored.cache_control,
        "Metadata": {"rev": str(stored.version), "sha256": stored.stated_sha256},
    }
    clients.s3().put_object(**(request | changes))


def an_hour_later(body: bytes) -> bytes:
    """The page as it would read if the trip left an hour later."""
    start = Booking.objects.select_related("vessel").get().local_start
    return body.replace(f"{start:%-I:%M}".encode(), f"{start + HOUR:%-I:%M}".encode())


def page_body() -> bytes:
    body: bytes = storages["guest"].read(codes.guest_key(CODE)).body  # type: ignore[attr-defined]
    return body


def forget_at_the_edge(outputs: dict[str, str], paths: list[str]) -> None:
    clients.cloudfront().create_invalidation(
        DistributionId=outputs["GuestDistributionId"],
        InvalidationBatch={"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": str(now())},
    )


def test_a_trip_whose_copies_are_all_in_place_is_in_step(booking: Booking) -> None:
    report = look()

    assert report.findings == []
    assert report.in_step >= 4  # item, page, friendly name, calendar


class TestTheItemInTheTable:
    def edited(self, booking: Booking, **changes: Any) -> None:
        item = table.read_event(booking.public_id)
        assert item is not None
        clients.dynamodb().put_item(
            TableName=settings.EVENTS_TABLE,
            Item={name: table._serialised(name, value) for name, value in {**item, **changes}.items()},
        )

    def test_that_says_another_time_is_found_by_store_object_field_old_and_new(self, booking: Booking) -> None:
        late = booking.local_start + HOUR
        self.edited(booking, starts_at=late.isoformat())

        report = look()

        assert differing(report) == {("table", f"crew event {booking.public_id}", "starts_at")}
        assert told(report, "starts_at") == (late.isoformat(), booking.local_start.isoformat())

    def test_is_healed_though_it_bears_the_right_version_and_a_second_look_is_clean(self, booking: Booking) -> None:
        self.edited(booking, vessel="Nautilus")

        assert len(look(heal=True).of(HEALING)) == 1
        delivered()

        assert look().findings == []
        item = table.read_event(booking.public_id)
        assert item is not None
        assert item["vessel"] == "Halcyon"

    def test_an_amount_typed_into_it_is_found_and_not_repeated(self, booking: Booking) -> None:
        self.edited(booking, public_note="captain gets 840.75", banner="$840 due", owed="840")

        report = look(heal=True)

        assert {field for _, _, field in differing(report)} == {"public_note", "banner", "owed"}
        said = repr(report.findings) + repr(list(Event.objects.values("detail"))) + repr(list(Mirror.objects.values()))
        assert "840" not in said

    def test_written_by_hand_without_a_version_is_found_and_replaced(self, booking: Booking) -> None:
        clients.dynamodb().put_item(
            TableName=settings.EVENTS_TABLE,
            Item={"event_id": {"S": booking.public_id}, "starts_at": {"S": "2026-11-07 16:30"}},
        )

        report = look(heal=True)
        delivered()

        assert told(report, "version") == ("missing", "1")
        assert look().findings == []

    def test_deleted_is_missing_and_comes_back(self, booking: Booking) -> None:
        clients.dynamodb().delete_item(TableName=settings.EVENTS_TABLE, Key={"event_id": {"S": booking.public_id}})

        report = look(heal=True)
        delivered()

        assert told(report, "object") == ("missing", "there")
        assert look().findings == []


class TestThePageInTheBucket:
    def test_that_tells_another_time_is_found_in_words(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), an_hour_later(page_body()))

        report = look()

        place = codes.guest_key(CODE)
        assert {("bucket", place, "text"), ("bucket", place, "body")} <= differing(report)
        [(old, new)] = {(d.old, d.new) for f in report.findings for d in f.differences if d.field == "text"}
        assert f"{booking.local_start + HOUR:%-I:%M}" in old
        assert f"{booking.local_start:%-I:%M}" in new

    def test_is_healed_to_the_last_byte_and_fresh_at_its_address(self, booking: Booking) -> None:
        right = page_body()
        put_by_hand(codes.guest_key(CODE), an_hour_later(right))

        look(heal=True)
        delivered()

        assert look().findings == []
        served = public.fetch(settings.GUEST_BASE_URL + codes.printed_path(CODE)).body
        assert served.replace(b"v=2", b"v=1") == right

    def test_of_the_wrong_content_type_is_found_and_healed(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), page_body(), ContentType="binary/octet-stream")

        report = look(heal=True)
        delivered()

        place = codes.guest_key(CODE)
        assert ("bucket", place, "content type") in differing(report)
        assert ("binary/octet-stream", "text/html; charset=utf-8") in {
            (d.old, d.new) for f in report.findings for d in f.differences if d.field == "content type"
        }
        assert look().findings == []

    def test_without_its_metadata_and_cache_rule_is_found(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), page_body(), Metadata={}, CacheControl="max-age=86400")

        fields = {field for store, _, field in differing(look()) if store == "bucket"}

        assert {"version", "stated sha256", "cache control"} <= fields

    def test_a_gate_code_is_never_said(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), page_body().replace(b"Dana", b"Gate 4711", 1))

        report = look()

        assert ("bucket", codes.guest_key(CODE), "body") in differing(report)
        assert "4711" not in repr(report.findings)


class TestTheCalendarFile:
    def test_of_another_hour_is_found_by_its_start(self, booking: Booking) -> None:
        name = codes.ics_key(CODE)
        body = storages["guest"].read(name).body  # type: ignore[attr-defined]
        local = f"{booking.local_start:%Y%m%dT%H%M%S}".encode()
        put_by_hand(name, body.replace(local, f"{booking.local_start + HOUR:%Y%m%dT%H%M%S}".encode()))

        report = look(heal=True)
        delivered()

        assert ("bucket", name, "dtstart") in differing(report)
        assert look().findings == []


class TestAStrayPage:
    def test_that_no_row_knows_is_named_and_left_to_a_person(self, booking: Booking) -> None:
        name = "g/2026-11-07-dana-sunset.html"
        clients.s3().put_object(Bucket=settings.GUEST_BUCKET, Key=name, Body=b"4:30 PM", ContentType="text/html")

        report = look(heal=True)

        assert differing(report) == {("bucket", name, "object")}
        assert told(report, "object") == ("there", "missing")
        assert [f.standing for f in report.findings] == [DIFFERS]


class TestTheEdge:
    def test_that_serves_an_old_page_though_the_bucket_is_right_is_found_and_healed(
        self, booking: Booking, stack: dict[str, str]
    ) -> None:
        right = page_body()
        put_by_hand(codes.guest_key(CODE), an_hour_later(right))
        forget_at_the_edge(stack, ["/g/*"])
        public.fetch(settings.GUEST_BASE_URL + codes.printed_path(CODE))  # now the edge holds the wrong one
        put_by_hand(codes.guest_key(CODE), right)

        report = look(heal=True)
        delivered()

        assert {store for store, _, _ in differing(report)} == {"edge"}
        assert ("edge", codes.printed_path(CODE), "body") in differing(report)
        assert look().findings == []

    def test_that_keeps_a_page_for_its_minutes_is_on_its_way_and_later_a_difference(
        self, booking: Booking, stack: dict[str, str]
    ) -> None:
        public.fetch(settings.GUEST_BASE_URL + codes.printed_path(CODE))
        mirror = Mirror.objects.get(topic="guests.page", key=CODE)
        newer = page_body().replace(f"v={mirror.applied_version}".encode(), f"v={mirror.applied_version + 1}".encode())
        version = mirror.applied_version + 1
        put_by_hand(codes.guest_key(CODE), newer, Metadata={"rev": str(version), "sha256": _sha256(newer)})
        ics = storages["guest"].read(codes.ics_key(CODE)).body  # type: ignore[attr-defined]
        renumbered = ics.replace(f"VERSION:{mirror.applied_version}".encode(), f"VERSION:{version}".encode())
        put_by_hand(codes.ics_key(CODE), renumbered, Metadata={"rev": str(version), "sha256": _sha256(renumbered)})
        Mirror.objects.filter(pk=mirror.pk).update(version=version, applied_version=version, applied_at=now())

        soon = reconcile(everything(topic="guests.page"), heal=False, at=now())
        later = reconcile(everything(topic="guests.page"), heal=False, at=now() + HOUR)

        assert [f.standing for f in soon.findings] == [ON_ITS_WAY]
        assert [f.standing for f in later.findings] == [DIFFERS]

    def test_a_friendly_name_is_looked_at_as_it_is_served(self, booking: Booking, stack: dict[str, str]) -> None:
        slug = PageSlug.objects.get().slug
        name = codes.slug_key(slug)
        body = storages["guest"].read(name).body  # type: ignore[attr-defined]
        put_by_hand(name, body.replace(b"Halcyon", b"Nautilus"))

        report = look(heal=True)
        delivered()
        forget_at_the_edge(stack, ["/g/*"])  # a friendly name is not invalidated: the edge's five minutes pass

        assert {("bucket", name, "body"), ("edge", f"/g/{slug}", "body")} & differing(report)
        assert look().findings == []


def _sha256(body: bytes) -> str:
    import hashlib

    return hashlib.sha256(body).hexdigest()


class TestWhatIsAboutToBeWritten:
    def test_is_on_its_way_and_no_difference(self, booking: Booking) -> None:
        trip = TripDetails.of(booking)
        later = replace(trip, starts_at=trip.starts_at + HOUR, ends_at=trip.ends_at + HOUR)
        amend_booking(booking=booking, trip=later, by=SYSTEM, at=now())

        report = look(heal=True)

        assert {f.standing for f in report.findings} == {ON_ITS_WAY}

    def test_a_heal_is_in_the_history_of_the_trip(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), page_body(), ContentType="text/plain")

        look(heal=True)

        act = Event.objects.get(act="outbox.copy.healed")
        assert (act.subject, act.actor_kind) == (booking.subject, "system")

    def test_a_second_heal_before_delivery_owes_nothing_more(self, booking: Booking) -> None:
        put_by_hand(codes.guest_key(CODE), page_body(), ContentType="text/plain")
        look(heal=True)
        owed = Effect.objects.count()

        look(heal=True)

        assert Effect.objects.count() == owed


class TestF32:
    """Raw SQL behind our back."""

    def test_a_calendar_row_moved_behind_our_back_is_found_and_healed(self, booking: Booking) -> None:
        entry = CalendarEntry.objects.get(booking=booking)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE bookings_calendarentry SET starts_at = %s WHERE id = %s", [entry.starts_at + HOUR, entry.pk]
            )

        report = look(heal=True)
        delivered()

        assert ("calendar", f"entry of {booking.ref}", "starts_at") in differing(report)
        assert look().findings == []
        assert CalendarEntry.objects.get(booking=booking).starts_at == booking.starts_at

    def test_a_trip_moved_behind_our_back_is_found_everywhere_and_everything_follows(self, booking: Booking) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE bookings_booking SET starts_at = %s, ends_at = %s WHERE id = %s",
                [booking.starts_at + HOUR, booking.ends_at + HOUR, booking.pk],
            )

        report = look(heal=True)
        delivered()

        assert {store for store, _, _ in differing(report)} >= {"table", "bucket", "calendar"}
        item = table.read_event(booking.public_id)
        assert item is not None
        assert item["call_time"] == f"{booking.local_start:%-I:%M %p}"  # an hour before the new start
        assert GuestPage.objects.get().starts_at == booking.starts_at + HOUR


def test_a_page_and_an_item_that_nobody_ever_wrote_are_found_and_written(booking: Booking) -> None:
    Mirror.objects.all().delete()
    Effect.objects.all().delete()
    clients.dynamodb().delete_item(TableName=settings.EVENTS_TABLE, Key={"event_id": {"S": booking.public_id}})
    for name in (codes.guest_key(CODE), codes.ics_key(CODE), codes.slug_key(PageSlug.objects.get().slug)):
        clients.s3().delete_object(Bucket=settings.GUEST_BUCKET, Key=name)

    report = look(heal=True)
    delivered()

    assert {f.object.topic for f in report.of(HEALING)} == {"crew.event", "guests.page", "guests.slug"}
    assert [f.standing for f in look().findings if f.standing != IN_STEP and f.object.topic != "mail"] == []
