from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from bookings.enums import BookingStatus, PaymentState
from bookings.finance.models import BookingFinance, Payment
from bookings.finance.services import margin_of
from bookings.intake.models import IntakeMessage, Listing
from bookings.models import Booking, CalendarEntry, Vessel
from bookings.services import find_booking
from crew.enums import AssignmentStatus, Role
from crew.models import Assignment, Credential, CrewMember, CrewRequirement
from crew.services import labour
from guests.models import GuestPage
from jada.audit.models import Event
from jada.console import demo
from jada.console.demo_trips import SEED_CODE
from jada.mail.models import Message

AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
D = Decimal


def seed() -> Booking:
    return Booking.objects.select_related("vessel").get(external_id=SEED_CODE)


def crew_of(key: str) -> list[tuple[str, str]]:
    found = Assignment.objects.filter(event__booking__external_id=key).order_by("pk")
    return list(found.values_list("member__key", "status"))


@pytest.fixture(scope="class")
def the_company(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Made once for a class and flushed after it; each test's own changes are rolled back as ever."""
    with django_db_blocker.unblock():
        demo.load(at=AT)
    yield
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


@pytest.mark.django_db
@pytest.mark.usefixtures("the_company")
class TestTheDemoCompany:
    def test_has_its_main_vessel_first(self) -> None:
        main = Vessel.objects.all()[0]

        assert (main.name, main.passenger_limit, main.berth.name) == ("JADA", 6, "Harbor Island Marina, dock B")

    def test_leaves_289_41_of_the_reference_charter(self) -> None:
        margin = margin_of(booking=seed(), labour=[(w.member_key, w.role, w.minutes) for w in labour(seed())])

        assert (margin.gross, margin.crew_pay, margin.captain_pay, margin.port_fee, margin.net) == (
            D("840.75"),
            D("250.00"),
            D("150.00"),
            D("151.34"),
            D("289.41"),
        )

    def test_has_the_reference_charter_on_the_coming_30_may(self) -> None:
        assert seed().local_start.isoformat() == "2027-05-30T13:00:00-07:00"
        assert seed().local_end.isoformat() == "2027-05-30T16:00:00-07:00"

    def test_gives_the_reference_charter_its_own_code(self) -> None:
        assert GuestPage.objects.get(booking=seed()).code == SEED_CODE

    def test_invites_a_captain_and_two_crew_to_it_by_mail(self) -> None:
        asked = Assignment.objects.filter(event__booking=seed())

        assert [a.status for a in asked] == [AssignmentStatus.INVITED] * 3
        assert [a.role for a in asked].count(Role.CAPTAIN) == 1
        assert Message.objects.filter(kind="crew.invitation", subject_of=seed().subject).count() == 3

    def test_calls_nobody_to_a_trip_that_is_over(self) -> None:
        over = Booking.objects.filter(status=BookingStatus.COMPLETED)

        assert over.count() == 2
        assert not Message.objects.filter(subject_of__in=[booking.subject for booking in over])

    def test_asks_the_next_captain_where_the_first_is_away(self) -> None:
        crew = crew_of("demo-captain-away")

        assert ("marta", AssignmentStatus.DECLINED) in crew
        assert ("ned", AssignmentStatus.INVITED) in crew

    def test_has_everybody_confirmed_for_tomorrow(self) -> None:
        assert {status for _, status in crew_of("demo-tomorrow")} == {AssignmentStatus.ACCEPTED}

    def test_holds_a_vessel_for_its_quote_and_not_for_ever(self) -> None:
        entry = CalendarEntry.objects.get(booking__external_id="demo-quote")

        assert (entry.blocks, entry.expires_at) == (True, AT + timedelta(days=3))

    def test_shows_more_than_one_payment_state(self) -> None:
        states = set(Booking.objects.values_list("payment_state", flat=True))

        assert states >= {PaymentState.TENTATIVE, PaymentState.DEPOSIT_RECEIVED, PaymentState.PAID_IN_FULL}

    def test_knows_the_gross_of_every_trip_and_a_payout_where_a_channel_pays(self) -> None:
        morning = Booking.objects.get(external_id="demo-morning")

        assert BookingFinance.objects.exclude(gross=None).count() == Booking.objects.count()
        assert BookingFinance.objects.get(booking_id=morning.pk).payout == D("513.30")

    def test_is_the_same_company_after_a_second_run(self) -> None:
        tables = (Booking, CrewMember, Vessel, Listing, Payment, Assignment, Message, Event, CalendarEntry)
        before = [list(table.objects.order_by("pk").values()) for table in tables]

        added = demo.load(at=AT + timedelta(days=3))

        assert not any(added.values())
        assert [list(table.objects.order_by("pk").values()) for table in tables] == before


@pytest.mark.django_db
@pytest.mark.slow
def test_what_the_office_took_away_stays_away() -> None:
    demo.load(at=AT)
    taken = (CrewRequirement.objects.filter(vessel__key="jada"), Credential.objects.filter(member__key="ned"))
    for rows in taken:
        rows.delete()

    demo.load(at=AT)

    assert [rows.count() for rows in taken] == [0, 0]


@pytest.mark.django_db
@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2027, 5, 29, 19, 0, tzinfo=UTC), 2027),  # the eve of the reference charter
        (datetime(2027, 5, 30, 21, 0, tzinfo=UTC), 2028),  # it has departed: the next one is a year ahead
        (datetime(2027, 12, 31, 23, 0, tzinfo=UTC), 2028),
    ],
)
def test_the_demo_can_be_made_on_any_day_of_the_year(at: datetime, year: int) -> None:
    demo.load(at=at)

    assert seed().local_start.strftime("%Y-%m-%d %H:%M") == f"{year}-05-30 13:00"


