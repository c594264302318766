"""The events table in DynamoDB: one item per crew event, written behind a version fence and never hard-deleted.

A deleted item leaves nothing for the fence to compare with, and a late put would bring it back to life; so an item
that ends becomes a tombstone, which DynamoDB removes after `expires_at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.failures import Outcome, Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

TOMBSTONE_DIGEST: Final = "deleted"
# An item without a version was put there by hand: like an object in the bucket, any version of ours replaces it.
_FENCE: Final = "attribute_not_exists(#v) OR #v < :v"


def put_event(item: Mapping[str, object], *, version: int, digest: str) -> Outcome:
    """Replace the whole item of `item["event_id"]`, unless the table holds this version already, or a newer one.

    Values are str, int, bool, None, lists and dicts of them; anything else (a float, a Decimal) is a TypeError.
    `version` and `digest` are written beside them. Raises Refused if the very version stands there with another
    digest: two writers hold one number, and only a person can say which of them is right.
    """
    values = {name: _serialised(name, value) for name, value in {**item, "version": version, "digest": digest}.items()}
    with clients.calling():
        try:
            clients.dynamodb().put_item(
                TableName=settings.EVENTS_TABLE,
                Item=values,
                ConditionExpression=_FENCE,
                ExpressionAttributeNames={"#v": "version"},
                ExpressionAttributeValues={":v": {"N": str(version)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if clients.code_of(error) != "ConditionalCheckFailedException":
                raise
            # The stubs of an error do not know what ALL_OLD adds to it.
            stored = _plain(cast("Mapping[str, AttributeValueTypeDef]", error.response.get("Item", {})))
        else:
            return Outcome.WRITTEN
    return _judge(stored, version=version, digest=digest)


def tombstone(event_id: str, version: int, expires_at: datetime) -> Outcome:
    """Leave a marker where the item was, behind the same fence: a late put of an older version is refused by it."""
    item = {"event_id": event_id, "deleted": True, "expires_at": int(expires_at.timestamp())}
    return put_event(item, version=version, digest=TOMBSTONE_DIGEST)


def read_event(event_id: str) -> dict[str, object] | None:
    """The item as it stands now (a tombstone has `deleted`), or None. Numbers come back as int."""
    with clients.calling():
        answer = clients.dynamodb().get_item(
            TableName=settings.EVENTS_TABLE, Key={"event_id": {"S": event_id}}, ConsistentRead=True
        )
    return _plain(answer["Item"]) if "Item" in answer else None


def _judge(stored: Mapping[str, object], *, version: int, digest: str) -> Outcome:
    """What the refused condition means. The SDK repeats a put whose answer was lost, so our own number is success."""
    found = stored.get("version")
    if not isinstance(found, int):
        raise Refused(
            "The version of the item in the table is no number: someone else wrote it. Delete it, then retry."
        )
    if found > version:
        return Outcome.NEWER
    if stored.get("digest") != digest:
        raise Refused(f"Version {version} stands in the table with other content: compare the two, then resync it.")
    return Outcome.ALREADY


def _serialised(name: str, value: object) -> AttributeValueTypeDef:
    _require_plain(name, value)
    return TypeSerializer().serialize(value)


def _require_plain(name: str, value: object) -> None:
    match value:
        case str() | int() | None:  # a bool is an int
            return
        case list():
            for part in value:
                _require_plain(name, part)
        case dict():
            for key, part in value.items():
                _require_plain(f"{name}.{key}", part)
        case _:
            kind = type(value).__name__
            raise TypeError(f"{name} is a {kind}: an item holds text, whole numbers, yes or no, lists and dicts.")


def _plain(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, object]:
    read = TypeDeserializer().deserialize
    return {name: _whole(read(value)) for name, value in item.items()}


def _whole(value: object) -> object:
    """The SDK reads every number as a Decimal; ours are whole, at any depth."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else value
        case list():
            return [_whole(part) for part in value]
        case dict():
            return {key: _whole(part) for key, part in value.items()}
    return value
