"""What the scenarios of the engine say in a word; the world itself is the one of tests/jada/outbox."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections, transaction

from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.models import Effect
from jada.outbox.sweep import sweep
from tests.faults import stage


def owe(key: str = "a") -> Effect:
    with transaction.atomic():
        return enqueue("thing", key)


def say(fact: str = "said", *, lane: str = "mail:x") -> Effect:
    with transaction.atomic():
        effect = enqueue_message("letter", fact, lane=lane, fact=fact)
    assert effect is not None
    return effect


def state_of(effect: Effect) -> str:
    return Effect.objects.get(pk=effect.pk).state


def after_the_lease() -> None:
    stage.pass_time()
    sweep()


def on_threads(*acts: Callable[[], None]) -> None:
    """All at once, each on a connection of its own; the first error of any of them is this one's."""
    errors: list[BaseException] = []

    def live(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  told below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=live, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
