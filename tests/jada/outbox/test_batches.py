"""One call for many rows: what it names is frozen, what comes meanwhile waits, and one bad row holds up nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from jada.failures import Misconfigured, Refused, Retry
from jada.outbox import batches, delivery, host, registry, sweep
from jada.outbox.entries import enqueue
from jada.outbox.enums import State
from jada.outbox.models import Batch, Effect
from jada.outbox.registry import Batching, Order

pytestmark = pytest.mark.django_db(transaction=True)


class Edge:
    """Both spellings of each key are forgotten; `bad` is a path that the other side refuses."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.failures: list[Exception] = []
        self.bad = ""

    def forget(self, order: Order) -> str:
        self.orders.append(order)
        if self.failures:
            raise self.failures.pop(0)
        if self.bad in order.members:
            raise Refused("no such path")
        return f"I{len(self.orders)}"


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    monkeypatch.setattr(registry, "_topics", {})
    here = Edge()
    rules = Batching(lambda key: (f"/{key}", f"/{key.upper()}"), everything="/*", most=10, too_many=40)
    registry.batch_step("edge", lane="edge:{key}", batching=rules)(here.forget)
    yield here


def owe(*keys: str) -> None:
    with transaction.atomic():
        for key in keys:
            enqueue("edge", key)


def many(count: int) -> list[str]:
    return [f"k{number:03}" for number in range(count)]


def due_now() -> None:
    Effect.objects.filter(state=State.PENDING).update(run_at=now() - timedelta(seconds=1))


def states() -> set[str]:
    return set(Effect.objects.values_list("state", flat=True))


def test_rows_that_wait_share_one_call(edge: Edge) -> None:
    owe("b", "a")

    host.drain()

    assert [order.members for order in edge.orders] == [("/A", "/B", "/a", "/b")]
    assert states() == {State.DONE}
    assert Batch.objects.get().foreign_id == "I1"


def test_a_call_names_as_much_as_one_call_may(edge: Edge) -> None:
    owe(*many(12))

    host.drain()

    assert [len(order.members) for order in edge.orders] == [10, 10, 4]


def test_f25_far_too_many_are_replaced_by_the_one_name_for_all(edge: Edge) -> None:
    owe(*many(30))

    host.drain()

    assert [order.members for order in edge.orders] == [("/*",)]
    assert states() == {State.DONE}
    assert batches.members_since("edge", now() - timedelta(days=1)) == 1


def test_one_batch_is_under_way_at_a_time(edge: Edge) -> None:
    owe("a")
    (first,) = delivery.claim()
    owe("b")

    assert delivery.claim(limit=5) == []
    delivery.run(first)
    assert [claim.order.members for claim in delivery.claim(limit=5)] == [("/B", "/b")]


def test_f24_a_call_of_which_no_record_was_made_is_repeated_exactly(edge: Edge) -> None:
    owe("a", "b")
    (lost,) = delivery.claim()
    edge.forget(lost.order)  # the call arrives, and its worker dies
    Effect.objects.update(lease_until=now() - timedelta(seconds=1))
    owe("c")

    sweep.sweep()
    host.drain()

    first, again, rest = edge.orders
    assert again == first
    assert rest.members == ("/C", "/c")
    assert states() == {State.DONE}


def test_what_was_edited_meanwhile_is_named_by_a_batch_of_its_own_too(edge: Edge) -> None:
    owe("a", "b")
    delivery.claim()
    Effect.objects.update(lease_until=now() - timedelta(seconds=1))
    owe("a")  # the earlier row of it gives way when it is rescued

    sweep.sweep()
    host.drain()

    assert [order.members for order in edge.orders] == [("/A", "/B", "/a", "/b"), ("/A", "/a")]


def test_too_many_in_progress_come_again_after_a_minute_under_the_same_reference(edge: Edge) -> None:
    edge.failures = [Retry("too many in progress", after=timedelta(seconds=60))]
    owe("a")

    host.drain()
    waiting = Effect.objects.get()
    due_now()
    host.drain()

    assert waiting.run_at > now() + timedelta(seconds=50)
    assert waiting.attempts == 0
    assert len({order.reference for order in edge.orders}) == 1


def test_one_that_is_refused_ends_alone_before_a_person(edge: Edge) -> None:
    edge.bad = "/b"
    owe("a", "b", "c")

    for _ in range(12):
        host.drain()
        due_now()

    assert dict(Effect.objects.values_list("key", "state")) == {
        "a": State.DONE,
        "b": State.DEAD,
        "c": State.DONE,
    }


def test_a_wrong_setting_stops_them_all_after_three_tries(edge: Edge) -> None:
    edge.failures = [Misconfigured("no such distribution")] * 3
    owe("a", "b")

    for _ in range(4):
        host.drain()
        due_now()

    assert set(Effect.objects.values_list("state", "cause")) == {(State.DEAD, "configuration")}
    assert len(edge.orders) == 3
