import pytest
from django.core import serializers

from bookings.models import Berth, Vessel
from guests.models import GuestPage
from jada.outbox.models import Effect
from tests.factories.bookings import VesselFactory, a_booking

pytestmark = pytest.mark.django_db


def test_a_booking_opens_its_page_in_its_own_transaction() -> None:
    booking = a_booking()

    assert GuestPage.objects.get().booking == booking


def test_a_new_boat_and_a_new_berth_owe_nothing() -> None:
    VesselFactory()

    assert not Effect.objects.exists()


@pytest.mark.parametrize("model", [Vessel, Berth])
def test_loading_a_fixture_owes_nothing(model: type[Vessel | Berth]) -> None:
    a_booking()
    Effect.objects.all().delete()
    rows = serializers.serialize("json", model.objects.all())

    for row in serializers.deserialize("json", rows):
        row.save()

    assert not Effect.objects.exists()
