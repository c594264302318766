"""The kinds of messages. Each app registers its own in `sync.py`: who it goes to, when it is no longer worth sending.

A letter's template is the folder `templates/mail/<template>/` with `subject.txt`, `body.txt` and `body.html`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jada.mail.models import Message


@dataclass(frozen=True)
class Address:
    """Where a message goes now: the address on file at the moment of sending."""

    name: str
    email: str


class Letter(Protocol):
    """`in_doubt`: when it is not known whether a message left, "resend" it, resend it "once", or "hold" it."""

    template: str
    in_doubt: str

    def address(self, message: Message) -> Address | None:
        """The recipient on file, or None when there is none any more."""
        ...

    def withdrawn(self, message: Message) -> str:
        """Why it is no longer worth sending, "" when it is: trip cancelled, link revoked."""
        ...

    def links(self, message: Message) -> Mapping[str, str]:
        """Personal links, made now and stored nowhere; the same ones when the message is repeated."""
        ...


_letters: dict[str, Letter] = {}


def letter(kind: str) -> Callable[[type], type]:
    def register(cls: type) -> type:
        if kind in _letters:
            raise ValueError(f"Two letters of the kind {kind!r}: give one of them another name.")
        _letters[kind] = cls()
        return cls

    return register


def letter_of(kind: str) -> Letter:
    return _letters[kind]


def kinds() -> frozenset[str]:
    return frozenset(_letters)
