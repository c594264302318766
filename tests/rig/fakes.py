"""Strict fakes of the outside world in one process: `python -m tests.rig.fakes --port 0 --ledger FILE`.

It prints one line of JSON: its address, its ledger, and the environment that makes our code and the SDK use it.
Everything is judged and applied under one lock and written to the ledger before it is answered.

`/_rig/…` orders faults and changes habits: see `tests.rig.client.Rig`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.rig.orders import Order
from tests.rig.services.cloudformation import CloudFormation
from tests.rig.services.cloudfront import CloudFront
from tests.rig.services.dynamodb import DynamoDB
from tests.rig.services.edge import Edge
from tests.rig.services.s3 import S3
from tests.rig.services.ses import SES
from tests.rig.services.sqs import SQS
from tests.rig.wire import Drop, Reply, Request, Server
from tests.rig.world import ACCOUNT, DISTRIBUTION, QUEUE, REGION, TOPIC, Habits, World

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
JSON = {"Content-Type": "application/json"}


class Service(Protocol):
    name: str

    def named(self, request: Request) -> tuple[str, str]: ...
    def act(self, request: Request, op: str, key: str) -> Reply: ...
    def fault(self, action: str) -> Reply: ...


class Nothing:
    """Whatever else AWS has: it may be asked for, and says that it cannot."""

    name = "nothing"

    def __init__(self, world: World) -> None:
        self.world = world

    def named(self, request: Request) -> tuple[str, str]:
        return request.headers.get("x-amz-target", request.path), ""

    def fault(self, action: str) -> Reply:
        return Reply(501)

    def act(self, request: Request, op: str, key: str) -> Reply:
        with self.world.lock:
            self.world.note(request, self.name, op, key, "refused", code="NotImplemented")
        return Reply(501, b"{}", JSON)


class Fakes:
    def __init__(self, ledger: Path) -> None:
        self.world = World(ledger)
        self._begin()

    def _begin(self) -> None:
        world = self.world
        self.s3, self.sqs, self.cloudfront, self.dynamodb = S3(world), SQS(world), CloudFront(world), DynamoDB(world)
        self.ses, self.edge = SES(world, self.sqs), Edge(world, self.s3, self.cloudfront)
        served: list[Service] = [self.s3, self.sqs, self.cloudfront, self.dynamodb, self.ses, CloudFormation(world)]
        self.services = {service.name: service for service in served}
        self.nothing = Nothing(world)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/_rig/"):
            return self._control(request)
        signed = SIGNED_FOR.search(request.headers.get("authorization", ""))
        service: Service = self.services.get(signed[1], self.nothing) if signed else self.edge
        op, key = service.named(request)
        delay, order = self.world.orders.take(service.name, op, key)
        if delay:
            time.sleep(delay)
        if order is None:
            return service.act(request, op, key)
        request.fault = order.action
        return self._wrong(service, request, order, op, key)

    def _wrong(self, service: Service, request: Request, order: Order, op: str, key: str) -> Reply:
        if order.action in ("late", "lost"):
            reply = service.act(request, op, key)
            if order.action == "lost":
                raise Drop
            time.sleep(order.seconds)
            return reply
        with self.world.lock:
            self.world.note(request, service.name, op, key, "turned_away")
        if order.action in ("reset", "silent"):
            time.sleep(order.seconds if order.action == "silent" else 0)
            raise Drop
        return service.fault(order.action)

    # --- control -----------------------------------------------------------------------------------------------------

    def _control(self, request: Request) -> Reply:
        body = json.loads(request.body) if request.body else {}
        with self.world.lock:
            found = self._controlled(f"{request.method} {request.path.removeprefix('/_rig/')}", body)
            return Reply(200, json.dumps(found).encode(), JSON)

    def _controlled(self, asked: str, body: dict[str, Any]) -> Any:
        acts: dict[str, Callable[..., Any]] = {
            "POST orders": self.world.orders.add,
            "DELETE orders": self.world.orders.clear,
            "GET orders": self.world.orders.standing,
            "POST habits": self.world.set,
            "POST reset": self._reset,
            "GET mails": lambda: self.ses.mails,
            "GET objects": lambda: {key: found.facts for (_, key), found in self.s3.objects.items()},
            "GET items": lambda: self.dynamodb.items,
            "POST release": self.ses.release,
            "POST publish": self.ses.publish,
            "POST queue": self._enqueue,
            "GET alive": lambda: True,
        }
        return acts[asked](**body)

    def _reset(self) -> None:
        self.world.set(**vars(Habits()))
        self._begin()
        self.world.ledger.write("rig", "Reset", "", "accepted")

    def _enqueue(self, body: str, queue: str = QUEUE) -> None:
        self.sqs.put(queue, body)


def environment(url: str) -> dict[str, str]:
    """What makes boto3, our settings and a guest's browser use these fakes, and nothing else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "GUEST_BASE_URL": url,
        "GUEST_DISTRIBUTION_ID": DISTRIBUTION,
        "MAIL_EVENTS_QUEUE_URL": f"{url}/{ACCOUNT}/{QUEUE}",
        "MAIL_EVENTS_TOPIC_ARN": TOPIC,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _end_with_the_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Strict fakes of AWS and of the public edge, with a ledger.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--until-eof", action="store_true", help="end when the input ends: with whoever started it")
    asked = parser.parse_args()
    if asked.until_eof:
        threading.Thread(target=_end_with_the_input, daemon=True).start()
    server = Server(asked.port, Fakes(asked.ledger).answer)
    url = f"http://127.0.0.1:{server.port}"
    sys.stdout.write(json.dumps({"url": url, "ledger": str(asked.ledger), "environment": environment(url)}) + "\n")
    sys.stdout.flush()
    gc.freeze()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides when the judge may go
    server.serve_forever(poll_interval=0.5)


if __name__ == "__main__":
    main()
