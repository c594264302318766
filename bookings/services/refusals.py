"""Why a trip or a hold cannot be so: each refusal is a sentence for whoever asked, and nothing was changed."""


class BookingRefused(Exception):
    """The booking cannot be so. Its text is a sentence for the person or system that asked; nothing was changed."""


class VesselTaken(BookingRefused):
    """The vessel's time is taken, turnaround included. The sentence names what stands there.

    `nameless` says the same without the other guest's name: for systems outside.
    """

    def __init__(self, sentence: str, nameless: str = "") -> None:
        super().__init__(sentence)
        self.nameless = nameless or sentence


class OverCapacity(BookingRefused):
    """More guests than the vessel may carry (46 CFR 24.10-1; 175.400) or the product allows."""


class InThePast(BookingRefused):
    """The trip would start before now. Say `past_ok` when it really took place then."""


class EndsBeforeStart(BookingRefused):
    """The trip ends before it begins."""


class TooLong(BookingRefused):
    """The trip or hold would take its vessel for longer than `LONGEST`: a mistyped year, or worse."""


class AlreadyCancelled(BookingRefused):
    """A cancelled booking is not changed; it is booked anew."""


class ChangedMeanwhile(BookingRefused):
    """Whoever asks for a change has read an older state, and would overwrite what they have not seen."""


class NotWithoutTimes(BookingRefused):
    """Only a hold that has no times yet is given some; a trip is changed through its booking."""
