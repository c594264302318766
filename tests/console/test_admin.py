"""The console's lists and forms, through the client: what is saved, what is refused, who sees what."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client

from bookings import enums
from bookings.admin import BookingAdmin
from bookings.enums import BookingStatus, EntryStatus
from bookings.finance.services import record_amounts
from bookings.models import Booking, CalendarEntry, Vessel
from bookings.services import hold_day
from crew.models import Assignment
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from jada.console.roles import make_roles
from jada.mail.models import Message
from jada.modeladmin import ConsoleAdmin, pill, tone, tones
from jada.outbox.enums import Mode, State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, START, VesselFactory, a_booking
from tests.factories.crew import captain, crewed_vessel, mate

pytestmark = pytest.mark.django_db
ADD = "/admin/bookings/booking/add/"
GROSS = Decimal("7315.94")


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def vessel() -> Vessel:
    return VesselFactory(name="JADA")


def somebody(client: Client, role: str) -> Client:
    make_roles()
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def typed(vessel: Vessel, **changes: object) -> dict[str, Any]:
    form: dict[str, Any] = {
        "vessel": vessel.pk,
        "starts_at": "2027-05-30T13:00",
        "ends_at": "2027-05-30T16:00",
        "party_size": 3,
        "guest_name": "Dana Whit",
        "channel": "direct",
        "take_as": "confirmed",
        "token": "one-form",
    }
    return form | changes


def errors(answer: Any) -> str:
    assert answer.status_code == 200, "it was saved"
    return " ".join(str(e) for es in answer.context["adminform"].form.errors.values() for e in es)


class TestBookingByHand:
    def test_a_trip_is_booked_through_the_one_door(self, console: Client, vessel: Vessel) -> None:
        console.post(ADD, typed(vessel))

        booking = Booking.objects.get()
        assert (booking.starts_at, booking.status, booking.ref) == (START, "confirmed", f"J-{booking.pk:04d}")
        assert CalendarEntry.objects.get(booking=booking).blocks
        assert Event.objects.filter(act="bookings.booking.booked", actor_name="ops").exists()

    def test_times_are_the_docks_whatever_the_operators_zone(self, console: Client) -> None:
        away = VesselFactory(time_zone="America/New_York")

        console.post(ADD, typed(away))

        assert Booking.objects.get().starts_at == START - timedelta(hours=3)

    def test_a_double_press_is_one_booking(self, console: Client, vessel: Vessel) -> None:
        first = console.post(ADD, typed(vessel))
        second = console.post(ADD, typed(vessel))

        assert Booking.objects.count() == 1
        assert (first.status_code, second.status_code) == (302, 302)

    def test_two_forms_are_two_bookings(self, console: Client, vessel: Vessel) -> None:
        console.post(ADD, typed(vessel))
        console.post(ADD, typed(vessel, token="another", starts_at="2027-05-31T13:00", ends_at="2027-05-31T16:00"))

        assert Booking.objects.count() == 2

    def test_a_form_sent_again_with_other_content_is_refused(self, console: Client, vessel: Vessel) -> None:
        console.post(ADD, typed(vessel))

        answer = console.post(ADD, typed(vessel, guest_name="Somebody Else"))

        assert "has already made a booking" in errors(answer)

    def test_each_rendered_form_has_a_token_of_its_own(self, console: Client) -> None:
        tokens = {console.get(ADD).context["adminform"].form["token"].initial for _ in range(2)}

        assert len(tokens) == 2

    def test_a_taken_vessel_is_a_sentence_on_the_form(self, console: Client, vessel: Vessel) -> None:
        a_booking(vessel=vessel, guest_name="First One")

        answer = console.post(ADD, typed(vessel, starts_at="2027-05-30T16:30", ends_at="2027-05-30T18:00"))

        assert "JADA is taken by J-" in errors(answer)
        assert "First One" in errors(answer)
        assert Booking.objects.count() == 1

    def test_too_many_guests_are_a_sentence_at_the_party(self, console: Client, vessel: Vessel) -> None:
        answer = console.post(ADD, typed(vessel, party_size=7))

        assert "may carry 6 passengers, not 7" in answer.context["adminform"].form.errors["party_size"][0]

    def test_an_end_before_the_start_is_a_sentence(self, console: Client, vessel: Vessel) -> None:
        assert "ends before it begins" in errors(console.post(ADD, typed(vessel, ends_at="2027-05-30T12:00")))

    def test_a_hour_that_does_not_exist_is_a_sentence(self, console: Client, vessel: Vessel) -> None:
        answer = console.post(ADD, typed(vessel, starts_at="2028-03-12T02:30", ends_at="2028-03-12T05:00"))

        assert "2:30 AM does not exist on that day" in errors(answer)

    def test_an_unreadable_time_is_a_sentence(self, console: Client, vessel: Vessel) -> None:
        assert "Give a date and a time" in errors(console.post(ADD, typed(vessel, starts_at="noon")))

    def test_a_past_date_asks_first(self, console: Client, vessel: Vessel) -> None:
        past = {"starts_at": "2027-05-01T13:00", "ends_at": "2027-05-01T16:00"}

        answer = console.post(ADD, typed(vessel, **past))

        assert "is in the past" in errors(answer)
        assert 'type="checkbox" name="took_place"' in answer.content.decode()
        assert console.post(ADD, typed(vessel, **past, took_place="on")).status_code == 302

    def test_a_channels_booking_that_is_here_is_named(self, console: Client, vessel: Vessel) -> None:
        known = a_booking(channel="boatsetter", external_id="kqvmztr")

        answer = console.post(ADD, typed(vessel, channel="boatsetter", external_id="#KQVMZTR"))

        assert f"it is {known.ref}" in errors(answer)

    def test_an_inquiry_may_be_taken_as_one(self, console: Client, vessel: Vessel) -> None:
        console.post(ADD, typed(vessel, take_as="inquiry", party_size=30))

        assert Booking.objects.get().status == BookingStatus.INQUIRY


class TestAmending:
    def change(self, client: Client, booking: Booking, **changes: object) -> Any:
        form = typed(booking.vessel, seen_revision=booking.revision, reason="", guest_name=booking.guest_name)
        return client.post(f"/admin/bookings/booking/{booking.pk}/change/", form | changes)

    def test_a_move_is_one_act_with_its_reason_in_the_history(self, console: Client) -> None:
        booking = a_booking()

        self.change(console, booking, starts_at="2027-05-30T14:00", ends_at="2027-05-30T17:00", reason="tide")

        booking.refresh_from_db()
        assert (booking.starts_at, booking.revision) == (START + timedelta(hours=1), 2)
        assert Event.objects.get(act="bookings.booking.amended").detail["reason"] == "tide"

    def test_nothing_changed_is_no_act(self, console: Client) -> None:
        self.change(console, a_booking())

        assert not Event.objects.filter(act="bookings.booking.amended").exists()

    def test_an_overlap_is_a_sentence_and_changes_nothing(self, console: Client) -> None:
        booking = a_booking(guest_name="Mover")
        a_booking(vessel=booking.vessel, starts_at=START + timedelta(days=1), guest_name="Stays")

        answer = self.change(console, booking, starts_at="2027-05-31T13:00", ends_at="2027-05-31T16:00")

        assert "Stays" in errors(answer)
        booking.refresh_from_db()
        assert booking.starts_at == START

    def test_somebody_elses_change_meanwhile_is_not_written_over(self, console: Client) -> None:
        booking = a_booking()
        self.change(console, booking, party_size=4)

        answer = self.change(console, booking, party_size=5)

        assert "changed by somebody else meanwhile" in errors(answer)
        booking.refresh_from_db()
        assert booking.party_size == 4

    def test_what_the_form_does_not_show_stays(self, client: Client) -> None:
        booking = a_booking(private_note="channel wrote this", guest_email="dana@guest.example")

        self.change(somebody(client, "Coordinator"), booking, party_size=5, guest_email="dana@guest.example")

        booking.refresh_from_db()
        assert (booking.party_size, booking.private_note) == (5, "channel wrote this")

    def test_a_cancelled_trip_is_read_only(self, console: Client) -> None:
        booking = a_booking()
        console.post(f"/admin/bookings/booking/{booking.pk}/cancel/", {"reason": "ill"})

        html = console.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()

        assert 'name="starts_at"' not in html
        assert "Sunday 30 May 2027, 1:00 PM to 4:00 PM" in html

    def test_a_booking_is_never_deleted(self, console: Client) -> None:
        booking = a_booking()

        assert console.post(f"/admin/bookings/booking/{booking.pk}/delete/", {"post": "yes"}).status_code == 403


class TestHolds:
    ADD = "/admin/bookings/calendarentry/add/"

    def test_time_is_held_by_hand(self, console: Client, vessel: Vessel) -> None:
        console.post(
            self.ADD,
            {"vessel": vessel.pk, "title": "Scouts", "guest_count": 4}
            | {"starts_at": "2027-05-30T13:00", "ends_at": "2027-05-30T16:00"},
        )

        assert CalendarEntry.objects.get(title="Scouts").starts_at == START

    def test_a_held_time_that_is_taken_is_a_sentence(self, console: Client, vessel: Vessel) -> None:
        a_booking(vessel=vessel)

        answer = console.post(
            self.ADD,
            {"vessel": vessel.pk, "title": "Scouts", "guest_count": 4}
            | {"starts_at": "2027-05-30T13:00", "ends_at": "2027-05-30T16:00"},
        )

        assert "is taken by" in errors(answer)

    def test_a_day_gets_its_times(self, console: Client, vessel: Vessel) -> None:
        entry = hold_day(vessel=vessel, day=START.date(), title="Wedding", guest_count=4, by=SYSTEM, at=NOW)

        console.post(
            f"/admin/bookings/calendarentry/{entry.pk}/change/",
            {"starts_at": "2027-05-30T13:00", "ends_at": "2027-05-30T16:00"},
        )

        entry.refresh_from_db()
        assert (entry.starts_at, entry.needs_times, entry.blocks) == (START, False, True)

    def test_a_trips_entry_is_read(self, console: Client) -> None:
        booking = a_booking()

        html = console.get(f"/admin/bookings/calendarentry/{booking.entry.pk}/change/").content.decode()

        assert "Sun 30 May 2027, 5:00 PM" in html  # the turnaround's end
        assert 'name="starts_at"' not in html


class TestDeliveries:
    @pytest.fixture
    def stuck(self) -> Effect:
        booking = a_booking()
        effect = Effect.objects.filter(subject=booking.subject, mode=Mode.STATE)[0]
        Effect.objects.filter(pk=effect.pk).update(state=State.DEAD, attempts=3, last_error="S3 refused the put.")
        return effect

    def retry(self, client: Client, effect: Effect) -> Any:
        rows = {"action": "retry_now", "_selected_action": [effect.pk]}
        return client.post("/admin/outbox/effect/", rows, follow=True)

    def test_one_press_makes_it_due_again_and_history_says_who(self, console: Client, stuck: Effect) -> None:
        answer = self.retry(console, stuck)

        stuck.refresh_from_db()
        assert (stuck.state, stuck.attempts, stuck.run_at) == (State.PENDING, 0, NOW)
        assert Event.objects.get(act="outbox.delivery.retried").actor_name == "ops"
        assert "On their way again: 1" in answer.content.decode()

    def test_what_is_not_stuck_is_left_alone(self, console: Client, stuck: Effect) -> None:
        Effect.objects.filter(pk=stuck.pk).update(state=State.DONE)

        assert "left as they are: 1" in self.retry(console, stuck).content.decode()
        assert not Event.objects.filter(act="outbox.delivery.retried").exists()

    def test_a_reader_has_no_such_button(self, client: Client, stuck: Effect) -> None:
        html = somebody(client, "Read-only").get("/admin/outbox/effect/").content.decode()

        assert "Try again now" not in html

    def test_a_delivery_tells_what_went_wrong(self, console: Client, stuck: Effect) -> None:
        html = console.get(f"/admin/outbox/effect/{stuck.pk}/change/").content.decode()

        assert "S3 refused the put." in html


class TestMessages:
    @pytest.fixture
    def messages(self) -> tuple[Message, Message]:
        captain()
        a_booking(vessel=crewed_vessel(mates=0), guest_email="dana@guest.example")
        office = Message.objects.get(kind="ops.booked")
        crew = Message.objects.get(kind="crew.invitation")
        for message in (office, crew):
            message.subject, message.text, message.sent_to = f"About {message.kind}", "Hello <b>you</b>", "a@b.example"
            message.save()
        return office, crew

    def test_each_is_read_as_it_was_sent_in_plain_text(
        self, console: Client, messages: tuple[Message, Message]
    ) -> None:
        html = console.get(f"/admin/mail/message/{messages[1].pk}/change/").content.decode()

        assert "Hello &lt;b&gt;you&lt;/b&gt;" in html

    def test_the_offices_mails_show_money_and_are_hidden_from_others(
        self, client: Client, messages: tuple[Message, Message]
    ) -> None:
        reader = somebody(client, "Coordinator")

        html = reader.get("/admin/mail/message/").content.decode()

        assert "About crew.invitation" in html
        assert "About ops.booked" not in html
        assert reader.get(f"/admin/mail/message/{messages[0].pk}/change/").status_code == 302

    def test_a_reader_without_contacts_sees_no_address(self, client: Client, messages: tuple[Message, Message]) -> None:
        reader = somebody(client, "Read-only")

        assert "a@b.example" not in reader.get("/admin/mail/message/").content.decode()
        assert "a@b.example" not in reader.get(f"/admin/mail/message/{messages[1].pk}/change/").content.decode()


class TestHistory:
    def test_every_act_is_one_line_with_who_and_what(self, console: Client) -> None:
        a_booking()

        html = console.get("/admin/audit/event/").content.decode()

        assert "Trip booked" in html
        assert "JADA (system)" in html

    def test_instants_read_as_times(self, console: Client) -> None:
        booking = a_booking()
        TestAmending().change(console, booking, starts_at="2027-05-30T14:00", ends_at="2027-05-30T17:00")

        html = console.get("/admin/audit/event/?q=amended").content.decode()

        assert "Sun 30 May 2027, 1:00 PM → Sun 30 May 2027, 2:00 PM" in html

    def test_nobody_edits_it(self, console: Client) -> None:
        a_booking()
        event = Event.objects.all()[0]

        assert console.post(f"/admin/audit/event/{event.pk}/change/", {"act": "x"}).status_code == 403
        assert console.post("/admin/audit/event/add/", {}).status_code == 403


class TestRoles:
    """No amount on any page for those who may not see money."""

    @pytest.fixture
    def booking(self) -> Booking:
        captain()
        mate()
        booking = a_booking(
            vessel=crewed_vessel(),
            guest_email="dana@guest.example",
            guest_phone="+1-619-555-0142",
            private_note="paid $7,315.94 to the channel",
        )
        record_amounts(
            booking_id=booking.pk, gross=GROSS, fees=Decimal("731.59"), payout=Decimal("6584.35"), by=SYSTEM, at=NOW
        )
        return booking

    def pages(self, client: Client, booking: Booking) -> Iterator[tuple[str, str]]:
        lists = [f"/admin/{m._meta.app_label}/{m._meta.model_name}/" for m in admin.site._registry]
        own = [
            "/admin/",
            "/admin/calendar/?from=2027-05-30",
            "/admin/attention/unconfirmed/",
            "/admin/attention/declined/",
        ]
        one = f"/admin/bookings/booking/{booking.pk}/"
        rows = [f"/admin/mail/message/{m.pk}/change/" for m in Message.objects.all()]
        rows += [f"/admin/outbox/effect/{e.pk}/change/" for e in Effect.objects.all()[:3]]
        rows += [f"/admin/crew/assignment/{a.pk}/change/" for a in Assignment.objects.all()[:1]]
        for url in [*own, *lists, f"{one}change/", f"{one}cancel/", f"{one}confirm/", f"{one}crew-view/", ADD, *rows]:
            answer = client.get(url)
            if answer.status_code == 200:
                yield url, answer.content.decode()

    @pytest.mark.parametrize("role", ["Coordinator", "Read-only"])
    def test_no_page_shows_an_amount(self, client: Client, booking: Booking, role: str) -> None:
        client = somebody(client, role)

        for url, html in self.pages(client, booking):
            assert "$" not in html, url
            assert not [digits for digits in ("7,315", "7315", "731.59", "6,584", "6584") if digits in html], url

    def test_a_reader_sees_no_contact(self, client: Client, booking: Booking) -> None:
        client = somebody(client, "Read-only")

        for url, html in self.pages(client, booking):
            assert "dana@guest.example" not in html, url
            assert "555-0142" not in html, url

    def test_a_reader_changes_nothing(self, client: Client, booking: Booking) -> None:
        client = somebody(client, "Read-only")
        one = f"/admin/bookings/booking/{booking.pk}/"

        answers = [client.post(f"{one}{act}/", {"reason": "x"}).status_code for act in ("confirm", "cancel", "amounts")]

        assert answers == [403, 403, 403]
        assert client.post(f"{one}change/", typed(booking.vessel)).status_code == 403
        assert "New booking" not in client.get("/admin/").content.decode()

    def test_a_coordinator_records_no_amounts(self, client: Client, booking: Booking) -> None:
        client = somebody(client, "Coordinator")

        assert client.post(f"/admin/bookings/booking/{booking.pk}/amounts/", {"gross": "1"}).status_code == 403

    def test_an_ops_manager_sees_the_money(self, client: Client, booking: Booking) -> None:
        client = somebody(client, "Ops manager")

        assert "$7,315.94" in client.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()


class TestTones:
    def test_every_state_of_ours_has_one(self) -> None:
        for choices in (*vars(enums).values(), State, Mode):
            if isinstance(choices, type) and choices in (
                BookingStatus,
                EntryStatus,
                enums.EntryKind,
                enums.PaymentState,
            ):
                assert all(tone(member) for member in choices)

    def test_a_missing_or_unknown_tone_is_refused_at_the_start(self) -> None:
        with pytest.raises(ValueError, match="every state needs one"):
            tones(BookingStatus, inquiry="info")
        with pytest.raises(ValueError, match="every state needs one"):
            tones(Mode, S="purple", M="info")

    def test_a_pill_says_the_state_in_a_word(self) -> None:
        assert pill(BookingStatus.NEEDS_REVIEW) == '<span class="pill pill-bad">Needs review</span>'


class TestLists:
    def test_every_list_of_ours_opens_empty_and_says_so(self, console: Client) -> None:
        ours = {
            c.label for c in apps.get_app_configs() if c.name.split(".")[0] in ("bookings", "crew", "guests", "jada")
        }
        pages = [(m, page) for m, page in admin.site._registry.items() if m._meta.app_label in ours]

        assert pages
        for model, page in pages:
            assert isinstance(page, ConsoleAdmin), model
            assert console.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/").status_code == 200

    def test_the_view_that_is_shown_is_marked(self, console: Client) -> None:
        query = BookingAdmin(Booking, admin.site).opening_query(NOW)

        html = console.get(f"/admin/bookings/booking/?{query}").content.decode()

        assert 'aria-current="true">Upcoming<' in html

    def test_a_search_without_hits_offers_the_whole_list(self, console: Client) -> None:
        html = console.get("/admin/bookings/booking/?q=nobody").content.decode()

        assert "Show all bookings" in html

    def test_the_list_of_bookings_takes_the_same_queries_for_any_length(
        self, console: Client, django_assert_max_num_queries: Any
    ) -> None:
        for days in range(8):
            a_booking(starts_at=START + timedelta(days=days))

        with django_assert_max_num_queries(10):
            console.get("/admin/bookings/booking/")


class TestFilteringByTheAddress:
    @pytest.mark.parametrize(
        "lookup",
        [
            "bookings/booking/?private_note__contains=840",
            "bookings/booking/?guest_email__startswith=dana",
            "bookings/booking/?guest_phone__contains=619",
            "mail/message/?sent_to__startswith=ines",
            "mail/message/?values__icontains=840",
            "outbox/requestkey/?request_hash__startswith=a",
            "outbox/effect/?result__icontains=840",
        ],
    )
    @pytest.mark.parametrize("role", ["Coordinator", "Read-only"])
    def test_what_a_list_does_not_show_cannot_be_guessed_through_it(
        self, client: Client, role: str, lookup: str
    ) -> None:
        a_booking(guest_email="dana@example.com", private_note="Gross 840.75")

        assert somebody(client, role).get(f"/admin/{lookup}").status_code == 400

    def test_every_quick_view_of_every_list_opens(self, console: Client) -> None:
        captain("ines")
        a_booking(vessel=crewed_vessel())

        for model, page in admin.site._registry.items():
            for label, _ in getattr(page, "quick_views", ()):
                url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
                views = console.get(url).context["quick_views"]
                asked = next(view["url"] for view in views if view["label"] == label)
                assert console.get(url + asked).status_code == 200, (model, label)

    def test_every_filter_that_a_list_shows_works(self, console: Client) -> None:
        captain("ines")
        a_booking(vessel=crewed_vessel())

        for model in admin.site._registry:
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            changes = console.get(url).context["cl"]
            choices = [choice for spec in changes.filter_specs for choice in spec.choices(changes)]
            for choice in choices:
                assert console.get(url + choice["query_string"]).status_code == 200, (model, choice)


class TestTextsThatCrewRead:
    @pytest.mark.parametrize("name", ["public_note", "occasion"])
    def test_an_amount_in_a_new_booking_is_refused_with_the_words_shown(
        self, console: Client, vessel: Vessel, name: str
    ) -> None:
        answer = console.post(ADD, typed(vessel, **{name: "Captain gets $150"}))

        assert "“$150” looks like an amount" in errors(answer)
        assert not Booking.objects.exists()

    @pytest.mark.parametrize("name", ["public_note", "occasion"])
    def test_an_amount_in_a_changed_booking_is_refused_and_nothing_is_written(
        self, console: Client, vessel: Vessel, name: str
    ) -> None:
        booking = a_booking(vessel=vessel)

        answer = console.post(
            f"/admin/bookings/booking/{booking.pk}/change/", typed(vessel, party_size=5, **{name: "USD 840.75"})
        )

        assert "looks like an amount" in errors(answer)
        booking.refresh_from_db()
        assert (booking.public_note, booking.occasion, booking.party_size) == ("", "", 3)

    def test_an_amount_may_stand_in_the_private_note(self, console: Client, vessel: Vessel) -> None:
        console.post(ADD, typed(vessel, private_note="Gross 840.75"))

        assert Booking.objects.get().private_note == "Gross 840.75"


class TestWhatNobodyTypes:
    @pytest.mark.parametrize("path", ["find/?q=a%00b", "audit/event/?actor_kind__exact=%00", "calendar/?vessel=%00"])
    def test_a_null_character_in_the_address_is_a_bad_request(self, console: Client, path: str) -> None:
        assert console.get(f"/admin/{path}").status_code == 400

    @pytest.mark.parametrize(
        "asked", ["starts_at__gte=9999-12-31T23:59:59-12:00", "starts_at__lt=0001-01-01T00:00:00%2B12:00"]
    )
    def test_an_instant_that_no_zone_can_hold_is_never_an_error(self, console: Client, asked: str) -> None:
        assert console.get(f"/admin/bookings/booking/?{asked}").status_code in (200, 400)

    def test_a_null_character_in_a_reason_is_a_bad_request(self, console: Client) -> None:
        booking = a_booking()

        assert console.post(f"/admin/bookings/booking/{booking.pk}/cancel/", {"reason": "x\0"}).status_code == 400

    @pytest.mark.parametrize("year", ["0001", "9999"])
    def test_a_year_beyond_the_calendar_is_refused_with_a_sentence(
        self, console: Client, vessel: Vessel, year: str
    ) -> None:
        answer = console.post(ADD, typed(vessel, starts_at=f"{year}-01-01T00:00", ends_at=f"{year}-12-31T23:59"))

        assert "from 2000 to 2100" in errors(answer)
