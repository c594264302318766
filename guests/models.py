"""A page's identity and what the clock and the moves of its trip mean for it. The facts of the trip are the booking's."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Value, When

from bookings.models import Booking
from guests.enums import PageState
from guests.phases import Phase, State, Trip
from jada.outbox.enums import UNFINISHED
from jada.outbox.enums import State as EffectState
from jada.outbox.models import Effect, Mirror

PAGE, EDGE, SEEN, SLUG = "guests.page", "guests.page_edge", "guests.page_seen", "guests.slug"  # topics of the outbox


class GuestPageQuerySet(models.QuerySet["GuestPage"]):
    def due(self, at: datetime) -> GuestPageQuerySet:
        """Pages whose phase the clock has passed."""
        return self.filter(next_turn_at__lte=at)

    def with_delivery(self) -> GuestPageQuerySet:
        """Each page with what the outbox knows of it, so that `delivery` costs a list no query a row."""
        return self.annotate(delivery_state=_delivery())

    def in_state(self, state: PageState) -> GuestPageQuerySet:
        """Pages whose `delivery` is this."""
        return self.annotate(delivery_state=_delivery()).filter(delivery_state=state)


def _delivery() -> Case:
    """The state of a page's newest version: what is stuck or still owed comes before what was seen."""
    effects = Effect.objects.filter(key=OuterRef("code"))
    mirror = Mirror.objects.filter(topic=PAGE, key=OuterRef("code"))
    steps = effects.filter(topic__in=(EDGE, SEEN))
    return Case(
        When(
            Exists(effects.filter(topic__in=(PAGE, EDGE, SEEN), state=EffectState.DEAD)), then=Value(PageState.FAILED)
        ),
        When(Exists(effects.filter(topic=PAGE, state__in=UNFINISHED)), then=Value(PageState.WAITING)),
        When(Exists(steps.filter(state__in=UNFINISHED)), then=Value(PageState.ON_ITS_WAY)),
        When(Exists(mirror.filter(seen_version__gt=0)), then=Value(PageState.LIVE)),
        default=Value(PageState.WAITING),
        output_field=models.CharField(),
    )


class GuestPage(models.Model):
    """The page of one booking. `phase` is the face that is, or is about to be, published; `turn_pages` moves it on.

    `starts_at` and `revision` are the trip's as the page last followed them: how a move is noticed, and dated.
    """

    booking = models.OneToOneField(Booking, models.CASCADE, related_name="+")
    code = models.CharField(max_length=16, unique=True)
    phase = models.CharField(max_length=10, choices=Phase)
    next_turn_at = models.DateTimeField(null=True, blank=True, db_index=True)
    opened_at = models.DateTimeField()
    starts_at = models.DateTimeField()
    moved_from = models.DateTimeField(null=True, blank=True, help_text="the start before the last move")
    moved_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    revised_at = models.DateTimeField(help_text="when this revision of the trip came to be")

    objects = GuestPageQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at"]
        permissions = [("publish_guestpage", "Can publish a guest page again")]
        constraints = [
            models.CheckConstraint(
                condition=Q(moved_at=None, moved_from=None) | Q(moved_at__isnull=False, moved_from__isnull=False),
                name="guest_page_moved_at_and_from",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def trip(self) -> Trip:
        """What decides the page's phase."""
        booking = self.booking
        return Trip(
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            zone=booking.vessel.zone,
            state=_state(booking),
            moved_at=self.moved_at,
        )

    @property
    def slug(self) -> str:
        """Its friendly name now."""
        return next((slug.slug for slug in self.slugs.all() if slug.current), "")

    @property
    def delivery(self) -> PageState:
        """Where its newest version is. Of a page read `with_delivery`."""
        return PageState(self.delivery_state)  # type: ignore[attr-defined]  # annotated


class PageSlug(models.Model):
    """A friendly second name of a page. A retired one is never given away: its address sends the reader on for ever."""

    slug = models.CharField(max_length=80, unique=True)
    page = models.ForeignKey(GuestPage, models.CASCADE, related_name="slugs")
    current = models.BooleanField(default=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["page"], condition=Q(current=True), name="guest_page_one_current_slug"),
        ]

    def __str__(self) -> str:
        return self.slug


def _state(booking: Booking) -> State:
    if booking.cancelled_at:
        return State.CANCELLED
    return State.ON if booking.is_standing else State.HELD
