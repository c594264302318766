"""What channels sent, as it came, and what it was understood to say. Rows hold amounts and guests' contacts."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from bookings.enums import Channel
from bookings.intake.enums import Arrival, EventKind, EventSource, MessageState
from bookings.models import Product, Vessel


class Listing(models.Model):
    """The operator's setting: which vessel a channel means by a listing's title."""

    channel = models.CharField(max_length=20, choices=Channel)
    title = models.CharField(max_length=200, help_text="the channel's own title, as its messages write it")
    vessel = models.ForeignKey(Vessel, models.PROTECT, related_name="+")
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["channel", "title"]
        constraints = [
            models.UniqueConstraint(
                "channel",
                Lower("title"),
                name="listing_once_per_channel",
                violation_error_message="This listing is mapped already: change the vessel there.",
            )
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.title = " ".join(self.title.split())
        super().save(*args, **kwargs)


class MessageQuerySet(models.QuerySet["IntakeMessage"]):
    def waiting(self) -> MessageQuerySet:
        """What stands before a person."""
        return self.filter(state=MessageState.QUARANTINED)

    def naming(self, channel: str, title: str) -> MessageQuerySet:
        """Messages that wait because this listing was not mapped."""
        return self.waiting().filter(channel=channel, listing__iexact=title)


class IntakeMessage(models.Model):
    """One message, byte for byte. The same bytes are the same message, however often they come."""

    raw = models.BinaryField()
    sha256 = models.CharField(max_length=64, unique=True)
    source = models.CharField(max_length=10, choices=Arrival)
    name = models.CharField(max_length=200, blank=True, help_text="the file's name, or where it came from")
    channel = models.CharField(max_length=20, choices=Channel, blank=True)
    sender = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    listing = models.CharField(max_length=200, blank=True, help_text="the title it names that no vessel is set for")
    received_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=12, choices=MessageState, default=MessageState.READ)
    problems = models.JSONField(default=list, blank=True, help_text="sentences: why a person must decide")
    reading = models.JSONField(default=list, blank=True, help_text="each record with its fields' evidence")
    booking_ref = models.CharField(max_length=16, blank=True, help_text="the booking's public id")
    decided_by = models.CharField(max_length=150, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=200, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = "intake message"
        verbose_name_plural = "intake inbox"
        ordering = ["-received_at", "-pk"]
        indexes = [models.Index(fields=["state", "-received_at"], name="intake_state_received")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_at=None, decided_by=None) | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="intake_decided_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"  # a subject can state an amount

    @property
    def title(self) -> str:
        return self.subject or self.name or str(self)

    @property
    def public_name(self) -> str:
        """Its name in the history."""
        return f"message:{self.sha256[:12]}"


class IntakeEvent(models.Model):
    """One thing a channel said about one of its bookings. Written once: the booking is the fold of all its events."""

    message = models.ForeignKey(IntakeMessage, models.PROTECT, related_name="events")
    channel = models.CharField(max_length=20, choices=Channel)
    external_id_norm = models.CharField(max_length=80)
    fingerprint = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=EventKind)
    source = models.CharField(max_length=6, choices=EventSource)
    sent_at = models.DateTimeField(help_text="when the channel said so: its order among the others")
    received_at = models.DateTimeField()
    fields = models.JSONField(default=dict, help_text="amounts as strings, instants in ISO 8601")

    class Meta:
        verbose_name = "event"
        ordering = ["channel", "external_id_norm", "sent_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id_norm", "fingerprint"], name="intake_event_said_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.external_id_norm} {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An intake event is written once: a correction is another event.")
        super().save(*args, **kwargs)
