"""The request that makes a booking, through the whole of Django, with the broker as BENCH_REDIS has it.

`python -m tests.bench.web COUNT`; the database by DATABASE_URL. Requests come at 20 a second, as from one busy partner.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

import django

from tests.bench import log
from tests.bench.child import answer, submit

WARM = 10


def main(count: int) -> None:
    django.setup()
    from django.test import Client
    from django.utils.timezone import now

    import jada.celery  # noqa: F401  (the doorbell rings at it, as in every process that serves requests)
    from tests.bench.company import DAYS, lay_out
    from tests.conftest import SERVICE_KEY

    fleet = lay_out(count + WARM)
    client, durations, today = Client(), [], now().date()

    def one(number: int) -> None:
        day = today + timedelta(days=3 + number % DAYS)
        body = {"channel": "partner", "external_id": f"web-{number}", "date": str(day), "start": "13:00"}
        body |= {"duration_hours": 3, "vessel": fleet[number // DAYS].key, "guest_count": 3, "guest_name": "Dana Whit"}
        headers = {"X-Api-Key": SERVICE_KEY, "Idempotency-Key": body["external_id"]}
        begun = time.perf_counter()
        answered = client.post("/api/events", json.dumps(body), content_type="application/json", headers=headers)
        durations.append((time.perf_counter() - begun) * 1000)
        if answered.status_code != 201:
            raise SystemExit(f"The request was answered {answered.status_code}: {answered.content[:300]!r}")

    submit(one, count=WARM, rate=0)
    durations.clear()
    submit(one, count=count, rate=20, first=WARM)
    p50, p95 = log.percentile(durations, 0.5), log.percentile(durations, 0.95)
    answer(bookings=count, p50=p50, p95=p95, slowest=max(durations))


if __name__ == "__main__":
    main(int(sys.argv[1]))
