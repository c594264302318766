"""A database that went back in time: it is seen, and after one command the copies are as it says."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils.timezone import now

from jada.outbox import host
from jada.outbox.entries import enqueue
from jada.outbox.enums import State
from jada.outbox.models import Effect, Epoch, Mirror
from jada.outbox.restored import outbox_restored, restored_needed
from jada.outbox.sql import EPOCH
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def restore(world: World) -> None:
    """`a` was published once before the backup and 98 times after it."""
    world.rows["a"] = Thing("as restored", 1)
    owe()
    host.drain()
    world.copies["a"] = (99, Thing("as published since", 1))


def test_f29_a_copy_newer_than_the_database_is_an_alarm_and_is_left_alone(world: World) -> None:
    restore(world)
    world.rows["a"] = Thing("edited", 1)
    effect = owe()

    host.drain()

    effect.refresh_from_db()
    assert (effect.state, effect.cause) == (State.DEAD, "restored")
    assert world.copies["a"] == (99, Thing("as published since", 1))
    assert restored_needed()


def test_f29_after_the_command_the_copies_are_as_the_database_says(world: World) -> None:
    restore(world)
    owe()
    host.drain()

    outbox_restored(at=now())
    host.drain()

    version, copy = world.copies["a"]
    assert copy == Thing("as restored", 1)
    assert version > EPOCH
    assert not restored_needed()


def test_objects_made_since_belong_to_the_new_epoch(world: World) -> None:
    outbox_restored(at=now())

    world.rows["new"] = Thing("x", 1)
    owe("new")
    host.drain()

    assert Mirror.objects.get(key="new").version == Epoch.objects.get().number * EPOCH + 1


def test_the_same_backup_restored_once_more_begins_another_epoch(world: World) -> None:
    first, _ = outbox_restored(at=now())
    Epoch.objects.all().delete()  # as the backup knows it
    later = now().replace(year=now().year + 1)

    second, _ = outbox_restored(at=later)

    assert second > first


def test_the_command_says_what_it_would_do_and_does_nothing_unasked(world: World) -> None:
    restore(world)

    with pytest.raises(CommandError, match="versions of 1 published objects"):
        call_command("outbox_restored")

    assert not Epoch.objects.exists()


def test_the_command_says_what_it_did(world: World) -> None:
    restore(world)
    said = StringIO()

    call_command("outbox_restored", "--yes", stdout=said)

    assert "1 objects will be written out" in said.getvalue()
