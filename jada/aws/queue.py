"""The queue of mail events: SES publishes to a topic, the topic sends here. Read, keep, and only then delete."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from jada.aws import clients, stack

logger = logging.getLogger(__name__)

AT_ONCE: Final = 10  # messages of one call, the most that SQS gives
LONGEST_WAIT: Final = 8  # seconds; the client waits 10 for an answer


@dataclass(frozen=True)
class Received:
    """One message as it was received; it comes again after the queue's pause unless it is deleted by its receipt."""

    body: str
    receipt: str


def mail_events_url() -> str:
    """The queue that is read: the setting, or else the stack's own."""
    return settings.MAIL_EVENTS_QUEUE_URL or stack.outputs()["MailQueueUrl"]


def mail_events_topic() -> str:
    """The ARN of the topic whose envelopes are believed: the setting, or else the stack's own."""
    return settings.MAIL_EVENTS_TOPIC_ARN or stack.outputs()["MailTopicArn"]


def receive(url: str, *, wait: int = 1) -> list[Received]:
    """Up to ten messages, or none after `wait` seconds. At 0 SQS asks only some of its servers and may miss some."""
    with clients.calling():
        answer = clients.sqs().receive_message(
            QueueUrl=url, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=min(wait, LONGEST_WAIT)
        )
    return [Received(found["Body"], found["ReceiptHandle"]) for found in answer.get("Messages", [])]


def delete(url: str, receipts: Iterable[str]) -> None:
    """Delete up to ten messages that are kept. What could not be deleted comes again, and is known by then."""
    entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
    if not entries:
        return
    with clients.calling():
        answer = clients.sqs().delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
    if failed := answer.get("Failed"):
        logger.warning("%s mail events could not be deleted from the queue; they come again", len(failed))
