"""What `make faults` runs: every crash point on both databases, transitions in any order, then seasons in chaos.

It brings its own servers.

With arguments it runs only the season that they describe: `make faults ARGS="--seed 7 --db postgres --host celery"`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.faults.chaos.machine import Postgres

MATRIX, CHAOS = "tests.faults.matrix", "tests.faults.chaos"
MODEL = "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/faults/test_model.py"


def main() -> None:
    if asked := sys.argv[1:]:
        sys.exit(said(CHAOS, *asked))
    postgres = Postgres()
    try:
        postgres.make()
        failed = {
            "every crash point on SQLite": said(MATRIX),
            "every crash point on PostgreSQL": said(MATRIX, DATABASE_URL=postgres.url),
            "transitions in any order": said(*MODEL, FAULTS_EXAMPLES="600"),
        }
    finally:
        postgres.remove()
    failed["seasons in chaos"] = said(CHAOS, "--all")
    for name, code in failed.items():
        sys.stdout.write(f"{'holds' if code == 0 else 'BROKEN':>8}  {name}\n")
    sys.exit(any(failed.values()))


def said(module: str, *args: str, **environment: str) -> int:
    begun = time.monotonic()
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    code = subprocess.run([sys.executable, "-m", module, *args], env=inherited | environment, check=False).returncode
    sys.stdout.write(f"-- {module}: {time.monotonic() - begun:.0f} s\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    main()
