"""The whole company on one machine, by one command: `make run`.

One process serves the console, the crew portal and the APIs and delivers what the outbox owes; beside it run a local
AWS and a local edge for the guest host, both on loopback. Nothing of it is meant for the internet: production is
gunicorn, Celery and AWS (docs/operations.md), with the same code.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("VAR_DIR") or ROOT / "var")
HOST = "127.0.0.1"
ROOM = 200 * 1024 * 1024  # bytes that the database, the local AWS and the mailbox may want
PATIENCE = 60  # seconds for the first delivery of everything
PATIENCE_AT_THE_END = 10  # seconds for calls that are under way; after it, a mail among them is in doubt


class CannotRun(Exception):
    """One sentence for the person at the keyboard."""


def main() -> None:
    try:
        with contextlib.ExitStack() as stack:
            run(stack)
    except CannotRun as reason:
        sys.exit(f"JADA cannot run: {reason}")
    except KeyboardInterrupt:
        sys.stdout.write("\n")


def run(stack: contextlib.ExitStack) -> None:
    done = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: done.set())
    port = asked_port()
    prepare(port)
    aws = stack.enter_context(child([str(Path(sys.executable).with_name("ministack"))], "local AWS", env=aws_env(port)))
    company = Company(port)  # loads Django while the local AWS starts
    until(lambda: answers(f"http://{HOST}:{port + 2}/_ministack/health"), "the local AWS", [aws], done)
    company.deploy()
    edge_args = [sys.executable, str(ROOT / "manage.py"), "edge", "--port", str(port + 1)]
    edge = stack.enter_context(child(edge_args, "local edge"))
    stack.callback(company.stop)
    # Before anything is delivered: an edge that is not up yet is taken for one that is away, and rests half a minute.
    until(lambda: listening(port + 1), "the local edge", [edge], done)
    company.open()
    company.receive_sample()
    company.wait_until_delivered(done)
    if not done.is_set():
        sys.stdout.write("\n".join(company.where_to_look()) + "\n")
        sys.stdout.flush()
    watch(done, {"local AWS": aws, "local edge": edge})


# --- before anything starts ----------------------------------------------------------------------------------------


def asked_port() -> int:
    asked = os.environ.get("PORT") or "8000"
    if not asked.isdecimal() or not 1024 <= int(asked) <= 65533:
        raise CannotRun(f"PORT is {asked!r}: choose a number from 1024 to 65533.")
    port = int(asked)
    for offset, what in enumerate(("the console", "the guest pages", "the local AWS")):
        if taken(port + offset):
            raise CannotRun(
                f"port {port + offset} ({what}) is in use: end what uses it, or choose another with PORT={port + 100}."
            )
    return port


def prepare(port: int) -> None:
    VAR.mkdir(exist_ok=True)
    if shutil.disk_usage(VAR).free < ROOM:
        raise CannotRun(f"less than {ROOM // 1024 // 1024} MB are free on the disk of {VAR.name}/: make room first.")
    here = f"http://{HOST}:{port}"
    os.environ.update(
        DJANGO_SETTINGS_MODULE="jada.settings",
        DEBUG="true",
        ENVIRONMENT="demo",
        VAR_DIR=str(VAR),
        ALLOWED_HOSTS=f"{HOST},localhost",
        CREW_BASE_URL=here,
        GUEST_BASE_URL=f"http://{HOST}:{port + 1}",
        OUTBOX_HOST="thread",
        MAILBOX_DIR=str(VAR / "mailbox"),
        CONSOLE_REQUIRE_OTP="false",
        STAFF_DOMAINS="sailjada.com,halcyoncharters.example",
        AWS_ENDPOINT_URL=f"http://{HOST}:{port + 2}",
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",  # noqa: S106  the emulator asks for none
        AWS_DEFAULT_REGION="us-west-2",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        NO_PROXY="127.0.0.1,localhost",
    )
    os.environ.setdefault("LOG_LEVEL", "WARNING")


def aws_env(port: int) -> dict[str, str]:
    return {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port + 2),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": "123456789012",
        "MINISTACK_REGION": "us-west-2",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(VAR / "aws"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(VAR / "s3"),
        "LOG_LEVEL": "ERROR",
    }


# --- the company ---------------------------------------------------------------------------------------------------


class Company:
    """Our own process: Django, its server and the threads that deliver."""

    def __init__(self, port: int) -> None:
        import django

        django.setup()
        self.port = port
        self.server: object | None = None

    def deploy(self) -> None:
        """The database and the stack as the code wants them; everything is written out again after a hard kill."""
        from django.core.management import call_command

        from jada.outbox.resync import resync

        call_command("migrate", verbosity=0, interactive=False)
        call_command("deploy_stack", verbosity=0, stdout=io.StringIO())
        call_command("load_demo", verbosity=0, stdout=io.StringIO())
        clean = VAR / "stopped-cleanly"
        if not clean.exists():
            resync()
        clean.unlink(missing_ok=True)
        self.login = console_login()

    def open(self) -> None:
        """Serve, and deliver."""
        from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

        from jada.outbox import host
        from jada.wsgi import application

        class Quiet(WSGIRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
                """Requests are not news; errors are logged by Django."""

        server = ThreadedWSGIServer((HOST, self.port), Quiet)
        server.daemon_threads = True
        server.set_app(application)
        threading.Thread(target=server.serve_forever, name="web", daemon=True).start()
        self.server = server
        host.start_threads()

    def receive_sample(self) -> None:
        from jada.console.demo import deliver_sample

        deliver_sample(at=datetime.now(UTC))

    def wait_until_delivered(self, done: threading.Event) -> None:
        """Everything owed now is delivered, or said to be waiting: the links that are printed work."""
        from jada.outbox.models import Effect

        patience = time.monotonic() + PATIENCE
        now = datetime.now(UTC)
        while not done.is_set() and time.monotonic() < patience:
            if not Effect.objects.unfinished().filter(created_at__lte=now).exists():
                break
            done.wait(0.1)
        for effect in Effect.objects.stuck()[:10]:
            sys.stdout.write(f"stuck: {effect}: {effect.last_error.splitlines()[0] if effect.last_error else ''}\n")

    def where_to_look(self) -> list[str]:
        from jada.console.where import links

        name, password = self.login
        here = f"http://{HOST}:{self.port}"
        found = links(at=datetime.now(UTC))
        return [
            f"console: {here}/admin/ (login {name}, password {password})",
            f"guest page: {found.guest_page}",
            f"crew link: {found.crew_link}",
            f"mailbox: {here}/admin/mailbox/",
            "Ctrl-C ends it.",
        ]

    def stop(self) -> None:
        from jada.outbox import host

        if self.server:
            self.server.shutdown()  # type: ignore[attr-defined]
        host.finish(seconds=PATIENCE_AT_THE_END)
        (VAR / "stopped-cleanly").touch()


def console_login() -> tuple[str, str]:
    """The demo's operator, with a password of this machine's own."""
    from django.contrib.auth.models import User

    kept = VAR / "console-password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(12))
    password = kept.read_text().strip()
    user, _ = User.objects.get_or_create(username="ops", defaults={"email": "ops@sailjada.com"})
    if not user.check_password(password):
        user.is_staff = user.is_superuser = True
        user.set_password(password)
        user.save()
    return user.username, password


# --- children ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def child(args: list[str], what: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that ends with us, also when we are interrupted."""
    log = (VAR / f"{what.replace(' ', '-')}.log").open("ab")
    process = subprocess.Popen(  # noqa: S603  our own interpreter and scripts
        args,
        env={**os.environ, **(env or {})},
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def until(ready: Callable[[], bool], what: str, children: list[subprocess.Popen[bytes]], done: threading.Event) -> None:
    patience = time.monotonic() + PATIENCE
    while not ready():
        if done.is_set():
            raise KeyboardInterrupt
        if any(c.poll() is not None for c in children) or time.monotonic() > patience:
            log = f"var/{what.removeprefix('the ').replace(' ', '-')}.log"
            raise CannotRun(f"{what} did not start; {log} says why.")
        time.sleep(0.05)


def watch(done: threading.Event, children: dict[str, subprocess.Popen[bytes]]) -> None:
    """Until we are told to end; a child that died is said, once."""
    said: set[str] = set()
    while not done.wait(1):
        for what, process in children.items():
            if process.poll() is not None and what not in said:
                said.add(what)
                sys.stdout.write(f"The {what} ended; deliveries wait until you start JADA again.\n")
                sys.stdout.flush()


def taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((HOST, port)) == 0


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310  loopback
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
