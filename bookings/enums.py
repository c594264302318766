from django.db import models


class Channel(models.TextChoices):
    DIRECT = "direct", "Direct"
    PARTNER = "partner", "Partner"
    BOATSETTER = "boatsetter", "Boatsetter"
    GETMYBOAT = "getmyboat", "GetMyBoat"
    CLICKANDBOAT = "clickandboat", "Click&Boat"
    VIATOR = "viator", "Viator"
    AIRBNB = "airbnb", "Airbnb Experiences"
    FAREHARBOR = "fareharbor", "FareHarbor"
    SAILO = "sailo", "Sailo"


class BookingStatus(models.TextChoices):
    INQUIRY = "inquiry", "Inquiry"
    QUOTED = "quoted", "Quoted"
    NEEDS_REVIEW = "needs_review", "Needs review"
    CONFIRMED = "confirmed", "Confirmed"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"


class PaymentState(models.TextChoices):
    """What crew may know of money: whether the trip may leave. Derived from the ledger in finance."""

    TENTATIVE = "tentative", "No deposit yet"
    DEPOSIT_RECEIVED = "deposit_received", "Deposit received"
    PAID_IN_FULL = "paid_in_full", "Paid in full"
    REFUNDED = "refunded", "Refunded"
    CARRIED_OVER = "carried_over", "Carried over"


class EntryKind(models.TextChoices):
    CHARTER = "charter", "Charter"
    TENTATIVE = "tentative", "Tentative hold"
    STANDING = "recurring", "Standing use"
    MAINTENANCE = "maintenance", "Maintenance"
    OWNER = "owner", "Owner's use"


class EntryStatus(models.TextChoices):
    TENTATIVE = "tentative", "Tentative"
    CONFIRMED = "confirmed", "Confirmed"
    CONFLICT = "conflict", "In conflict"
    CANCELLED = "cancelled", "Cancelled"


# Trips that are on: they hold their vessel's time and everything follows them.
STANDING_TRIPS = (BookingStatus.CONFIRMED, BookingStatus.COMPLETED)
