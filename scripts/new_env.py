"""The settings of one machine, with keys of its own. Standard library only: it runs before anything is trusted to work.

`new_env.py` writes .env for this machine; `new_env.py --production` prints an environment as production has it, for
`manage.py check --deploy`, with keys that nobody keeps.
"""

# ruff: noqa: INP001  (a script, not a package)
from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def keys() -> tuple[dict[str, str], dict[str, str]]:
    """The variables to set, and the two keys whose hashes they hold, in clear."""
    service, dashboard = f"sjk_local_{secrets.token_urlsafe(32)}", f"sjd_local_{secrets.token_urlsafe(32)}"
    variables = {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "SERVICE_KEY_HASHES": _as_json(hashlib.sha256(service.encode()).hexdigest()),
        "DASHBOARD_TOKEN_HASHES": _as_json(hashlib.sha256(dashboard.encode()).hexdigest()),
        "CREW_LINK_KEYS": _as_json(base64.b64encode(secrets.token_bytes(32)).decode()),
        "CREW_LINK_ACTIVE_KID": "local",
    }
    return variables, {"service key": service, "dashboard token": dashboard}


def local() -> str:
    """The text of .env: the addresses are those of `make run`."""
    variables, clear = keys()
    variables |= {
        "DEBUG": "true",
        "ENVIRONMENT": "demo",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "CREW_BASE_URL": "http://127.0.0.1:8000",
        "GUEST_BASE_URL": "http://127.0.0.1:8001",
        "CONSOLE_REQUIRE_OTP": "false",
        "OUTBOX_HOST": "none",
        "MAILBOX_DIR": str(ENV_FILE.parent / "var" / "mailbox"),
        "STAFF_DOMAINS": "sailjada.com,halcyoncharters.example",  # the samples' operator forwards one of its mails
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8002",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    lines = ["# Made by `make setup` for this machine. .env.example says what each variable means."]
    lines += [f"# Its {name}: {key}" for name, key in clear.items()]
    return "\n".join([*lines, *(f"{name}='{value}'" for name, value in variables.items()), ""])


def production() -> str:
    """One NAME=value a line, without spaces or quotes that a shell would have to understand."""
    variables, _ = keys()
    return "\n".join(f"{name}={value}" for name, value in ({"READ_DOTENV": "false"} | variables).items())


def write(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(local())


def _as_json(value: str) -> str:
    return json.dumps({"local": value}, separators=(",", ":"))


if __name__ == "__main__":
    if sys.argv[1:] == ["--production"]:
        sys.stdout.write(production() + "\n")
    else:
        write(ENV_FILE)
