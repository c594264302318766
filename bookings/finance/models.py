"""Money, and nothing else. Rows point at a booking by its plain number, and at people, berths and products by name, so
that no query that starts from a trip or from the crew can reach an amount (security: structure first).

No `__str__` holds an amount: the console, the logs and the history copy it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from bookings.finance.enums import OUTGOING, PaymentKind, PaymentMethod, RoleGroup

AMOUNTS = ("guest_price", "fees", "gross", "payout")
LIMIT = Decimal(100_000_000)  # amounts are below it: eight digits before the point
NOT_NEGATIVE = [MinValueValidator(Decimal(0))]


def _amount(**options: Any) -> models.DecimalField[Decimal | float | str, Decimal]:
    return models.DecimalField(max_digits=10, decimal_places=2, **options)


def _known_or_not(help_text: str = "") -> models.DecimalField[Decimal | None, Decimal | None]:
    return models.DecimalField(
        max_digits=10, decimal_places=2, null=True, blank=True, validators=NOT_NEGATIVE, help_text=help_text
    )


def _not_negative(field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{field: None}) | Q(**{f"{field}__gte": 0}), name=f"finance_{field}_not_negative"
    )


class BookingFinance(models.Model):
    """What is known of a trip's money; every amount may be unknown. Nobody may be told of it but the office."""

    booking_id = models.PositiveBigIntegerField(unique=True)
    currency = models.CharField(max_length=3, default="USD")
    guest_price = _known_or_not("what the guest pays the channel")
    fees = _known_or_not("what the channel keeps")
    gross = _known_or_not("the trip's revenue; the port fee's base")
    payout = _known_or_not("what the channel sends us")
    private_note = models.TextField(blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = "amounts of a booking"
        verbose_name_plural = "amounts of bookings"
        ordering = ["-booking_id"]
        constraints = [_not_negative(name) for name in AMOUNTS]

    def __str__(self) -> str:
        return f"amounts of booking {self.booking_id}"


class NeverRewritten(RuntimeError):
    """A line of the ledger stands. Correct it with a counter-entry."""


class PaymentQuerySet(models.QuerySet["Payment"]):
    def update(self, **kwargs: Any) -> int:
        raise NeverRewritten("The ledger is append-only: correct a line with a counter-entry.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise NeverRewritten("The ledger is append-only: correct a line with a counter-entry.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise NeverRewritten("The ledger is append-only: correct a line with a counter-entry.")


class Payment(models.Model):
    """One line of the ledger: money that came (positive) or went (negative). Append-only."""

    booking_id = models.PositiveBigIntegerField(db_index=True)
    at = models.DateTimeField("received or sent at")
    kind = models.CharField(max_length=14, choices=PaymentKind)
    method = models.CharField(max_length=10, choices=PaymentMethod)
    amount = _amount(help_text="negative for a refund or a transfer out")
    recorded_by = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=OUTGOING, amount__lt=0) | (~Q(kind__in=OUTGOING) & Q(amount__gt=0)),
                name="finance_payment_sign_of_its_kind",
                violation_error_message="A refund or a transfer out is negative, everything else positive.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for booking {self.booking_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise NeverRewritten("The ledger is append-only: correct a line with a counter-entry.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise NeverRewritten("The ledger is append-only: correct a line with a counter-entry.")


class PortFee(models.Model):
    """The dock's share of a trip's gross, from a day on."""

    berth_id = models.PositiveBigIntegerField()
    rate = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        validators=[*NOT_NEGATIVE, MaxValueValidator(Decimal(1))],
        help_text="a fraction: 0.1800 is 18 %",
    )
    valid_from = models.DateField()

    class Meta:
        ordering = ["berth_id", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["berth_id", "valid_from"], name="finance_one_port_fee_a_day"),
            models.CheckConstraint(condition=Q(rate__gte=0, rate__lte=1), name="finance_port_fee_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"port fee of berth {self.berth_id} from {self.valid_from}"


class PayRate(models.Model):
    """An hourly rate from a day on: a member's own, in one role or in all, or a role's default.

    `role` is a role of the roster (captain, first_mate, host ...) or "crew" for everybody but the captain.
    """

    member_key = models.SlugField(blank=True, help_text="empty: the role's default")
    role = models.SlugField(blank=True, help_text="empty: the member's rate in every role; crew: all but the captain")
    hourly = _amount(validators=NOT_NEGATIVE)
    valid_from = models.DateField()

    class Meta:
        ordering = ["member_key", "role", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["member_key", "role", "valid_from"], name="finance_one_rate_a_day"),
            models.CheckConstraint(condition=~Q(member_key="", role=""), name="finance_rate_of_somebody"),
            models.CheckConstraint(condition=Q(hourly__gte=0), name="finance_rate_not_negative"),
        ]

    def __str__(self) -> str:
        whose = self.member_key or "anyone"
        return f"rate of {whose}{f' as {self.role}' if self.role else ''} from {self.valid_from}"


class PayPolicy(models.Model):
    """How paid hours come from charter hours: the crew is on the boat an hour before and after, by default."""

    role_group = models.CharField(max_length=10, choices=RoleGroup, unique=True)
    extra_minutes = models.PositiveSmallIntegerField(default=0, help_text="paid beside the charter's own time")

    class Meta:
        verbose_name_plural = "pay policies"
        ordering = ["role_group"]

    def __str__(self) -> str:
        return f"{self.get_role_group_display()} policy"


class ProductPrice(models.Model):
    """The list price of a product on a vessel, for direct sales."""

    product_key = models.SlugField()
    vessel_key = models.SlugField()
    price = _amount(validators=NOT_NEGATIVE)
    guests_included = models.PositiveSmallIntegerField(null=True, blank=True, help_text="empty: any number")
    per_extra_guest = _known_or_not()

    class Meta:
        ordering = ["product_key", "vessel_key"]
        constraints = [
            models.UniqueConstraint(fields=["product_key", "vessel_key"], name="finance_one_price"),
            models.CheckConstraint(condition=Q(price__gte=0), name="finance_price_not_negative"),
            models.CheckConstraint(
                condition=Q(guests_included=None, per_extra_guest=None)
                | Q(guests_included__isnull=False, per_extra_guest__isnull=False, per_extra_guest__gte=0),
                name="finance_extra_guests_counted_and_priced",
            ),
        ]

    def __str__(self) -> str:
        return f"price of {self.product_key} on {self.vessel_key}"

    def for_party(self, party: int) -> Decimal:
        """The flat price, and so much for each guest above the number included."""
        if self.guests_included is None or self.per_extra_guest is None:
            return self.price
        return self.price + max(0, party - self.guests_included) * self.per_extra_guest
