"""SQS, for reports about mail and as a doorbell's broker: at least once, hidden while somebody works on it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.rig.wire import Reply, Request
from tests.rig.world import ACCOUNT, World

JSON = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "RIG"}
FAULTS = {
    "throttle": (400, "RequestThrottled"),
    "busy": (400, "RequestThrottled"),
    "500": (500, "InternalFailure"),
    "503": (503, "ServiceUnavailable"),
    "403": (403, "AccessDeniedException"),
}


@dataclass
class Queued:
    id: str
    body: str
    visible_at: float
    receipt: str = ""
    received: int = 0
    attributes: dict[str, Any] | None = None


def failed(status: int, code: str, message: str = "ordered") -> Reply:
    return Reply(status, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode(), JSON)


class SQS:
    name = "sqs"

    def __init__(self, world: World) -> None:
        self.world = world
        self.queues: dict[str, list[Queued]] = {}
        self._came = threading.Condition(world.lock)

    def named(self, request: Request) -> tuple[str, str]:
        asked = json.loads(request.body or b"{}")
        queue = asked.get("QueueUrl") or asked.get("QueueName") or ""
        return request.headers.get("x-amz-target", "").rpartition(".")[2], queue.rpartition("/")[2]

    def fault(self, action: str) -> Reply:
        return failed(*FAULTS[action])

    def put(self, queue: str, body: str, *, attributes: dict[str, Any] | None = None, delay: float = 0) -> Queued:
        with self._came:
            queued = Queued(str(uuid4()), body, time.monotonic() + delay, attributes=attributes)
            self.queues.setdefault(queue, []).append(queued)
            self._came.notify_all()
        return queued

    def act(self, request: Request, op: str, key: str) -> Reply:
        asked = json.loads(request.body or b"{}")
        with self._came:
            body = self._done(request, op, key, asked)
        return body if isinstance(body, Reply) else Reply(200, json.dumps(body).encode(), JSON)

    def _done(self, request: Request, op: str, key: str, asked: dict[str, Any]) -> dict[str, Any] | Reply:
        match op:
            case "ReceiveMessage":
                return self._receive(request, key, asked)
            case "SendMessage":
                sent = self.put(
                    key,
                    asked["MessageBody"],
                    attributes=asked.get("MessageAttributes"),
                    delay=asked.get("DelaySeconds", 0),
                )
                self.world.note(request, self.name, op, key, "accepted")
                return {"MessageId": sent.id, "MD5OfMessageBody": _md5(sent.body)}
            case "DeleteMessage":
                self._delete(request, key, asked["ReceiptHandle"])
                return {}
            case "DeleteMessageBatch":
                for entry in asked["Entries"]:
                    self._delete(request, key, entry["ReceiptHandle"])
                return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}
            case "ChangeMessageVisibility":
                for queued in self.queues.get(key, []):
                    if queued.receipt == asked["ReceiptHandle"]:
                        queued.visible_at = time.monotonic() + asked["VisibilityTimeout"]
                self._came.notify_all()
                return {}
            case "GetQueueUrl" | "CreateQueue":
                self.queues.setdefault(key, [])
                return {"QueueUrl": f"http://{request.headers.get('host', '')}/{ACCOUNT}/{key}"}
            case "GetQueueAttributes":
                waiting = str(len(self.queues.get(key, [])))
                return {
                    "Attributes": {
                        "ApproximateNumberOfMessages": waiting,
                        "VisibilityTimeout": str(int(self.world.habits.hidden)),
                    }
                }
            case "PurgeQueue":
                self.queues[key] = []
                return {}
        self.world.note(request, self.name, op, key, "refused", code="InvalidAction")
        return failed(400, "InvalidAction", op)

    def _receive(self, request: Request, key: str, asked: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + asked.get("WaitTimeSeconds", 0)
        while not (found := self._visible(key)[: asked.get("MaxNumberOfMessages", 1)]):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._came.wait(min(left, 0.5))  # what is hidden comes back without a ring
        for queued in found:
            queued.receipt, queued.received = str(uuid4()), queued.received + 1
            queued.visible_at = time.monotonic() + asked.get("VisibilityTimeout", self.world.habits.hidden)
        if found:
            self.world.note(request, self.name, "ReceiveMessage", key, "read", count=len(found))
        return {"Messages": [_message(queued) for queued in found]} if found else {}

    def _visible(self, key: str) -> list[Queued]:
        now = time.monotonic()
        return [queued for queued in self.queues.get(key, []) if queued.visible_at <= now]

    def _delete(self, request: Request, key: str, receipt: str) -> None:
        kept = [queued for queued in self.queues.get(key, []) if queued.receipt != receipt]
        outcome = "accepted" if len(kept) < len(self.queues.get(key, [])) else "same"
        self.queues[key] = kept
        self.world.note(request, self.name, "DeleteMessage", key, outcome)


def _message(queued: Queued) -> dict[str, Any]:
    message = {
        "MessageId": queued.id,
        "ReceiptHandle": queued.receipt,
        "MD5OfBody": _md5(queued.body),
        "Body": queued.body,
        "Attributes": {"ApproximateReceiveCount": str(queued.received)},
    }
    return message | ({"MessageAttributes": queued.attributes} if queued.attributes else {})


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
