"""How looks are taken: each by itself, none longer than the deadline."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
from django.db import OperationalError

from jada.failures import Misconfigured
from jada.findings import Check, Finding, Level, Unseen, ok, run


def check(*codes: str, breaks: Exception | None = None, says: tuple[str, ...] = (), far: bool = True) -> Check:
    def look() -> Iterator[Finding]:
        for code in says:
            yield ok(code, "It is there.")
        if breaks is not None:
            raise breaks

    return Check(codes, look, mend="manage.py mend", far=far)


def levels(*checks: Check, patience: float = 5) -> dict[str, str]:
    return {finding.code: finding.level.value for finding in run(checks, patience=patience)}


def test_come_in_the_order_of_the_checks() -> None:
    found = run([check("a", says=("a",)), check("b", says=("b",), far=False), check("c", says=("c",))])

    assert [finding.code for finding in found] == ["a", "b", "c"]


@pytest.mark.parametrize("far", [True, False])
@pytest.mark.parametrize("breaks", [KeyError("x"), OperationalError("away"), Misconfigured("No.")])
def test_one_that_breaks_is_in_error_where_it_broke_and_hides_no_other(far: bool, breaks: Exception) -> None:
    broken = check("a.one", "a.two", "a.three", says=("a.one",), breaks=breaks, far=far)

    assert levels(broken, check("b", says=("b",))) == {"a.one": "ok", "a.two": "error", "b": "ok"}


def test_one_that_may_not_look_does_not_know() -> None:
    [found] = run([check("a", breaks=Unseen("It may not.", mend="manage.py allow"))])

    assert found == Finding("a", Level.WARNING, "It may not.", "manage.py allow")


def test_what_broke_is_told_without_what_it_said() -> None:
    [found] = run([check("a", breaks=ValueError("the password is swordfish"))])

    assert "ValueError" in found.said
    assert "swordfish" not in found.said


def test_silence_costs_one_deadline_however_many_ask() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and never answers
        opened: list[socket.socket] = []

        def ask() -> Iterator[Finding]:
            yield ok("silent.door", "It opens.")
            with socket.create_connection(silent.getsockname()) as connection:
                opened.append(connection)
                connection.recv(1)

        began = monotonic()
        asks = [Check((f"silent.{n}.door", f"silent.{n}.answer"), ask, "ping") for n in range(5)]
        found = levels(*asks, check("b", says=("b",)), patience=0.3)
        took = monotonic() - began
        for connection in opened:
            connection.shutdown(socket.SHUT_RDWR)
        for thread in [t for t in threading.enumerate() if t.name.startswith("preflight-silent")]:
            thread.join(5)

    assert took < 2
    assert found["b"] == "ok"
    assert [level for code, level in found.items() if code.endswith(".door") and code != "silent.door"] == ["error"] * 5


def test_the_network_is_asked_beside_and_the_database_from_here() -> None:
    threads = {}

    def noting(code: str, *, far: bool) -> Check:
        def look() -> Iterator[Finding]:
            threads[code] = threading.current_thread()
            yield ok(code, "Noted.")

        return Check((code,), look, "none", far=far)

    list(run([noting("far", far=True), noting("near", far=False)]))

    assert threads["near"] is threading.current_thread()
    assert threads["far"] is not threading.current_thread()
