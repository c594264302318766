"""Mail: may it leave, to everybody, as fast as we send it; and do its events come back to us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.preflight.asking import Installation
from jada.aws.preflight.distributions import listed
from jada.findings import Finding, error, ok, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2.type_defs import (
        EventDestinationTypeDef,
        GetAccountResponseTypeDef,
        GetEmailIdentityResponseTypeDef,
    )

SETTLES: Final = frozenset({"SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"})  # what a row in doubt waits for
NEARLY: Final = 0.8  # of the day's quota
WAITING: Final = 100  # events in the queue that nobody fetched


# --- the account ---------------------------------------------------------------------------------------------------


def account() -> Iterator[Finding]:
    """`mail.sending`, `mail.sandbox`, `mail.quota`."""
    found = clients.sesv2().get_account()
    health = found.get("EnforcementStatus", "HEALTHY")
    if found.get("SendingEnabled") and health == "HEALTHY":
        yield ok("mail.sending", "SES sends for this account.")
    else:
        said = f"SES has paused this account ({health}): no mail leaves. Bounces or complaints are the usual cause."
        yield error("mail.sending", said, mend="aws sesv2 put-account-sending-attributes --sending-enabled")
    if found.get("ProductionAccessEnabled"):
        yield ok("mail.sandbox", "SES delivers to everybody.")
    else:
        yield error(
            "mail.sandbox",
            "SES keeps this account in its sandbox: it delivers to verified addresses only, so not to guests.",
            mend="aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL "
            f'--website-url {settings.GUEST_BASE_URL} --use-case-description "Letters about booked trips"',
        )
    yield _quota(found)


def _quota(found: GetAccountResponseTypeDef) -> Finding:
    quota = found.get("SendQuota", {})
    a_day, a_second, sent = (float(quota.get(n, 0.0)) for n in ("Max24HourSend", "MaxSendRate", "SentLast24Hours"))  # type: ignore[arg-type]
    ours = float(getattr(settings, "SES_SEND_RATE", 0) or 0)
    ask = "aws service-quotas request-service-quota-increase --service-code ses"
    if ours > a_second:
        said = f"SES takes {a_second:g} mails a second and SES_SEND_RATE says {ours:g}: a crowd of mails is throttled."
        return warning("mail.quota", said, mend=f"export SES_SEND_RATE={a_second:g}")
    if a_day > 0 and sent >= a_day * NEARLY:
        said = f"{sent:.0f} of the {a_day:.0f} mails of a day are sent: at the limit SES takes no more."
        return warning("mail.quota", said, mend=f"{ask} --quota-code L-804C8AE8 --desired-value {a_day * 2:.0f}")
    return ok("mail.quota", f"{sent:.0f} of the {a_day:g} mails of a day are sent; {a_second:g} a second may be.")


# --- the sender ----------------------------------------------------------------------------------------------------


def identity(here: Installation) -> Iterator[Finding]:
    """`mail.identity`, `mail.dkim`, `mail.from`."""
    address = parseaddr(settings.MAIL_FROM)[1]
    domain = address.rpartition("@")[2]
    found = _identity(address) or _identity(domain)
    create = f"aws sesv2 create-email-identity --email-identity {domain}"
    if found is None:
        said = f"SES does not know {domain} in {settings.AWS_REGION}: every mail is refused. Verify it, or correct AWS_REGION."
        yield error("mail.identity", said, mend=create)
        return
    look = f"aws sesv2 get-email-identity --email-identity {domain}"
    if found.get("VerifiedForSendingStatus"):
        yield ok("mail.identity", f"SES may send for {domain}.")
    else:
        yield error("mail.identity", f"{domain} is not verified: its DNS lacks the records of {look}.", mend=look)
    yield _dkim(found, domain, look, here)
    yield _mail_from(found, domain, look)


def _identity(name: str) -> GetEmailIdentityResponseTypeDef | None:
    try:
        return clients.sesv2().get_email_identity(EmailIdentity=name)
    except ClientError as refusal:
        if clients.code_of(refusal) != "NotFoundException":
            raise
        return None


def _dkim(found: GetEmailIdentityResponseTypeDef, domain: str, look: str, here: Installation) -> Finding:
    status = found.get("DkimAttributes", {}).get("Status", "NOT_STARTED")
    if status == "SUCCESS":
        return ok("mail.dkim", f"Mails of {domain} are signed.")
    judge = warning if here.emulated else error  # an emulator has no DNS to look into
    said = f"Mails of {domain} are not signed (DKIM is {status}): put the CNAME records of its tokens into the DNS."
    return judge("mail.dkim", said, mend=f"{look} --query DkimAttributes")


def _mail_from(found: GetEmailIdentityResponseTypeDef, domain: str, look: str) -> Finding:
    """Only a warning: where it fails SES sends from a domain of its own, and the signature still speaks for us."""
    attributes = found.get("MailFromAttributes")
    status = attributes.get("MailFromDomainStatus", "NOT_STARTED") if attributes else "NOT_STARTED"
    if status == "SUCCESS":
        return ok("mail.from", f"Bounces of {domain} come to a domain of ours.")
    said = f"The MAIL FROM domain of {domain} is {status}: put its MX and SPF records into the DNS."
    return warning("mail.from", said, mend=f"{look} --query MailFromAttributes")


# --- its events: configuration set -> topic -> queue -------------------------------------------------------------------


def events(here: Installation) -> Iterator[Finding]:
    """`mail.configuration`, `mail.events`."""
    name = settings.ANYMAIL["AMAZON_SES_CONFIGURATION_SET_NAME"]
    try:
        found = clients.sesv2().get_configuration_set(ConfigurationSetName=name)
    except ClientError as refusal:
        if clients.code_of(refusal) != "NotFoundException":
            raise
        said = f"SES has no configuration set {name}: mails that name it are refused. Correct SES_CONFIGURATION_SET, or deploy."
        yield error("mail.configuration", said, mend=here.redeploy)
        return
    if found.get("SendingOptions", {}).get("SendingEnabled", True):
        yield ok("mail.configuration", f"Mails leave by the configuration set {name}.")
    else:
        mend = f"aws sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled"
        yield error("mail.configuration", f"Sending by the configuration set {name} is switched off.", mend=mend)
    answer = clients.sesv2().get_configuration_set_event_destinations(ConfigurationSetName=name)
    yield _events(answer.get("EventDestinations", []), topic_arn(here), here)


def _events(found: list[EventDestinationTypeDef], topic: str, here: Installation) -> Finding:
    on = [d for d in found if d.get("Enabled") and d.get("SnsDestination", {}).get("TopicArn") == topic]
    if not on:
        said = "SES does not publish what became of a mail to our topic: bounces are not noticed, and doubts stay."
        return error("mail.events", said, mend=here.redeploy)
    if lost := sorted(SETTLES - {kind for d in on for kind in d["MatchingEventTypes"]}):
        said = f"SES does not publish {', '.join(lost)} of our mails."
        return error("mail.events", said, mend=here.redeploy)
    return ok("mail.events", "SES publishes what became of each mail.")


def queue(here: Installation) -> Iterator[Finding]:
    """`mail.topic`, `mail.subscription`, `mail.queue`, `mail.backlog`."""
    topic, url = topic_arn(here), queue_url(here)
    try:
        policy = clients.sns().get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy", "")
    except ClientError as refusal:
        if clients.code_of(refusal) not in ("NotFound", "NotFoundException"):
            raise
        yield error(
            "mail.topic", f"There is no topic {topic.rsplit(':', 1)[-1]}: events go nowhere.", mend=here.redeploy
        )
        return
    if grants(policy, service="ses.amazonaws.com", action="sns:Publish"):
        yield ok("mail.topic", "SES may publish to our topic.")
    else:
        yield error("mail.topic", "SES may not publish to our topic: its policy does not say so.", mend=here.redeploy)
    attributes = _queue(url)
    if attributes is None:
        said = f"There is no queue {url.rsplit('/', 1)[-1]}: events of mails are lost."
        yield error("mail.subscription", said, mend=here.redeploy)
        return
    yield _subscription(topic, attributes["QueueArn"], here)
    if grants(attributes.get("Policy", ""), service="sns.amazonaws.com", action="sqs:SendMessage", source=topic):
        yield ok("mail.queue", "Our topic, and nobody else, may send to the queue of events.")
    else:
        said = "The queue of events does not take what our topic sends, or takes it from everybody."
        yield error("mail.queue", said, mend=here.redeploy)
    yield _backlog(attributes)


def _queue(url: str) -> dict[Any, str] | None:
    try:
        return clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as refusal:
        if not clients.code_of(refusal).endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        return None


def _subscription(topic: str, arn: str, here: Installation) -> Finding:
    found = clients.sns().list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    if any(each["Protocol"] == "sqs" and each["Endpoint"] == arn for each in found):
        return ok("mail.subscription", "The queue hears the topic.")
    said = "The queue of events does not hear the topic: bounces are not noticed, and doubts stay."
    return error("mail.subscription", said, mend=here.redeploy)


def _backlog(attributes: dict[Any, str]) -> Finding:
    waiting = int(attributes.get("ApproximateNumberOfMessages", "0"))
    if waiting < WAITING:
        return ok("mail.backlog", "Events of mails are fetched.")
    said = f"{waiting} events of mails wait in the queue: nobody fetches them."
    return warning("mail.backlog", said, mend="manage.py mail_events --once")


def topic_arn(here: Installation) -> str:
    return getattr(settings, "MAIL_EVENTS_TOPIC_ARN", "") or here.output("MailTopicArn")


def queue_url(here: Installation) -> str:
    return getattr(settings, "MAIL_EVENTS_QUEUE_URL", "") or here.output("MailQueueUrl")


def grants(policy: str, *, service: str, action: str, source: str = "") -> bool:
    """Whether a policy lets a service of AWS do this, and, with `source`, lets nobody but that very source."""
    allowed = [s for s in listed(json.loads(policy or "{}").get("Statement")) if _allows(s, action)]
    ours = [
        s for s in allowed if isinstance(s.get("Principal"), dict) and service in listed(s["Principal"].get("Service"))
    ]
    return bool(ours) and (not source or all(source in json.dumps(s.get("Condition", {})) for s in allowed))


def _allows(statement: dict[str, Any], action: str) -> bool:
    actions = {str(each).lower() for each in listed(statement.get("Action"))}
    return statement.get("Effect") == "Allow" and bool(
        actions & {action.lower(), action.split(":", maxsplit=1)[0].lower() + ":*", "*"}
    )
