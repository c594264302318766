"""Who acts. A person, a channel, another system, or the house itself; never empty."""

from dataclasses import dataclass
from typing import Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True)
class Actor:
    """`kind` is one of user, crew, channel, service, system; `name` is what history shows."""

    kind: str
    name: str

    @classmethod
    def user(cls, user: AbstractBaseUser | AnonymousUser) -> Self:
        return cls("user", user.get_username() or "unknown")

    @classmethod
    def channel(cls, name: str) -> Self:
        return cls("channel", name)

    @classmethod
    def service(cls, key_id: str) -> Self:
        return cls("service", key_id)

    @classmethod
    def crew(cls, name: str) -> Self:
        return cls("crew", name)

    def __str__(self) -> str:
        return self.name if self.kind == "user" else f"{self.name} ({self.kind})"


SYSTEM = Actor("system", "JADA")
