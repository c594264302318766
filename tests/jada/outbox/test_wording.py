"""What two texts say differently, and what of it may be said aloud."""

from jada.outbox.wording import entry_facts, told_differently


def page(text: str) -> bytes:
    return f"<html><style>p {{ top: 4:30 }}</style><p>{text}</p><!-- v=3 --></html>".encode()


def test_a_time_is_told_with_its_half_of_the_day() -> None:
    found, wanted = page("Leaves <b>4:30</b> PM, Dana"), page("Leaves <b>3:30</b> PM, Dana")

    assert told_differently(found, wanted) == ("4:30 PM", "3:30 PM")


def test_a_time_that_stands_there_twice_is_told_once() -> None:
    found, wanted = page("4:30 PM, Dana, be there: 4:30 PM"), page("3:30 PM, Dana, be there: 3:30 PM")

    assert told_differently(found, wanted) == ("4:30 PM", "3:30 PM")


def test_a_name_or_a_gate_code_is_not_told() -> None:
    assert told_differently(page("Gate 4711"), page("Gate 8822")) is None
    assert told_differently(page("Hello Dana"), page("Hello Robin")) is None


def test_the_time_is_told_though_a_name_differs_too() -> None:
    assert told_differently(page("Dana at 4:30 PM"), page("Robin at 3:30 PM")) == ("4:30 PM", "3:30 PM")


def test_the_same_words_in_other_marks_are_no_difference_of_text() -> None:
    assert told_differently(b"<p>at 4:30 PM</p>", b"<i>at</i> 4:30 PM") is None


def test_an_entry_is_read_though_its_lines_are_folded() -> None:
    body = (
        b"BEGIN:VEVENT\r\nDTSTART;TZID=America/Los_\r\n Angeles:20261107T153000\r\nSTATUS:CONFIRMED\r\n"
        b"SUMMARY:Sailing\r\nBEGIN:VALARM\r\nSTATUS:X\r\nEND:VALARM\r\n"
    )

    assert entry_facts(body) == {"dtstart": "20261107T153000", "status": "CONFIRMED"}
