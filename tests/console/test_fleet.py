from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client

from bookings import services
from bookings.enums import BookingStatus, EntryKind
from bookings.models import CalendarEntry
from crew import services as crews
from crew.models import Assignment
from jada.audit.actors import SYSTEM
from jada.console.fleet import Asked, Block, fleet
from tests.factories.bookings import NOW, START, VesselFactory, a_booking
from tests.factories.crew import captain, crewed_vessel, mate

pytestmark = pytest.mark.django_db
DAY = date(2027, 5, 30)
WEEK = Asked(DAY, 7)


class TestWhatTheAddressAsksFor:
    @pytest.mark.parametrize(
        "query", ["", "from=x", "from=2027-13-40", "from=0001-01-01", "days=15", "days=-7", "days=²", "days=99999999"]
    )
    def test_anything_unreadable_means_today_and_two_weeks(self, query: str) -> None:
        assert Asked.of(QueryDict(query), DAY) == Asked(DAY, 14)

    def test_a_day_a_length_and_a_vessel(self) -> None:
        asked = Asked.of(QueryDict("from=2027-06-01&days=31&vessel=jada"), DAY)

        assert (asked.first, asked.length, asked.vessel) == (date(2027, 6, 1), 31, "jada")


class TestCells:
    def blocks(self, day: date = DAY) -> list[Block]:
        row = fleet(WEEK).rows[0]
        return next(cell.blocks for cell in row.cells if cell.day == day)

    def test_a_trip_stands_on_its_day_with_its_hour_and_guest(self) -> None:
        a_booking(guest_name="Dana Whit")

        block = self.blocks()[0]

        assert (block.hours, block.title, block.look) == ("1 PM", "Dana Whit", "trip")

    def test_an_evening_belongs_to_the_vessels_day(self) -> None:
        a_booking(starts_at=datetime(2027, 5, 31, 3, 30, tzinfo=UTC))  # 8:30 PM of the 30th

        assert self.blocks()[0].hours == "8:30 PM"

    def test_a_quote_and_a_conflict_say_so_in_words(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel, status=BookingStatus.QUOTED)
        a_booking(vessel=vessel, status=BookingStatus.NEEDS_REVIEW)

        assert [(b.look, b.word) for b in self.blocks()] == [("hold", "Quoted"), ("review", "Needs review")]

    def test_a_cancelled_trip_is_gone(self) -> None:
        services.cancel_booking(booking=a_booking(), reason="ill", by=SYSTEM, at=NOW)

        assert self.blocks() == []

    def test_a_day_without_times_is_all_day(self) -> None:
        services.hold_day(vessel=VesselFactory(), day=DAY, title="Wedding", guest_count=4, by=SYSTEM, at=NOW)

        assert [(b.hours, b.word) for b in self.blocks()] == [("all day", "Needs times")]

    def test_maintenance_stands_on_every_day_it_takes(self) -> None:
        vessel = VesselFactory()
        start = datetime(2027, 5, 30, 17, 0, tzinfo=UTC)
        end = start + timedelta(days=2)
        CalendarEntry.objects.create(
            vessel=vessel, kind=EntryKind.MAINTENANCE, title="Haul-out", starts_at=start, ends_at=end, blocked_until=end
        )

        hours = [self.blocks(DAY + timedelta(days=n))[0].hours for n in range(3)]

        assert hours == ["10 AM", "all day", "until 10 AM"]

    def test_a_hold_by_hand_is_a_dashed_one(self) -> None:
        services.hold_time(
            vessel=VesselFactory(),
            starts_at=START,
            ends_at=START + timedelta(hours=2),
            title="Scouts",
            guest_count=4,
            by=SYSTEM,
            at=NOW,
        )

        assert [(b.look, b.word) for b in self.blocks()] == [("hold", "Tentative hold")]

    def test_crew_that_has_not_confirmed_is_counted(self) -> None:
        captain()
        mate()
        a_booking(vessel=crewed_vessel())
        crews.accept(assignment=Assignment.objects.get(member__key="ines"), at=NOW)

        assert self.blocks()[0].missing == 1

    def test_the_agenda_is_in_the_order_of_the_day(self) -> None:
        first, second = VesselFactory(order=1), VesselFactory(order=2)
        a_booking(vessel=first, starts_at=START, guest_name="Later")
        a_booking(vessel=second, starts_at=START - timedelta(hours=4), guest_name="Sooner")

        assert [b.title for b in fleet(WEEK).agenda[0].blocks] == ["Sooner", "Later"]

    def test_one_vessel_may_be_asked_for(self) -> None:
        VesselFactory(key="jada", name="JADA")
        VesselFactory()

        assert [row.vessel.name for row in fleet(Asked(DAY, 7, "jada")).rows] == ["JADA"]


class TestThePage:
    def test_an_empty_cell_leads_to_a_new_booking_of_that_vessel_and_day(self, client: Client, ops: User) -> None:
        vessel = VesselFactory()
        client.force_login(ops)

        html = client.get("/admin/calendar/?from=2027-05-30&days=7").content.decode()
        assert f"/admin/bookings/booking/add/?vessel={vessel.pk}&amp;date=2027-05-30" in html
        form = client.get(f"/admin/bookings/booking/add/?vessel={vessel.pk}&date=2027-05-30").content.decode()
        assert 'value="2027-05-30T13:00"' in form

    def test_an_unreadable_address_is_today_not_an_error(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert client.get("/admin/calendar/?from=yesterday&days=%ff").status_code == 200

    def test_without_vessels_it_says_what_to_do(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert "No vessel to show" in client.get("/admin/calendar/").content.decode()

    def test_who_may_not_see_the_calendar_is_refused(self, client: Client) -> None:
        client.force_login(User.objects.create_user("new", is_staff=True))

        assert client.get("/admin/calendar/").status_code == 403

    def test_it_takes_as_many_queries_for_a_month_as_for_a_week(
        self, client: Client, ops: User, django_assert_num_queries: Any
    ) -> None:
        captain()
        vessel = crewed_vessel(mates=0)
        for days in range(20):
            a_booking(vessel=vessel, starts_at=START + timedelta(days=days))
        client.force_login(ops)

        with django_assert_num_queries(9):
            client.get("/admin/calendar/?from=2027-05-30&days=31")
        with django_assert_num_queries(9):
            client.get("/admin/calendar/?from=2027-05-30&days=7")
