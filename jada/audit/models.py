from django.db import models


class Event(models.Model):
    """One act: `bookings.booking.moved` by Ana at 09:12, with what changed. Never an amount, never a contact."""

    at = models.DateTimeField(db_index=True)
    act = models.CharField(max_length=60)
    subject = models.CharField(max_length=60, help_text="model:public id, such as booking:7ZK9M2QX4T")
    actor_kind = models.CharField(max_length=12)
    actor_name = models.CharField(max_length=150)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["subject", "-at"], name="audit_of_subject")]

    def __str__(self) -> str:
        return f"{self.act} {self.subject}"
