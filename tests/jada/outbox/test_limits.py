"""Messages leave no faster than their service takes them; what comes too early comes later and keeps its attempt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from jada.outbox import claims, delivery, host, registry
from jada.outbox.entries import enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect, Limit
from jada.outbox.registry import Work

pytestmark = pytest.mark.django_db(transaction=True)


class Post:
    def prepare(self, work: Work) -> str:
        return work.key

    def send(self, prepared: str, work: Work) -> dict[str, str]:
        return {}

    def in_doubt(self, work: Work) -> str:
        return "hold"


@pytest.fixture
def rate(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    monkeypatch.setattr(registry, "_topics", {})
    rates = [0.5]
    registry.courier("post", service="ses", rate=lambda: rates[0])(Post)
    yield rates


def say(count: int) -> None:
    with transaction.atomic():
        for number in range(count):
            enqueue_message("post", f"{number}", lane=f"mail:{number}", fact=f"{number}")


def test_the_second_of_two_waits_for_its_turn(rate: list[float]) -> None:
    say(2)

    taken = delivery.claim(limit=5)

    later = Effect.objects.get(state=State.PENDING)
    assert len(taken) == 1
    assert 1 < (later.run_at - now()).total_seconds() <= 2
    assert later.attempts == 0


def test_those_that_wait_come_one_after_the_other(rate: list[float]) -> None:
    say(4)

    delivery.claim(limit=5)

    first, second, third = Effect.objects.filter(state=State.PENDING).order_by("pk")
    assert (second.run_at - first.run_at).total_seconds() == pytest.approx(2)
    assert (third.run_at - second.run_at).total_seconds() == pytest.approx(2)


def test_the_letters_of_one_booking_leave_together(rate: list[float]) -> None:
    rate[0] = 14
    say(3)

    assert len(delivery.claim(limit=5)) == 3


def test_a_rate_of_zero_is_no_limit(rate: list[float]) -> None:
    rate[0] = 0
    say(30)

    host.drain()

    assert set(Effect.objects.values_list("state", flat=True)) == {State.DONE}


def test_a_clock_that_went_back_does_not_stop_the_mail(rate: list[float]) -> None:
    Limit.objects.create(name="ses", next_at=now() + timedelta(hours=1))
    say(1)

    delivery.claim()

    later = Effect.objects.get()
    assert (later.run_at - now()).total_seconds() <= 2


def test_the_next_look_is_when_the_service_has_a_place_again(rate: list[float]) -> None:
    rate[0] = 5
    say(9)
    delivery.claim(limit=4)

    pause = claims.until_a_place()

    assert pause is not None
    assert 0 < pause <= 0.2
