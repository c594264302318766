"""Reading what the mail service publishes: its own words, our own tags, and nothing of what the mail said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada.mail.enums import EventKind
from jada.mail.events import Told, read, tag_of

TOPIC = "arn:aws:sns:us-west-2:123456789012:jada-mail-events"
MAIL: dict[str, Any] = {
    "timestamp": "2026-11-24T10:00:00.000Z",
    "messageId": "0101-abc",
    "source": "crew-office@sailjada.com",
    "destination": ["Dana Whit <Dana@Example.com>"],
    "headers": [{"name": "Subject", "value": "Your trip"}, {"name": "X-Jada-Effect", "value": "12"}],
    "commonHeaders": {"subject": "Your trip"},
    "tags": {"effect": ["12"], "claim": ["3"], "fact": ["0123456789abcdef"], "ses:configuration-set": ["jada-mail"]},
}
DETAILS: dict[str, dict[str, Any]] = {
    "Send": {},
    "Delivery": {"timestamp": "2026-11-24T10:00:02.000Z", "recipients": ["dana@example.com"], "smtpResponse": "250 ok"},
    "Bounce": {
        "timestamp": "2026-11-24T10:00:03.000Z",
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {"emailAddress": "dana@example.com", "status": "5.1.1", "diagnosticCode": "no such user"}
        ],
    },
    "Complaint": {
        "timestamp": "2026-11-24T11:00:00.000Z",
        "complainedRecipients": [{"emailAddress": "dana@example.com"}],
        "complaintFeedbackType": "abuse",
    },
    "Reject": {"reason": "Bad content"},
    "DeliveryDelay": {
        "timestamp": "2026-11-24T10:30:00.000Z",
        "delayType": "MailboxFull",
        "delayedRecipients": [{"emailAddress": "dana@example.com", "status": "4.2.2"}],
    },
    "Rendering Failure": {"errorMessage": "no value for a name"},
    "Open": {"timestamp": "2026-11-24T12:00:00.000Z", "ipAddress": "192.0.2.1", "userAgent": "Reader/7"},
    "Click": {
        "timestamp": "2026-11-24T12:01:00.000Z",
        "link": "https://sailjada.com/crew/event/X/confirm?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    },
}
PLACES = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}


def event(kind: str, *, mail: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "mail": MAIL | (mail or {}),
        PLACES.get(kind, kind.lower()): DETAILS.get(kind, {}) | changes,
    }


def body(message: object, **changes: object) -> str:
    envelope = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": message}
    return json.dumps(envelope | changes)


def one(kind: str, **changes: Any) -> Told:
    [told] = read(body(json.dumps(event(kind, **changes))), topic=TOPIC)
    return told


def problem(text: str) -> str:
    [told] = read(text, topic=TOPIC)
    return told.problem


@pytest.mark.parametrize("kind", DETAILS)
def test_every_kind_says_which_mail_and_whose_it_is(kind: str) -> None:
    told = one(kind)

    assert (told.kind, told.provider_id, told.recipient, told.problem) == (kind, "0101-abc", "dana@example.com", "")
    assert (told.effect_no, told.claim_no, told.fact_tag) == (12, 3, "0123456789abcdef")


def test_every_kind_that_we_name_is_read() -> None:
    assert set(DETAILS) | {EventKind.OTHER} == set(EventKind.values)


def test_a_bounce_says_why_and_whether_for_good() -> None:
    assert one("Bounce").permanent
    assert one("Bounce").detail["diagnosticCode"] == "no such user"
    assert not one("Bounce", bounceType="Transient").permanent


@pytest.mark.parametrize("kind", DETAILS)
def test_nothing_of_the_mail_itself_is_kept(kind: str) -> None:
    kept = json.dumps(dict(one(kind).detail))

    assert not [private for private in ("Your trip", "token=", "192.0.2.1", "Reader/7") if private in kept]


def test_the_same_event_is_the_same_whatever_envelope_brings_it() -> None:
    first = read(body(json.dumps(event("Delivery"))), topic=TOPIC)
    again = read(body(json.dumps(event("Delivery")), MessageId="m-2"), topic=TOPIC)

    assert first == again


def test_another_time_or_kind_is_another_event() -> None:
    told = {
        one("Delivery").identity,
        one("Delivery", timestamp="2026-11-24T10:00:05.000Z").identity,
        one("Send").identity,
    }

    assert len(told) == 3


def test_an_older_notification_is_read_too() -> None:
    older = event("Bounce")
    older["notificationType"] = older.pop("eventType")

    assert read(body(json.dumps(older)), topic=TOPIC)[0].kind == EventKind.BOUNCE


@pytest.mark.parametrize(
    "tags", [{}, {"effect": ["x"]}, {"effect": "12"}, {"effect": []}, {"effect": ["9" * 40]}, None]
)
def test_tags_that_are_not_ours_say_nothing(tags: object) -> None:
    assert one("Send", mail={"tags": tags}).effect_no is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "no JSON object"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        (body("{}", TopicArn="arn:aws:sns:us-west-2:999999999999:theirs"), "another topic"),
        (body("{}", Type="SubscriptionConfirmation"), "no notification"),
        (body("Successfully validated SNS topic for Amazon SES event publishing."), "no JSON object"),
        (body({"eventType": "Send"}), "no JSON object"),
        (body(json.dumps({"eventType": "Telepathy", "mail": MAIL})), "no event of a mail"),
        (body(json.dumps({"eventType": "Send"})), "which mail"),
        (body(json.dumps({"eventType": "Send", "mail": MAIL | {"timestamp": "soon"}})), "when it happened"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_problem(text: str, said: str) -> None:
    assert said in problem(text)


def test_a_null_character_and_half_a_character_are_left_out() -> None:
    told = one("Reject", mail={"messageId": "01\x00-\ud800abc"}, reason="Bad\x00 content")

    assert told.provider_id == "01-?abc"
    assert told.detail["reason"] == "Bad content"


def test_a_long_reason_is_cut() -> None:
    assert len(one("Reject", reason="x" * 5000).detail["reason"]) == 500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(
    kind=st.sampled_from([*DETAILS, "Other"]),
    mail=st.dictionaries(st.sampled_from(sorted(MAIL)), json_values, max_size=4),
    more=json_values,
)
def test_whatever_stands_in_an_event_it_is_read_or_refused(kind: str, mail: dict[str, Any], more: object) -> None:
    strange = {"eventType": kind, "mail": MAIL | mail, PLACES.get(kind, kind.lower()): more}

    told = read(body(json.dumps(strange)), topic=TOPIC)

    assert all(len(each.recipient) <= 254 and len(each.identity) == 64 for each in told)
    assert told


def test_a_fact_s_tag_fits_a_tag_and_says_nothing() -> None:
    assert len(tag_of("guest.booked:XHQGMDH:1:abc")) == 16
