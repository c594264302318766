"""The engine alone: the real outbox with effects that do nothing. One booking = one row and six effects, one commit.

`python -m tests.bench.engine COUNT RATE MIX`; the database by DATABASE_URL, the host by BENCH_HOST.
"""

from __future__ import annotations

import sys
import time

import django

from tests.bench import log
from tests.bench.child import answer, hosted, memory_of, submit

WARM = 4  # bookings before the clock runs: connections, imports, the worker's start
BODY, TEXT = "x" * 300, "y" * 200


def main(count: int, rate: float, mix: str) -> None:
    django.setup()
    from django.db import transaction

    from jada.outbox.entries import enqueue, enqueue_message
    from tests.bench.noop.models import Trip
    from tests.bench.noop.sync import MESSAGES, MIXES

    run = f"{time.time_ns():x}"  # the same database may serve many runs

    def one(number: int) -> None:
        name = f"{run}-{number}"
        with transaction.atomic():
            Trip.objects.create(code=name, body=BODY)
            for topic in MIXES[mix]:
                if topic in MESSAGES:
                    fact, lane = f"{topic}:{name}", f"{topic}:{name}"
                    enqueue_message(topic, name, lane=lane, fact=fact, payload={"text": TEXT})
                else:
                    enqueue(topic, name)
        log.commit(name)

    with hosted() as pid:
        log.forget()
        submit(one, count=WARM, rate=0)
        if not log.wait_for(WARM * 6, seconds=60):
            raise SystemExit("The host did not deliver the first bookings within a minute: see its log.")
        log.forget()
        submit(one, count=count, rate=rate, first=WARM)
        log.wait_for(count * 6, seconds=240)
        time.sleep(0.3)  # whoever does something twice does it now
        answer(**log.judge(MIXES[mix]), host_mb=memory_of(pid))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
