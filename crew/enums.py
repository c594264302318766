"""The words of the crew side. Codes are stable, labels are what people read."""

from django.db import models


class Role(models.TextChoices):
    CAPTAIN = "captain", "Captain"
    FIRST_MATE = "first_mate", "First mate"
    SECOND_MATE = "second_mate", "Second mate"
    DECKHAND = "deckhand", "Deckhand"
    HOST = "host", "Host"


class Needs(models.TextChoices):
    """What a place asks for: one role, or any of a group."""

    CAPTAIN = "captain", "Captain"
    MATE_OR_DECKHAND = "mate_or_deckhand", "Mate or deckhand"
    DECKHAND = "deckhand", "Deckhand"
    HOST = "host", "Host"


class EventStatus(models.TextChoices):
    OPEN = "open", "Open"
    CANCELLED = "cancelled", "Cancelled"


class AssignmentStatus(models.TextChoices):
    PROPOSED = "proposed", "Pencilled in"
    INVITED = "invited", "Invited"
    ACCEPTED = "accepted", "Confirmed"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "No answer"


class Ended(models.TextChoices):
    """Why an assignment was withdrawn. After the first three the member may be called to the same trip again."""

    TRIP_CANCELLED = "trip_cancelled", "the trip was cancelled"
    PLACE_GONE = "place_gone", "the place is no longer needed"
    UNFIT = "unfit", "the changed trip does not fit"
    BY_OFFICE = "by_office", "taken off by the office"
    REPLACED = "replaced", "replaced by someone else"


class Anchor(models.TextChoices):
    """What a task's time is counted from."""

    DEPARTURE = "S", "Departure"
    RETURN = "E", "Return"


class LinkUseKind(models.TextChoices):
    EXCHANGED = "exchanged", "Opened"
    REQUESTED = "requested", "New link asked for"


LIVE = (AssignmentStatus.PROPOSED, AssignmentStatus.INVITED, AssignmentStatus.ACCEPTED)
# Who may open the trip's page: a member pencilled in has not been asked yet.
ASKED = (AssignmentStatus.INVITED, AssignmentStatus.ACCEPTED)
MAY_BE_CALLED_AGAIN = (Ended.TRIP_CANCELLED, Ended.PLACE_GONE, Ended.UNFIT)

FITS: dict[str, tuple[Role, ...]] = {
    Needs.CAPTAIN: (Role.CAPTAIN,),
    Needs.MATE_OR_DECKHAND: (Role.FIRST_MATE, Role.SECOND_MATE, Role.DECKHAND),
    Needs.DECKHAND: (Role.DECKHAND,),
    Needs.HOST: (Role.HOST,),
}
CALL_SEQUENCE = (Needs.CAPTAIN, Needs.MATE_OR_DECKHAND, Needs.DECKHAND, Needs.HOST)
