"""What can be done with trips and with a vessel's time: one function, one transaction, one named actor."""

from bookings.services.refusals import (
    AlreadyCancelled,
    BookingRefused,
    EndsBeforeStart,
    InThePast,
    NotWithoutTimes,
    OverCapacity,
    TooLong,
    VesselTaken,
)
from bookings.services.schedule import TripDetails, give_times, hold_day, hold_time, refuse_overlap, release_expired
from bookings.services.trips import (
    MATERIAL,
    Also,
    amend_booking,
    astray,
    book,
    cancel_booking,
    confirm_booking,
    find_booking,
    realign_entry,
    reinstate_booking,
    set_payment_state,
)

__all__ = [
    "MATERIAL",
    "AlreadyCancelled",
    "Also",
    "BookingRefused",
    "EndsBeforeStart",
    "InThePast",
    "NotWithoutTimes",
    "OverCapacity",
    "TooLong",
    "TripDetails",
    "VesselTaken",
    "amend_booking",
    "astray",
    "book",
    "cancel_booking",
    "confirm_booking",
    "find_booking",
    "give_times",
    "hold_day",
    "hold_time",
    "realign_entry",
    "refuse_overlap",
    "reinstate_booking",
    "release_expired",
    "set_payment_state",
]
