from django.db import models


class Mode(models.TextChoices):
    """State rows carry no payload and may be superseded; messages are frozen and sent once."""

    STATE = "S", "state"
    MESSAGE = "M", "message"


class State(models.TextChoices):
    PENDING = "pending", "waiting"
    RUNNING = "running", "being delivered"
    SENDING = "sending", "being sent"
    IN_DOUBT = "in_doubt", "in doubt"
    DONE = "done", "delivered"
    SUPERSEDED = "superseded", "superseded"
    CANCELLED = "cancelled", "withdrawn"
    DEAD = "dead", "stuck"


IN_FLIGHT = (State.RUNNING, State.SENDING, State.IN_DOUBT)
UNFINISHED = (State.PENDING, *IN_FLIGHT)
