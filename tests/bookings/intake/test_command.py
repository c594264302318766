from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from bookings.intake import services
from bookings.intake.models import IntakeEvent, IntakeMessage
from bookings.models import Booking
from jada.audit.models import Event
from tests.bookings.intake.samples import FOLDER, edited, expected, sample
from tests.factories.intake import fleet

pytestmark = pytest.mark.django_db

INSTANT, CALENDAR = "01_boatsetter_instant.eml", "21_boatsetter_calendar.ics"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("intake", *arguments, stdout=out)
    return out.getvalue()


def at(name: str) -> str:
    return str(FOLDER / name)


class TestDryRun:
    def test_it_writes_nothing(self) -> None:
        fleet()

        run(at(INSTANT), at(CALENDAR), "--dry-run")

        assert not any(model.objects.exists() for model in (IntakeMessage, IntakeEvent, Booking, Event))

    @pytest.mark.parametrize("name", [INSTANT, CALENDAR])
    def test_one_file_is_one_object(self, name: str) -> None:
        assert json.loads(run(at(name), "--dry-run", "--json")) == expected(name)

    def test_several_files_are_a_list_in_their_order(self) -> None:
        answer = json.loads(run(at(CALENDAR), at(INSTANT), "--dry-run", "--json"))

        assert answer == [expected(CALENDAR), expected(INSTANT)]

    def test_for_people_there_is_no_amount_and_no_contact(self) -> None:
        said = run(at("02_boatsetter_approved_html_only.eml"), "--dry-run")

        assert "booking tfwpbnx, Boatsetter, Marcus Ferrell, Sat 8 Jun 2024, 10:00 AM to 2:00 PM, 6 guests." in said
        assert not any(secret in said for secret in ("512.40", "555", "example.com\n"))

    def test_what_waits_for_a_person_says_why(self) -> None:
        said = run(at("08_getmyboat_confirmed_base64.eml"), "--dry-run")

        assert "waits for a person" in said
        assert "No adapter knows the sender noreply@getmyboat.com" in said

    def test_no_booking_is_called_none(self) -> None:
        assert "no booking (payout), Boatsetter." in run(at("06_boatsetter_payout.eml"), "--dry-run")

    def test_standard_input_is_a_file_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sample(INSTANT))))

        assert json.loads(run("-", "--dry-run", "--json")) == expected(INSTANT)


class TestForReal:
    def test_a_booking_is_made_and_named(self) -> None:
        fleet()

        said = run(at(INSTANT))

        assert f"acted on: {Booking.objects.get().ref} confirmed." in said

    def test_the_same_file_again_does_nothing_and_says_so(self) -> None:
        fleet()
        run(at(INSTANT))

        said = run(at(INSTANT))

        assert "came before, nothing was done" in said
        assert Booking.objects.count() == 1

    def test_programs_hear_what_became_of_it(self) -> None:
        fleet()

        answer = json.loads(run(at(INSTANT), "--json"))

        assert answer.pop("outcome") == {
            "state": "acted",
            "bookings": [Booking.objects.get().ref],
            "problems": [],
            "new": True,
        }
        assert answer == expected(INSTANT)

    def test_a_feed_keeps_its_shape(self) -> None:
        fleet()

        answer = json.loads(run(at(CALENDAR), "--json"))

        assert answer["records"] == expected(CALENDAR)["records"]
        assert len(answer["outcome"]["bookings"]) == 2

    def test_an_unreadable_mail_is_kept_and_listed(self, tmp_path: Path) -> None:
        file = tmp_path / "noise.eml"
        file.write_bytes(b"\x00\x01\x02 noise")

        said = run(str(file))

        assert "waits for a person" in said
        assert "It is kept, and waits in the intake inbox because:" in said
        assert IntakeMessage.objects.get().name == "noise.eml"


class TestWithoutADatabase:
    @pytest.fixture(autouse=True)
    def _no_tables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise OperationalError("no such table: intake_listing")

        monkeypatch.setattr(services, "preview", refuse)
        monkeypatch.setattr(services, "accept_message", refuse)

    def test_a_dry_run_reads_all_the_same(self) -> None:
        assert json.loads(run(at(INSTANT), "--dry-run", "--json")) == expected(INSTANT)

    def test_taking_in_says_what_to_do(self) -> None:
        with pytest.raises(CommandError, match=r"has `manage\.py migrate` been run"):
            run(at(INSTANT))


def test_an_empty_calendar_says_so(tmp_path: Path) -> None:
    raw = sample(CALENDAR)
    file = tmp_path / "empty.ics"
    file.write_bytes(raw[: raw.index(b"BEGIN:VEVENT")] + b"END:VCALENDAR\r\n")

    assert "nothing in it." in run(str(file), "--dry-run")
    assert "nothing to do." in run(str(file))


def test_a_booking_without_its_times_is_still_named(tmp_path: Path) -> None:
    file = tmp_path / "odd.eml"
    file.write_bytes(edited("02_boatsetter_approved_html_only.eml", (">Start<", ">Zorblax<")))

    assert "booking tfwpbnx, Boatsetter, Marcus Ferrell, 6 guests; waits for a person." in run(str(file), "--dry-run")


def test_a_name_that_no_text_can_hold_is_kept_without_what_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "m\udcff.eml"
    file.write_bytes(b"noise")

    run(str(file))

    assert IntakeMessage.objects.get().name == "m.eml"


class TestPaths:
    @pytest.mark.parametrize("path", ["/no/such/file.eml", "\0"])
    def test_a_path_that_is_not_there_ends_it_before_anything_is_done(self, path: str) -> None:
        fleet()

        with pytest.raises(CommandError, match="cannot be read") as error:
            run(at(INSTANT), path)

        assert error.value.returncode == 2
        assert not IntakeMessage.objects.exists()

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="is a folder") as error:
            run(str(tmp_path))

        assert error.value.returncode == 2
