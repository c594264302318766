"""What a look at the installation finds, and how looks are taken: each by itself, none longer than its deadline."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Final

from django.db import DatabaseError

from jada.failures import DeliveryFailure

logger = logging.getLogger(__name__)

PATIENCE: Final = 12.0  # seconds for all looks together; those that ask the network run side by side


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """`code` is for programs and stays as it is; `said` is a sentence, `mend` the command that puts it right.

    Neither holds a secret, an amount or somebody's contact: findings are kept and shown.
    """

    code: str
    level: Level
    said: str
    mend: str = ""


class Unseen(Exception):
    """A look was not allowed: what it would have seen is not known, which is no error of the thing itself."""

    def __init__(self, said: str, *, mend: str) -> None:
        super().__init__(said)
        self.mend = mend


@dataclass(frozen=True)
class Check:
    """One look. `codes` is all that it can say, in the order in which it says it: where it breaks, the first that was
    not said is the one in error. `far` asks the network and gets a thread of its own; the others may use the database.
    """

    codes: tuple[str, ...]
    look: Callable[[], Iterable[Finding]]
    mend: str
    far: bool = True


def ok(code: str, said: str) -> Finding:
    return Finding(code, Level.OK, said)


def warning(code: str, said: str, *, mend: str) -> Finding:
    return Finding(code, Level.WARNING, said, mend)


def error(code: str, said: str, *, mend: str) -> Finding:
    return Finding(code, Level.ERROR, said, mend)


def run(checks: Sequence[Check], *, patience: float = PATIENCE) -> Iterator[Finding]:
    """The findings of every check, in the order of the checks. One that breaks or hangs hides none of the others."""
    deadline = monotonic() + patience
    looks = [_Look(check) for check in checks]
    for look in looks:
        if look.check.far:
            look.thread = threading.Thread(target=look.take, name=f"preflight-{look.check.codes[0]}", daemon=True)
            look.thread.start()
    for look in looks:
        if not look.check.far:
            look.take()
    for look in looks:
        yield from look.taken(deadline, patience)


@dataclass
class _Look:
    check: Check
    thread: threading.Thread | None = None
    found: list[Finding] = field(default_factory=list)

    def take(self) -> None:
        try:
            for finding in self.check.look():
                self.found.append(finding)
        except Unseen as unseen:
            self.found.append(warning(self._unsaid(), str(unseen), mend=unseen.mend))
        except DeliveryFailure as failure:
            self.found.append(error(self._unsaid(), failure.reason, mend=self.check.mend))
        except DatabaseError as failure:
            said = f"The database does not answer this ({type(failure).__name__}): look at DATABASE_URL and its migrations."
            self.found.append(error(self._unsaid(), said, mend=self.check.mend))
        except Exception as broken:
            logger.exception("A look of the preflight broke: %s", self._unsaid())
            said = f"The look itself broke ({type(broken).__name__}); the log has the place."
            self.found.append(error(self._unsaid(), said, mend=self.check.mend))

    def taken(self, deadline: float, patience: float) -> list[Finding]:
        if self.thread is not None:
            self.thread.join(max(0.0, deadline - monotonic()))
            if self.thread.is_alive():  # it ends by itself, at the timeouts of its own connection
                said = f"No answer came within {patience:g} s: look at the network between here and there."
                return [*self.found, error(self._unsaid(), said, mend=self.check.mend)]
        return self.found

    def _unsaid(self) -> str:
        said = {finding.code for finding in self.found}
        return next((code for code in self.check.codes if code not in said), self.check.codes[-1])
