"""SES v2: takes every mail that it is given, as often as it is given, and reports about it as it is told to."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
import re
import secrets
import time
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

from tests.rig.services.sqs import SQS
from tests.rig.wire import Reply, Request
from tests.rig.world import ACCOUNT, QUEUE, TOPIC, World, stamp

JSON = {"Content-Type": "application/json", "x-amzn-RequestId": "RIG"}
SEND = "/v2/email/outbound-emails"
FAULTS = {
    "throttle": (429, "TooManyRequestsException"),
    "busy": (429, "LimitExceededException"),
    "500": (500, "InternalFailure"),
    "503": (503, "ServiceUnavailable"),
    "403": (403, "AccessDeniedException"),
}
LINK = re.compile(r"https?://[^\s\"'<>]*token=[^\s\"'<>&]+")


def failed(status: int, code: str, message: str = "ordered") -> Reply:
    return Reply(status, json.dumps({"message": message}).encode(), JSON | {"x-amzn-ErrorType": code})


class SES:
    name = "ses"

    def __init__(self, world: World, sqs: SQS) -> None:
        self.world, self.sqs = world, sqs
        self.mails: list[dict[str, Any]] = []
        self._held: list[dict[str, Any]] = []  # reports that wait to be put in another order

    def named(self, request: Request) -> tuple[str, str]:
        if request.path == SEND and request.method == "POST":
            return "SendEmail", _tags(json.loads(request.body)).get("effect", "")
        return {"/v2/email/account": "GetAccount"}.get(request.path, request.path), ""

    def fault(self, action: str) -> Reply:
        return failed(*FAULTS[action])

    def act(self, request: Request, op: str, key: str) -> Reply:
        with self.world.lock:
            if op == "GetAccount":
                self.world.note(request, self.name, op, key, "read")
                quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": float(len(self.mails))}
                body = {"ProductionAccessEnabled": True, "SendingEnabled": True, "SendQuota": quota}
                return Reply(200, json.dumps(body).encode(), JSON)
            if op == "SendEmail":
                return self._send(request, key, json.loads(request.body))
            self.world.note(request, self.name, op, key, "refused", code="NotFoundException")
            return failed(404, "NotFoundException", op)

    def _send(self, request: Request, effect: str, asked: dict[str, Any]) -> Reply:
        mail = _read(asked)
        if not mail["from"] or not mail["to"]:
            self.world.note(request, self.name, "SendEmail", effect, "refused", code="BadRequestException")
            return failed(400, "BadRequestException", "A sender and a recipient are needed.")
        mail |= {"id": f"{int(time.time() * 1000):016x}-{secrets.token_hex(8)}-000000", "at": stamp()}
        facts = {"claim": mail["tags"].get("claim", ""), "message_id": mail["id"], "to": mail["to"]}
        links = hashlib.sha256(" ".join(mail["links"]).encode()).hexdigest() if mail["links"] else ""
        mail["n"] = self.world.note(
            request, self.name, "SendEmail", effect, "accepted",
            effect=mail["header"] or effect, digest=mail["sha256"], subject=mail["subject"], links=links, **facts,
        )  # fmt: skip
        self.mails.append(mail)
        self._report(mail)
        return Reply(200, json.dumps({"MessageId": mail["id"]}).encode(), JSON)

    # --- events ----------------------------------------------------------------------------------------------------

    def _report(self, mail: dict[str, Any]) -> None:
        habit = self.world.habits.events
        reports = [] if habit == "withhold" else [report(mail, "Send"), report(mail, "Delivery")]
        if habit == "reorder":
            self._held += reports
        else:
            for each in reports * (2 if habit == "repeat" else 1):
                self.sqs.put(QUEUE, json.dumps(each))

    def release(self) -> int:
        """Publish what was held back, the newest first; answers how many."""
        with self.world.lock:
            held, self._held = self._held[::-1], []
            for each in held:
                self.sqs.put(QUEUE, json.dumps(each))
        return len(held)

    def publish(self, message_id: str, kind: str) -> bool:
        """Report something about a mail that was taken: for events that were withheld, or bounces."""
        with self.world.lock:
            found = next((mail for mail in self.mails if mail["id"] == message_id), None)
            if found is not None:
                self.sqs.put(QUEUE, json.dumps(report(found, kind)))
        return found is not None


def report(mail: dict[str, Any], kind: str) -> dict[str, Any]:
    """SNS's envelope around SES's event, as AWS documents the two."""
    details: dict[str, dict[str, Any]] = {
        "Send": {},
        "Delivery": {
            "timestamp": stamp(),
            "processingTimeMillis": 12,
            "recipients": mail["to"],
            "smtpResponse": "250 OK",
        },
        "Bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": to, "status": "5.1.1", "action": "failed"} for to in mail["to"]],
            "timestamp": stamp(),
            "feedbackId": str(uuid4()),
        },
        "Complaint": {
            "complainedRecipients": [{"emailAddress": to} for to in mail["to"]],
            "timestamp": stamp(),
            "feedbackId": str(uuid4()),
        },
        "Reject": {"reason": "Bad content"},
    }
    about = {
        "timestamp": mail["at"],
        "messageId": mail["id"],
        "source": mail["from"],
        "sendingAccountId": ACCOUNT,
        "destination": mail["to"],
        "headersTruncated": False,
        "headers": [{"name": "Subject", "value": mail["subject"]}],
        "commonHeaders": {
            "from": [mail["from"]],
            "to": mail["to"],
            "messageId": mail["id"],
            "subject": mail["subject"],
        },
        "tags": {name: [value] for name, value in mail["tags"].items()},
    }
    event = {"eventType": kind, "mail": about, kind.lower(): details.get(kind, {})}
    return {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": stamp(),
        "SignatureVersion": "1",
        "Signature": "RIG",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
    }


def _tags(asked: dict[str, Any]) -> dict[str, str]:
    return {tag["Name"]: tag["Value"] for tag in asked.get("EmailTags", [])}


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    content, destination = asked.get("Content", {}), asked.get("Destination", {})
    to = [each for kind in ("ToAddresses", "CcAddresses", "BccAddresses") for each in destination.get(kind, [])]
    mail = {"from": asked.get("FromEmailAddress", ""), "to": to, "tags": _tags(asked), "header": ""}
    if "Raw" in content:
        raw = base64.b64decode(content["Raw"]["Data"])
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        body = parsed.get_body(("plain", "html"))
        mail |= {
            "subject": str(parsed["subject"]),
            "header": str(parsed["x-jada-effect"] or ""),
            "raw": raw.decode("latin-1"),
        }
        mail["text"] = body.get_content() if body else ""
        mail["from"], mail["to"] = mail["from"] or str(parsed["from"] or ""), to or [str(parsed["to"] or "")]
    else:
        simple = content.get("Simple", {})
        body_of = simple.get("Body", {})
        mail |= {"subject": simple.get("Subject", {}).get("Data", ""), "raw": ""}
        mail["text"] = (body_of.get("Text") or body_of.get("Html") or {}).get("Data", "")
    mail["links"] = sorted(set(LINK.findall(mail["text"])))
    mail["sha256"] = hashlib.sha256(mail["text"].encode()).hexdigest()
    return mail
