"""Every fault that we say we survive is played by a test of its number, in the file that the table names."""

from __future__ import annotations

import re
from pathlib import Path

import tests.faults

TESTS = Path(tests.faults.__file__).parents[1]
ALL = range(1, 37)


def written() -> dict[int, set[str]]:
    """{number: files} of the table."""
    rows = re.findall(r"^\| F(\d+) \|[^|]+\| ([^|]+) \|$", tests.faults.__doc__ or "", re.MULTILINE)
    return {int(number): set(files.split(", ")) for number, files in rows}


def played() -> dict[int, set[str]]:
    """{number: files} of the tests that bear one."""
    found: dict[int, set[str]] = {}
    for file in TESTS.rglob("test_*.py"):
        for number in re.findall(r"^ *def test_f(\d\d)_", file.read_text(), re.MULTILINE):
            found.setdefault(int(number), set()).add(file.relative_to(TESTS).as_posix())
    return found


def test_no_fault_is_without_its_test() -> None:
    assert [number for number in ALL if number not in played()] == []


def test_the_table_says_where_each_is_played() -> None:
    assert written() == played()