@pytest.mark.django_db
class TestTheCommand:
    def test_says_what_it_made_and_then_that_it_is_there(self) -> None:
        out = StringIO()

        call_command("load_demo", stdout=out)
        call_command("load_demo", stdout=out)

        made, there = out.getvalue().splitlines()
        assert "vessels (3), crew (7)" in made
        assert there == "The demo company is there: nothing was changed."

    def test_does_not_mix_with_real_trips(self, settings: Any) -> None:
        settings.ENVIRONMENT = "production"

        with pytest.raises(CommandError, match="production environment"):
            call_command("load_demo")

        assert not Booking.objects.exists()


class TestTheSampleOfThisWeek:
    @given(at=st.datetimes(datetime(2024, 6, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
    def test_was_sent_within_the_last_seven_days_and_its_trip_lies_ahead(self, at: datetime) -> None:
        mail = message_from_bytes(demo.as_sent_this_week(demo.SAMPLE.read_bytes(), at=at), policy=policy.default)
        sent = parsedate_to_datetime(str(mail["Date"]))
        starts = datetime.strptime(mail["Subject"].partition("for ")[2].partition(" •")[0], "%b %d, %Y")

        assert timedelta(0) <= at - sent < timedelta(days=7)
        assert starts.date() - sent.date() == timedelta(days=9)
        assert (sent.strftime("%a"), starts.strftime("%a")) == ("Tue", "Thu")

    def test_says_its_new_dates_everywhere_and_no_old_one(self) -> None:
        mail = message_from_bytes(demo.as_sent_this_week(demo.SAMPLE.read_bytes(), at=AT), policy=policy.default)
        texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]

        assert [text.count("2024") for text in (*texts, str(mail))] == [0, 0, 0]
        assert all(text.count("Dec 3, 2026") == 3 for text in texts)
        assert "Tue, 24 Nov 2026 16:14:00 +0000" in mail["Received"].replace("\n", "")

    def test_differs_in_nothing_but_its_dates(self) -> None:
        raw = demo.SAMPLE.read_bytes()
        weeks_later = demo.as_sent_this_week(raw, at=datetime(2024, 5, 22, tzinfo=UTC))

        assert weeks_later == raw


@pytest.mark.django_db
class TestDeliverSample:
    def test_makes_one_booking_with_its_crew_called(self) -> None:
        demo.load(at=AT)

        booking = demo.deliver_sample(at=AT)

        assert booking is not None
        assert booking.vessel.key == "halcyon"
        assert booking.local_start.isoformat() == "2026-12-03T13:00:00-08:00"
        assert BookingFinance.objects.get(booking_id=booking.pk).payout == D("735.66")
        assert Message.objects.filter(kind="crew.invitation", subject_of=booking.subject).count() == 3

    def test_comes_once_however_often_it_is_asked_for(self) -> None:
        demo.load(at=AT)
        first = demo.deliver_sample(at=AT)

        assert demo.deliver_sample(at=AT + timedelta(weeks=2)) == first
        assert IntakeMessage.objects.count() == 1

    def test_waits_for_a_person_where_its_listing_is_not_known(self) -> None:
        assert demo.deliver_sample(at=AT) is None
        assert not find_booking(channel="boatsetter", external_id=demo.SAMPLE_ID)
        assert IntakeMessage.objects.waiting().count() == 1
