from __future__ import annotations

from django.db import models
from django.db.models import Q

from jada.mail.enums import EventKind, Outcome, Trouble
from jada.outbox.enums import State
from jada.outbox.models import Effect


class MessageQuerySet(models.QuerySet["Message"]):
    def about(self, subject: str) -> MessageQuerySet:
        return self.filter(subject_of=subject)

    def without_money(self) -> MessageQuerySet:
        return self.filter(has_money=False)

    def bounced(self) -> MessageQuerySet:
        """What reached nobody although it was sent."""
        return self.filter(bounced_at__isnull=False)


class Message(models.Model):
    """One mail: what it states is frozen here when it is owed; how it read is kept here when it was sent.

    `values` are the facts told, JSON, without tokens. The kept text has its personal links masked.
    """

    kind = models.CharField(max_length=40)
    fact = models.CharField(max_length=200, unique=True)
    recipient = models.CharField(max_length=60, help_text="crew:…, guest:… or ops; the address is looked up at sending")
    subject_of = models.CharField(max_length=60, db_index=True, help_text="what it is about, such as booking:…")
    revision = models.PositiveIntegerField(default=0, help_text="the revision of the trip that it told")
    values = models.JSONField(default=dict)
    has_money = models.BooleanField(default=False)
    effect = models.ForeignKey(Effect, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    sent_to = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=120, blank=True, db_index=True)
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="taken by the recipient's mail server")
    bounced_at = models.DateTimeField(null=True, blank=True, help_text="came back for good, or was never let out")
    held_up_at = models.DateTimeField(null=True, blank=True, help_text="last time it was said to be late")
    reported_at = models.DateTimeField(null=True, blank=True, help_text="reported as unwanted by its recipient")
    opened_at = models.DateTimeField(null=True, blank=True, help_text="by a person, or by a program that looks first")

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        permissions = [("view_money_message", "Can read messages that show money")]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"

    @property
    def state(self) -> State:
        """Where it is on its way: derived from its effect, which may be purged a month after it was sent.

        One that left did leave, whoever gave its delivery up while that was not known.
        """
        if self.effect is None or (self.sent_at and self.effect.state == State.CANCELLED):
            return State.DONE if self.sent_at else State.CANCELLED
        return State(self.effect.state)

    @property
    def outcome(self) -> State | Outcome:
        """What has become of it, in whatever order it was told; where it is on its way while nothing was told.

        A mail that is delivered may still bounce, and one that was held up may still arrive.
        """
        told = (
            (self.reported_at, Outcome.REPORTED),
            (self.bounced_at, Outcome.BOUNCED),
            (self.delivered_at, Outcome.DELIVERED),
            (self.held_up_at, Outcome.HELD_UP),
            (self.sent_at, Outcome.SENT),
        )
        return next((outcome for at, outcome in told if at), self.state)


class MailEventQuerySet(models.QuerySet["MailEvent"]):
    def waiting(self) -> MailEventQuerySet:
        """Read and kept, not yet applied."""
        return self.filter(applied_at=None, problem="")

    def refused(self) -> MailEventQuerySet:
        return self.filter(kind=EventKind.OTHER)


class MailEvent(models.Model):
    """What the mail service told of a mail, once however often it says so: the inbox behind the queue.

    `effect_no` and `claim_no` are our own tags, which travelled with the mail. `detail` is the part of the event that
    says why; its headers and subject are not kept.
    """

    identity = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of message id, kind, recipient and time; of what cannot be read"
    )
    kind = models.CharField(max_length=20, choices=EventKind)
    provider_id = models.CharField(max_length=120, blank=True)
    recipient = models.CharField(max_length=254, blank=True)
    effect_no = models.BigIntegerField(null=True, blank=True)
    claim_no = models.PositiveIntegerField(null=True, blank=True)
    fact_tag = models.CharField(max_length=16, blank=True)
    permanent = models.BooleanField(default=False, help_text="a bounce for good")
    detail = models.JSONField(default=dict)
    occurred_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True, help_text="when the mail itself was taken")
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    message = models.ForeignKey(Message, models.SET_NULL, null=True, blank=True, related_name="events")
    problem = models.CharField(max_length=200, blank=True, help_text="why it was refused")

    objects = MailEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index("effect_no", name="mail_event_of_effect", condition=Q(effect_no__isnull=False)),
            models.Index("id", name="mail_event_waiting", condition=Q(applied_at=None, problem="")),
            models.Index("received_at", name="mail_event_refused", condition=Q(kind=EventKind.OTHER)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"


class BlockedAddressQuerySet(models.QuerySet["BlockedAddress"]):
    def standing(self) -> BlockedAddressQuerySet:
        return self.filter(lifted_at=None)


class BlockedAddress(models.Model):
    """An address that gets no more mail: it bounces for good, or its owner does not want our mail.

    The block is the address's, not the person's: who has a new address on file is free of it at once.
    """

    address = models.EmailField(unique=True)  # in lower case
    trouble = models.CharField(max_length=10, choices=Trouble)
    since = models.DateTimeField()
    message = models.ForeignKey(Message, models.SET_NULL, null=True, blank=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, null=True, blank=True)

    objects = BlockedAddressQuerySet.as_manager()

    class Meta:
        verbose_name = "address without mail"
        verbose_name_plural = "addresses without mail"
        ordering = ["-since"]
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None) | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="mail_block_lifted_pair",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_trouble_display()}, since {self.since:%-d %b %Y}"
