"""The allow-list, field by field: adding one is a decision, made here as well."""

from dataclasses import fields

from bookings.enums import PaymentState
from crew.manifest import BANNERS, CrewEventView, CrewLine, Shipmate, TripPage


def names(cls: type) -> list[str]:
    return [field.name for field in fields(cls)]


def test_the_crew_event_outside_has_exactly_these_fields() -> None:
    assert names(CrewEventView) == [
        "event_id", "status", "vessel", "date", "call_time", "call_at", "starts_at", "ends_at", "time_zone", "guest",
        "party_size", "dock", "public_note", "occasion", "payment_state", "banner", "ready", "crew", "checklist_done",
        "checklist_total",
    ]  # fmt: skip
    assert names(CrewLine) == ["role", "name", "state"]


def test_the_page_of_a_trip_has_exactly_these_fields() -> None:
    assert names(TripPage) == [
        "event_id", "vessel", "call_at", "starts_at", "ends_at", "arrive_at", "dock", "address", "directions", "guest",
        "party_size", "occasion", "public_note", "banner", "me", "my_role", "my_state", "answer_by", "shipmates", "tasks",
    ]  # fmt: skip
    assert names(Shipmate) == ["role", "name", "state", "label", "phone"]


def test_every_payment_state_has_its_words_for_the_crew() -> None:
    assert set(BANNERS) == set(PaymentState.values)
    assert BANNERS["tentative"] == "Do not depart until the deposit is confirmed."
    assert BANNERS["deposit_received"] == "Do not depart until the balance is confirmed."
    assert BANNERS["paid_in_full"] == ""
