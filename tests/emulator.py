"""A local AWS for tests: real HTTP on loopback, in a thread of the process that runs them.

Every process of a parallel run has a server of its own. Register it with `pytest_plugins = ["tests.emulator"]`.

- `aws_server`: the running server (session);
- `aws`: emptied, nothing deployed;
- `stack`: the real template stands, with its files and nothing else; answers its outputs. Deploying takes a second,
  so it is kept from test to test: change pages, items and invalidations at will, but not the set-up;
- `own_stack`: the same, freshly made and thrown away, for a test that changes the set-up.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from time import monotonic, sleep

import pytest
from django.conf import settings

ACCOUNT = "123456789012"
REGION = "us-west-2"


@dataclass
class Emulator:
    """The server, and what is known to be deployed in it."""

    port: int
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forget everything, on both sides of the wire."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")).close()
        self.outputs = {}
        forget_clients()

    def deploy(self) -> dict[str, str]:
        from jada.aws import stack  # boto3 is imported by the tests that need it

        self.outputs = stack.deploy({}).outputs
        return self.outputs

    def empty(self) -> None:
        """Take away what a test has left in the stack: pages, items, invalidations."""
        from ministack.services import cloudfront

        from jada.aws import clients, stack

        kept = {asset.key for asset in stack.guest_assets()}
        for bucket in (settings.GUEST_BUCKET, settings.OPS_BUCKET):
            for stored in clients.s3().list_objects_v2(Bucket=bucket).get("Contents", []):
                if stored["Key"] not in kept:
                    clients.s3().delete_object(Bucket=bucket, Key=stored["Key"])
        for item in clients.dynamodb().scan(TableName=settings.EVENTS_TABLE)["Items"]:
            clients.dynamodb().delete_item(TableName=settings.EVENTS_TABLE, Key={"event_id": item["event_id"]})
        for orders in cloudfront._invalidations._data.values():  # AWS has no call to delete one
            orders.clear()


def forget_clients() -> None:
    from jada.aws import clients, stack

    clients.reset()
    stack.outputs.cache_clear()


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Emulator]:
    emulator = Emulator(_free_port())
    with pytest.MonkeyPatch.context() as environment:
        for name, value in _environment(emulator).items():
            environment.setenv(name, value)
        server = _Server(emulator.port)
        server.start()
        _await(emulator.port)
        forget_clients()
        yield emulator
        server.stop()
    forget_clients()


@pytest.fixture
def aws(aws_server: Emulator) -> Emulator:
    aws_server.reset()
    return aws_server


@pytest.fixture
def stack(aws_server: Emulator) -> dict[str, str]:
    if aws_server.outputs:
        aws_server.empty()
        return aws_server.outputs
    aws_server.reset()
    return aws_server.deploy()


@pytest.fixture
def own_stack(aws: Emulator) -> Iterator[dict[str, str]]:
    yield aws.deploy()
    aws.reset()


def _environment(emulator: Emulator) -> dict[str, str]:
    return {
        "GATEWAY_PORT": str(emulator.port),
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": "tcp://127.0.0.1:9",  # it looks for containers at every reset; the default leaks a socket
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "ERROR",
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ACCESS_KEY_ID": "testing",  # twelve digits would be read as an account
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",  # a test can never reach AWS
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _await(port: int) -> None:
    deadline = monotonic() + 20
    while monotonic() < deadline:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/_ministack/health")
            connection.getresponse().read()
            connection.close()
        except OSError:
            sleep(0.05)
        else:
            return
    raise RuntimeError("The AWS emulator did not start within 20 s.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Server(threading.Thread):
    """The emulator's application behind its own loop; its environment is read when it is imported, so not before."""

    def __init__(self, port: int) -> None:
        super().__init__(name="aws-emulator", daemon=True)
        self.port, self.loop, self.stopping = port, asyncio.new_event_loop(), asyncio.Event()

    def run(self) -> None:
        from hypercorn.asyncio import serve
        from hypercorn.config import Config
        from ministack.app import app

        config = Config()
        config.bind, config.loglevel = [f"127.0.0.1:{self.port}"], "ERROR"
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(serve(app, config, shutdown_trigger=self.stopping.wait))
        self.loop.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.join(10)
