"""Yes, no, and no answer."""

from datetime import timedelta

import pytest

from crew import services
from crew.services import AnswerRefused
from jada.audit.models import Event as History
from jada.mail.models import Message
from tests.factories.bookings import NOW, START
from tests.factories.crew import DURING, a_crew_event, accepted, assignment_of, captain, crew_of, mate

pytestmark = pytest.mark.django_db

LATE = NOW + timedelta(hours=13)


def mail_has_left() -> None:
    Message.objects.update(sent_at=NOW)
    for message in Message.objects.select_related("effect"):
        message.effect.state = "done"
        message.effect.save()


def test_yes_is_written_with_who_and_when() -> None:
    mate("juno")
    event = a_crew_event()

    accepted(event, "juno")

    said = assignment_of(event, "juno")
    assert (said.status, said.answered_at, said.answered_by) == ("accepted", DURING, "Juno Park (crew)")


def test_yes_twice_is_yes_once() -> None:
    mate("juno")
    event = a_crew_event()
    accepted(event, "juno")

    accepted(event, "juno", at=DURING + timedelta(hours=1))

    assert assignment_of(event, "juno").answered_at == DURING
    assert History.objects.filter(act="crew.invitation.accepted").count() == 1


def test_no_frees_the_place_and_asks_the_next_at_once() -> None:
    mate("juno")
    mate("silas")
    event = a_crew_event()

    services.decline(assignment=assignment_of(event, "juno"), at=DURING)

    assert crew_of(event) == {"juno": "declined", "silas": "invited"}
    assert assignment_of(event, "silas").place == assignment_of(event, "juno").place


def test_no_twice_asks_one_next() -> None:
    mate("juno")
    mate("silas")
    mate("petra")
    event = a_crew_event()
    asked = assignment_of(event, "juno")

    services.decline(assignment=asked, at=DURING)
    services.decline(assignment=asked, at=DURING)

    assert crew_of(event) == {"juno": "declined", "silas": "invited"}


def test_no_after_yes_is_possible_until_the_end() -> None:
    mate("juno")
    event = a_crew_event()
    accepted(event, "juno")

    services.decline(assignment=assignment_of(event, "juno"), at=DURING)

    assert History.objects.get(act="crew.invitation.declined").detail["was_confirmed"] is True


def test_yes_after_no_comes_too_late() -> None:
    mate("juno")
    event = a_crew_event()
    asked = assignment_of(event, "juno")
    services.decline(assignment=asked, at=DURING)

    with pytest.raises(AnswerRefused, match="not open to you any more"):
        services.accept(assignment=asked, at=DURING)


def test_yes_after_the_trip_comes_too_late() -> None:
    mate("juno")
    event = a_crew_event()

    with pytest.raises(AnswerRefused):
        services.accept(assignment=assignment_of(event, "juno"), at=START + timedelta(hours=3))


def test_no_answer_in_time_asks_the_next() -> None:
    mate("juno")
    mate("silas")
    event = a_crew_event()
    mail_has_left()

    assert services.expire_invitations(at=LATE) == 1

    assert crew_of(event) == {"juno": "expired", "silas": "invited"}


def test_nobody_else_to_ask_leaves_the_invitation_open() -> None:
    mate("juno")
    event = a_crew_event()
    mail_has_left()

    assert services.expire_invitations(at=LATE) == 0

    assert crew_of(event) == {"juno": "invited"}


def test_an_invitation_that_has_not_left_cannot_be_late() -> None:
    mate("juno")
    mate("silas")
    event = a_crew_event()

    assert services.expire_invitations(at=LATE) == 0

    assert crew_of(event) == {"juno": "invited"}


def test_there_is_time_until_the_deadline() -> None:
    captain("ines")
    captain("tobias")
    a_crew_event()
    mail_has_left()

    assert services.expire_invitations(at=NOW + timedelta(hours=11)) == 0
