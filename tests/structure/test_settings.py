"""Every variable is documented, and what `make setup` makes and production needs is accepted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from jada.keys import DASHBOARD, SERVICE, hash_of
from tests.structure.source import ROOT


@pytest.fixture
def new_env() -> ModuleType:
    spec = spec_from_file_location("new_env", ROOT / "scripts" / "new_env.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manage(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.environ["PATH"], "READ_DOTENV": "false", "DJANGO_SETTINGS_MODULE": "jada.settings"}
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=bare | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_variable_is_in_the_example() -> None:
    read = set(re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "jada" / "settings.py").read_text()))
    documented = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert set(documented) == read
    assert len(documented) == len(read)


def test_the_example_says_what_each_variable_is_for() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    bare = [line for before, line in pairwise(lines) if re.match(r"\w+=", line) and not before.startswith("#")]

    assert bare == []


@pytest.mark.slow
def test_production_starts_with_keys_and_nothing_else(new_env: ModuleType) -> None:
    environment = dict(line.split("=", 1) for line in new_env.production().splitlines())

    result = manage("check", "--deploy", "--fail-level", "WARNING", **environment)

    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_production_does_not_start_without_keys() -> None:
    result = manage("check")

    assert result.returncode == 1
    for variable in ("SERVICE_KEY_HASHES", "DASHBOARD_TOKEN_HASHES", "CREW_LINK_KEYS", "SECRET_KEY"):
        assert variable in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("OUTBOX_HOST", "celry"), ("OUTBOX_THREADS", "0"), ("LOG_FORMAT", "xml")),
        *(("SES_SEND_RATE", "inf"), ("SES_SEND_RATE", "nan"), ("SES_SEND_RATE", "-1")),
    ],
)
def test_nothing_starts_with_a_value_by_which_nothing_would_be_delivered_or_read(name: str, value: str) -> None:
    started = manage("new_key", **{name: value})

    assert started.returncode == 1
    assert f'"{name}" invalid' in started.stderr


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_celery_does_not_start_without_keys(process: str, tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "READ_DOTENV": "false", "DJANGO_SETTINGS_MODULE": "jada.settings"}
    where = ["--schedule", str(tmp_path / "beat")] if process == "beat" else ["--pool", "solo"]
    command = [sys.executable, "-m", "celery", "-A", "jada", process, *where]

    result = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert "JADA does not start" in result.stderr
    assert "SERVICE_KEY_HASHES is not set" in result.stderr


@pytest.mark.slow
def test_a_key_can_be_made_before_there_is_one() -> None:
    result = manage("new_key")

    assert result.returncode == 0, result.stderr
    assert "SERVICE_KEY_HASHES=" in result.stdout


def test_the_local_keys_are_those_of_the_local_hashes(new_env: ModuleType) -> None:
    variables, clear = new_env.keys()

    assert hash_of(clear["service key"]) in variables[SERVICE.setting]
    assert hash_of(clear["dashboard token"]) in variables[DASHBOARD.setting]


def test_the_local_file_is_for_its_owner_only_and_is_never_overwritten(new_env: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    new_env.write(file)

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        new_env.write(file)
