"""From the topic to the message: the poller on a local AWS, its command and its task."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from jada.aws import clients, queue
from jada.aws.queue import Received
from jada.celery import app
from jada.failures import Retry
from jada.mail import inbox, sync, tasks
from jada.mail.models import MailEvent
from tests.jada.mail.test_events import event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def url(stack: dict[str, str]) -> str:
    address = queue.mail_events_url()
    clients.sqs().purge_queue(QueueUrl=address)  # what another test has received is there too, unseen
    return address


def publish(*kinds: str) -> None:
    topic = clients._session().client("sns", config=clients.CONFIG)
    for kind in kinds:
        topic.publish(TopicArn=queue.mail_events_topic(), Message=json.dumps(event(kind)))


def test_what_the_topic_publishes_is_kept_and_leaves_the_queue(url: str) -> None:
    publish("Send", "Delivery", "Click")

    assert sync.poll() == 3

    assert sorted(MailEvent.objects.values_list("kind", flat=True)) == ["Click", "Delivery", "Send"]
    assert sync.poll() == 0


def test_it_is_committed_before_it_is_deleted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("Send")
    seen: list[tuple[int, bool]] = []

    def delete(url: str, receipts: list[str]) -> None:
        seen.append((MailEvent.objects.count(), connection.in_atomic_block))

    monkeypatch.setattr(queue, "delete", delete)
    sync.poll()

    assert seen == [(1, False)]


def test_what_could_not_be_kept_stays_in_the_queue(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("Send")

    def broken(**kwargs: object) -> int:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(inbox, "keep", broken)
        sync.poll()

    counted = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_a_full_queue_is_read_in_rounds(url: str) -> None:
    for number in range(23):
        clients.sqs().send_message(QueueUrl=url, MessageBody=f"not readable {number}", DelaySeconds=0)

    assert sync.poll() == 23


def test_one_event_that_fails_keeps_the_others_from_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish("Send", "Delivery")
    sync.poll()
    first = MailEvent.objects.order_by("pk")[0]
    apply = inbox.apply

    def sometimes(*, event_id: int, at: object) -> None:
        if event_id == first.pk:
            raise ValueError("a bug")
        apply(event_id=event_id, at=at)  # type: ignore[arg-type]

    monkeypatch.setattr(inbox, "apply", sometimes)
    sync.apply_events()

    assert list(MailEvent.objects.waiting()) == [first]
    assert f"Unable to apply the mail event #{first.pk}" in caplog.text


def test_the_task_applies_what_is_kept_while_the_queue_is_away(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAIL_EVENTS_QUEUE_URL, settings.MAIL_EVENTS_TOPIC_ARN = "http://127.0.0.1:9/1/q", "arn:x"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clients.reset()
    inbox.keep(told=sync.read(json.dumps({"Type": "Notification", "TopicArn": "arn:x",
                                          "Message": json.dumps(event("Send"))}), topic="arn:x"), at=sync.now())  # fmt: skip

    monkeypatch.setattr(tasks, "_said", "")
    tasks.poll_events()
    tasks.poll_events()

    assert caplog.text.count("The queue of mail events was not read: AWS cannot be reached") == 1
    assert not MailEvent.objects.waiting().exists()
    monkeypatch.undo()
    clients.reset()


def test_beat_asks_often_enough_to_settle_a_doubt_before_its_rule_does(settings: Settings) -> None:
    app.loader.import_default_modules()
    [entry] = [each for each in settings.CELERY_BEAT_SCHEDULE.values() if each["task"] == "mail.poll_events"]

    assert entry["schedule"] <= 60
    assert "mail.poll_events" in app.tasks


def test_the_command_reads_once_and_says_how_many(url: str) -> None:
    publish("Send")
    said = StringIO()

    call_command("mail_events", "--once", stdout=said)

    assert said.getvalue() == "1 events of mails were read.\n"
    assert MailEvent.objects.get().applied_at


def test_the_command_goes_on_after_a_failure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception): ...

    answers = iter([Retry("AWS cannot be reached."), list[Received](), Enough()])

    def receive(url: str, *, wait: int = 1) -> list[Received]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(queue, "receive", receive)
    monkeypatch.setattr("jada.mail.management.commands.mail_events.PAUSE", 0)
    said = StringIO()

    with pytest.raises(Enough):
        call_command("mail_events", stderr=said)

    assert said.getvalue() == "AWS cannot be reached.\n"


def test_the_command_ends_with_a_sentence_where_there_is_no_queue(settings: Settings, stack: dict[str, str]) -> None:
    settings.MAIL_EVENTS_QUEUE_URL = f"{stack['MailQueueUrl']}-gone"

    with pytest.raises(CommandError, match="AWS answered"):
        call_command("mail_events", "--once")
