"""Layouts that move, guests who type what they like, senders who are not who they say: act rightly, or not at all."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest

from bookings.intake.adapters.base import Meaning, Reading
from bookings.intake.adapters.record import as_json
from tests.bookings.intake.samples import agree, edited, expected, read_sample, sample

INSTANT = "01_boatsetter_instant.eml"
APPROVED = "02_boatsetter_approved_html_only.eml"
MOVED = "03_boatsetter_modified_text_only.eml"
LOOKALIKE = "19_boatsetter_lookalike.eml"

PLAIN = """Instant Booking for May 30, 2024 • 1:00 PM

Booking ID: kqvmztr
Boat: Halcyon
Renter: dana
Start: May 30, 2024 • 1:00 PM
End: May 30, 2024 • 4:00 PM
Passengers: 3
You earn: $735.66
"""


def mail(
    body: str = PLAIN,
    *,
    page: str = "",
    sender: str = "Boatsetter <boatsetter@mail.boatsetter.com>",
    subject: str = "New Instant Booking for May 30, 2024 • 1:00 PM",
    date: str = "Tue, 21 May 2024 09:14:00 -0700",
    results: str = "mx; dmarc=pass",
) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = sender, subject, date
    message["Authentication-Results"] = results
    if body:
        message.set_content(body)
    if page:
        message.add_alternative(page, subtype="html") if body else message.set_content(page, subtype="html")
    return message.as_bytes()


def read(raw: bytes) -> Reading:
    return read_sample(raw).readings[0]


def problems(raw: bytes) -> str:
    return " ".join(read(raw).problems)


class TestLayouts:
    def test_labels_and_values_on_one_line(self) -> None:
        reading = read(mail())

        assert reading.acts
        assert (reading.get("listing"), reading.get("guest_name"), reading.get("party_size")) == ("Halcyon", "dana", 3)

    def test_blocks_in_another_order(self) -> None:
        lines = PLAIN.strip().split("\n")
        reading = read(mail("\n".join([*lines[:2], *reversed(lines[2:])]) + "\n"))

        assert reading.acts
        assert reading.external_id == "kqvmztr"

    def test_the_same_said_twice_is_said_once(self) -> None:
        assert read(mail(f"{PLAIN}Booking ID: kqvmztr\n")).acts

    def test_piped_rows(self) -> None:
        assert read(mail(PLAIN.replace(": ", " | ").replace("Booking | ", "Booking: "))).acts

    def test_a_value_below_a_blank_line(self) -> None:
        assert read(mail(PLAIN.replace("Passengers: 3", "\nPassengers\n\n3\n"))).get("party_size") == 3

    def test_before_and_now_columns_mean_now(self) -> None:
        page = """<html><body><h1>Booking kqvmztr has been updated</h1><table>
          <tr><th></th><th>Before</th><th>Now</th></tr><tr><td>Booking ID</td><td>kqvmztr</td></tr>
          <tr><td>Boat</td><td>Halcyon</td></tr><tr><td>Renter</td><td>dana</td></tr>
          <tr><td>Start</td><td>May 30, 2024 1:00 PM</td><td>May 31, 2024 1:00 PM</td></tr>
          <tr><td>End</td><td>May 30, 2024 4:00 PM</td><td>May 31, 2024 4:00 PM</td></tr>
          <tr><td>Passengers</td><td>3</td><td>4</td></tr><tr><td>You earn</td><td>$735.66</td></tr>
          </table></body></html>"""

        reading = read(mail("", page=page, subject="Booking kqvmztr has been updated"))

        assert reading.acts
        assert as_json(reading)["start"] == "2024-05-31T13:00:00-07:00"
        assert reading.get("party_size") == 4

    def test_two_cells_without_such_a_head_are_not_chosen_from(self) -> None:
        page = PLAIN.replace("Passengers: 3", "Passengers\t3\t4").replace("\n", "<br>").replace("\t", "</td><td>")

        assert read(mail("", page=f"<html><table><tr><td>{page}</td></tr></table></html>")).quarantined

    def test_an_arrow_means_its_right_side(self) -> None:
        body = PLAIN.replace("Instant Booking for May 30, 2024 • 1:00 PM", "Booking kqvmztr has been updated")
        body = body.replace("Passengers: 3", "Passengers: 3 → 4")

        assert read(mail(body, subject="Booking kqvmztr has been updated")).get("party_size") == 4

    def test_hidden_and_struck_text_is_not_read(self) -> None:
        page = PLAIN.replace("\n", "<br>").replace("$735.66", "<s>$900.00</s><i style='display:none'>1</i>$735.66")

        assert as_json(read(mail("", page=f"<html><body>{page}</body></html>")))["payout"] == "735.66"

    def test_extras_belong_to_the_price(self) -> None:
        body = PLAIN.replace(
            "You earn: $735.66",
            "Rental price: $800.00\nAdd-ons: $40.75\nListing fee (12.5%): -$105.09\nYou earn: $735.66",
        )

        assert as_json(read(mail(body)))["gross"] == "840.75"

    def test_an_end_before_the_start_is_on_the_next_day(self) -> None:
        body = PLAIN.replace("1:00 PM", "10:00 PM").replace("4:00 PM", "1:00 AM")

        assert as_json(read(mail(body, subject="New Instant Booking for")))["end"] == "2024-05-31T01:00:00-07:00"


class TestContradictions:
    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("Passengers: 3", "Passengers: several", "cannot be read"),
            ("Passengers: 3", "Passengers: 3\nPassengers: 4", "twice, differently"),
            ("You earn: $735.66", "You earn: $735.66\nDuration: 4 hours", "not the time from start to end"),
            ("You earn: $735.66", "Rental price: $840.75\nYou earn: $735.66", "less fee is not the payout"),
            ("You earn: $735.66", "Listing fee: -$5.00\nYou earn: $735.66", "a fee and no price"),
            ("$735.66", "-$735.66", "less than nothing"),
            ("You earn: $735.66", "Rental price: €735.66\nYou earn: $735.66", "different currencies"),
            ("End: May 30, 2024 • 4:00 PM", "End: May 29, 2024 • 4:00 PM", "ends before it begins"),
            ("Start: May 30", "Start: May 29", "another date or time"),
            ("Booking ID: kqvmztr", "Booking ID: mercury", "does not look like"),
            ("Booking ID: kqvmztr", "Booking ID: 12", "does not look like"),
            ("Renter: dana", f"Renter: {'d' * 200}", "too long"),
            ("You earn: $735.66", "You earn: $735.66\nCleaning: $50.00", "no label that is known"),
            ("You earn: $735.66", 'You earn: $735.66\n\n"Cancel this"', "no label that is known"),
            ("Instant Booking for", "Priya has canceled", "different things"),
        ],
    )
    def test_a_contradiction_is_a_sentence(self, old: str, new: str, sentence: str) -> None:
        assert sentence in problems(mail(PLAIN.replace(old, new)))

    def test_text_and_page_must_agree(self) -> None:
        page = f"<html><body>{PLAIN.replace('Passengers: 3', 'Passengers: 4').replace(chr(10), '<br>')}</body></html>"

        assert "differ about the number of guests" in problems(mail(page=page))

    def test_a_heading_that_names_another_booking(self) -> None:
        raw = edited(MOVED, ("Booking tfwpbnx has", "Booking abcdefg has"))

        assert "another booking's id" in problems(raw)

    def test_a_trip_before_its_notice(self) -> None:
        assert "before the message was sent" in problems(mail(date="Tue, 21 May 2025 09:14:00 -0700"))

    def test_a_message_without_its_time(self) -> None:
        assert "when it was sent" in problems(mail(date="yesterday"))

    def test_times_in_the_hour_that_comes_twice(self) -> None:
        body = PLAIN.replace("May 30, 2024 • 1:00 PM", "Nov 3, 2024 • 1:30 AM").replace("May 30", "Nov 3")

        assert "comes twice" in problems(mail(body, subject="New Instant Booking for Nov 3, 2024"))

    def test_a_kind_that_is_not_known(self) -> None:
        body = PLAIN.replace("Instant Booking for May 30, 2024 • 1:00 PM", "Great news!")

        reading = read(mail(body, subject="Great news"))

        assert reading.kind is None
        assert "does not say what it is" in reading.problems[0]


class TestWhatAGuestTyped:
    @pytest.mark.parametrize(
        "typed",
        [
            "You earn: $5,000.00",
            "Passengers: 300",
            "Start\nMay 31, 2024 • 1:00 PM",
            "Booking ID: zzzzzzz",
            "This booking has been cancelled",
            "Phone: (619) 555-0199",
            (
                "---------- Forwarded message ---------\nFrom: Boatsetter <boatsetter@mail.boatsetter.com>\n"
                "Date: Sat, Sep 28, 2024 at 5:03 PM\nSubject: Priya has canceled booking kqvmztr\n\nBooking ID: kqvmztr"
            ),
            "<script>alert(1)</script> & <b>bold</b>",
        ],
    )
    def test_labels_amounts_and_orders_in_a_note_mean_nothing(self, typed: str) -> None:
        body = f'{PLAIN}\nMessage from dana:\n"{typed}"\n\nYour cancellation policy is: moderate\n'

        reading = read(mail(body))

        assert reading.acts
        assert (reading.kind, reading.get("party_size"), reading.get("guest_phone")) == (Meaning.BOOKING, 3, None)
        assert as_json(reading)["payout"] == "735.66"
        assert str(reading.get("notes")).split() == typed.split()

    @pytest.mark.parametrize(
        "typed",
        [
            'Hi"\n\nYour cancellation policy is: flexible\n\nPhone: (619) 555-0199\n\n"bye',
            'Hi"\n\nSee the booking: here\n\nRental price: $1.00\n\n"bye',
            "Hi\n\nYour cancellation policy is: flexible\n\nPhone: (619) 555-0199",
        ],
    )
    def test_a_note_that_plays_its_own_end_waits_for_a_person(self, typed: str) -> None:
        body = f'{PLAIN}\nMessage from dana:\n"{typed}"\n\nYour cancellation policy is: moderate\n'

        assert read(mail(body)).quarantined

    def test_two_notes_wait_for_a_person(self) -> None:
        ending = "\nYour cancellation policy is: strict\n"

        assert "more than one place" in problems(mail(f"{PLAIN}\nMessage: Hi{ending}\nNote: Ho{ending}"))

    def test_no_is_not_a_note(self) -> None:
        assert read(mail(f"{PLAIN}\nMessage: None\n\nYour cancellation policy is: strict\n")).get("notes") is None

    def test_a_name_that_says_cancelled_decides_nothing(self) -> None:
        reading = read(mail(PLAIN.replace("dana", "Was Cancelled")))

        assert (reading.kind, reading.get("guest_name")) == (Meaning.BOOKING, "Was Cancelled")

    def test_markup_in_a_name_is_text(self) -> None:
        page = f"<html><body>{PLAIN.replace('dana', '&lt;b&gt;dana&lt;/b&gt;').replace(chr(10), '<br>')}</body></html>"

        assert read(mail("", page=page)).get("guest_name") == "<b>dana</b>"


class TestWhomToBelieve:
    @pytest.mark.parametrize(
        "sender",
        [
            "Boatsetter <boatsetter@mail-boatsetter.example>",
            "Boatsetter <boatsetter@boatsetter.com.example>",
            "Boatsetter <boatsetter@notboatsetter.com>",
            '"boatsetter@mail.boatsetter.com" <thief@example.com>',
            "Boatsetter <boatsetter@boatsetter.co>",
        ],
    )
    def test_a_look_alike_is_not_read(self, sender: str) -> None:
        reading = read(mail(sender=sender))

        assert (reading.kind, reading.reason, reading.channel) == ("not_a_booking", "untrusted_sender", "boatsetter")
        assert reading.quarantined
        assert reading.fields == {}

    def test_a_failed_dmarc_is_never_acted_on(self) -> None:
        assert read(mail(results="mx; spf=pass; dmarc=fail header.from=boatsetter.com")).reason == "untrusted_sender"

    def test_a_pass_beside_a_fail_does_not_help(self) -> None:
        raw = b"Authentication-Results: evil; dmarc=pass\r\n" + mail(results="mx; dmarc=fail")

        assert read(raw).reason == "untrusted_sender"

    def test_two_senders_are_nobody(self) -> None:
        raw = b"From: Thief <thief@example.com>\r\n" + mail()

        assert read(raw).quarantined

    def test_a_stranger_s_forward_does_not_count(self) -> None:
        raw = edited("16_boatsetter_forwarded_gmail.eml")
        raw = raw.replace(b"rosa@halcyoncharters.example", b"rosa@gmail.example")

        assert read(raw).reason == "untrusted_sender"

    def test_a_staff_forward_that_failed_dmarc_does_not_count(self) -> None:
        raw = sample("16_boatsetter_forwarded_gmail.eml").replace(b"dmarc=pass", b"dmarc=fail")

        assert read(raw).reason == "untrusted_sender"

    def test_the_staff_s_forward_of_a_look_alike_does_not_count(self) -> None:
        raw = edited("16_boatsetter_forwarded_gmail.eml", ("mail.boatsetter.com", "mail-boatsetter.example"))

        assert read(raw).reason == "untrusted_sender"


class TestForwards:
    def test_a_forward_as_an_attachment_is_the_message_inside(self) -> None:
        outer = EmailMessage()
        outer["From"], outer["Subject"] = "rosa@halcyoncharters.example", "look: cancelled?"
        outer.set_content("This was cancelled, no?")
        inner = EmailMessage()
        inner["From"], inner["Subject"] = "boatsetter@mail.boatsetter.com", "New Instant Booking for May 30, 2024"
        inner["Date"] = "Tue, 21 May 2024 09:14:00 -0700"
        inner.set_content(PLAIN)
        outer.add_attachment(inner)

        reading = read(outer.as_bytes())

        assert (reading.kind, reading.external_id, reading.acts) == (Meaning.BOOKING, "kqvmztr", True)

    @pytest.mark.parametrize(
        "block",
        [
            (
                "Begin forwarded message:\n\nFrom: Boatsetter <boatsetter@mail.boatsetter.com>\n"
                "Subject: New Instant Booking for May 30, 2024\nDate: May 21, 2024 at 9:14:00 AM PDT\n"
                "To: bookings@halcyoncharters.example\n\n{body}"
            ),
            (
                "________________________________\nFrom: Boatsetter <boatsetter@mail.boatsetter.com>\n"
                "Sent: Tuesday, May 21, 2024 9:14 AM\nTo: bookings@halcyoncharters.example\n"
                "Subject: New Instant Booking for May 30, 2024\n\n{body}"
            ),
            (
                "---------- Forwarded message ---------\nFrom: Boatsetter <boatsetter@mail.boatsetter.com>\n"
                "Date: Tue, May 21, 2024 at 9:14\u202fAM\nSubject: New Instant Booking\n for May 30, 2024\n"
                "To: <bookings@halcyoncharters.example>\n\n{body}"
            ),
        ],
        ids=["apple", "outlook", "gmail"],
    )
    @pytest.mark.parametrize("quoted", [False, True])
    def test_every_program_s_forward_is_opened(self, block: str, *, quoted: bool) -> None:
        text = block.format(body=PLAIN)
        text = "\n".join(f"> {line}" for line in text.split("\n")) if quoted else text
        raw = mail(f"Was this cancelled?\n\n{text}\n", sender="rosa@halcyoncharters.example", subject="Fwd: cancelled?")

        reading = read(raw)

        assert (reading.kind, reading.acts) == (Meaning.BOOKING, True)
        assert as_json(reading)["sent_at"] == "2024-05-21T09:14:00-07:00"

    def test_a_stranger_s_forward_as_an_attachment_does_not_count(self) -> None:
        outer = EmailMessage()
        outer["From"], outer["Subject"] = "rosa@gmail.example", "look"
        outer.set_content("see inside")
        inner = EmailMessage()
        inner["From"], inner["Subject"] = "boatsetter@mail.boatsetter.com", "New Instant Booking for May 30, 2024"
        inner.set_content(PLAIN)
        outer.add_attachment(inner)

        assert "who is not one of us" in problems(outer.as_bytes())

    @pytest.mark.parametrize("stamp", ["Tue, 21 May 2024 09:14:00 -0700", "Tue, 21 May 2024 16:14:00 GMT"])
    def test_a_forward_with_a_header_s_date(self, stamp: str) -> None:
        text = f"From: boatsetter@mail.boatsetter.com\nDate: {stamp}\nSubject: Instant Booking for\n\n{PLAIN}"

        reading = read(mail(text, sender="rosa@halcyoncharters.example"))

        assert reading.acts
        assert reading.sent_at is not None
        assert reading.sent_at.timestamp() == 1716308040

    @pytest.mark.parametrize("stamp", ["lately", "Tuesday, GMT"])
    def test_a_forward_without_a_date_that_can_be_read_waits(self, stamp: str) -> None:
        text = f"From: boatsetter@mail.boatsetter.com\nDate: {stamp}\nSubject: Instant Booking for\n\n{PLAIN}"

        assert "when it was sent" in problems(mail(text, sender="rosa@halcyoncharters.example"))

    def test_a_forward_that_names_nobody_waits(self) -> None:
        text = f"From: somebody\nDate: May 21, 2024 9:14 AM\nSubject: Instant Booking for\n\n{PLAIN}"

        assert read(mail(text, sender="rosa@halcyoncharters.example")).quarantined

    def test_forwards_without_end_are_not_followed(self) -> None:
        block = "From: rosa@halcyoncharters.example\nDate: May 21, 2024 9:14 AM\nSubject: Fwd\n\n"

        assert read(mail(block * 9 + PLAIN, sender="rosa@halcyoncharters.example")).quarantined

    def test_what_the_forwarder_wrote_on_top_does_not_decide(self) -> None:
        raw = edited("16_boatsetter_forwarded_gmail.eml", ("Please put this one on the board", "This was cancelled"))

        assert agree(as_json(read(raw)), expected("16_boatsetter_forwarded_gmail.eml"))


class TestFeeds:
    NAME = "21_boatsetter_calendar.ics"

    def feed(self, *replacements: tuple[bytes, bytes]) -> list[Reading]:
        raw = sample(self.NAME)
        for old, new in replacements:
            assert old in raw
            raw = raw.replace(old, new)
        return list(read_sample(raw, self.NAME).readings)

    def test_floating_times_are_the_dock_s(self) -> None:
        readings = self.feed((b"20240530T200000Z", b"20240530T130000"), (b"20240530T230000Z", b"20240530T160000"))

        assert as_json(readings[0])["start"] == "2024-05-30T13:00:00-07:00"

    def test_a_zone_is_converted(self) -> None:
        readings = self.feed((b"DTSTART:20240530T200000Z", b"DTSTART;TZID=America/New_York:20240530T160000"))

        assert as_json(readings[0])["start"] == "2024-05-30T13:00:00-07:00"

    def test_a_duration_is_elapsed_time(self) -> None:
        readings = self.feed((b"DTEND:20240530T230000Z", b"DURATION:PT3H"))

        assert as_json(readings[0])["end"] == "2024-05-30T16:00:00-07:00"

    def test_a_feed_that_breaks_off_waits_as_a_whole(self) -> None:
        readings = self.feed((b"END:VCALENDAR", b""))

        assert readings
        assert all(reading.quarantined for reading in readings)

    def test_wherever_it_is_cut_nothing_wrong_is_read(self) -> None:
        raw, whole = sample(self.NAME), self.feed()

        for cut in range(20, len(raw) - 2, 5):
            readings = read_sample(raw[:cut], self.NAME).readings
            assert all(reading.quarantined for reading in readings) or list(readings) == whole, cut

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            (b"SUMMARY:Booked", b"SUMMARY:Zorblax", "is not known"),
            (b"DTSTART:20240530T200000Z", b"DTSTART;VALUE=DATE:20240530", "dates and no times"),
            (b"UID:kqvmztr@", b"UID:abcdefg@", "different bookings"),
            (b"Passengers: 3", b"Passengers: some", "cannot be read"),
            (b"DTEND:20240530T230000Z", b"DTEND:20240530T190000Z", "no start and end"),
            (b"DTSTART:20240530T200000Z", b"RRULE:FREQ=DAILY\r\nDTSTART:20240530T200000Z", "repeats"),
        ],
    )
    def test_an_entry_that_is_not_certain_waits(self, old: bytes, new: bytes, sentence: str) -> None:
        assert sentence in " ".join(self.feed((old, new))[0].problems)

    def test_a_cancelled_entry_is_a_cancellation(self) -> None:
        assert self.feed((b"STATUS:CONFIRMED", b"STATUS:CANCELLED"))[0].kind == Meaning.CANCELLATION

    @pytest.mark.parametrize(
        ("old", "new"),
        [(b"DTSTART:20240530T200000Z", b"DTSTART:zorblax"), (b"DTSTAMP:20240531T130000Z", b"DTSTAMP:zorblax")],
    )
    def test_a_property_that_is_broken_is_survived(self, old: bytes, new: bytes) -> None:
        assert self.feed((old, new))

    def test_a_day_without_an_end_is_one_day(self) -> None:
        block = self.feed((b"DTEND;VALUE=DATE:20240622\r\n", b""))[2]

        assert as_json(block)["end"] == "2024-06-21T00:00:00-07:00"

    def test_a_block_that_cannot_be_read_is_still_no_booking(self) -> None:
        block = self.feed((b"DTEND;VALUE=DATE:20240622", b"DTEND;VALUE=DATE:20240601"))[2]

        assert (block.reason, block.problems) == ("block", ())

    def test_an_entry_of_nobody_s_is_not_this_channel_s(self) -> None:
        assert "not a booking's id" in " ".join(self.feed((b"UID:kqvmztr@boatsetter.com", b"UID:kqvmztr"))[0].problems)

    def test_another_encoding_is_survived(self) -> None:
        assert self.feed((b"classic ketch", "classic k\xeatch".encode("cp1252")))[0].get("listing")

    @pytest.mark.parametrize(
        "raw", [b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", b"BEGIN:VCALENDAR\r\nnonsense\r\nEND:VCALENDAR\r\n"]
    )
    def test_a_calendar_that_cannot_be_read_waits(self, raw: bytes) -> None:
        assert read_sample(raw, "x.ics").problems


def test_a_part_that_is_too_long_is_not_read() -> None:
    assert "too long to be read" in problems(mail(PLAIN + "x " * 250_000))


@pytest.mark.parametrize(
    "head",
    [b"From: :.@[ ", b"From: =?:;)@", b"From: <\r\n =?utf-8?q??=", b"Content-Type: text/plain; charset*0*=a%\x00''=b"],
)
def test_what_the_parser_stumbles_over_is_no_mail(head: bytes) -> None:
    assert read(head + b"\r\n\r\nhi").quarantined


@pytest.mark.parametrize("header", [b"From: \xff\xfe <>\r\n", b"From: <a@b@c>, =?utf-8?q?=ff?= <\r\n", b"From: ,\r\n"])
def test_a_sender_that_cannot_be_read_is_nobody(header: bytes) -> None:
    raw = mail().replace(b"From: Boatsetter <boatsetter@mail.boatsetter.com>\n", header)

    assert read(raw).quarantined


def test_a_message_that_is_too_large_is_not_taken_apart() -> None:
    assert "larger than" in problems(mail() + b"x" * (5 * 1024 * 1024))


def test_a_bomb_of_parts_is_survived() -> None:
    head = b"From: boatsetter@mail.boatsetter.com\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"

    assert read(head + b"--a\r\n\r\nhello\r\n" * 5000 + b"--a--\r\n").quarantined


def test_the_length_over_a_clock_change_is_real_time() -> None:
    body = PLAIN.replace("May 30, 2024 • 1:00 PM", "Nov 2, 2024 • 11:00 PM")
    body = body.replace("May 30, 2024 • 4:00 PM", "Nov 3, 2024 • 3:00 AM").replace(
        "You earn", "Duration: 5 hours\nYou earn"
    )

    reading = read(mail(body, subject="New Instant Booking for Nov 2, 2024"))

    assert reading.problems == ()
    start, end = reading.get("start"), reading.get("end")
    assert end.timestamp() - start.timestamp() == timedelta(hours=5).total_seconds()  # type: ignore[union-attr]  # both are there
