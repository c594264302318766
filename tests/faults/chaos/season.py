"""The clients: each books one trip with a key, and what it changes afterwards; without an answer they ask again."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.chaos.company import SERVICE_KEY, Company, Office
from tests.faults.chaos.machine import until
from tests.faults.chaos.process import VESSELS

PATIENCE = 90.0  # seconds that a client goes on asking
ANSWER = 8.0
FIRST_DAY = timedelta(days=40)


@dataclass
class Trip:
    """What one client wants, and what it was answered. `want` is what the last answered act made of the trip."""

    number: int
    due: float
    edits: list[dict[str, Any]]
    cancelled: bool
    twice: bool  # the same request from two threads at one instant
    event: str = ""
    want: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def external_id(self) -> str:
        return f"CH-{self.number:05d}"


class Season:
    def __init__(self, company: Company, office: Office, *, bookings: int, rate: float, seed: int) -> None:
        self.company, self.office = company, office
        self.trips = [_planned(n, rate, random.Random(f"{seed}:{n}")) for n in range(bookings)]
        self._day = datetime.now(UTC).replace(hour=16, minute=0, second=0, microsecond=0) + FIRST_DAY

    def begin(self) -> None:
        """The first trip in peace: everybody is there before anything breaks."""
        self._live(self.trips[0], time.monotonic())
        until(lambda: self.office.act("left") == 0, "The first delivery")

    def run(self) -> None:
        """Until every client has its answers."""
        begun = time.monotonic()
        with ThreadPoolExecutor(40, thread_name_prefix="client") as clients:
            for done in [clients.submit(self._live, trip, begun) for trip in self.trips[1:]]:
                done.result()

    def _live(self, trip: Trip, begun: float) -> None:
        time.sleep(max(0.0, begun + trip.due - time.monotonic()))
        try:
            self._book(trip)
            for number, edit in enumerate(trip.edits):
                time.sleep(edit["after"])
                self._edit(trip, edit, key=f"key-{trip.number}-{number}")
            if trip.cancelled:
                self._cancel(trip)
        except TimeoutError as error:
            trip.wrong.append(str(error))

    # --- acts ------------------------------------------------------------------------------------------------------

    def _book(self, trip: Trip) -> None:
        starts = self.starts(trip)
        body = {
            "channel": "partner",
            "external_id": trip.external_id,
            "vessel": f"boat-{trip.number % VESSELS}",
            "starts_at": starts.isoformat(),
            "duration_hours": 2,
            "party_size": 4,
            "guest_name": f"Guest {trip.number}",
            "guest_email": f"guest-{trip.number}@example.com",
            "gross": "800.00",
        }

        def post(**other: Any) -> tuple[int, Any]:
            return self._ask(trip, "POST", "/api/events", body | other, key=f"key-{trip.number}")

        if trip.twice:
            twin = threading.Thread(target=post)
            twin.start()
        status, answer = post()
        if trip.twice:
            twin.join()
        if status not in (200, 201):
            trip.wrong.append(f"POST: {status} {answer}")
            return
        trip.event = answer["event_id"]
        trip.want = {"starts_at": starts, "party_size": 4, "status": "confirmed"}
        if trip.twice:
            other = post(party_size=5)[0]
            if other != 422:
                trip.wrong.append(f"one key for two requests was answered {other}")

    def _edit(self, trip: Trip, edit: dict[str, Any], *, key: str) -> None:
        if not trip.event:
            return
        change: dict[str, Any] = {name: value for name, value in edit.items() if name == "party_size"}
        if "minutes" in edit:
            change["starts_at"] = (self.starts(trip) + timedelta(minutes=edit["minutes"])).isoformat()
        status, answer = self._ask(trip, "PATCH", f"/api/events/{trip.event}", change, key=key)
        if status != 200:
            trip.wrong.append(f"PATCH: {status} {answer}")
            return
        trip.want |= change

    def _cancel(self, trip: Trip) -> None:
        until = time.monotonic() + PATIENCE
        while trip.event and self.office.act("cancel", event=trip.event) is None:
            if time.monotonic() > until:
                raise TimeoutError("The office could not cancel.")
            time.sleep(0.3)
        trip.want["status"] = "cancelled"

    def starts(self, trip: Trip) -> datetime:
        """A day of its own on its vessel, so that nothing stands in anybody's way."""
        return self._day + timedelta(days=trip.number // VESSELS)

    # --- the wire --------------------------------------------------------------------------------------------------

    def _ask(self, trip: Trip, method: str, path: str, body: dict[str, Any], *, key: str) -> tuple[int, Any]:
        """The same request with the same key until somebody answers it."""
        until, pause = time.monotonic() + PATIENCE, 0.1
        headers = {"X-Api-Key": SERVICE_KEY, "Content-Type": "application/json", "Idempotency-Key": key}
        while time.monotonic() < until:
            trip.asked += 1
            connection = http.client.HTTPConnection("127.0.0.1", self.company.port, timeout=ANSWER)
            try:
                connection.request(method, path, json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status < 500:
                    return answer.status, json.loads(text)
            except (OSError, http.client.HTTPException):
                pass  # refused, reset or silent: whether it was done is what the key is for
            finally:
                connection.close()
            time.sleep(pause)
            pause = min(2.0, pause * 1.6)
        raise TimeoutError(f"{method} {path} had no answer for {PATIENCE:.0f} s.")


def _planned(number: int, rate: float, chance: random.Random) -> Trip:
    edits: list[dict[str, Any]] = []
    while chance.random() < 0.45 and len(edits) < 4:
        after = chance.choice((0.0, 0.05, 0.5, 2.0))
        what = (
            {"party_size": chance.randint(2, 10)} if chance.random() < 0.4 else {"minutes": chance.randint(1, 12) * 15}
        )
        edits.append({"after": after, **what})
    return Trip(number, number / rate, edits, cancelled=chance.random() < 0.2, twice=chance.random() < 0.1)
