"""Mail leaves through SES on a local AWS, over HTTP; a letter of the test's own says who gets it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from django.db import OperationalError, connection, transaction
from django.utils.timezone import now
from pytest_django import Settings

from jada.aws import clients
from jada.mail import letters
from jada.mail.enums import Trouble
from jada.mail.events import tag_of
from jada.mail.letters import Address
from jada.mail.models import BlockedAddress, Message
from jada.mail.services import owe_message, withdraw_messages
from jada.outbox import host, registry
from jada.outbox.enums import Cause, State
from jada.outbox.models import Attempt, Effect
from jada.outbox.registry import Work
from jada.outbox.services import retry
from tests.emulator import Emulator
from tests.factories.bookings import NOW
from tests.rig.client import Rig

pytestmark = pytest.mark.django_db(transaction=True)

LINK = "https://sailjada.com/crew/event/X/confirm?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
FACTS = {
    "ref": "J-0001", "channel": "Boatsetter", "external_id": "kqvmztr", "guest": "Dana", "party": 3,
    "vessel": "Halcyon", "date": "Sunday 30 May 2027", "time": "1:00 PM to 4:00 PM", "missing": [], "crew": [],
    "money": dict.fromkeys(("gross", "fees", "payout", "crew_pay", "captain_pay", "port_fee", "net"), ""),
    "console_url": LINK, "guest_url": "https://queenofsandiego.com/g/XHQGMDH",
}  # fmt: skip


class Letter:
    template = "ops_booked"
    in_doubt = "hold"
    to: Address | None = Address("Ops, the office", "ops@sailjada.com")
    reason = ""

    def address(self, message: Message) -> Address | None:
        return self.to

    def withdrawn(self, message: Message) -> str:
        return self.reason

    def links(self, message: Message) -> Mapping[str, str]:
        return {"console_url": LINK}


@pytest.fixture
def letter(monkeypatch: pytest.MonkeyPatch) -> Letter:
    ours = Letter()
    monkeypatch.setattr(letters, "_letters", {"test": ours})
    return ours


@pytest.fixture(autouse=True)
def shipped_backend(settings: Settings) -> None:
    """The test runner would keep mail in memory; here it leaves as in production."""
    settings.EMAIL_BACKEND = "jada.aws.ses.SesBackend"


def owe(fact: str = "test:1", **values: object) -> Message:
    with transaction.atomic():
        message = owe_message(
            kind="test", fact=fact, recipient="ops", about="booking:X", values=FACTS | values, lane="mail:X", at=NOW
        )
    assert message is not None
    return message


def arrived(aws: Emulator) -> int:
    """How many mails the local SES has taken, over all accounts."""
    with urllib.request.urlopen(f"{aws.url}/_ministack/ses/messages") as answer:
        return sum(len(taken) for taken in json.load(answer)["messages"].values())


def test_a_mail_is_sent_once_and_kept_as_it_was_sent(
    letter: Letter, stack: dict[str, str], aws_server: Emulator
) -> None:
    before = arrived(aws_server)
    message = owe()

    host.drain()
    host.drain()

    message.refresh_from_db()
    assert message.state == State.DONE
    assert message.subject == "Booked: Halcyon, Sunday 30 May 2027, Dana"
    assert arrived(aws_server) == before + 1


def test_the_kept_text_masks_the_personal_link(letter: Letter, stack: dict[str, str]) -> None:
    message = owe()

    host.drain()

    message.refresh_from_db()
    assert "[personal link]" in message.text
    assert "eyJ" not in message.text + message.html + json.dumps(message.values | {"console_url": ""})


def test_the_same_fact_is_one_mail(letter: Letter) -> None:
    owe()

    with transaction.atomic():
        again = owe_message(
            kind="test", fact="test:1", recipient="ops", about="booking:X", values=FACTS, lane="mail:X", at=NOW
        )

    assert again is None
    assert Message.objects.count() == 1


def test_a_mail_no_longer_worth_sending_is_withdrawn_at_the_last_look(letter: Letter) -> None:
    letter.reason = "The trip is cancelled."
    message = owe()

    host.drain()

    message.refresh_from_db()
    assert message.state == State.CANCELLED
    assert not message.sent_at


def given_up(message: Message, cause: Cause) -> Message:
    Effect.objects.filter(pk=message.effect_id).update(state=State.DEAD, cause=cause, claim_no=1)
    return message


def tried_again(message: Message) -> State:
    assert retry(effect=Effect.objects.get(pk=message.effect_id), at=now())
    host.drain()
    return Message.objects.get(pk=message.pk).state


def test_a_mail_that_is_tried_again_never_follows_a_newer_one(letter: Letter, fake_aws: Rig) -> None:
    refused = given_up(owe("test:at-15:30"), Cause.REFUSED)
    owe("test:at-16:30")
    host.drain()

    assert tried_again(refused) == State.CANCELLED
    assert len(fake_aws.mails()) == 1


def test_a_mail_that_is_tried_again_does_not_follow_one_that_may_have_left(letter: Letter, fake_aws: Rig) -> None:
    refused = given_up(owe("test:at-15:30"), Cause.REFUSED)
    given_up(owe("test:at-16:30"), Cause.IN_DOUBT)

    assert tried_again(refused) == State.CANCELLED


def test_a_mail_that_is_tried_again_goes_before_a_newer_one_that_waits(letter: Letter, fake_aws: Rig) -> None:
    refused = given_up(owe("test:at-15:30"), Cause.REFUSED)
    newer = owe("test:at-16:30")

    assert tried_again(refused) == State.DONE
    assert Message.objects.get(pk=newer.pk).state == State.DONE


def test_without_an_address_on_file_it_stands_before_a_person(letter: Letter) -> None:
    letter.to = None
    message = owe()

    host.drain()

    effect = Effect.objects.get(fact=message.fact)
    assert "There is no address on file" in effect.last_error


def test_an_unknown_kind_waits_for_a_worker_that_knows_it(letter: Letter, monkeypatch: pytest.MonkeyPatch) -> None:
    message = owe()
    monkeypatch.setattr(letters, "_letters", {})

    host.drain()

    message.refresh_from_db()
    assert message.state == State.PENDING


def test_with_aws_away_the_mail_waits(letter: Letter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clients.reset()
    message = owe()

    host.drain()

    message.refresh_from_db()
    assert message.state == State.PENDING
    assert "cannot be reached" in Effect.objects.get(fact=message.fact).last_error
    monkeypatch.undo()
    clients.reset()  # the next test reads the environment again


def test_what_has_not_left_can_be_taken_back(letter: Letter) -> None:
    message = owe()

    with transaction.atomic():
        taken = withdraw_messages(lane="mail:X", reason="A newer mail says it all.")

    assert taken == [message]
    message.refresh_from_db()
    assert message.state == State.CANCELLED


@pytest.mark.parametrize(
    ("rule", "doubts", "decision"),
    [("once", 1, "resend"), ("once", 2, "hold"), ("hold", 1, "hold"), ("resend", 5, "resend")],
)
def test_in_doubt_the_kind_decides(letter: Letter, rule: str, doubts: int, decision: str) -> None:
    letter.in_doubt = rule
    message = owe()
    effect = Effect.objects.get(fact=message.fact)
    for number in range(doubts):
        Attempt.objects.create(effect=effect, claim_no=number, at=NOW, outcome="in_doubt")

    work = Work(effect.pk, effect.topic, effect.key, 1, 0)

    assert registry.topic("mail.message").handler.in_doubt(work) == decision


def test_the_manager_is_told_of_a_possible_repeat(letter: Letter, stack: dict[str, str]) -> None:
    letter.in_doubt = "once"
    message = owe()
    effect = Effect.objects.get(fact=message.fact)
    Attempt.objects.create(effect=effect, claim_no=0, at=NOW, outcome="in_doubt")

    host.drain()

    message.refresh_from_db()
    assert message.subject.startswith("Possible repeat: ")


def test_a_name_with_a_comma_and_a_line_break_is_one_recipient(
    letter: Letter, stack: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    settings.MAILBOX_DIR = str(tmp_path)
    letter.to = Address("Whit, Dana", "dana@example.com")
    owe(guest="Dana\r\nBcc: thief@example.com")

    host.drain()

    mail = message_from_bytes(next(tmp_path.glob("*.eml")).read_bytes(), policy=default)
    assert [a.addr_spec for a in mail["To"].addresses] == ["dana@example.com"]
    assert mail["Bcc"] is None


def test_the_mailbox_keeps_the_mail_as_it_was_sent(
    letter: Letter, stack: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    settings.MAILBOX_DIR = str(tmp_path / "mailbox")
    owe("one")
    owe("two")

    host.drain()

    names = sorted(path.name for path in (tmp_path / "mailbox").iterdir())
    assert [name[:5] for name in names] == ["00001", "00002"]


def test_markup_in_a_name_is_text_in_both_parts(letter: Letter, stack: dict[str, str]) -> None:
    message = owe(guest="<script>alert(1)</script>")

    host.drain()

    message.refresh_from_db()
    assert "<script>alert(1)</script>" in message.text
    assert "<script>" not in message.html


@pytest.mark.parametrize(
    ("kind", "sender"),
    [
        ("crew.invitation", "JADA crew office <crew-office@sailjada.com>"),
        ("guest.booked", "Queen of San Diego <guests@sailjada.com>"),
        ("ops.booked", "JADA <system@sailjada.com>"),
    ],
)
def test_each_purpose_has_its_own_sender_and_answers_reach_the_office(
    kind: str, sender: str, fake_aws: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "_letters", {kind: Letter()})
    with transaction.atomic():
        owe_message(kind=kind, fact="x", recipient="ops", about="booking:X", values=FACTS, lane="mail:X", at=NOW)

    host.drain()

    [mail] = fake_aws.mails()
    assert mail["from"] == sender
    assert f"From: {sender}" in mail["raw"]
    assert "Reply-To: ops@sailjada.com" in mail["raw"]


def test_the_tags_are_our_numbers_and_a_digest(letter: Letter, fake_aws: Rig) -> None:
    message = owe()

    host.drain()

    tags = fake_aws.mails()[0]["tags"]
    assert tags["fact"] == tag_of(message.fact)
    assert (tags["effect"], tags["claim"]) == (str(message.effect_id), "1")
    assert "token" not in json.dumps(tags)


def test_an_address_that_gets_no_mail_is_not_mailed_and_a_person_is_told_why(letter: Letter, fake_aws: Rig) -> None:
    BlockedAddress.objects.create(address="ops@sailjada.com", trouble=Trouble.BOUNCED, since=NOW)
    message = owe()

    for _ in range(3):
        Effect.objects.update(run_at=NOW - timedelta(days=365))
        host.drain()

    effect = Effect.objects.get(pk=message.effect_id)
    assert (effect.state, effect.cause) == (State.DEAD, "refused")
    assert "gets no mail (mail to it bounces)" in effect.last_error
    assert "ops@" not in effect.last_error
    assert fake_aws.mails() == []


def test_a_lifted_block_lets_mail_through(letter: Letter, fake_aws: Rig) -> None:
    BlockedAddress.objects.create(
        address="ops@sailjada.com", trouble=Trouble.BOUNCED, since=NOW, lifted_at=NOW, lifted_by="ops"
    )
    owe()

    host.drain()

    assert len(fake_aws.mails()) == 1


def test_a_database_that_restarts_after_the_answer_leaves_no_doubt(letter: Letter, fake_aws: Rig) -> None:
    message, refusals = owe(), [OperationalError("the server closed the connection")]

    def restarts(execute: Callable[..., object], sql: str, *given: object) -> object:
        if "provider_id" in sql and sql.startswith("UPDATE") and refusals:
            raise refusals.pop()
        return execute(sql, *given)

    with connection.execute_wrapper(restarts):
        host.drain()

    message.refresh_from_db()
    assert refusals == []
    assert message.effect.state == State.DONE
    assert message.provider_id
