from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bookings.intake.adapters.base import Datum, Meaning, Source
from bookings.intake.adapters.fold import Event, Standing, fold, merge

NOON = datetime(2024, 5, 20, 12, 0, tzinfo=UTC)


def event(kind: str, hour: int = 0, source: Source = Source.MAIL, **fields: Datum) -> Event:
    sent_at = NOON + timedelta(hours=hour)
    return Event(kind=Meaning(kind), source=source, sent_at=sent_at, received_at=NOON, fields=fields)


events = st.builds(
    event,
    st.sampled_from(["booking", "amendment", "cancellation"]),
    st.integers(0, 3),
    st.sampled_from(list(Source)),
    party_size=st.integers(1, 9),
)


@given(said=st.lists(events, min_size=1, max_size=4, unique_by=lambda one: (one.sent_at, one.source)))
def test_the_order_of_arrival_cannot_matter(said: list[Event]) -> None:
    # Those who speak with one voice in one second are told apart by their arrival alone: not what is proved here.
    if len({(one.sent_at, one.source == Source.FEED) for one in said}) < len(said):
        return

    results = [fold(order) for order in itertools.permutations(said)]

    assert all(result == results[0] for result in results)


def test_the_later_word_wins_field_by_field() -> None:
    folded = fold([event("amendment", 2, party_size=8), event("booking", 1, party_size=6, guest_name="Marcus")])

    assert folded.standing == Standing.BOOKED
    assert folded.fields == {"party_size": 8, "guest_name": "Marcus"}


def test_a_feed_neither_blanks_nor_coarsens() -> None:
    mail = event("booking", 1, party_size=6, start=NOON)
    feed = event("booking", 5, Source.FEED, start=NOON + timedelta(hours=1), listing="Ketch")

    assert fold([feed, mail]).fields == {"party_size": 6, "start": NOON, "listing": "Ketch"}


def test_a_feed_neither_cancels_nor_revives_what_a_mail_said() -> None:
    booked, cancelled = event("booking", 1), event("cancellation", 2)

    assert fold([booked, event("cancellation", 9, Source.FEED)]).standing == Standing.BOOKED
    assert fold([booked, cancelled, event("booking", 9, Source.FEED)]).standing == Standing.CANCELLED


def test_a_change_confirms_nothing() -> None:
    assert fold([event("amendment", 1)]).standing == Standing.UNCONFIRMED
    assert fold([event("cancellation", 1), event("amendment", 2)]).standing == Standing.CANCELLED


def test_a_cancellation_that_came_alone_was_never_booked() -> None:
    assert not fold([event("cancellation", 1)]).was_booked
    assert fold([event("cancellation", 2), event("booking", 1)]).was_booked


class TestMerge:
    def test_what_only_the_channel_changed_is_taken(self) -> None:
        assert merge(before=3, after=4, now=3).value == 4

    def test_what_only_the_office_changed_is_kept(self) -> None:
        assert merge(before=3, after=3, now=5).value == 5

    def test_what_the_channel_does_not_say_is_kept(self) -> None:
        assert merge(before=None, after=None, now=5).value == 5

    def test_what_nobody_knew_is_taken(self) -> None:
        assert merge(before=None, after="dana", now="").value == "dana"

    def test_the_same_change_twice_is_no_conflict(self) -> None:
        assert not merge(before=3, after=4, now=4).conflict

    def test_two_changes_are_a_conflict(self) -> None:
        assert merge(before=3, after=4, now=5).conflict
