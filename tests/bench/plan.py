"""What is measured: each job is one run of one thing, and a round is all of them once, one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from socket import socket
from subprocess import CompletedProcess

from tests.bench.child import MARK
from tests.bench.places import Databases, Places

Figures = dict[str, float]
SMALL = 100_000  # bookings: a database of so many is copied for each run, a larger one is used as it is


@dataclass(frozen=True)
class Load:
    """How much of it: a burst as fast as the producer goes, and an open loop at a rate."""

    burst: int = 200
    loop: int = 50
    rate: float = 5.0
    raw: int = 200
    sizes: tuple[int, ...] = (1, 10_000, 1_000_000)
    delays: tuple[int, ...] = (0, 20, 80)  # ms that an effect takes outside
    memory: int = 10_000


QUICK = Load(burst=100, loop=20, raw=200, sizes=(1, 10_000), delays=(0, 80), memory=500)


@dataclass(frozen=True)
class Job:
    """`name` is what the report calls it: section, database, what, how. `skip` is why it cannot be measured here."""

    name: tuple[str, ...]
    measure: Callable[[], Figures] = field(repr=False, default=dict)
    skip: str = ""


class Failed(Exception):
    """A measuring process ended without its figures."""


def figures_of(done: CompletedProcess[str]) -> Figures:
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return dict(json.loads(line.removeprefix(MARK)))
    raise Failed((done.stderr or done.stdout).strip()[-600:] or f"It ended with {done.returncode} and no word.")


@dataclass(frozen=True)
class Choice:
    """What of it was asked for on the command line."""

    databases: tuple[str, ...]
    hosts: tuple[str, ...]
    load: Load


def modes(load: Load) -> tuple[tuple[str, int, float], ...]:
    return (("burst", load.burst, 0.0), ("5/s", load.loop, load.rate))


def raw(places: Places, choice: Choice) -> Iterator[Job]:
    for database in choice.databases:
        url = places.url(database, "bench_raw" if database == "sqlite" else "postgres")
        yield Job(("raw", database, "driver", "burst"), partial(_raw, places, url, choice.load.raw))


def beside_raw(jobs: Iterator[Job], drivers: list[Job]) -> Iterator[Job]:
    """The bare driver again before each burst that is compared with it: the disk's mood changes within a minute."""
    of = {driver.name[1]: driver for driver in drivers}
    for job in jobs:
        if job.name[0] in ("engine", "product") and job.name[-1] == "burst":
            yield of[job.name[1]]
        yield job


def _raw(places: Places, url: str, count: int) -> Figures:
    return figures_of(places.python("-m", "tests.bench.raw", str(count), DATABASE_URL=url))


def engine(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    for database in choice.databases:
        for host in choice.hosts:
            for mix in ("mixed", "states") if host == "thread" else ("mixed",):
                for mode, count, rate in modes(choice.load):
                    fresh = partial(databases.empty, database)
                    measure = partial(_engine, places, fresh, host, (count, rate, mix))
                    yield Job(("engine", database, f"{host}, {mix}", mode), measure)


def growth(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    """The same burst with so many delivered bookings already there."""
    for database in choice.databases:
        for size in choice.load.sizes:
            there = {"name": f"trips_{size}", "copied": size <= SMALL}
            for mode, count, rate in modes(choice.load):
                filled = partial(databases.filled, database, _fill(places, size), **there)
                measure = partial(_engine, places, filled, "thread", (count, rate, "mixed"))
                yield Job(("growth", database, f"{size:,} there", mode), measure)


def _engine(places: Places, database: Callable[[], str], host: str, arguments: tuple) -> Figures:
    command = ("-m", "tests.bench.engine", *map(str, arguments))
    return figures_of(places.python(*command, DATABASE_URL=database(), BENCH_HOST=host))


def _fill(places: Places, size: int) -> Callable[[str], None]:
    def fill(url: str) -> None:
        figures_of(places.python("-m", "tests.bench.fill", str(size), DATABASE_URL=url, BENCH_HOST="thread"))

    return fill


def product(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    """The burst where effects cost nothing outside; the open loop at every delay."""
    for database in choice.databases:
        for host in choice.hosts:
            for delay in choice.load.delays:
                for mode, count, rate in modes(choice.load):
                    if delay == 0 or rate:
                        arguments = (count, rate, delay)
                        measure = partial(_product, places, databases, database, host, arguments)
                        yield Job(("product", database, f"{host}, {delay} ms", mode), measure)


def memory(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    """One worker process, so many real bookings through it, and what it holds then."""
    for database in choice.databases[-1:]:
        arguments = (choice.load.memory, 0.0, 0)
        measure = partial(_product, places, databases, database, "worker", arguments)
        yield Job(("memory", database, f"{choice.load.memory:,} bookings"), measure)


def _product(places: Places, databases: Databases, database: str, host: str, arguments: tuple) -> Figures:
    url = databases.empty(database)
    command = ("-m", "tests.bench.product", *map(str, arguments))
    return figures_of(places.python(*command, DATABASE_URL=url, BENCH_HOST=host))


def web(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    """The request that makes a booking, while the broker answers, refuses, or takes the connection and says nothing."""
    for database in choice.databases:
        for state in ("alive", "refused", "silent"):
            measure = partial(_web, places, databases, database, state, choice.load.loop * 2)
            yield Job(("web", database, f"Redis {state}", "POST"), measure)


def _web(places: Places, databases: Databases, database: str, state: str, count: int) -> Figures:
    url = databases.empty(database)
    with closing(socket()) as broker:
        broker.bind(("127.0.0.1", 0))
        if state == "silent":
            broker.listen(64)
        redis = places.redis if state == "alive" else f"redis://127.0.0.1:{broker.getsockname()[1]}/0"
        command = ("-m", "tests.bench.web", str(count))
        return figures_of(places.python(*command, DATABASE_URL=url, BENCH_HOST="celery", BENCH_REDIS=redis))
