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


class Cause(models.TextChoices):
    """Why a row did not go through: it says who has to act."""

    RETRY = "retry", "the other side does not answer"
    REFUSED = "refused", "the other side refuses this one"
    CONFIGURATION = "configuration", "a setting or a permission is wrong"
    BUG = "bug", "an error of the program"
    IN_DOUBT = "in_doubt", "not known whether it was sent"
    UNKNOWN = "unknown", "no worker here knows how to deliver it"
    RESTORED = "restored", "the copy outside is newer than the database"


IN_FLIGHT = (State.RUNNING, State.SENDING, State.IN_DOUBT)
UNFINISHED = (State.PENDING, *IN_FLIGHT)
