"""The events table: there, with the key the application writes by, kept safe, and ours to write to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.preflight.asking import DENIED, DEPLOY, Installation, attach
from jada.findings import Finding, error, ok, warning

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

KEY: Final = "event_id"
EXPIRES: Final = "expires_at"


def table(here: Installation) -> Iterator[Finding]:
    """`table.there`, `table.key`, `table.protected`, `table.expiry`, `table.restorable`, `table.write`."""
    name = settings.EVENTS_TABLE
    try:
        found = clients.dynamodb().describe_table(TableName=name)["Table"]
    except ClientError as refusal:
        if clients.code_of(refusal) != "ResourceNotFoundException":
            raise
        said = f"There is no table {name} in {settings.AWS_REGION}: deploy the stack, or correct EVENTS_TABLE or AWS_REGION."
        yield error("table.there", said, mend=here.redeploy)
        return
    yield _active(found)
    key = _key(found)
    yield key
    yield _protected(found)
    yield _expiry()
    yield _restorable()
    if not key.mend:
        yield _write()


def _active(found: TableDescriptionTypeDef) -> Finding:
    status = found.get("TableStatus", "")
    if status in ("ACTIVE", "UPDATING"):
        return ok("table.there", f"The table {settings.EVENTS_TABLE} is there.")
    mend = f"aws dynamodb wait table-exists --table-name {settings.EVENTS_TABLE}"
    return error("table.there", f"The table {settings.EVENTS_TABLE} is {status}: it takes no item.", mend=mend)


def _key(found: TableDescriptionTypeDef) -> Finding:
    kinds = {each["AttributeName"]: each["AttributeType"] for each in found.get("AttributeDefinitions", [])}
    schema = [
        (each["AttributeName"], each["KeyType"], kinds.get(each["AttributeName"]))
        for each in found.get("KeySchema", [])
    ]
    if schema == [(KEY, "HASH", "S")]:
        return ok("table.key", f"Its key is {KEY}.")
    has = ", ".join(f"{name} ({kind.lower()}, {of})" for name, kind, of in schema)
    said = f"The key of {settings.EVENTS_TABLE} is {has}, not {KEY} (hash, S): no event can be written. A key cannot be changed."
    return error("table.key", said, mend=f"EVENTS_TABLE={settings.EVENTS_TABLE}-v2 {DEPLOY}")


def _protected(found: TableDescriptionTypeDef) -> Finding:
    if found.get("DeletionProtectionEnabled"):
        return ok("table.protected", "It is protected from deletion.")
    mend = f"aws dynamodb update-table --table-name {settings.EVENTS_TABLE} --deletion-protection-enabled"
    return warning("table.protected", f"The table {settings.EVENTS_TABLE} can be deleted by one call.", mend=mend)


def _expiry() -> Finding:
    name = settings.EVENTS_TABLE
    found = clients.dynamodb().describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") and found.get("AttributeName") == EXPIRES:
        return ok("table.expiry", "Markers of deleted events go by themselves.")
    return warning(
        "table.expiry",
        f"The table {name} does not expire items by {EXPIRES}: markers of deleted events stay for ever.",
        mend=f"aws dynamodb update-time-to-live --table-name {name} "
        f"--time-to-live-specification Enabled=true,AttributeName={EXPIRES}",
    )


def _restorable() -> Finding:
    name = settings.EVENTS_TABLE
    found = clients.dynamodb().describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        return ok("table.restorable", "It can be restored to any minute.")
    return warning(
        "table.restorable",
        f"The table {name} has no point-in-time recovery; until it does, only manage.py resync brings items back.",
        mend=f"aws dynamodb update-continuous-backups --table-name {name} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
    )


def _write() -> Finding:
    """A put on a condition that contradicts itself: its refusal proves the permission, and nothing is written."""
    name = settings.EVENTS_TABLE
    try:
        clients.dynamodb().put_item(
            TableName=name,
            Item={KEY: {"S": ".preflight"}},
            ConditionExpression="attribute_exists(#k) AND attribute_not_exists(#k)",
            ExpressionAttributeNames={"#k": KEY},
        )
    except ClientError as refusal:
        if clients.code_of(refusal) in DENIED:
            return error("table.write", f"This role may not write to {name}.", mend=attach("AppPolicyArn"))
        if clients.code_of(refusal) != "ConditionalCheckFailedException":
            raise
        return ok("table.write", f"This role may write to {name}.")
    mend = f'aws dynamodb delete-item --table-name {name} --key \'{{"{KEY}": {{"S": ".preflight"}}}}\''
    said = f"A put to {name} ignored its condition: an older event could replace a newer one there."
    return error("table.write", said, mend=mend)
