"""What can be wrong with mail and its events, planted in the emulator."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber
from pytest_django import Settings

from jada.aws import clients
from tests.jada.aws.preflight.conftest import Installation

pytestmark = pytest.mark.slow

ERROR, WARNING = "error", "warning"
KINDS: Any = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"]


class TestAccount:
    def test_is_in_the_sandbox(self, here: Installation) -> None:
        production(on=False)
        here.afterwards.append(lambda: production(on=True))

        assert here.wrong() == {"mail.sandbox": ERROR}

    def test_is_paused(self, here: Installation) -> None:
        with Stubber(clients.sesv2()) as ses:
            ses.add_response("get_account", account(SendingEnabled=False, EnforcementStatus="SHUTDOWN"))
            found = only(here, "mail.sending")

        assert found == {"mail.sending": ERROR}

    def test_sends_slower_than_we_do(self, here: Installation, settings: Settings) -> None:
        settings.SES_SEND_RATE = 20.0

        assert here.wrong() == {"mail.quota": WARNING}
        assert here.found()["mail.quota"].mend == "export SES_SEND_RATE=14"

    def test_has_nearly_sent_what_a_day_allows(self, here: Installation) -> None:
        quota = {"Max24HourSend": 200.0, "MaxSendRate": 14.0, "SentLast24Hours": 160.0}
        with Stubber(clients.sesv2()) as ses:
            ses.add_response("get_account", account(SendQuota=quota))
            found = only(here, "mail.sending")

        assert found == {"mail.quota": WARNING}


class TestSender:
    def test_is_unknown_here(self, here: Installation, settings: Settings) -> None:
        settings.MAIL_FROM = "Office <office@nobody.example>"

        assert here.wrong() == {"mail.identity": ERROR}

    def test_may_be_one_address(self, here: Installation, settings: Settings) -> None:
        settings.MAIL_FROM = "Office <office@one.example>"
        clients.sesv2().create_email_identity(EmailIdentity="office@one.example")
        here.afterwards.append(lambda: clients.sesv2().delete_email_identity(EmailIdentity="office@one.example"))

        assert here.wrong() == {}

    def test_is_not_verified(self, here: Installation) -> None:
        pending = {"VerifiedForSendingStatus": False, "DkimAttributes": {"Status": "PENDING"}}
        with Stubber(clients.sesv2()) as ses:
            ses.add_client_error("get_email_identity", "NotFoundException", http_status_code=404)
            ses.add_response("get_email_identity", pending)
            found = only(here, "mail.identity")

        assert found == {"mail.identity": ERROR}

    @pytest.mark.parametrize(("endpoint", "level"), [("", ERROR), ("http://127.0.0.1:9", WARNING)])
    def test_is_not_signed_for(self, here: Installation, settings: Settings, endpoint: str, level: str) -> None:
        settings.AWS_ENDPOINT_URL = endpoint

        assert here.found()["mail.dkim"].level == level

    def test_is_signed_for(self, here: Installation) -> None:
        verified = {
            "VerifiedForSendingStatus": True,
            "DkimAttributes": {"Status": "SUCCESS"},
            "MailFromAttributes": {
                "MailFromDomain": "bounce.sailjada.com",
                "MailFromDomainStatus": "SUCCESS",
                "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
            },
        }
        with Stubber(clients.sesv2()) as ses:
            ses.add_response("get_email_identity", verified)
            levels = {f.level.value for f in here.found(first="mail.identity").values()}

        assert levels == {"ok"}


class TestEvents:
    def test_there_is_no_such_configuration_set(self, here: Installation, settings: Settings) -> None:
        settings.ANYMAIL = {"AMAZON_SES_CONFIGURATION_SET_NAME": "nobody-s"}

        assert here.wrong() == {"mail.configuration": ERROR, "role.permissions": ERROR}

    def test_sending_by_it_is_off(self, here: Installation) -> None:
        sending(on=False)
        here.afterwards.append(lambda: sending(on=True))

        assert here.wrong() == {"mail.configuration": ERROR}

    def test_are_not_published(self, here: Installation) -> None:
        destination(here, enabled=False)

        assert here.wrong() == {"mail.events": ERROR}

    def test_go_to_another_topic(self, here: Installation) -> None:
        destination(here, topic="arn:aws:sns:us-west-2:123456789012:another")

        assert here.wrong() == {"mail.events": ERROR}

    def test_tell_of_no_bounce(self, here: Installation) -> None:
        destination(here, kinds=["SEND", "DELIVERY", "COMPLAINT", "REJECT"])

        assert here.wrong() == {"mail.events": ERROR}
        assert "BOUNCE" in here.found()["mail.events"].said

    def test_the_topic_lets_ses_not_publish(self, here: Installation) -> None:
        topic = here.outputs["MailTopicArn"]
        before = clients.sns().get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
        here.afterwards.append(lambda: topic_policy(topic, before))
        topic_policy(topic, before.replace("ses.amazonaws.com", "s3.amazonaws.com"))

        assert here.wrong() == {"mail.topic": ERROR}

    def test_the_queue_does_not_hear_the_topic(self, here: Installation) -> None:
        topic = here.outputs["MailTopicArn"]
        [heard] = clients.sns().list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        clients.sns().unsubscribe(SubscriptionArn=heard["SubscriptionArn"])
        here.afterwards.append(
            lambda: clients.sns().subscribe(TopicArn=topic, Protocol="sqs", Endpoint=heard["Endpoint"])
        )

        assert here.wrong() == {"mail.subscription": ERROR}

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("sns.amazonaws.com", "s3.amazonaws.com"),
            ('jada-mail-events"}}', 'another"}}'),
            ("sqs:SendMessage", "sqs:Nothing"),
        ],
        ids=["of another service", "of another topic", "of another kind"],
    )
    def test_the_queue_takes_what_is(self, here: Installation, ours: str, theirs: str) -> None:
        url = here.outputs["MailQueueUrl"]
        before = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        here.afterwards.append(lambda: queue_policy(url, before))
        assert ours in before
        queue_policy(url, before.replace(ours, theirs))

        assert here.wrong() == {"mail.queue": ERROR}

    def test_there_is_no_queue(self, here: Installation, settings: Settings) -> None:
        settings.MAIL_EVENTS_QUEUE_URL = here.outputs["MailQueueUrl"] + "-gone"

        assert here.wrong() == {"mail.subscription": ERROR, "role.permissions": ERROR}

    def test_there_is_no_topic(self, here: Installation, settings: Settings) -> None:
        settings.MAIL_EVENTS_TOPIC_ARN = here.outputs["MailTopicArn"] + "-gone"

        assert here.wrong() == {"mail.topic": ERROR, "mail.events": ERROR}

    def test_nobody_fetches_them(self, here: Installation) -> None:
        url = here.outputs["MailQueueUrl"]
        here.afterwards.append(lambda: clients.sqs().purge_queue(QueueUrl=url))
        for _ in range(10):
            entries: Any = [{"Id": str(number), "MessageBody": "{}"} for number in range(10)]
            clients.sqs().send_message_batch(QueueUrl=url, Entries=entries)

        assert here.wrong() == {"mail.backlog": WARNING}


# --- hands ---------------------------------------------------------------------------------------------------------


def only(here: Installation, first: str) -> dict[str, str]:
    """One check alone: the stubbed client answers nothing else."""
    return here.wrong(first=first)


def account(**changed: Any) -> dict[str, Any]:
    quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0}
    usual = {"ProductionAccessEnabled": True, "SendingEnabled": True, "EnforcementStatus": "HEALTHY"}
    return usual | {"SendQuota": quota} | changed


def production(*, on: bool) -> None:
    clients.sesv2().put_account_details(
        ProductionAccessEnabled=on,
        MailType="TRANSACTIONAL",
        WebsiteURL="https://sailjada.com",
        UseCaseDescription="letters about booked trips",
    )


def sending(*, on: bool) -> None:
    clients.sesv2().put_configuration_set_sending_options(ConfigurationSetName="jada-mail", SendingEnabled=on)


def destination(here: Installation, *, enabled: bool = True, topic: str = "", kinds: Any = None) -> None:
    ours = here.outputs["MailTopicArn"]
    here.afterwards.append(lambda: put_destination(enabled=True, topic=ours, kinds=KINDS))
    put_destination(enabled=enabled, topic=topic or ours, kinds=kinds or KINDS)


def put_destination(*, enabled: bool, topic: str, kinds: Any) -> None:
    clients.sesv2().update_configuration_set_event_destination(
        ConfigurationSetName="jada-mail",
        EventDestinationName="to-the-poller",
        EventDestination={"Enabled": enabled, "MatchingEventTypes": kinds, "SnsDestination": {"TopicArn": topic}},
    )


def topic_policy(topic: str, policy: str) -> None:
    clients.sns().set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def queue_policy(url: str, policy: str) -> None:
    clients.sqs().set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
