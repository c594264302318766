"""No scenario leaves a thread, a count or a belief to the next one."""

import threading
from collections.abc import Iterator

import pytest

from jada.outbox import breakers, failpoints, heartbeats, host

OURS = ("outbox-sweeper", "outbox-schedule")


@pytest.fixture(autouse=True)
def nothing_outlives_its_test() -> Iterator[None]:
    yield
    host.finish()
    for thread in threading.enumerate():
        if thread.name in OURS:
            thread.join(30)
    breakers.forget()
    failpoints.forget()
    heartbeats.forget()
