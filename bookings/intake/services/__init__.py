"""What can be done with a message: take it in, read it again, dismiss it; map a listing; enter another system's booking."""

from bookings.intake.services.entries import AmountRefused, Entered, Entry, enter_booking
from bookings.intake.services.folding import ListingUnknown, NotActed, OfficeChangedIt
from bookings.intake.services.messages import (
    Accepted,
    AlreadyDecided,
    accept_message,
    dismiss_message,
    map_listing,
    preview,
    reread_message,
)

__all__ = [
    "Accepted",
    "AlreadyDecided",
    "AmountRefused",
    "Entered",
    "Entry",
    "ListingUnknown",
    "NotActed",
    "OfficeChangedIt",
    "accept_message",
    "dismiss_message",
    "enter_booking",
    "map_listing",
    "preview",
    "reread_message",
]
