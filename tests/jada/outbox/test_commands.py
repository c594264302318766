import os
import signal
import threading
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from jada.outbox import bell, host, tasks
from jada.outbox.entries import enqueue
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
