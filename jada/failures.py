"""How a call to the outside world can end: the lowest foundation, known to everyone who delivers or asks for it.

The reason of a failure is a sentence for people. It may be shown in the console and written to a log, so it never
holds a secret, a link, a guest's address or the body of a message.
"""

from datetime import timedelta
from enum import StrEnum


class DeliveryFailure(Exception):
    """What was owed could not be delivered. Catch a subclass: each says who has to act, and whether anybody has to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(DeliveryFailure):
    """The other side is busy, away or in the middle of a change. Nobody has to act: do the same again later.

    `after` is the shortest pause that makes sense, if the other side has a known one; otherwise back off as usual.
    """

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Refused(DeliveryFailure):
    """The other side has understood and said no to this one object. Correct the object, then retry it by hand."""


class Misconfigured(DeliveryFailure):
    """No object would get through: a permission, a name or a resource is wrong. Mend the set-up, then retry them all."""


class Outdated(DeliveryFailure):
    """A newer copy stands outside than this database can know of: it was restored. Nothing is published until
    `outbox_restored` has raised its versions.
    """


class Unknown(DeliveryFailure):
    """A worker runs code that does not know what is owed. Nobody has to act unless no other worker does either."""


class InDoubt(DeliveryFailure):
    """A message went out and its answer never came: it may have been accepted. Do not send it again blindly.

    Wait for an event that proves it, then apply the rule of that kind of message (repeat, repeat once, ask a person).
    """


class Outcome(StrEnum):
    """How a write behind a version fence ended. All three end the effect; none is an error by itself."""

    WRITTEN = "written"
    ALREADY = "already"  # our own number is there: an earlier answer was lost
    NEWER = "newer"  # a later version is there: the writer is late, or its database is older than its copies
