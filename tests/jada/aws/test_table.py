"""The version fence of the events table: who is late is refused, who repeats himself is right."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.conf import settings

from jada.aws import clients, table
from jada.failures import Misconfigured, Outcome, Refused
from tests.emulator import Emulator

pytestmark = pytest.mark.usefixtures("stack")
EXPIRES = datetime(2027, 2, 1, tzinfo=UTC)


def put(version: int, *, digest: str = "d", **more: object) -> Outcome:
    return table.put_event({"event_id": "ev-1", "vessel": "Halcyon", **more}, version=version, digest=digest)


def test_the_first_write_is_written() -> None:
    assert put(1) is Outcome.WRITTEN


def test_a_later_version_replaces_the_whole_item() -> None:
    put(1, note="bring ice")

    assert put(2) is Outcome.WRITTEN
    assert table.read_event("ev-1") == {"event_id": "ev-1", "vessel": "Halcyon", "version": 2, "digest": "d"}


def test_our_own_version_is_there_already() -> None:
    put(2)

    assert put(2) is Outcome.ALREADY


def test_a_late_writer_finds_a_newer_version() -> None:
    put(3)

    assert put(2, digest="other") is Outcome.NEWER
    assert table.read_event("ev-1") == {"event_id": "ev-1", "vessel": "Halcyon", "version": 3, "digest": "d"}


def test_versions_above_a_million_million_keep_their_order() -> None:
    put(2_000_000_000_001)

    assert put(1_999_999_999_999) is Outcome.NEWER


def test_one_version_with_two_contents_is_for_a_person() -> None:
    put(2, digest="one")

    with pytest.raises(Refused, match="other content"):
        put(2, digest="two")


def test_a_late_put_does_not_bring_a_tombstone_back_to_life() -> None:
    put(3)
    assert table.tombstone("ev-1", 4, EXPIRES) is Outcome.WRITTEN

    assert put(3) is Outcome.NEWER
    assert table.read_event("ev-1") == {
        "event_id": "ev-1",
        "deleted": True,
        "expires_at": int(EXPIRES.timestamp()),
        "version": 4,
        "digest": table.TOMBSTONE_DIGEST,
    }


def test_a_tombstone_may_be_repeated() -> None:
    table.tombstone("ev-1", 4, EXPIRES)

    assert table.tombstone("ev-1", 4, EXPIRES) is Outcome.ALREADY


def test_an_event_that_comes_back_replaces_its_tombstone() -> None:
    table.tombstone("ev-1", 4, EXPIRES)

    assert put(5) is Outcome.WRITTEN
    assert "deleted" not in (table.read_event("ev-1") or {})


def test_an_item_put_there_by_hand_is_replaced_by_any_version_of_ours() -> None:
    clients.dynamodb().put_item(TableName=settings.EVENTS_TABLE, Item={"event_id": {"S": "ev-1"}})

    assert put(1) is Outcome.WRITTEN


def test_an_item_whose_version_is_no_number_is_for_a_person() -> None:
    clients.dynamodb().put_item(
        TableName=settings.EVENTS_TABLE, Item={"event_id": {"S": "ev-1"}, "version": {"S": "three"}}
    )

    with pytest.raises(Refused, match="is no number"):
        put(1)


def test_what_is_not_there_reads_as_none() -> None:
    assert table.read_event("ev-none") is None


def test_values_come_back_as_they_went() -> None:
    item: dict[str, object] = {
        "crew": [{"name": "Ana", "captain": True, "place": 1}],
        "dock": {"gate": None, "slip": "B-12"},
    }

    table.put_event({"event_id": "ev-1", **item}, version=1, digest="d")

    assert {name: (table.read_event("ev-1") or {})[name] for name in item} == item


def test_a_fraction_written_by_hand_is_still_readable() -> None:
    clients.dynamodb().put_item(
        TableName=settings.EVENTS_TABLE, Item={"event_id": {"S": "ev-1"}, "knots": {"N": "6.5"}}
    )

    assert (table.read_event("ev-1") or {})["knots"] == Decimal("6.5")


@pytest.mark.parametrize("value", [1.5, Decimal("12.00"), b"raw", {"a"}, [1.5], {"deep": {"er": 1.5}}])
def test_only_plain_values_are_written(value: object) -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        put(1, odd=value)


def test_a_missing_table_is_a_matter_of_the_set_up(aws: Emulator) -> None:
    with pytest.raises(Misconfigured, match="ResourceNotFoundException"):
        put(1)
    with pytest.raises(Misconfigured):
        table.read_event("ev-1")
