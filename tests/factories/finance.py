"""Rates and fees with the reference charter's numbers; what a test depends on, it says."""

from datetime import date
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from bookings.finance.models import PayRate, PortFee
from tests.factories.bookings import BerthFactory

LONG_AGO = date(2020, 1, 1)


class PortFeeFactory(DjangoModelFactory[PortFee]):
    class Meta:
        model = PortFee

    berth_id = factory.LazyFunction(lambda: BerthFactory().pk)
    rate = Decimal("0.18")
    valid_from = LONG_AGO


class PayRateFactory(DjangoModelFactory[PayRate]):
    class Meta:
        model = PayRate

    role = "crew"
    hourly = Decimal("25.00")
    valid_from = LONG_AGO


def house_rates() -> None:
    """18 % for the dock, 50 an hour for a captain, 25 for everybody else."""
    PortFeeFactory()
    PayRateFactory(role="captain", hourly=Decimal("50.00"))
    PayRateFactory(role="crew", hourly=Decimal("25.00"))
