import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests import codes
from guests.codes import NotACode

START = datetime(2026, 11, 7, 14, 30, tzinfo=UTC)


def test_a_new_code_has_ten_letters_of_the_alphabet() -> None:
    assert re.fullmatch(f"[{codes.ALPHABET}]{{10}}", codes.new_code())


def test_the_pattern_and_the_alphabet_are_one() -> None:
    letter = re.compile(codes.CODE_PATTERN.removesuffix("{7,16}"))

    assert {chr(n) for n in range(128) if letter.fullmatch(chr(n))} == set(codes.ALPHABET)


def test_new_codes_differ() -> None:
    assert len({codes.new_code() for _ in range(200)}) == 200


@given(st.integers(7, 16).map(codes.new_code))
def test_every_new_code_is_a_code_in_either_case(code: str) -> None:
    assert codes.normalise(code.lower()) == codes.normalise(code) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "XHQGMD",
        "X" * 17,
        "XHQGMDI",
        "XHQGMDL",
        "XHQGMDO",
        "XHQGMDU",
        "XHQGMDH\n",
        " XHQGMDH",
        "XHQ/MDH",
        "ſHQGMDH",
        "XHQGMDH٣",
    ],
)
def test_refuses_what_is_no_code(text: str) -> None:
    with pytest.raises(NotACode):
        codes.normalise(text)


def test_keys_are_lower_case_whatever_was_printed() -> None:
    assert codes.guest_key("XHQGMDH") == codes.guest_key("xhqgmdh") == "g/xhqgmdh.html"
    assert codes.ics_key("XHQGMDH") == "g/xhqgmdh.ics"


def test_both_spellings_of_a_page_and_its_calendar_file_are_public() -> None:
    assert codes.public_paths("xhqgmdh") == ("/g/xhqgmdh.html", "/g/xhqgmdh.ics", "/g/XHQGMDH")


@pytest.mark.parametrize(
    ("hour", "minute", "part"),
    [
        (0, 0, "morning"),
        (11, 59, "morning"),
        (12, 0, "afternoon"),
        (15, 59, "afternoon"),
        (16, 0, "sunset"),
        (23, 59, "sunset"),
    ],
)
def test_a_slug_names_the_part_of_the_day(hour: int, minute: int, part: str) -> None:
    start = START.replace(hour=hour, minute=minute)

    assert codes.slug_for("Jonas", start) == f"2026-11-07-jonas-{part}"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Zoë", "zoe"),
        ("Søren", "soren"),
        ("O’Neil", "oneil"),
        ("Anne-Marie", "annemarie"),
        ("Łukasz", "lukasz"),
        ("李", "guest"),
        ("", "guest"),
    ],
)
def test_a_slug_is_plain_ascii(name: str, plain: str) -> None:
    assert codes.slug_for(name, START) == f"2026-11-07-{plain}-afternoon"


@given(st.text(max_size=60))
def test_every_name_makes_a_slug_that_the_edge_knows(name: str) -> None:
    assert re.fullmatch(codes.SLUG_PATTERN, codes.slug_for(name, START))


@pytest.mark.parametrize(
    ("full", "first"),
    [
        ("Maya Lindqvist", "Maya"),
        ("Lindqvist, Maya", "Maya"),
        ("Dr. Ana Ruiz", "Ana"),
        ("capt Leo", "Leo"),
        ("  ", ""),
        ("Cher", "Cher"),
        ("Smith,", ""),
    ],
)
def test_the_first_name_in_a_full_one(full: str, first: str) -> None:
    assert codes.first_name(full) == first
