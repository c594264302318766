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
        self._idle = 0
        self._served = False  # somebody is at the desk
        self._rung = True
        self._look_at = 0.0  # monotonic: when to look though nobody rang
        self._not_before = 0.0  # monotonic: after trouble with the database
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
            elif self._stopping and not (self._ready or self._finished):
                return None
            else:
                if self._idle == len(self.threads) and not (self._ready or self._finished or self._served):
                    self._calm.set()
                self._desk.wait(self._patience())

    def _is_needed(self) -> bool:
        at = time.monotonic()
        if self._served or at < self._not_before:
            return False
        return bool(self._finished) or (not self._stopping and (self._rung or at >= self._look_at))

    def _patience(self) -> float:
        at = time.monotonic()
        if at < self._not_before:
            return self._not_before - at
        return min(max(self._look_at - at, 0.001), POLL_SECONDS)

    def _stand_at_the_desk(self) -> None:
        """Called with the lock of the desk; it is free for the others while the database works."""
        self._served, rung, self._rung = True, self._rung, False
        finished, self._finished = self._finished, []
        room = 0 if self._stopping else max(self._idle - len(self._ready), 0)
        self._desk.release()
        try:
            served, look_in = self._serve(finished, room, rung=rung)
        finally:
            self._desk.acquire()
            self._served = False
        self._ready.extendleft(served.marked)  # what is marked as being sent is sent first
        self._ready.extend(served.claimed)
        self._finished += [one for one in served.unwritten if self._may_try_again(one)]
        at = time.monotonic()
        self._look_at = at + look_in
        self._not_before = at + desk.PAUSE if served.trouble else 0.0
        self._rung = self._rung or (0 < room == len(served.claimed))  # there may be more
        if self._ready:
            self._desk.notify()

    def _serve(self, finished: list[Ending | Mark], room: int, *, rung: bool) -> tuple[desk.Served, float]:
        """What the desk gave, and in how many seconds to look again."""
        if not finished and not rung and (pause := self._until_due()):
            return desk.Served(), pause
        served = desk.serve(finished, room=room)
        emptied = len(served.claimed) < room and served.trouble is None
        return served, (self._until_due() if emptied else 0.0) or POLL_SECONDS

    @staticmethod
    def _until_due() -> float:
        """Seconds until something may be due, 0 when something is: a look that takes no lock."""
        try:
            heartbeats.beat(heartbeats.WORKER)
            due = claims.probe()
        except Exception:
            logger.exception("The database did not answer; trying again")
            close_old_connections()
            return POLL_SECONDS
        return POLL_SECONDS if due is None else due

    @staticmethod
    def _may_try_again(one: Ending | Mark) -> bool:
        if one.taken.has_time_for_a_record():
            return True
        desk.give_up(one)
        return False
