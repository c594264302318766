"""Vessels, bookings and the calendar. No money: it is in `bookings.finance`, which points here by plain id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q

from bookings.codes import new_public_id
from bookings.enums import STANDING_TRIPS, BookingStatus, Channel, EntryKind, EntryStatus, PaymentState


class Berth(models.Model):
    """Where a vessel lies and guests come to. The gate code is published on the eve of a trip, never before."""

    key = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    address = models.CharField(max_length=200, blank=True)
    directions = models.TextField(blank=True)
    latitude = models.FloatField(default=32.7246)
    longitude = models.FloatField(default=-117.2090)
    gate_code = models.CharField(max_length=20, blank=True)
    phone = models.CharField(max_length=30, blank=True, help_text="the dock's or the office's business number")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Vessel(models.Model):
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=120, blank=True)
    berth = models.ForeignKey(Berth, models.PROTECT, related_name="vessels")
    passenger_limit = models.PositiveSmallIntegerField(
        default=6, help_text="6 without a Certificate of Inspection under 100 GT (46 USC 2101(51))"
    )
    captain_credentials = models.JSONField(default=list, blank=True, help_text="licences of which a captain needs one")
    time_zone = models.CharField(max_length=40, default="America/Los_Angeles")
    turnaround_minutes = models.PositiveSmallIntegerField(default=60)
    call_minutes = models.PositiveSmallIntegerField(default=60, help_text="crew call time, minutes before departure")
    arrive_minutes = models.PositiveSmallIntegerField(default=20, help_text="guests arrive, minutes before departure")
    active = models.BooleanField(default=True)
    order = models.PositiveSmallIntegerField(default=1, help_text="the first active vessel is the main one")

    class Meta:
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def turnaround(self) -> timedelta:
        return timedelta(minutes=self.turnaround_minutes)


class Product(models.Model):
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    minutes = models.PositiveIntegerField(null=True, blank=True)
    max_party = models.PositiveSmallIntegerField(null=True, blank=True)
    notes = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BookingQuerySet(models.QuerySet["Booking"]):
    def standing(self) -> BookingQuerySet:
        return self.filter(status__in=STANDING_TRIPS)

    def departing(self, start: datetime, end: datetime) -> BookingQuerySet:
        """Trips that start in [start, end)."""
        return self.filter(starts_at__gte=start, starts_at__lt=end)

    def upcoming(self, at: datetime) -> BookingQuerySet:
        return self.filter(ends_at__gt=at).order_by("starts_at")

    def update(self, **kwargs: Any) -> int:
        raise RuntimeError("Bookings are mirrored outside: change them through bookings.services, which says so.")

    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("Bookings are mirrored outside: make them through bookings.services, which says so.")


class Booking(models.Model):
    """One trip sold, or asked for. Times are instants; its date is its vessel's."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    ref = models.CharField("reference", max_length=20, unique=True, blank=True)
    channel = models.CharField(max_length=20, choices=Channel, default=Channel.DIRECT)
    external_id = models.CharField("the channel's id", max_length=80, blank=True)
    external_id_norm = models.CharField(max_length=80, blank=True, editable=False)
    given_code = models.CharField("the channel's guest code", max_length=16, blank=True)
    status = models.CharField(max_length=14, choices=BookingStatus, default=BookingStatus.CONFIRMED)
    payment_state = models.CharField(max_length=18, choices=PaymentState, default=PaymentState.TENTATIVE)
    vessel = models.ForeignKey(Vessel, models.PROTECT, related_name="bookings")
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="bookings")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    party_size = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    guest_name = models.CharField(max_length=120, blank=True)
    guest_email = models.EmailField(blank=True)
    guest_phone = models.CharField(max_length=30, blank=True)
    organisation = models.CharField(max_length=120, blank=True)
    occasion = models.CharField(max_length=80, blank=True)
    public_note = models.TextField(blank=True, help_text="Crew read this. No amounts.")
    private_note = models.TextField(blank=True, help_text="Office only. What a channel or a guest wrote lands here.")
    revision = models.PositiveIntegerField(default=1, help_text="raised when something changes that people act on")
    booked_at = models.DateTimeField()
    hold_until = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=150, null=True, blank=True)
    cancel_reason = models.CharField(max_length=200, blank=True)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at", "pk"]
        permissions = [("view_guest_contact", "Can see guests' contacts")]
        indexes = [
            models.Index(fields=["starts_at"], name="booking_starts"),
            models.Index(fields=["status", "starts_at"], name="booking_status_starts"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id_norm"],
                name="booking_once_per_channel",
                condition=~Q(external_id_norm=""),
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="booking_ends_after_start"),
            models.CheckConstraint(
                condition=Q(party_size=None) | Q(party_size__gte=1), name="booking_party_of_one_or_more"
            ),
            models.CheckConstraint(
                condition=Q(cancelled_at=None, cancelled_by=None)
                | Q(cancelled_at__isnull=False, cancelled_by__isnull=False),
                name="booking_cancelled_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.guest_name or 'guest'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.external_id_norm = self.external_id.lstrip("#").strip().casefold()
        super().save(*args, **kwargs)

    @property
    def subject(self) -> str:
        """Its name in the history, the outbox and the messages."""
        return f"booking:{self.public_id}"

    @property
    def local_start(self) -> datetime:
        return self.starts_at.astimezone(self.vessel.zone)

    @property
    def local_end(self) -> datetime:
        return self.ends_at.astimezone(self.vessel.zone)

    @property
    def first_name(self) -> str:
        """Boatsetter writes its renters in lower case; they are called by a proper name."""
        first = self.guest_name.split()[0] if self.guest_name.strip() else ""
        return first.capitalize() if self.guest_name.islower() else first

    @property
    def is_standing(self) -> bool:
        return self.status in STANDING_TRIPS


class HoldSeries(models.Model):
    """A recurring hold: weekly Sea Scouts, say. Its occurrences are calendar entries."""

    key = models.CharField(max_length=40, unique=True)
    vessel = models.ForeignKey(Vessel, models.PROTECT, related_name="series")
    title = models.CharField(max_length=120)
    rule = models.CharField(max_length=200, help_text="RRULE, such as FREQ=WEEKLY;BYDAY=WE")
    first_date = models.DateField()
    until_date = models.DateField()
    starts_local = models.TimeField()
    ends_local = models.TimeField()
    exceptions = models.JSONField(default=list, blank=True, help_text="dates, free to sell")

    class Meta:
        verbose_name_plural = "hold series"
        ordering = ["first_date", "key"]

    def __str__(self) -> str:
        return self.title


class EntryQuerySet(models.QuerySet["CalendarEntry"]):
    def blocking(self) -> EntryQuerySet:
        return self.filter(blocks=True)

    def touching(self, vessel: Vessel, start: datetime, end: datetime) -> EntryQuerySet:
        """Entries on the vessel whose time, turnaround included, meets [start, end)."""
        return self.filter(vessel=vessel, starts_at__lt=end, blocked_until__gt=start)

    def on_days(self, start: datetime, end: datetime) -> EntryQuerySet:
        return self.filter(starts_at__lt=end, ends_at__gt=start).exclude(status=EntryStatus.CANCELLED)


class PostgresExclusion(ExclusionConstraint):
    """Refuses an overlap where the database can. SQLite has no such constraint: there the service's check inside
    BEGIN IMMEDIATE is the guard (ADR 3), and this one is silent.
    """

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        return super().constraint_sql(model, schema_editor) if schema_editor.connection.vendor == "postgresql" else None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return super().create_sql(model, schema_editor) if schema_editor.connection.vendor == "postgresql" else None

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return super().remove_sql(model, schema_editor) if schema_editor.connection.vendor == "postgresql" else None

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """The service names the other booking in its refusal; a second, nameless one here would help nobody."""


class TimeRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class CalendarEntry(models.Model):
    """The schedule's truth: time that a vessel is not free. `blocked_until` is its end plus the turnaround.

    An entry without times is a day's tentative entry (`needs_times`): it spans the local day and blocks nothing.
    """

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    vessel = models.ForeignKey(Vessel, models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=12, choices=EntryKind, default=EntryKind.CHARTER)
    status = models.CharField(max_length=10, choices=EntryStatus, default=EntryStatus.CONFIRMED)
    title = models.CharField(max_length=120, blank=True)
    booking = models.OneToOneField(Booking, models.CASCADE, null=True, blank=True, related_name="entry")
    series = models.ForeignKey(HoldSeries, models.CASCADE, null=True, blank=True, related_name="entries")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    blocked_until = models.DateTimeField()
    blocks = models.BooleanField(default=True)
    needs_times = models.BooleanField(default=False)
    guest_count = models.PositiveSmallIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "calendar entries"
        ordering = ["starts_at", "pk"]
        indexes = [models.Index(fields=["vessel", "starts_at"], name="entry_vessel_starts")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="entry_ends_after_start"),
            models.CheckConstraint(condition=Q(blocked_until__gte=F("ends_at")), name="entry_blocked_to_its_end"),
            PostgresExclusion(
                name="entry_no_overlap_on_a_vessel",
                expressions=[
                    ("vessel", RangeOperators.EQUAL),
                    (TimeRange("starts_at", "blocked_until", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(blocks=True),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.get_kind_display()
