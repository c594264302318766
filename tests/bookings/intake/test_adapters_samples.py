"""Every Boatsetter sample is read as a person reads it; whatever is done to it, it reads the same or waits for a person."""

from __future__ import annotations

import base64
import re
from email import policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookings.intake.adapters.base import Adapter
from bookings.intake.adapters.boatsetter import BOATSETTER
from bookings.intake.adapters.record import as_json, sheet_as_json
from tests.bookings.intake.samples import (
    BOATSETTER_MAILS,
    OTHERS,
    TRIPS,
    agree,
    edited,
    expected,
    parsed,
    read_sample,
    sample,
)

THINGS = set(BOATSETTER.labels["extras"])  # what was added to the trip: not in the record unless it is an amount
LABELS = sorted(
    ({label for labels in BOATSETTER.labels.values() for label in labels} - THINGS)
    | set(BOATSETTER.id.labels)
    | {"message from"}
)


def same_or_quarantined(raw: bytes, name: str) -> bool:
    reading = read_sample(raw).readings[0]
    return reading.quarantined or agree(as_json(reading), expected(name))


def renamed(name: str, label: str, nonsense: str) -> list[bytes]:
    """The sample with a label renamed in every part; nothing if it has no such label."""
    spelled = re.compile(rf"(?m)(?<=[>\n]){re.escape(label)}(?=[ :<\r\n(])", re.IGNORECASE)
    message = parsed(name)
    changed = False
    for part in message.walk():
        if part.get_content_maintype() == "text":
            text, count = spelled.subn(nonsense, part.get_content())
            changed |= bool(count)
            part.set_content(text, subtype=part.get_content_subtype(), charset="utf-8")
    return [message.as_bytes(policy=policy.SMTP)] if changed else []


class TestSamples:
    @pytest.mark.parametrize("name", BOATSETTER_MAILS)
    def test_a_mail_is_read_as_a_person_reads_it(self, name: str) -> None:
        assert agree(sheet_as_json(read_sample(sample(name), name)), expected(name))

    @pytest.mark.parametrize("name", TRIPS)
    def test_a_trip_is_read_exactly_and_acted_on(self, name: str) -> None:
        sheet = read_sample(sample(name), name)

        assert sheet_as_json(sheet) == expected(name)
        assert sheet.readings[0].acts

    def test_the_calendar_is_read_entry_by_entry(self) -> None:
        name = "21_boatsetter_calendar.ics"

        assert sheet_as_json(read_sample(sample(name), name)) == expected(name)

    @pytest.mark.parametrize("name", OTHERS)
    def test_a_channel_without_an_adapter_waits_for_a_person(self, name: str) -> None:
        reading = read_sample(sample(name), name).readings[0]

        assert reading.kind is None
        assert "No adapter knows the sender" in reading.problems[0]

    @pytest.mark.parametrize(
        "name", ["20_fareharbor_webhook.json", "22_airbnb_calendar.ics", "25_fareharbor_bookings.csv"]
    )
    def test_a_form_without_an_adapter_waits_for_a_person(self, name: str) -> None:
        assert read_sample(sample(name), name).problems


