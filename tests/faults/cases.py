"""Every kind of effect × every failpoint × every action: enumerated from what is registered, nothing is sampled.

A kind is a topic, or of the courier's topic one for whom it writes: their rules in doubt differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from jada.mail.letters import kinds, letter_of
from jada.outbox import registry
from jada.outbox.failpoints import ACTIONS, NAMES

# Where a row is born, where it is delivered, where it is rescued.
ACT = ("after_insert", "before_commit", "after_commit_before_bell")
SWEEP = ("in_sweep",)
MESSAGES_ONLY = ("before_sending", "after_sending")


@dataclass(frozen=True)
class Case:
    topic: str
    to: str  # crew, guest, ops; "" for what is no message
    failpoint: str
    action: str

    def __str__(self) -> str:
        return f"{self.kind} {self.failpoint} {self.action}"

    @property
    def kind(self) -> str:
        return f"{self.topic} {self.to}".strip()

    @property
    def is_message(self) -> bool:
        return registry.topic(self.topic).kind == "courier"

    @property
    def is_step(self) -> bool:
        return registry.topic(self.topic).kind in ("step", "batch")

    @property
    def before(self) -> Case:
        """The case of the put that a step is born of: in its record, not in an act."""
        parent = next(name for name in sorted(registry.known()) if self.topic in registry.topic(name).then)
        return replace(self, topic=parent)

    @property
    def passes(self) -> bool:
        """Whether a delivery of this kind comes by this place at all."""
        if self.failpoint in MESSAGES_ONLY:
            return self.is_message
        return not (self.failpoint in ACT and self.is_step)

    @property
    def letter(self) -> str:
        """The kind of letter that a booking owes to these."""
        return next(kind for kind in sorted(kinds()) if kind in FIRST_LETTERS and kind.startswith(f"{self.to}."))

    @property
    def ends(self) -> tuple[int, str]:
        """What a message's row must come to: mails that left, and its state. Any other row ends as done."""
        if not self.is_message or not self.leaves_doubt:
            return 1, "done"
        left = 0 if self.failpoint == "after_sending" and self.action != "hang" else 1  # woken, it goes on to the call
        if letter_of(self.letter).in_doubt == "hold":
            return left, "dead"
        return left + 1, "done"

    @property
    def leaves_doubt(self) -> bool:
        """Whether nobody can know if the mail left."""
        match self.failpoint:
            case "after_sending" | "request_written" | "response_before_record":
                return True
            case "before_record":  # a process that lives on knows that it left, and writes it down again
                return self.action in ("kill", "hang")
        return False


FIRST_LETTERS = frozenset({"crew.invitation", "guest.booked", "ops.booked"})


def topics() -> Iterator[tuple[str, str]]:
    """(topic, addressee) of every registered handler."""
    for name in sorted(registry.known()):
        if registry.topic(name).kind == "courier":
            yield from ((name, to) for to in sorted({kind.partition(".")[0] for kind in kinds()}))
        else:
            yield name, ""


def every() -> list[Case]:
    return [Case(*topic, failpoint, action) for topic, failpoint, action in product(topics(), NAMES, ACTIONS)]


def a_slice() -> list[Case]:
    """Each failpoint and action once, the topics in turn: a kind that passes the place, where one does."""
    chosen = []
    for n, (failpoint, action) in enumerate(product(NAMES, ACTIONS)):
        passing = [case for case in every() if (case.failpoint, case.action) == (failpoint, action) and case.passes]
        chosen.append(passing[n % len(passing)])
    return chosen
