"""Where faults are played: one warm interpreter that forks a process for each act, and a database that is reset.

Django is loaded once and nothing is open when a process is forked, so that a case costs what it does and not what
importing it costs. Nothing waits for a lease: `pass_time` moves every instant in the outbox back instead.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, connections, models, reset_queries
from django.db.models import F

from jada.outbox import breakers
from jada.outbox.failpoints import fp

DEADLINE = 30.0  # seconds; a process that takes longer is killed, and that is a finding
LONG = timedelta(hours=2)  # beyond every lease, doubt and pause

FIRED, WAITS, HOLDS_LOCKS, SAID = b"F", b"W", b"L", b"="


# --- processes -------------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """How a process went on: `said` is what it answered, None if it never came so far."""

    pid: int
    fired: bool = False
    said: Any = None
    stands: bool = False  # still there, at the place where it hangs
    status: int = 0
    _up: int = -1
    _down: int = -1
    _read: bytes = field(default=b"", repr=False)

    @property
    def killed(self) -> bool:
        return os.WIFEXITED(self.status) and os.WEXITSTATUS(self.status) == 137

    def wake(self) -> None:
        """Let it go on from where it hangs: a zombie, whose lease is long over. Waits for its end."""
        os.write(self._down, b"!")
        self.stands = False
        _follow(self)


def fork(act: Callable[[Mouth], object]) -> Life:
    """Run `act` in a process of its own, until it ends, is killed, or hangs where somebody may wake it."""
    connections.close_all()
    (up_out, up_in), (down_out, down_in) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(up_out)
        os.close(down_in)
        _live(act, Mouth(up_in, down_out))
    os.close(up_in)
    os.close(down_out)
    life = Life(pid, _up=up_out, _down=down_in)
    _follow(life)
    return life


@dataclass
class Mouth:
    """What a forked process says to the one that forked it."""

    up: int
    down: int

    def say(self, what: object) -> None:
        os.write(self.up, SAID + json.dumps(what).encode() + b"\n")

    def fired(self) -> None:
        os.write(self.up, FIRED + b"\n")

    def stand_still(self, name: str) -> None:
        """Hang where one may be woken. Inside a transaction nobody may: its locks would hold up everybody."""
        os.write(self.up, (HOLDS_LOCKS if connection.in_atomic_block else WAITS) + b"\n")
        os.read(self.down, 1)


def _live(act: Callable[[Mouth], object], mouth: Mouth) -> None:
    status = 0
    try:
        if not os.environ.get("FAULTS_LOUD"):
            logging.disable(logging.CRITICAL)  # what is ordered to fail need not be told of
        act(mouth)
        connections.close_all()
    except BaseException:  # noqa: BLE001  whatever it was, this process ends here and not in the parent's code
        status = 1
        mouth.say({"crashed": traceback.format_exc()[-2000:]})
    os._exit(status)


def _follow(life: Life) -> None:
    while select.select([life._up], [], [], DEADLINE)[0]:
        part = os.read(life._up, 65536)
        if not part:
            break
        life._read += part
        while b"\n" in life._read:
            line, life._read = life._read.split(b"\n", 1)
            _hear(life, line)
        if life.stands:
            return
    else:
        os.kill(life.pid, signal.SIGKILL)
        life.said = {"crashed": f"It did not end within {DEADLINE:.0f} s."}
    os.close(life._up)
    os.close(life._down)
    life.status = os.waitpid(life.pid, 0)[1]


def _hear(life: Life, line: bytes) -> None:
    match line[:1]:
        case b"F":
            life.fired = True
        case b"W":
            life.stands = True
        case b"L":
            os.kill(life.pid, signal.SIGKILL)
        case b"=":
            life.said = json.loads(line[1:])


# --- the database ----------------------------------------------------------------------------------------------------


@contextmanager
def database(lay_out: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """A database with what `lay_out` writes; the function that is handed out brings it back to that."""
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        lay_out()
        reset = _files() if connection.vendor == "sqlite" else _deletion()
        yield reset
    finally:
        connections.close_all()
        connection.creation.destroy_test_db("", verbosity=0)


def _files() -> Callable[[], None]:
    path = Path(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connections.close_all()
    kept = path.with_suffix(".kept")
    shutil.copyfile(path, kept)

    def reset() -> None:
        connections.close_all()
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        shutil.copyfile(kept, path)

    return reset


def _deletion() -> Callable[[], None]:
    """TRUNCATE takes a second for so many tables; a few rows are deleted in milliseconds, foreign keys asleep."""
    empty = [model._meta.db_table for model in apps.get_models(include_auto_created=True) if not model.objects.exists()]
    statements = ["SET session_replication_role = replica", *(f'DELETE FROM "{table}"' for table in empty)]
    with connection.cursor() as cursor:  # what is killed here is a client: the server loses nothing
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')

    def reset() -> None:
        with connection.cursor() as cursor:
            cursor.execute("; ".join(statements))
        connections.close_all()

    return reset


def pass_time(by: timedelta = LONG) -> None:
    """Let time pass, for the outbox: every instant that it wrote down lies `by` further back."""
    for model in apps.get_app_config("outbox").get_models():
        names = [f.name for f in model._meta.concrete_fields if isinstance(f, models.DateTimeField)]
        if names:
            model.objects.update(**{name: F(name) - by for name in names})
    breakers.forget()  # what this process has read is older now, too
    reset_queries()


# --- the outside world -----------------------------------------------------------------------------------------------


def live_in(environment: dict[str, str]) -> None:
    """Everything of ours that is outside is at these fakes."""
    from jada.aws import clients, stack  # boto3 is imported by those who need it
    from tests.rig.fixtures import OURS

    os.environ.update(environment)
    for name in OURS:
        if name in environment:
            setattr(settings, name, environment[name])
    clients.reset()
    stack.outputs.cache_clear()
    fail_on_the_wire()


def fail_on_the_wire() -> None:
    """Pass `request_written` where it is true: the whole request has left, of its answer nothing was read.

    No code of ours stands there, only the SDK's and the standard library's: so it is here that the place is made.
    """
    read = HTTPConnection.getresponse

    def passing(connection: HTTPConnection) -> HTTPResponse:
        if connection._method != "HEAD":  # a look changes nothing; the write that follows it is meant
            fp("request_written")
        return read(connection)

    HTTPConnection.getresponse = passing


def warm(act: Callable[[], object]) -> None:
    """Do once, here, what every fork would do for the first time: load, compile, resolve. No socket stays open."""
    from jada.aws import clients

    act()
    connections.close_all()
    for client in (clients.s3(), clients.dynamodb(), clients.cloudfront(), clients.sesv2()):
        client.close()  # its sockets; it opens new ones when it is used
    gc.freeze()  # a fork copies no page only because somebody counted
