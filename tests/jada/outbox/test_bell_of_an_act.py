"""One ring for an act, however many rows it writes; and never none."""

import pytest
from django.db import transaction

from jada.outbox import bell
from jada.outbox.entries import enqueue
from tests.jada.outbox.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda: heard.append("ring"))
    return heard


def rolled_back(key: str) -> None:
    with transaction.atomic():
        enqueue("thing", key)
        transaction.set_rollback(True)


def test_an_act_of_many_rows_rings_once(world: World, rings: list[str]) -> None:
    with transaction.atomic():
        for key in "abc":
            enqueue("thing", key)

    assert rings == ["ring"]


def test_a_part_that_is_rolled_back_takes_no_ring_from_the_rest(world: World, rings: list[str]) -> None:
    with transaction.atomic():
        rolled_back("a")
        enqueue("thing", "b")

    assert rings == ["ring"]


def test_rows_after_a_part_that_stays_ring_for_themselves(world: World, rings: list[str]) -> None:
    with transaction.atomic():
        enqueue("thing", "a")
        rolled_back("b")

    assert rings == ["ring"]
