from django.db.models import TextChoices


class PageState(TextChoices):
    """How far a page is on its way to the guest. Derived from the outbox and its mirror, stored nowhere."""

    WAITING = "waiting", "Waiting"
    ON_ITS_WAY = "on_its_way", "On its way"
    LIVE = "live", "Live"
    FAILED = "failed", "Failed"
