"""The queue of mail events on a local AWS: what the topic publishes is received, and only what is kept is deleted."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from pytest_django import Settings

from jada.aws import clients, queue
from jada.failures import Misconfigured
from tests.emulator import Emulator

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

pytestmark = pytest.mark.slow


@pytest.fixture
def url(stack: dict[str, str]) -> str:
    address = queue.mail_events_url()
    clients.sqs().purge_queue(QueueUrl=address)  # what another test has received is there too, unseen
    return address


@pytest.fixture
def topic(stack: dict[str, str]) -> SNSClient:
    return clients._session().client("sns", config=clients.CONFIG)


def test_the_queue_and_the_topic_are_the_stack_s(stack: dict[str, str]) -> None:
    assert queue.mail_events_url() == stack["MailQueueUrl"]
    assert queue.mail_events_topic() == stack["MailTopicArn"]


def test_a_setting_names_another_queue_and_topic(settings: Settings) -> None:
    settings.MAIL_EVENTS_QUEUE_URL, settings.MAIL_EVENTS_TOPIC_ARN = "https://queue.example/1/q", "arn:other"

    assert (queue.mail_events_url(), queue.mail_events_topic()) == ("https://queue.example/1/q", "arn:other")


def test_what_the_topic_publishes_is_received_in_its_envelope(url: str, topic: SNSClient) -> None:
    topic.publish(TopicArn=queue.mail_events_topic(), Message='{"eventType": "Send"}')

    [received] = queue.receive(url)

    envelope = json.loads(received.body)
    assert (envelope["TopicArn"], envelope["Message"]) == (queue.mail_events_topic(), '{"eventType": "Send"}')


def test_what_is_deleted_does_not_come_again(url: str) -> None:
    for number in range(3):
        clients.sqs().send_message(QueueUrl=url, MessageBody=str(number), DelaySeconds=0)
    received = queue.receive(url)
    assert sorted(each.body for each in received) == ["0", "1", "2"]

    queue.delete(url, [each.receipt for each in received])

    counted = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessages"] == counted["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_what_is_not_deleted_is_still_the_queue_s(url: str) -> None:
    clients.sqs().send_message(QueueUrl=url, MessageBody="kept", DelaySeconds=0)

    queue.receive(url)

    counted = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_a_question_waits_for_what_comes(url: str) -> None:
    later = threading.Timer(0.3, lambda: clients.sqs().send_message(QueueUrl=url, MessageBody="late", DelaySeconds=0))
    later.start()

    received = queue.receive(url, wait=5)

    later.join()
    assert [each.body for each in received] == ["late"]


def test_an_expired_receipt_is_said_and_harms_nobody(url: str, caplog: pytest.LogCaptureFixture) -> None:
    queue.delete(url, ["never given"])

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_to_delete_nothing_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    queue.delete("http://127.0.0.1:9/1/q", [])


def test_a_queue_that_is_not_there_is_misconfigured(aws_server: Emulator) -> None:
    with pytest.raises(Misconfigured):
        queue.receive(f"{aws_server.url}/123456789012/nothing")


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_queue_with_a_transaction_open(url: str) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction is open"):
        queue.receive(url)