class TestOtherForms:
    @pytest.mark.parametrize("name", BOATSETTER_MAILS)
    @pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
    @pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
    def test_an_encoding_changes_nothing(self, name: str, encoding: str, charset: str) -> None:
        message = parsed(name)
        for part in message.walk():
            if part.get_content_maintype() == "text":
                text = part.get_content()
                part.set_content(text, subtype=part.get_content_subtype(), charset=charset, cte=encoding)

        raw = message.as_bytes(policy=policy.SMTP.clone(cte_type="8bit"))

        assert agree(as_json(read_sample(raw).readings[0]), expected(name))

    @pytest.mark.parametrize("name", BOATSETTER_MAILS)
    def test_bare_line_feeds_change_nothing(self, name: str) -> None:
        raw = sample(name).replace(b"\r\n", b"\n")

        assert agree(as_json(read_sample(raw).readings[0]), expected(name))

    @pytest.mark.parametrize("name", TRIPS)
    def test_a_wrong_charset_label_is_survived(self, name: str) -> None:
        raw = sample(name).replace(b'charset="utf-8"', b'charset="x-nonsense"')

        assert agree(as_json(read_sample(raw).readings[0]), expected(name))

    @pytest.mark.parametrize("label", [b"iso-8859-1", b"us-ascii", b"utf-8"])
    def test_windows_bytes_under_another_label_are_read_as_browsers_read_them(self, label: bytes) -> None:
        name = "03_boatsetter_modified_text_only.eml"
        raw = sample(name).decode().encode("cp1252").replace(b'charset="utf-8"', b'charset="' + label + b'"')

        assert agree(as_json(read_sample(raw).readings[0]), expected(name))

    @pytest.mark.parametrize("name", BOATSETTER_MAILS)
    @pytest.mark.parametrize("width", [16, 20, 24, 30, 40, 60])
    def test_a_text_that_was_wrapped_anew_reads_the_same_or_waits(self, name: str, width: int) -> None:
        message = parsed(name)
        for part in message.walk():
            if part.get_content_type() == "text/plain":
                wrapped = re.sub(rf"(.{{1,{width}}})(?: +|$)", r"\1\n", part.get_content(), flags=re.MULTILINE)
                part.set_content(re.sub(r"\n\n", "\n", wrapped) if width == 16 else wrapped)

        assert same_or_quarantined(message.as_bytes(policy=policy.SMTP), name)

    @pytest.mark.parametrize("name", BOATSETTER_MAILS)
    def test_wherever_it_is_cut_it_reads_the_same_or_waits(self, name: str) -> None:
        raw = sample(name)
        body = raw.index(b"\r\n\r\n")

        wrong = [cut for cut in range(body, len(raw), 13) if not same_or_quarantined(raw[:cut], name)]

        assert wrong == []

    @pytest.mark.parametrize("name", ["02_boatsetter_approved_html_only.eml", "03_boatsetter_modified_text_only.eml"])
    def test_wherever_a_base64_body_is_cut_it_reads_the_same_or_waits(self, name: str) -> None:
        message = parsed(name)
        content = message.get_payload(decode=True)
        assert isinstance(content, bytes)
        head = (
            sample(name).partition(b"\r\n\r\n")[0].replace(b"quoted-printable", b"base64").replace(b"8bit", b"base64")
        )

        for cut in range(0, len(content), 11):
            raw = head + b"\r\n\r\n" + base64.encodebytes(content[:cut]).replace(b"\n", b"\r\n")
            assert same_or_quarantined(raw, name), cut

    @given(noise=st.binary(max_size=300), position=st.integers(0, 4000))
    @settings(max_examples=60, deadline=None)
    def test_no_noise_makes_it_fall_over(self, noise: bytes, position: int) -> None:
        raw = sample("01_boatsetter_instant.eml")

        read_sample(raw[:position] + noise + raw[position:])

    @given(raw=st.binary(max_size=400))
    @settings(max_examples=60, deadline=None)
    def test_what_is_no_mail_at_all_waits_for_a_person(self, raw: bytes) -> None:
        assert read_sample(raw).readings[0].quarantined


class TestRenamedLabels:
    @pytest.mark.parametrize("name", TRIPS)
    def test_a_renamed_label_waits_for_a_person(self, name: str) -> None:
        texts = [raw for label in LABELS if label != "boat" for raw in renamed(name, label, "Zorblax")]

        acted = [raw for raw in texts if not read_sample(raw).readings[0].quarantined]

        assert len(texts) >= 7
        assert acted == []

    @pytest.mark.parametrize("name", TRIPS)
    def test_a_renamed_label_never_makes_a_wrong_record(self, name: str) -> None:
        texts = [raw for label in [*LABELS, *THINGS] for raw in renamed(name, label, "Zor blax quux")]

        assert all(same_or_quarantined(raw, name) for raw in texts)

    def test_a_title_under_an_unknown_label_is_not_taken_for_an_unlabelled_one(self) -> None:
        [raw] = renamed("02_boatsetter_approved_html_only.eml", "boat", "Zorblax")

        assert read_sample(raw).readings[0].quarantined

    @pytest.mark.parametrize("label", sorted(THINGS | BOATSETTER.ignored))
    def test_a_renamed_label_of_what_nobody_records_changes_nothing(self, label: str) -> None:
        raw = edited("01_boatsetter_instant.eml", (label.capitalize(), "Zorblax"))

        assert same_or_quarantined(raw, "01_boatsetter_instant.eml")

    @pytest.mark.parametrize("name", TRIPS)
    def test_a_changed_opening_waits_for_a_person(self, name: str) -> None:
        heading = {"01": "Instant Booking", "02": "approved", "03": "has been updated", "04": "has canceled"}
        phrase = heading.get(name[:2], "Instant Booking")

        reading = read_sample(edited(name, (phrase, "zorblax"))).readings[0]

        assert reading.quarantined

    def test_an_unknown_label_is_shown_so_that_the_vocabulary_can_grow(self) -> None:
        raw = edited("01_boatsetter_instant.eml", ("Rental price", "Hire charge"))

        assert "Hire charge" in read_sample(raw).readings[0].unknown_labels


def test_every_label_of_the_adapter_is_lower_case_and_names_one_field() -> None:
    def labels(adapter: Adapter) -> list[str]:
        return [label for group in adapter.labels.values() for label in group] + list(adapter.id.labels)

    assert len(labels(BOATSETTER)) == len(set(labels(BOATSETTER)))
    assert all(label == label.casefold() for label in labels(BOATSETTER))
