"""What is asked of the figures. The engine is judged on the product's mix: four of state and two messages.

Messages cost one commit more than state (`sending` stands before the call) and are a third of what a booking owes, so a
mix without them would flatter. The six of state alone stand beside it in the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.report import Bar, Results, middle, ratio

ENGINE = {"postgres": 0.6, "sqlite": 0.4}
PRODUCT = {"postgres": 0.25, "sqlite": 0.14}
DRIVER = ("driver", "burst")


def bars(results: Results) -> Iterator[Bar]:
    for database in ("sqlite", "postgres"):
        if any(name[1:2] == (database,) for name in results):
            yield from _engine(results, database)
            yield from _peers(results, database)
            yield from _product(results, database)
            yield from _growth(results, database)
            yield from _rest(results, database)
    yield from _kept(results)


def _engine(results: Results, database: str) -> Iterator[Bar]:
    for host in ("thread", "worker", "celery"):
        name = ("engine", database, f"{host}, mixed", "burst")
        if name in results:
            share = ratio(results, name, ("raw", database, *DRIVER), "per_s")
            beside = _beside(results, ("raw", database, *DRIVER), "per_s", "raw {:.0f}/s")
            yield Bar(f"engine ÷ raw, {database}, {host}", share, "≥", ENGINE[database], "", beside)


def _peers(results: Results, database: str) -> Iterator[Bar]:
    ours = ("engine", database, "worker, mixed")
    if (*ours, "burst") not in results:
        ours = ("engine", database, "thread, mixed")
    if (*ours, "burst") not in results or not any(name[0] == "peers" for name in results):
        return
    polls = [
        f"poll {poll} s"
        for poll in ("1", "0.1")
        if ("peers", database, f"DBOS outbox, poll {poll} s", "burst") in results
    ]
    rivals = [(f"DBOS outbox, {poll}", ("peers", database, f"DBOS outbox, {poll}", "burst")) for poll in polls]
    if database == "postgres":
        rivals.append(("Procrastinate", ("peers", database, "Procrastinate", "burst")))
    for who, name in rivals:
        beside = _beside(results, name, "per_s", "{:.0f}/s")
        yield Bar(f"burst ÷ {who}, {database}", ratio(results, (*ours, "burst"), name, "per_s"), "≥", 5, "×", beside)
    slower = [("DBOS direct", 0.6)] + ([("Procrastinate", 0.3)] if database == "postgres" else [])
    for who, limit in slower:
        name = ("peers", database, who, "5/s")
        beside = _beside(results, name, "p50", "{:.1f} ms")
        mine = ("engine", database, "thread, mixed", "5/s")
        yield Bar(f"p50 at 5/s ÷ {who}, {database}", ratio(results, mine, name, "p50"), "≤", limit, "×", beside)


def _product(results: Results, database: str) -> Iterator[Bar]:
    hosts = [name[2] for name in results if name[:2] == ("product", database)]
    for host in dict.fromkeys(what.partition(",")[0] for what in hosts):
        burst = ("product", database, f"{host}, 0 ms", "burst")
        if burst in results:
            share = ratio(results, burst, ("raw", database, *DRIVER), "per_s")
            yield Bar(f"product ÷ raw, {database}, {host}", share, "≥", PRODUCT[database])
        for delay, limit in ((0, 60.0), (80, 240.0)):
            name = ("product", database, f"{host}, {delay} ms", "5/s")
            if name in results:
                what = f"independent p95 at 5/s, effects of {delay} ms, {database}, {host}"
                beside = _beside(results, name, "chain95", "chain {:.0f} ms")
                yield Bar(what, middle(results, name, "apart95"), "≤", limit, " ms", beside)


def _growth(results: Results, database: str) -> Iterator[Bar]:
    one = ("growth", database, "1 there", "burst")
    for size in ("10,000", "1,000,000"):
        name = ("growth", database, f"{size} there", "burst")
        if name in results:
            cost = ratio(results, one, name, "per_s")  # cost is time a booking: the ratio of rates, turned round
            yield Bar(f"cost of a booking, 1 → {size} there, {database}", cost, "≤", 1.3, "×")


def _rest(results: Results, database: str) -> Iterator[Bar]:
    for name in results:
        if name[:2] == ("memory", database):
            yield Bar(f"worker after {name[2]}, {database}", middle(results, name, "host_mb"), "≤", 150, " MB")
    alive = ("web", database, "Redis alive", "POST")
    for state in ("refused", "silent"):
        name = ("web", database, f"Redis {state}", "POST")
        if name in results:
            beside = _beside(results, alive, "p95", "alive {:.1f} ms")
            yield Bar(
                f"request p95, Redis {state} ÷ alive, {database}",
                ratio(results, name, alive, "p95"),
                "≤",
                2,
                "×",
                beside,
            )


def _kept(results: Results) -> Iterator[Bar]:
    """Of ours; a peer that loses something stands in its own table."""
    ours = [
        round_
        for name, rounds in results.items()
        if name[0] in ("engine", "growth", "product", "memory")
        for round_ in rounds
    ]
    if ours:
        for figure, what in (("lost", "effects lost, all runs"), ("twice", "effects twice, all runs")):
            yield Bar(what, sum(round_.get(figure, 0) for round_ in ours), "≤", 0)


def _beside(results: Results, name: tuple[str, ...], figure: str, text: str) -> str:
    value = middle(results, name, figure)
    return "" if value is None else text.format(value)
