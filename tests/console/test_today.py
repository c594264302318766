import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client

from bookings import services
from bookings.enums import BookingStatus
from bookings.finance.services import record_amounts
from bookings.models import Booking, Vessel
from crew import services as crews
from crew.models import Assignment
from jada.audit.actors import SYSTEM
from jada.console import today
from jada.console.roles import make_roles
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import VesselFactory, a_booking
from tests.factories.crew import captain, crewed_vessel, mate

pytestmark = [pytest.mark.django_db]
NOON = datetime(2027, 5, 20, 19, 0, tzinfo=UTC)  # noon at the dock
AT_ONE = datetime(2027, 5, 20, 20, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


def page(client: Client) -> str:
    return client.get("/admin/").content.decode()


def number(html: str, words: str) -> tuple[int, str]:
    """(count, address) of a counter."""
    found = re.search(rf'<a href="([^"]+)"><b>(\d+)</b><span>{re.escape(words)}', html)
    assert found, words
    return int(found[2]), found[1].replace("&amp;", "&")


def crewed_trip() -> Booking:
    captain()
    mate()
    return a_booking(vessel=crewed_vessel(name="Halcyon"), starts_at=AT_ONE, at=NOON)


def test_it_names_the_day_and_its_departures(console: Client) -> None:
    a_booking(vessel=VesselFactory(name="JADA"), starts_at=AT_ONE, guest_name="Dana Whit", at=NOON)

    html = page(console)

    assert "Thursday 20 May" in html
    assert "One departure today, none tomorrow" in html
    assert "Dana Whit, 3 guests" in html


def test_a_day_belongs_to_the_vessels_zone(console: Client) -> None:
    late = datetime(2027, 5, 21, 5, 0, tzinfo=UTC)  # 10 PM of the 20th at the dock
    a_booking(starts_at=late, at=NOON)

    assert "One departure today" in page(console)


def test_an_empty_day_says_what_is_next(console: Client) -> None:
    a_booking(vessel=VesselFactory(name="JADA"), starts_at=AT_ONE + timedelta(days=3), at=NOON)

    html = page(console)

    assert "Nothing leaves the dock today" in html
    assert "JADA, Sunday 23 May, 1:00 PM" in html


def test_a_departure_shows_each_of_the_crew_with_their_answer(console: Client) -> None:
    crewed_trip()

    html = page(console)

    assert "Ines, captain" in html
    assert ": invited" in html


def test_unconfirmed_crew_are_counted_and_listed(console: Client) -> None:
    crewed_trip()

    count, url = number(page(console), "crew unconfirmed, next 72 hours")

    assert count == 2
    assert console.get(url).content.decode().count("</time><span>") == count


def test_who_sails_later_is_not_chased_yet(console: Client) -> None:
    captain()
    a_booking(vessel=crewed_vessel(mates=0), starts_at=NOON + timedelta(hours=73), at=NOON)

    assert number(page(console), "crew unconfirmed, next 72 hours")[0] == 0


def test_a_declined_place_that_nobody_else_has_is_counted_and_listed(console: Client) -> None:
    crewed_trip()
    crews.decline(assignment=Assignment.objects.get(member__key="juno"), at=NOON)

    count, url = number(page(console), "crew declined, not replaced")

    assert count == 1
    assert console.get(url).content.decode().count("</time><span>") == 1


def test_stuck_deliveries_are_counted_and_listed(console: Client) -> None:
    a_booking(starts_at=AT_ONE, at=NOON)
    Effect.objects.filter(pk=Effect.objects.all()[0].pk).update(state=State.DEAD)

    count, url = number(page(console), "deliveries stuck")

    assert count == 1
    assert "1 in this list" in console.get(url).content.decode()


def test_bookings_to_review_are_counted_and_listed(console: Client) -> None:
    a_booking(starts_at=AT_ONE, at=NOON, status=BookingStatus.NEEDS_REVIEW)

    count, url = number(page(console), "bookings to review")

    assert count == 1
    assert "1 in this list" in console.get(url).content.decode()


def test_days_without_times_are_counted_and_listed(console: Client) -> None:
    day = (NOON + timedelta(days=4)).date()
    services.hold_day(vessel=VesselFactory(), day=day, title="Wedding", guest_count=4, by=SYSTEM, at=NOON)

    count, url = number(page(console), "days without times")

    assert count == 1
    assert "1 in this list" in console.get(url).content.decode()


def test_an_unknown_counter_has_no_page(console: Client) -> None:
    assert console.get("/admin/attention/everything/").status_code == 404


def test_settled_crew_leave_a_page_that_says_so(console: Client) -> None:
    assert "Nobody to chase" in console.get("/admin/attention/declined/").content.decode()


class TestMoney:
    def book(self, day: int, gross: str | None, vessel: Vessel, month: int = 5, channel: str = "direct") -> Booking:
        start = datetime(2027, month, day, 18, 0, tzinfo=UTC)
        booking = a_booking(vessel=vessel, starts_at=start, at=NOON, past_ok=True, channel=channel)
        if gross:
            record_amounts(booking_id=booking.pk, gross=Decimal(gross), by=SYSTEM, at=NOON)
        return booking

    def test_the_month_so_far_is_the_trips_that_left(self) -> None:
        vessel = VesselFactory()
        standing = [self.book(3, "100.10", vessel), self.book(4, "200.20", vessel), self.book(25, "400", vessel)]

        money = today.money_of(standing, NOON.date())

        assert money.gross == Decimal("300.30")
        assert money.average == Decimal("150.15")

    def test_it_is_held_against_the_same_days_of_last_month(self) -> None:
        vessel = VesselFactory()
        now, before, later = (
            self.book(3, "300", vessel),
            self.book(20, "200", vessel, month=4),
            self.book(21, "900", vessel, month=4),
        )

        money = today.money_of([now, before, later], NOON.date())

        assert (money.before, money.change) == (Decimal(200), 50)

    def test_a_trip_without_a_recorded_gross_is_said(self, console: Client) -> None:
        self.book(3, None, VesselFactory())

        assert "1 without a recorded gross" in page(console)

    def test_nothing_before_is_no_percentage(self) -> None:
        money = today.money_of([], NOON.date())

        assert (money.change, money.average, money.mix) == (None, None, [])

    def test_channels_share_the_month(self) -> None:
        vessel = VesselFactory()
        trips = [self.book(d, "10", vessel, channel=c) for d, c in ((3, "direct"), (4, "direct"), (5, "viator"))]

        mix = today.money_of(trips, NOON.date()).mix

        assert [(s.label, s.trips, s.percent) for s in mix] == [("Direct", 2, 67), ("Viator", 1, 33)]

    def test_a_coordinator_sees_no_amount(self, client: Client) -> None:
        self.book(3, "8351.77", VesselFactory())
        make_roles()
        user = User.objects.create_user("cleo", is_staff=True)
        user.groups.add(Group.objects.get(name="Coordinator"))
        client.force_login(user)

        html = page(client)

        assert "$" not in html
        assert "8,35" not in html
        assert "8351" not in html


class TestHealth:
    def test_a_worker_that_stopped_is_red(self, console: Client) -> None:
        a_booking(starts_at=AT_ONE, at=NOON)
        Effect.objects.update(run_at=NOON - timedelta(minutes=14))

        assert "Deliveries are late." in page(console)

    def test_it_says_when_the_last_delivery_and_mail_were(self, console: Client) -> None:
        a_booking(starts_at=AT_ONE, at=NOON)
        Effect.objects.update(state=State.DONE, done_at=NOON - timedelta(minutes=5))

        assert "Last delivery 5\xa0minutes ago" in page(console)

    def test_a_house_that_never_delivered_says_so(self, console: Client) -> None:
        assert "Nothing has been delivered yet" in page(console)


def test_the_fortnight_counts_trips_by_vessel_and_day(console: Client) -> None:
    vessel = VesselFactory()
    bookings = [a_booking(vessel=vessel, starts_at=AT_ONE, at=NOON)]

    row = today.heat(bookings, [NOON.date(), NOON.date() + timedelta(days=1)])[0]

    assert [count for _, count in row.trips] == [1, 0]
    assert row.percent == 50


def test_a_user_without_a_role_is_told_whom_to_ask(client: Client) -> None:
    client.force_login(User.objects.create_user("new", is_staff=True))

    assert "Ask the ops manager for a role" in page(client)


@pytest.mark.parametrize("role", ["ops", "Coordinator"])
def test_the_page_takes_at_most_thirteen_queries(
    client: Client, ops: User, role: str, django_assert_max_num_queries: Any
) -> None:
    user = ops
    if role != "ops":
        make_roles()
        user = User.objects.create_user("cleo", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    crewed_trip()
    for days in range(1, 6):
        a_booking(starts_at=AT_ONE + timedelta(days=days), at=NOON)
    client.force_login(user)

    with django_assert_max_num_queries(13):
        assert client.get("/admin/").status_code == 200
