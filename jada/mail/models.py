from __future__ import annotations

from django.db import models

from jada.outbox.enums import State
from jada.outbox.models import Effect


class MessageQuerySet(models.QuerySet["Message"]):
    def about(self, subject: str) -> MessageQuerySet:
        return self.filter(subject_of=subject)

    def without_money(self) -> MessageQuerySet:
        return self.filter(has_money=False)


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
    provider_id = models.CharField(max_length=120, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        permissions = [("view_money_message", "Can read messages that show money")]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"

    @property
    def state(self) -> State:
        """Where it is on its way: derived from its effect, which may be purged a month after it was sent."""
        if self.effect is None:
            return State.DONE if self.sent_at else State.CANCELLED
        return State(self.effect.state)
