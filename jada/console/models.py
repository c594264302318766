"""What the console itself keeps: the last preflights."""

from django.db import models


class PreflightRun(models.Model):
    """One look at the whole installation, as it was found. `findings` are `jada.findings.Finding`s, without a secret."""

    ran_at = models.DateTimeField(db_index=True)
    ran_by = models.CharField(max_length=150)
    seconds = models.FloatField()
    version = models.CharField(max_length=40)
    commit = models.CharField(max_length=64, blank=True)
    errors = models.PositiveSmallIntegerField()
    warnings = models.PositiveSmallIntegerField()
    findings = models.JSONField()

    class Meta:
        ordering = ["-ran_at", "-pk"]
        default_permissions = ("view",)
        permissions = [("run_preflight", "Can run the preflight")]

    def __str__(self) -> str:
        return f"Preflight of {self.ran_at:%Y-%m-%d %H:%M} UTC"
