"""Years of bookings that were delivered long ago: one real one, delivered by the real engine, then copied by SQL.

`python -m tests.bench.fill COUNT`; the database by DATABASE_URL.
"""

from __future__ import annotations

import sys

import django

from tests.bench import log
from tests.bench.child import answer, hosted

MODEL = "seed-of-copies"  # stands for the booking's own name wherever a row holds it


def main(count: int) -> None:
    django.setup()
    from jada.outbox.models import Effect, Mirror
    from tests.bench.noop.models import Trip

    _deliver_one()
    for model in (Trip, Effect, Mirror):
        copy(model, times=count - 1, mark=MODEL)
    answer(bookings=Trip.objects.count())


def _deliver_one() -> None:
    from django.db import transaction

    from jada.outbox.entries import enqueue, enqueue_message
    from jada.outbox.models import Effect
    from tests.bench.noop.models import Trip
    from tests.bench.noop.sync import MESSAGES, MIXES

    with transaction.atomic():
        Trip.objects.create(code=MODEL, body="x" * 300)
        for topic in MIXES["mixed"]:
            if topic in MESSAGES:
                enqueue_message(topic, MODEL, lane=f"{topic}:{MODEL}", fact=f"{topic}:{MODEL}", payload={"text": "y"})
            else:
                enqueue(topic, MODEL)
    log.forget()
    with hosted():
        log.wait_for(6, seconds=60)
        while Effect.objects.unfinished().exists():
            pass


def copy(model: type, *, times: int, mark: str, step: int = 20_000) -> None:
    """Every row of `model`, so many times: new ids, and `mark` in its text replaced by the number of the copy."""
    from django.db import connection, models
    from django.db.models import Max, Min

    table, quote = model._meta.db_table, connection.ops.quote_name
    ends = model.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return
    stride = ends["high"] - ends["low"] + 1
    columns, values = [], []
    for field in model._meta.concrete_fields:
        columns.append(quote(field.column))
        seed = f"seed.{quote(field.column)}"
        if field.primary_key:
            seed = f"{seed} + (copies.n * {stride})"
        elif isinstance(field, models.CharField):
            seed = f"replace({seed}, '{mark}', 'copy-' || cast(copies.n as text))"
        values.append(seed)
    numbers = (
        "generate_series(%s::bigint, %s::bigint) as copies(n)"
        if connection.vendor == "postgresql"
        else "(with recursive c(n) as (select %s union all select n + 1 from c where n < %s) select n from c) as copies"
    )
    statement = (
        f"insert into {quote(table)} ({', '.join(columns)}) "
        f"select {', '.join(values)} from {quote(table)} as seed cross join {numbers} where seed.id <= {ends['high']}"
    )
    with connection.cursor() as cursor:
        for first in range(1, times + 1, step):
            cursor.execute(statement, [first, min(first + step - 1, times)])
        if connection.vendor == "postgresql":
            cursor.execute(f"select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))")
            cursor.execute(f"analyze {quote(table)}")
        else:
            cursor.execute(f"analyze {quote(table)}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
