from django.db import models


class EventKind(models.TextChoices):
    """What the mail service says has become of a mail, in its own words."""

    SEND = "Send", "accepted"
    DELIVERY = "Delivery", "delivered"
    DELAY = "DeliveryDelay", "held up"
    BOUNCE = "Bounce", "bounced"
    COMPLAINT = "Complaint", "reported as unwanted"
    REJECT = "Reject", "rejected"
    FAILURE = "Rendering Failure", "not made"
    OPEN = "Open", "opened"
    CLICK = "Click", "link followed"
    OTHER = "Other", "not understood"


class Outcome(models.TextChoices):
    """What has become of a mail that was sent, as far as the mail service has told."""

    SENT = "sent", "sent"
    HELD_UP = "held_up", "held up"
    DELIVERED = "delivered", "delivered"
    BOUNCED = "bounced", "bounced"
    REPORTED = "reported", "reported as unwanted"


class Trouble(models.TextChoices):
    """Why an address gets no more mail."""

    BOUNCED = "bounced", "mail to it bounces"
    REPORTED = "reported", "its owner reported our mail as unwanted"


# The service had taken the mail, whatever became of it: sending it again would be a second mail.
PROOFS = frozenset(EventKind.values) - {EventKind.OTHER}
