"""Grants and sessions: how often, how long, from where."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from crew import services
from crew.models import CrewEvent, CrewLinkGrant, CrewSession
from crew.services import Browser
from crew.tokens import LinkRefused
from jada.audit.actors import SYSTEM
from jada.audit.models import Event as History
from tests.factories.bookings import NOW, START
from tests.factories.crew import DURING, a_crew_event, assignment_of, grant_of, mate, token_of

pytestmark = pytest.mark.django_db
HOME = Browser(client="home", network="home")


@pytest.fixture
def event() -> CrewEvent:
    mate("juno")
    return a_crew_event()


def exchange(event: CrewEvent, *, at: datetime = DURING, browser: Browser = HOME, old_key: str = "") -> str:
    return services.exchange_link(
        token=token_of(event, "juno"), event_id=event.public_id, old_key=old_key, browser=browser, at=at
    )


def test_the_link_is_the_same_each_time_it_is_made(event: CrewEvent) -> None:
    grant = grant_of(event, "juno")

    assert services.link_of(grant) == services.link_of(CrewLinkGrant.objects.get(pk=grant.pk))


def test_a_new_active_key_leaves_old_links_as_they_are(event: CrewEvent, settings: Any) -> None:
    before = services.link_of(grant_of(event, "juno"))
    rotated = {**settings.CREW_LINK_KEYS, "cl-new": "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0wMQ=="}

    with override_settings(CREW_LINK_KEYS=rotated, CREW_LINK_ACTIVE_KID="cl-new"):
        fresh = services.issue_link(assignment=assignment_of(event, "juno"), at=DURING)

        assert services.link_of(grant_of(event, "juno").assignment.grants.earliest("pk")) == before
        assert fresh.kid == "cl-new"


def test_a_link_ends_a_day_after_the_trip(event: CrewEvent) -> None:
    assert grant_of(event, "juno").expires_at == START + timedelta(hours=27)


def test_no_link_is_older_than_180_days() -> None:
    mate("juno")
    event = a_crew_event(starts_at=START + timedelta(days=400))

    assert grant_of(event, "juno").expires_at == NOW + timedelta(days=180)


def test_a_link_opens_twenty_times_an_hour(event: CrewEvent) -> None:
    for _ in range(20):
        exchange(event)

    with pytest.raises(LinkRefused):
        exchange(event)
    assert exchange(event, at=DURING + timedelta(minutes=61))


def test_five_browsers_at_once_the_oldest_goes(event: CrewEvent) -> None:
    keys = [exchange(event, at=DURING + timedelta(minutes=n)) for n in range(6)]

    at = DURING + timedelta(minutes=10)
    with pytest.raises(LinkRefused):
        services.session_for(key=keys[0], event_id=event.public_id, at=at)
    assert services.session_for(key=keys[1], event_id=event.public_id, at=at)
    assert CrewSession.objects.count() == 5


def test_many_networks_are_noted_once_and_not_blocked(event: CrewEvent) -> None:
    for number in range(6):
        exchange(event, browser=Browser(client=f"c{number}", network=f"n{number}"))

    assert History.objects.filter(act="crew.link.many-networks").count() == 1


def test_a_session_ends_after_two_weeks_without_a_look(event: CrewEvent) -> None:
    far = DURING + timedelta(days=1)
    key = exchange(event)
    CrewSession.objects.update(last_seen_at=far - timedelta(days=15))

    with pytest.raises(LinkRefused):
        services.session_for(key=key, event_id=event.public_id, at=far)


def test_a_look_is_noted_once_an_hour(event: CrewEvent) -> None:
    key = exchange(event)

    services.session_for(key=key, event_id=event.public_id, at=DURING + timedelta(minutes=59))
    assert CrewSession.objects.get().last_seen_at == DURING

    later = DURING + timedelta(minutes=61)
    services.session_for(key=key, event_id=event.public_id, at=later)
    assert CrewSession.objects.get().last_seen_at == later


def test_revoking_a_link_ends_its_sessions_and_is_written_down(event: CrewEvent) -> None:
    key = exchange(event)

    services.revoke_grant(grant=grant_of(event, "juno"), reason="telephone lost", by=SYSTEM, at=DURING)

    with pytest.raises(LinkRefused):
        services.session_for(key=key, event_id=event.public_id, at=DURING)
    assert History.objects.get(act="crew.link.revoked").detail == {"member": "Juno Park", "reason": "telephone lost"}


def test_an_empty_cookie_opens_nothing(event: CrewEvent) -> None:
    with pytest.raises(LinkRefused):
        services.session_for(key="", event_id=event.public_id, at=DURING)
    assert services.trips_of_session(key="", at=DURING) == []


def test_what_no_limit_counts_any_more_is_forgotten(event: CrewEvent) -> None:
    exchange(event)
    assert services.forget(at=DURING + timedelta(hours=23)) == 0

    assert services.forget(at=DURING + timedelta(hours=25)) == 1

    assert CrewSession.objects.count() == 1
    assert services.forget(at=START + timedelta(hours=28)) == 1
