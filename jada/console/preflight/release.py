"""Which program this is: its version, and the commit it was built from."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from django.conf import settings


@cache
def version() -> str:
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def commit() -> str:
    """COMMIT of the environment, else what the checkout's git says; "" where neither does."""
    chosen: str = settings.COMMIT
    return chosen or _checked_out(Path(settings.BASE_DIR) / ".git")


def _checked_out(git: Path) -> str:
    """Read from git's own files: production has no git to ask."""
    try:
        head = (git / "HEAD").read_text().strip()
        name = head.removeprefix("ref: ")
        if name == head:
            return head
        if (git / name).exists():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except OSError:
        return ""
