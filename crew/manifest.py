"""What crew may see of a trip: frozen view objects, each field named here on purpose. Pure: no ORM, no clock.

Whatever is not in these classes reaches no crew page, no crew mail, no item of the events table and no API answer.
There is no amount, no guest's surname, no guest's contact and no note of the office among them (ADR 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# What the ledger says about departure, in words; an amount is never among them.
BANNERS = {
    "tentative": "Do not depart until the deposit is confirmed.",
    "deposit_received": "Do not depart until the balance is confirmed.",
    "paid_in_full": "",
    "refunded": "Do not depart: the payment went back. Ask the office.",
    "carried_over": "Do not depart: the payment moved to another trip. Ask the office.",
}


@dataclass(frozen=True, kw_only=True)
class CrewLine:
    """One place of the trip: who has it and what they said. Without a name it is open."""

    role: str
    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class CrewEventView:
    """The crew event as it stands outside: the item of the events table and the answer of the API.

    Instants are ISO 8601 with the vessel's own offset; `date` and `call_time` are local and made for people.
    """

    event_id: str
    status: str
    vessel: str
    date: str
    call_time: str
    call_at: str
    starts_at: str
    ends_at: str
    time_zone: str
    guest: str
    party_size: int
    dock: str
    public_note: str
    occasion: str
    payment_state: str
    banner: str
    ready: bool
    crew: tuple[CrewLine, ...]
    checklist_done: int
    checklist_total: int


@dataclass(frozen=True, kw_only=True)
class Shipmate:
    """Somebody else aboard. The telephone is there for those who are confirmed themselves, else ""."""

    role: str
    name: str
    state: str
    label: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class TaskLine:
    """A task of the checklist; `due_at` and `done_at` are in the vessel's zone."""

    id: int
    text: str
    role: str
    due_at: datetime
    required: bool
    done: bool
    done_by: str
    done_at: datetime | None
    mine: bool


@dataclass(frozen=True, kw_only=True)
class TripPage:
    """The portal's page of one trip, for one member. Instants are in the vessel's zone."""

    event_id: str
    vessel: str
    call_at: datetime
    starts_at: datetime
    ends_at: datetime
    arrive_at: datetime
    dock: str
    address: str
    directions: str
    guest: str
    party_size: int
    occasion: str
    public_note: str
    banner: str
    me: str
    my_role: str
    my_state: str
    answer_by: datetime | None
    shipmates: tuple[Shipmate, ...]
    tasks: tuple[TaskLine, ...]

    @property
    def done(self) -> int:
        return sum(task.done for task in self.tasks)

    @property
    def before(self) -> tuple[TaskLine, ...]:
        """What is due until departure."""
        return tuple(task for task in self.tasks if task.due_at <= self.starts_at)

    @property
    def after(self) -> tuple[TaskLine, ...]:
        return tuple(task for task in self.tasks if task.due_at > self.starts_at)


@dataclass(frozen=True, kw_only=True)
class TripCard:
    """A trip in the list of those that a browser has opened."""

    event_id: str
    vessel: str
    call_at: datetime
    starts_at: datetime
    ends_at: datetime
    role: str
    state: str
    answer_by: datetime | None


@dataclass(frozen=True, kw_only=True)
class Labour:
    """Charter minutes of one member on one trip; what they are worth is no business of the crew side."""

    member_key: str
    name: str
    role: str
    minutes: int
