"""Places where a fault can be ordered. What each costs is proved in tests/faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError

from jada.outbox import failpoints
from jada.outbox.failpoints import Planned, fp


@pytest.fixture(autouse=True)
def _counted_from_here() -> Iterator[None]:
    failpoints.forget()
    yield
    failpoints.forget()


def test_nothing_happens_unless_it_is_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAILPOINT", raising=False)

    for name in failpoints.NAMES:
        fp(name)

    assert failpoints.passed() == {}


def test_the_nth_passing_of_a_place_fails_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILPOINT", "after_claim:raise:2")

    fp("after_claim")
    fp("before_record")
    with pytest.raises(Planned, match="after_claim"):
        fp("after_claim")
    fp("after_claim")

    assert failpoints.passed() == {"after_claim": 3, "before_record": 1}


def test_several_may_be_ordered_each_of_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILPOINT", "after_claim:raise:1,before_record:dberror:1")

    with pytest.raises(Planned):
        fp("after_claim")
    with pytest.raises(OperationalError):
        fp("before_record")


def test_a_hanging_place_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    stood: list[str] = []
    monkeypatch.setattr(failpoints, "stand_still", stood.append)
    monkeypatch.setenv("FAILPOINT", "in_sweep:hang:1")

    fp("in_sweep")

    assert stood == ["in_sweep"]
