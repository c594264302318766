"""Boatsetter: owner's mails and the owner's calendar feed. No owner API exists; mail is the only complete source.

The ids are six to eight letters or digits, a shape that engine makers and plain words share: hence the stop list. The
owner's mail states what the owner earns; the renter's price, fee and contacts only sometimes. The first line of every
labelled block is data here; a label that Boatsetter renames sends its mails to a person until it is added.
"""

import re

from bookings.intake.adapters.base import Adapter, Feed, IdRule, Kind, Meaning

_STATED = frozenset(("guest_name", "listing", "party_size", "payout"))

BOATSETTER = Adapter(
    channel="boatsetter",
    domains=("boatsetter.com",),
    marks=("boatsetter",),
    id=IdRule(
        labels=("booking id", "reservation id", "reservation no"),
        pattern=r"[a-z0-9]{6,8}",
        stop=frozenset(
            (
                "mercury",
                "yamaha",
                "suzuki",
                "trailer",
                "booking",
                "bookings",
                "instant",
                "details",
                "renter",
                "listing",
                "payout",
                "message",
            )
        ),
        mentions=(
            re.compile(r"\bbooking ([a-z0-9]{6,8}) (?:has been|was|for)\b", re.IGNORECASE),
            re.compile(r"\bcancell?ed (?:their |the )?booking ([a-z0-9]{6,8})\b", re.IGNORECASE),
        ),
    ),
    labels={
        "listing": ("boat", "listing", "vessel"),
        "guest_name": ("renter", "guest", "renter name"),
        "guest_phone": ("phone", "renter phone", "mobile"),
        "guest_email": ("email", "e-mail", "renter email"),
        "start": ("start", "starts", "trip start", "trip begins"),
        "end": ("end", "ends", "trip end", "trip ends"),
        "duration": ("duration", "length"),
        "party_size": ("passengers", "guests", "group size", "people on board"),
        "gross": ("rental price", "trip price"),
        "extras": ("add-ons", "extras", "captain fee"),
        "fees": ("listing fee", "boatsetter fee", "service fee"),
        "payout": ("you earn", "your payout", "payout", "your earnings"),
    },
    ignored=frozenset(("location", "captain", "earnings", "trip date")),
    kinds=(
        Kind(Meaning.NOT_A_BOOKING, ("prepare your boat", "your trip is coming up"), "reminder"),
        Kind(Meaning.NOT_A_BOOKING, ("payout of", "your payout is on its way"), "payout"),
        Kind(Meaning.NOT_A_BOOKING, ("security deposit",), "deposit"),
        Kind(Meaning.NOT_A_BOOKING, ("is asking about your boat", "sent you an inquiry"), "inquiry"),
        Kind(Meaning.NOT_A_BOOKING, ("sent you a message", "new message from"), "message"),
        Kind(
            Meaning.NOT_A_BOOKING,
            ("requested to book", "booking request", "approve or decline", "pre-approved", "special offer"),
            "request_pending",
        ),
        Kind(
            Meaning.CANCELLATION,
            ("has canceled", "has cancelled", "was canceled", "was cancelled", "booking canceled", "booking cancelled"),
            needs=frozenset(("guest_name", "listing")),
        ),
        Kind(Meaning.AMENDMENT, ("has been updated", "was changed", "has been changed"), needs=_STATED),
        Kind(
            Meaning.BOOKING,
            ("instant booking for", "booking approved", "booking is approved", "booking confirmed"),
            needs=_STATED,
        ),
    ),
    guest_text=("message", "note", "special requests"),
    terminators=("your cancellation policy is", "see the booking", "view the booking", "answer the renter"),
    line_before={"listing": "renter"},
    feed=Feed(
        booked=frozenset(("booked", "reserved")),
        blocked=frozenset(("unavailable", "blocked", "not available")),
    ),
)
