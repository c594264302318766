from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bookings.models import Booking
from crew.enums import AssignmentStatus
from crew.models import Assignment, CrewLinkGrant
from jada.console import demo, where
from jada.console.demo_trips import SEED_CODE

AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def sample() -> Iterator[Booking]:
    demo.load(at=AT)
    booking = demo.deliver_sample(at=AT)
    assert booking
    yield booking


def test_the_samples_guest_page_and_its_captains_link_are_shown(sample: Booking) -> None:
    found = where.links(at=AT)

    assert "/g/" in found.guest_page
    assert f"/crew/event/{sample.public_id}/confirm?token=" in found.crew_link


def test_the_link_is_the_same_until_it_ends(sample: Booking) -> None:
    first = where.links(at=AT)
    grants = CrewLinkGrant.objects.count()

    assert where.links(at=AT + timedelta(days=1)) == first
    assert CrewLinkGrant.objects.count() == grants


def test_once_the_samples_trip_is_over_the_reference_charter_is_shown(sample: Booking) -> None:
    found = where.links(at=AT + timedelta(days=60))

    assert found.guest_page.endswith(f"/g/{SEED_CODE}")
    assert "token=" in found.crew_link


def test_where_nobody_is_asked_there_is_no_link(sample: Booking) -> None:
    Assignment.objects.filter(event__booking=sample).update(status=AssignmentStatus.DECLINED)

    assert where.links(at=AT).crew_link == where.NONE


def test_of_a_company_that_is_not_there_it_says_what_to_do() -> None:
    with pytest.raises(LookupError, match="load_demo"):
        where.links(at=AT)
