"""What the office types about money. Every field of an amount refuses what the database would refuse, with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

from bookings.finance.models import BookingFinance, Payment, PortFee
from bookings.models import Berth, Booking

if TYPE_CHECKING:  # generic in the stubs, plain classes when they run
    _AmountsForm = forms.ModelForm[BookingFinance]
    _PaymentForm = forms.ModelForm[Payment]
    _PortFeeForm = forms.ModelForm[PortFee]
    _ModelChoice = forms.ModelChoiceField[Any]
else:
    _AmountsForm = _PaymentForm = _PortFeeForm = forms.ModelForm
    _ModelChoice = forms.ModelChoiceField


class ByNumber(_ModelChoice):
    """A choice of something that a row keeps as a plain number."""

    def to_python(self, value: Any) -> Any:
        chosen = super().to_python(value)
        return chosen.pk if isinstance(chosen, models.Model) else chosen

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)


class AmountsForm(_AmountsForm):
    """A trip's amounts. An empty one is unknown, which is not zero."""

    class Meta:
        model = BookingFinance
        fields = ("guest_price", "fees", "gross", "payout", "currency", "private_note")


class PaymentForm(_PaymentForm):
    """One line of the ledger, for the trip that is chosen."""

    booking_id = ByNumber(Booking.objects.order_by("-starts_at"), label="Booking")

    class Meta:
        model = Payment
        fields = ("booking_id", "kind", "method", "amount", "at", "note")


class PortFeeForm(_PortFeeForm):
    berth_id = ByNumber(Berth.objects.all(), label="Berth")

    class Meta:
        model = PortFee
        fields = ("berth_id", "rate", "valid_from")
