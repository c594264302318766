"""The rows of the outbox. `docs/architecture.md` has the picture of their states; ADR 2 says why it is our own."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now

from jada.outbox import registry
from jada.outbox.enums import IN_FLIGHT, UNFINISHED, Cause, Mode, State


class EffectQuerySet(models.QuerySet["Effect"]):
    def due(self, at: datetime, topics: frozenset[str]) -> EffectQuerySet:
        """Heads of their lanes whose time has come and whose prerequisite is done, known to this worker."""
        # What a person retries comes back in its old place, while a later row of its lane may be in flight.
        ahead = Q(pk__lt=OuterRef("pk")) | Q(state__in=IN_FLIGHT)
        earlier = Effect.objects.filter(ahead, lane=OuterRef("lane"), state__in=UNFINISHED)
        return (
            self.filter(state=State.PENDING, run_at__lte=at, topic__in=topics)
            .filter(~Exists(earlier))
            .filter(Q(depends_on=None) | Q(depends_on__state=State.DONE))
        )

    def unfinished(self) -> EffectQuerySet:
        return self.filter(state__in=UNFINISHED)

    def stuck(self) -> EffectQuerySet:
        """What a person must look at: given up, or not known whether sent."""
        return self.filter(state__in=(State.DEAD, State.IN_DOUBT))

    def of_unknown_topics(self) -> EffectQuerySet:
        """Waiting for a worker that knows them: this one runs older or newer code, or the topic is gone for good."""
        strange = ~Q(topic__in=registry.known()) | Q(cause=Cause.UNKNOWN)
        return self.filter(strange, state=State.PENDING)

    def newer_outside(self) -> EffectQuerySet:
        """Refused by a copy newer than this database: restored from a backup, and `outbox_restored` was not run."""
        return self.filter(state=State.DEAD, cause=Cause.RESTORED)

    def about(self, subject: str) -> EffectQuerySet:
        return self.filter(subject=subject)


class Batch(models.Model):
    """Rows of one topic delivered by one call. What it names is frozen: a repeat says exactly the same again."""

    topic = models.CharField(max_length=40)
    reference = models.CharField(max_length=80, unique=True, help_text="under which the other side knows it")
    members = models.JSONField(default=list, help_text="what the call names, sorted")
    size = models.PositiveIntegerField(default=0, help_text="how many members")
    created_at = models.DateTimeField(default=now)
    done_at = models.DateTimeField(null=True, blank=True)
    foreign_id = models.CharField(max_length=120, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        indexes = [models.Index("topic", "created_at", name="outbox_batch_by_month")]

    def __str__(self) -> str:
        return self.reference


class Effect(models.Model):
    """One intended effect on the outside world, written in the transaction of the act that owes it."""

    topic = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    mode = models.CharField(max_length=1, choices=Mode)
    lane = models.CharField(max_length=120)
    subject = models.CharField(max_length=60, blank=True, help_text="model:public id of what it is about")
    fact = models.CharField(max_length=200, null=True, unique=True, help_text="what a message states; said once")
    payload = models.JSONField(default=dict)
    depends_on = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="waiters")
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    run_at = models.DateTimeField(default=now)
    attempts = models.PositiveSmallIntegerField(default=0)
    claim_no = models.PositiveIntegerField(default=0)
    claimed_by = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    version = models.BigIntegerField(default=0, help_text="fencing number of the last claim")
    result = models.JSONField(default=dict)
    cause = models.CharField(max_length=16, blank=True)
    last_error = models.TextField(blank=True)
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, blank=True, related_name="effects", db_index=False)
    created_at = models.DateTimeField(default=now)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = EffectQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [("retry_effect", "Can retry a delivery"), ("drop_effect", "Can drop a delivery")]
        indexes = [
            models.Index("run_at", "id", name="outbox_due", condition=Q(state=State.PENDING)),
            models.Index("lane", "id", name="outbox_lane", condition=Q(state__in=UNFINISHED)),
            models.Index("lease_until", name="outbox_lease", condition=Q(state__in=[State.RUNNING, State.SENDING])),
            models.Index(fields=["subject", "-id"], name="outbox_of_subject"),
            models.Index("state", "created_at", name="outbox_by_state"),
            models.Index("topic", "key", name="outbox_of_object", condition=Q(state__in=UNFINISHED)),
            models.Index("topic", "key", name="outbox_dead", condition=Q(state=State.DEAD)),
            models.Index("batch", name="outbox_in_batch", condition=Q(state__in=UNFINISHED, batch__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["lane"], name="outbox_one_in_flight", condition=Q(state__in=IN_FLIGHT)),
            models.UniqueConstraint(
                fields=["lane", "topic"],
                name="outbox_one_pending_state",
                condition=Q(state=State.PENDING, mode=Mode.STATE),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.topic} {self.key}"


class Mirror(models.Model):
    """What we believe about one projected object: the numbers taken, what was applied, what was seen in public."""

    topic = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    version = models.BigIntegerField(default=0, help_text="last fencing number taken")
    digest = models.CharField(max_length=64, blank=True)
    material = models.CharField(max_length=64, blank=True, help_text="digest of the part a person acts on")
    applied_version = models.BigIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)
    seen_version = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True, help_text="when reconcile last read it back")
    differences = models.JSONField(
        default=list, blank=True, help_text="what it then found: store, object, field, old, new"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["topic", "key"], name="outbox_mirror_of_object")]

    def __str__(self) -> str:
        return f"{self.topic} {self.key} v{self.applied_version}"


class Attempt(models.Model):
    """Append-only: every delivery that was not a plain success."""

    effect = models.ForeignKey(Effect, models.CASCADE, related_name="history")
    claim_no = models.PositiveIntegerField()
    started_at = models.DateTimeField(null=True, blank=True, help_text="when the claim was made, if that is known")
    at = models.DateTimeField(help_text="when it ended")
    outcome = models.CharField(max_length=16)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.outcome} of #{self.effect_id}"


class RequestKey(models.Model):
    """The inbound twin: an Idempotency-Key and the answer it was given, kept in the booking's own transaction."""

    scope = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="outbox_request_once")]
        indexes = [models.Index("created_at", name="outbox_request_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class Heartbeat(models.Model):
    """When a part of the host last ran: worker, sweeper, schedule, each chore."""

    name = models.CharField(max_length=80, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """One row for each limited rate: the instant before which the next message may not leave."""

    name = models.CharField(max_length=40, unique=True)
    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Breaker(models.Model):
    """How a service outside has answered lately, told to every process: after an outage it is asked less often."""

    service = models.CharField(max_length=40, unique=True)
    failures = models.PositiveIntegerField(default=0, help_text="calls in a row that it did not answer")
    open_until = models.DateTimeField(null=True, blank=True, help_text="until then its deliveries wait")

    def __str__(self) -> str:
        return self.service


class Epoch(models.Model):
    """Each time that the database went back in time; its number leads every version handed out since."""

    number = models.PositiveIntegerField(unique=True)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"epoch {self.number}"
