"""What is measured: each job is one run of one thing, and a round is all of them once, one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from subprocess import CompletedProcess

from tests.bench.child import MARK
from tests.bench.places import Databases, Places

Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """How much of it: a burst as fast as the producer goes, and an open loop at a rate."""

    burst: int = 200
    loop: int = 50
    rate: float = 5.0
    raw: int = 500
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

        def measure(url: str = url) -> Figures:
            return figures_of(places.python("-m", "tests.bench.raw", str(choice.load.raw), DATABASE_URL=url))

        yield Job(("raw", database, "driver", "burst"), measure)


def engine(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    for database in choice.databases:
        for host in choice.hosts:
            for mix in ("mixed", "states") if host == "thread" else ("mixed",):
                for mode, count, rate in modes(choice.load):

                    def measure(arguments: tuple = (count, rate, mix), host: str = host, on: str = database) -> Figures:
                        url = databases.empty(on)
                        command = ("-m", "tests.bench.engine", *map(str, arguments))
                        return figures_of(places.python(*command, DATABASE_URL=url, BENCH_HOST=host))

                    yield Job(("engine", database, f"{host}, {mix}", mode), measure)


def growth(places: Places, databases: Databases, choice: Choice) -> Iterator[Job]:
    """The same burst with so many delivered bookings already there."""
    for database in choice.databases:
        for size in choice.load.sizes:
            for mode, count, rate in modes(choice.load):

                def measure(size: int = size, on: str = database, arguments: tuple = (count, rate)) -> Figures:
                    url = databases.filled(on, _fill(places, size), name=f"trips_{size}", copied=size < 100_000)
                    command = ("-m", "tests.bench.engine", *map(str, arguments), "mixed")
                    return figures_of(places.python(*command, DATABASE_URL=url, BENCH_HOST="thread"))

                yield Job(("growth", database, f"{size:,} there", mode), measure)


def _fill(places: Places, size: int) -> Callable[[str], None]:
    def fill(url: str) -> None:
        figures_of(places.python("-m", "tests.bench.fill", str(size), DATABASE_URL=url, BENCH_HOST="thread"))

    return fill
