"""A slice of the chaos run, on the database of this run; `make faults` has the long ones.

The seed is fixed, so that a failure can be run again: `python -m tests.faults.chaos --seed 20 …`. What it orders is the
same every time; what that hits depends on the machine, as in life.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.chaos.__main__ import Options, run, shown

SLICE = {"bookings": 12, "rate": 3.0}


@pytest.mark.slow
@pytest.mark.skipif("os.environ.get('DATABASE_URL', '').startswith('postgres')", reason="brings a file of its own")
def test_a_season_on_sqlite_keeps_every_promise(tmp_path: Path) -> None:
    judged(Options(seed=20, db="sqlite", host="worker", **SLICE), tmp_path)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
def test_a_season_on_postgresql_with_celery_keeps_every_promise(tmp_path: Path) -> None:
    judged(Options(seed=21, db="postgres", host="celery", **SLICE), tmp_path)


def judged(options: Options, folder: Path) -> None:
    verdict = run(options, folder)

    assert verdict.holds, f"{options}\n{shown(options, verdict)}"
