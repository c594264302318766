from django.db import models


class Arrival(models.TextChoices):
    """How a message reached us; what it says carries its own rank (`adapters.base.Source`)."""

    UPLOAD = "upload", "Uploaded"
    COMMAND = "command", "Read by command"
    API = "api", "Service API"
    MAIL = "mail", "By mail"
    CONSOLE = "console", "Console"


class MessageState(models.TextChoices):
    READ = "read", "Kept, waits for its booking"
    ACTED = "acted", "Acted on"
    QUARANTINED = "quarantined", "Waits for a person"
    IGNORED = "ignored", "Nothing to do"


class EventKind(models.TextChoices):
    BOOKING = "booking", "Booking"
    AMENDMENT = "amendment", "Change"
    CANCELLATION = "cancellation", "Cancellation"


class EventSource(models.TextChoices):
    MAIL = "mail", "Mail"
    API = "api", "Service API"
    FEED = "feed", "Calendar feed"
