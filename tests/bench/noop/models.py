from django.db import models


class Trip(models.Model):
    """As large as the row that the bare driver writes."""

    code = models.CharField(max_length=40, unique=True)
    body = models.TextField()

    def __str__(self) -> str:
        return self.code
