import os
import signal
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction

from jada.outbox import bell, host, tasks
from jada.outbox.entries import enqueue
from jada.outbox.management.commands import outbox_worker
from jada.outbox.models import Effect
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    with transaction.atomic():
        enqueue("thing", "a")


def test_the_worker_delivers_what_is_due_once_and_says_how_much(world: World) -> None:
    owe(world)
    out = StringIO()

    call_command("outbox_worker", "--once", stdout=out)

    assert out.getvalue() == "3 delivered\n"
    assert world.copies["a"] == (1, Thing("x", 1))


def test_the_worker_ends_when_it_is_told(world: World) -> None:
    owe(world)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()

    call_command("outbox_worker", "--threads", "1", stdout=StringIO())
    bell.ring()
    for thread in threading.enumerate():
        if thread.name.startswith("outbox-0"):
            thread.join(10)

    assert not Effect.objects.unfinished().exists()


def test_resync_says_how_much_it_owes_anew(world: World) -> None:
    owe(world)
    host.drain()
    out = StringIO()

    call_command("resync", stdout=out)

    assert out.getvalue() == "1 objects will be written out again.\n"


def test_celerys_tasks_deliver(world: World) -> None:
    owe(world)
    tasks.drain()
    tasks.sweep_and_drain()

    assert not Effect.objects.unfinished().exists()


def test_a_worker_holds_no_pages_and_no_apis_in_memory(tmp_path: Path) -> None:
    """20 MB of each worker, for what only the web process shows."""
    start = (
        "import sys, django; django.setup();"
        "import jada.outbox.management.commands.outbox_worker, jada.checks;"
        "print([name for name in ('jada.urls', 'jada.api', 'ninja') if name in sys.modules])"
    )
    env = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
        "DJANGO_SETTINGS_MODULE": "jada.settings", "DEBUG": "false", "VAR_DIR": str(tmp_path),
        "SECRET_KEY": "a-test-key-of-enough-length-and-many-different-letters-0123456789",
    }  # fmt: skip

    done = subprocess.run([sys.executable, "-c", start], env=env, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr
    assert outbox_worker.Command.requires_system_checks == ("jada",)
