"""What breaks, when, by the seed. Every fault ends by itself; `rest` ends those that still last."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.faults.chaos.company import Company
from tests.faults.chaos.haste import LEASE, READ
from tests.faults.chaos.machine import Postgres, Redis

SERVICES = (("dynamodb", "PutItem"), ("s3", "PutObject"), ("s3", "HeadObject"), ("cloudfront", "CreateInvalidation"))
MAIL = ("ses", "SendEmail")


class Monkey(threading.Thread):
    def __init__(self, company: Company, *, postgres: Postgres | None, redis: Redis | None, seed: int) -> None:
        super().__init__(name="monkey", daemon=True)
        self.company, self.postgres, self.redis = company, postgres, redis
        self.chance, self.did = random.Random(f"{seed}:monkey"), Counter[str]()
        self.calm = threading.Event()
        self._later: list[threading.Thread] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        tricks = self._tricks()
        try:
            while not self.calm.wait(self.chance.uniform(0.3, 1.2)):
                name, trick = self.chance.choice(tricks)
                self.did[name] += 1
                trick()
        except BaseException as error:  # noqa: BLE001  told by `rest`, in the thread that waits for it
            self.error = error

    def rest(self) -> None:
        """No more faults, and everything runs again."""
        self.calm.set()
        self.join(60)
        for waiting in self._later:
            waiting.join(60)
        self.company.rig.calm()
        if self.error:
            raise self.error

    def _tricks(self) -> list[tuple[str, Callable[[], None]]]:
        world: list[tuple[str, Callable[[], None]]] = [
            ("throttle", lambda: self._world("throttle")),
            ("500", lambda: self._world("500")),
            ("reset", lambda: self._world("reset")),
            ("lost answer", lambda: self._world("lost")),
            ("late answer", lambda: self._world("late")),
            ("no answer", lambda: self._world("silent")),
            ("403", lambda: self._world("403")),
            ("mail events withheld", lambda: self._events("withhold")),
            ("mail events reordered", lambda: self._events("reorder")),
            ("mail events repeated", lambda: self._events("repeat")),
            ("too many invalidations", lambda: self.company.rig.order("busy", service="cloudfront", times=2)),
            ("edge away", lambda: self.company.rig.order("503", service="edge", times=4)),
        ]
        people: list[tuple[str, Callable[[], None]]] = [("kill -9 web", self._kill_web)]
        if self.company.host == "thread":
            people += [("freeze web", self._freeze_web)]
        else:
            people += [("kill -9 worker", self._kill), ("freeze worker", self._freeze)] * 2
        if self.postgres:
            people += [("restart PostgreSQL", self._restart)] * 2
            if self.company.host != "thread":  # with SQLite all of them are on one machine, which has one clock
                people += [("clock", self._clock)] * 2
        elif self.company.host != "thread":
            people += [("disk full", self._disk_full)]
        if self.redis:
            people += [("Redis refuses", self._refuse), ("Redis is silent", self._silence)] * 2
        return world + people

    # --- tricks ----------------------------------------------------------------------------------------------------

    def _world(self, action: str) -> None:
        service, op = self.chance.choice((*SERVICES, MAIL))
        times = self.chance.randint(1, 6)
        if service == "ses" and action not in ("throttle", "403"):
            times = 1  # each of these is a doubt; a few are enough for every rule to be used
        self.company.rig.order(action, service=service, op=op, times=times, seconds=READ + 1.0)

    def _events(self, habit: str) -> None:
        """For some seconds the mail service reports nothing, everything twice, or later and the newest first."""
        self.company.rig.habits(events=habit)
        self._in(self.chance.uniform(2, 5), self._report)

    def _report(self) -> None:
        self.company.rig.habits(events="publish")
        self.company.rig.release()

    def _kill(self) -> None:
        self.company.relieve(self.chance.randrange(len(self.company.crew)))

    def _kill_web(self) -> None:
        if pids := self.company.web_workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), signal.SIGKILL)

    def _freeze(self) -> None:
        self._halt(self.chance.choice(self.company.crew).pid, group=True)

    def _freeze_web(self) -> None:
        if pids := self.company.web_workers():
            self._halt(self.chance.choice(pids), group=False)

    def _halt(self, pid: int, *, group: bool) -> None:
        send = os.killpg if group else os.kill
        with contextlib.suppress(ProcessLookupError):
            send(pid, signal.SIGSTOP)
        self._in(LEASE + self.chance.uniform(0.5, 2.0), lambda: send(pid, signal.SIGCONT))

    def _clock(self) -> None:
        """One more worker, an hour ahead or behind, for some seconds."""
        shift = self.chance.choice((3600, -3600))
        self._passing(CHAOS_CLOCK=str(shift))

    def _disk_full(self) -> None:
        """One more worker that cannot write a byte more to any file."""
        self._passing(CHAOS_DISK="4096")

    def _passing(self, **fault: str) -> None:
        process = self.company.worker(**fault)
        self.company.passing.append(process)
        self._in(self.chance.uniform(4, 7), lambda: os.killpg(process.pid, signal.SIGKILL))

    def _restart(self) -> None:
        assert self.postgres is not None
        self.postgres.stop_at_once()
        time.sleep(self.chance.uniform(0.0, 1.0))
        self.postgres.start()

    def _refuse(self) -> None:
        assert self.redis is not None
        if self.redis.process:
            self.redis.refuse()
            self._in(self.chance.uniform(1, 5), self.redis.start)

    def _silence(self) -> None:
        assert self.redis is not None
        self.redis.fall_silent()
        self._in(self.chance.uniform(1, 5), self.redis.speak)

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        def later() -> None:
            self.calm.wait(seconds)
            with contextlib.suppress(ProcessLookupError):
                act()

        thread = threading.Thread(target=later, daemon=True)
        self._later.append(thread)
        thread.start()
