"""DynamoDB: whole items behind the one condition that we use, compared and written under a lock."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.rig.wire import Reply, Request
from tests.rig.world import ACCOUNT, REGION, World

LARGEST = 400 * 1024
CONDITION = re.compile(r"attribute_not_exists\((#?\w+)\) OR (#\w+) < (:\w+)")
JSON = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "RIG"}
FAULTS = {
    "throttle": (400, "ProvisionedThroughputExceededException"),
    "busy": (400, "TransactionInProgressException"),
    "500": (500, "InternalServerError"),
    "503": (503, "ServiceUnavailable"),
    "403": (400, "AccessDeniedException"),
}


def failed(status: int, code: str, message: str = "ordered", **more: Any) -> Reply:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}
    return Reply(status, json.dumps(body).encode(), JSON)


def answered(body: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(body).encode(), JSON)


class DynamoDB:
    name = "dynamodb"

    def __init__(self, world: World) -> None:
        self.world = world
        self.items: dict[str, dict[str, Any]] = {}

    def named(self, request: Request) -> tuple[str, str]:
        op = request.headers.get("x-amz-target", "").rpartition(".")[2]
        asked = json.loads(request.body or b"{}")
        key = asked.get("Key") or asked.get("Item") or {}
        return op, key.get("event_id", {}).get("S", "")

    def fault(self, action: str) -> Reply:
        return failed(*FAULTS[action])

    def act(self, request: Request, op: str, key: str) -> Reply:
        asked = json.loads(request.body)
        with self.world.lock:
            if asked.get("TableName") != self.world.habits.table:
                return self._refused(request, op, key, failed(400, "ResourceNotFoundException", "No such table"))
            match op:
                case "PutItem":
                    return self._put(request, key, asked)
                case "GetItem":
                    found = self.items.get(key)
                    self.world.note(request, self.name, op, key, "read" if found else "missing", **_facts(found))
                    return answered({"Item": found} if found else {})
                case "DeleteItem":
                    old = self.items.pop(key, None)
                    self.world.note(request, self.name, op, key, "accepted" if old else "same", **_facts(old))
                    return answered({})
                case "Scan":
                    self.world.note(request, self.name, op, key, "read")
                    return answered({"Items": list(self.items.values()), "Count": len(self.items)})
                case "DescribeTable":
                    self.world.note(request, self.name, op, key, "read")
                    return answered({"Table": self._table()})
        return self._refused(request, op, key, failed(400, "UnknownOperationException", f"Not known here: {op}"))

    def _put(self, request: Request, key: str, asked: dict[str, Any]) -> Reply:
        item, stored = asked["Item"], self.items.get(key)
        if not key or len(json.dumps(item)) > LARGEST:
            return self._refused(request, "PutItem", key, failed(400, "ValidationException", "No key, or too large"))
        if condition := asked.get("ConditionExpression"):
            names = CONDITION.fullmatch(condition)
            if names is None:
                text = f"Invalid ConditionExpression: {condition}"
                return self._refused(request, "PutItem", key, failed(400, "ValidationException", text))
            if not _holds(names, asked, stored or {}):
                old = (
                    {"Item": stored} if stored and asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
                )
                reply = failed(400, "ConditionalCheckFailedException", "The conditional request failed", **old)
                return self._refused(request, "PutItem", key, reply, **_facts(item))
        self.items[key] = item
        self.world.note(request, self.name, "PutItem", key, "accepted", **_facts(item))
        return answered({})

    def _refused(self, request: Request, op: str, key: str, reply: Reply, **facts: Any) -> Reply:
        code = json.loads(reply.body)["__type"].rpartition("#")[2]
        self.world.note(request, self.name, op, key, "refused", code=code, **facts)
        return reply

    def _table(self) -> dict[str, Any]:
        name = self.world.habits.table
        return {
            "TableName": name,
            "TableStatus": "ACTIVE",
            "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}",
            "KeySchema": [{"AttributeName": "event_id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "event_id", "AttributeType": "S"}],
            "ItemCount": len(self.items),
        }


def _holds(condition: re.Match[str], asked: dict[str, Any], stored: dict[str, Any]) -> bool:
    """A comparison with an attribute that is not there, or is no number, is false."""
    names = asked.get("ExpressionAttributeNames", {})
    absent, compared = (names.get(name, name) for name in condition.groups()[:2])
    wanted = int(asked["ExpressionAttributeValues"][condition[3]]["N"])
    return absent not in stored or int(stored.get(compared, {}).get("N", wanted)) < wanted


def _facts(item: dict[str, Any] | None) -> dict[str, Any]:
    if not item:
        return {}
    version = item.get("version", {}).get("N")
    gone = {"deleted": True} if item.get("deleted", {}).get("BOOL") else {}
    return {"version": int(version) if version else None, "digest": item.get("digest", {}).get("S", ""), **gone}
