"""The threads of a process that deliver. One transaction serves all who stand at the desk; the others call outside.

Note [Who does what]: whoever has nothing to do goes to the desk, unless somebody is there. There it hands in what every
thread has finished meanwhile, and claims one row for each thread that is idle: never more, so a row that is ours starts
at once. Effects that take long run side by side; quick ones are all run by the thread that claimed them, before the
others have woken. A message passes twice: its mark is written, then any thread sends it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from django.db import close_old_connections, connections

from jada.outbox import bell, claims, desk, heartbeats
from jada.outbox.claims import Claim
from jada.outbox.delivery import send, start
from jada.outbox.records import Ending, Mark

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0  # when nobody rings
REFRESH_SECONDS: Final = 30.0  # how long a thread uses a connection before it asks whether it is still good


class Pool:
    def __init__(self, size: int) -> None:
        self._desk = threading.Condition()
        self._ready: deque[Claim | Mark] = deque()
        self._finished: list[Ending | Mark] = []
        self._unwritten: list[Ending | Mark] = []  # what the database did not take: it is handed in again, apart
        self._idle = 0
        self._served = False  # somebody is at the desk
        self._rung = True
        self._look_at = 0.0  # monotonic: when to look though nobody rang
        self._not_before = 0.0  # monotonic: after trouble with the database
        self._write_at = 0.0  # monotonic: when to hand in again what it did not take
        self._stopping = False
        self._calm = threading.Event()
        bell.listen(self.wake)
        self.threads = [
            threading.Thread(target=self._work, name=f"outbox-{number}", daemon=True) for number in range(size)
        ]
        for thread in self.threads:
            thread.start()

    def wake(self) -> None:
        """There may be work. Costs next to nothing while an earlier call has not been heeded yet."""
        if not self._rung:
            with self._desk:
                self._rung = True
                self._calm.clear()
                self._desk.notify()

    def stop(self) -> None:
        """Claim nothing more. What is under way is finished and recorded."""
        bell.unlisten(self.wake)
        with self._desk:
            self._stopping = True
            self._desk.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until the threads have ended; False when some still call outside."""
        until = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(until - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self.threads)

    def drain(self, seconds: float) -> bool:
        """Deliver what is due; answers whether all of it was, within `seconds`."""
        with self._desk:
            self._rung = True
            self._calm.clear()
            self._desk.notify()
        return self._calm.wait(seconds)

    # --- a thread's life -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        finished: Ending | Mark | None = None
        fresh = time.monotonic()
        try:
            while (job := self._next(finished)) is not None:
                if time.monotonic() - fresh > REFRESH_SECONDS:
                    close_old_connections()
                    fresh = time.monotonic()
                finished = send(job) if isinstance(job, Mark) else start(job)
        finally:
            connections.close_all()

    def _next(self, finished: Ending | Mark | None) -> Claim | Mark | None:
        with self._desk:
            if finished is not None:
                self._finished.append(finished)
            self._idle += 1
            try:
                return self._wait_for_work()
            finally:
                self._idle -= 1

    def _wait_for_work(self) -> Claim | Mark | None:
        """At the desk or beside it, until there is something to do; None when it is time to go."""
        while True:
            needed = self._is_needed()
            if self._ready and (not needed or self._idle > len(self._ready)):  # enough are left to stand at the desk
                job = self._ready.popleft()
                if self._ready or needed:
                    self._desk.notify()
                return job
            if needed:
                self._stand_at_the_desk()
            elif self._stopping and not self._is_busy():
                return None
            else:
                if self._idle == len(self.threads) and not (self._is_busy() or self._served):
                    self._calm.set()
                self._desk.wait(self._patience())

    def _is_busy(self) -> bool:
        return bool(self._ready or self._finished or self._unwritten)

    def _is_needed(self) -> bool:
        at = time.monotonic()
        if self._served or at < self._not_before:
            return False
        if self._finished or (self._unwritten and at >= self._write_at):
            return True
        return not self._stopping and (self._rung or at >= self._look_at)

    def _patience(self) -> float:
        """Seconds until this thread may be needed. While somebody is at the desk, that one goes on when it is free."""
        at = time.monotonic()
        if self._served:
            return POLL_SECONDS
        if at < self._not_before:
            return self._not_before - at
        until = min(self._look_at, self._write_at) if self._unwritten else self._look_at
        return min(max(until - at, 0.001), POLL_SECONDS)

    def _stand_at_the_desk(self) -> None:
        """Called with the lock of the desk; it is free for the others while the database works."""
        self._served, rung, self._rung = True, self._rung, False
        finished, self._finished = self._finished, []
        if time.monotonic() >= self._write_at:
            finished, self._unwritten = [*finished, *self._unwritten], []
        room = 0 if self._stopping else max(self._idle - len(self._ready), 0)
        self._desk.release()
        try:
            served, look_in = self._serve(finished, room, rung=rung)
        finally:
            self._desk.acquire()
            self._served = False
        self._ready.extendleft(served.marked)  # what is marked as being sent is sent first
        self._ready.extend(served.claimed)
        at = time.monotonic()
        if served.unwritten:
            self._unwritten += [one for one in served.unwritten if self._may_try_again(one)]
            self._write_at = at + desk.PAUSE
        self._look_at = at + look_in
        self._not_before = at + desk.PAUSE if served.trouble else 0.0
        self._rung = self._rung or (0 < room == len(served.claimed))  # there may be more
        if self._stopping:
            self._desk.notify_all()
        elif self._ready:
            self._desk.notify()

    def _serve(self, finished: list[Ending | Mark], room: int, *, rung: bool) -> tuple[desk.Served, float]:
        """What the desk gave, and in how many seconds to look again."""
        self._give_sign_of_life()
        if not finished and not rung and (pause := self._until_due()):
            return desk.Served(), pause
        served = desk.serve(finished, room=room)
        if len(served.claimed) < room and served.trouble is None:
            return served, self._until_due() or self._until_a_place_is_free()
        return served, POLL_SECONDS

    def _give_sign_of_life(self) -> None:
        self._ask(lambda: heartbeats.beat(heartbeats.WORKER))

    def _until_due(self) -> float:
        """Seconds until something may be due, 0 when something is: a look that takes no lock."""
        due = self._ask(claims.probe)
        return POLL_SECONDS if due is None else due

    def _until_a_place_is_free(self) -> float:
        """What is due and was not claimed: it waits for another row, which rings, or for its service's rate."""
        return min(self._ask(claims.until_a_place) or POLL_SECONDS, POLL_SECONDS)

    @staticmethod
    def _ask(question: Callable[[], float | None]) -> float | None:
        try:
            return question()
        except Exception:
            logger.exception("The database did not answer; trying again")
            close_old_connections()
            return None

    @staticmethod
    def _may_try_again(one: Ending | Mark) -> bool:
        if one.taken.has_time_for_a_record():
            return True
        desk.give_up(one)
        return False
