"""What can be done with money: record a trip's amounts, write a line of the ledger, ask for a margin or a statement.

History says which amounts changed and who changed them, never what they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import DataError, IntegrityError, transaction

from bookings.enums import PaymentState
from bookings.finance.enums import OUTGOING, PaymentKind, PaymentMethod, RoleGroup
from bookings.finance.models import AMOUNTS, LIMIT, BookingFinance, Payment, PayPolicy, PayRate, PortFee
from bookings.finance.pricing import ZERO, Margin, Shift, Statement, StatementLine, cents, margin, planned_hours
from bookings.models import Booking, Vessel
from bookings.services import set_payment_state
from jada.audit.actors import Actor
from jada.audit.services import record

logger = logging.getLogger(__name__)

# (member's key, role, the charter's minutes): crew says who is planned, finance what that costs.
Labour = tuple[str, str, int]

# Paid beside the charter's own time, where no policy row says otherwise.
EXTRA_MINUTES = {RoleGroup.CAPTAIN: 0, RoleGroup.CREW: 120}


class FinanceWriteError(Exception):
    """Money was refused by the database. `code` is the rule's name; the row's values are in neither text nor log."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"The amount cannot be recorded ({code}): amounts are not negative, below 100 million and, in the ledger, "
            "negative exactly for refunds and transfers out. Correct it and try again."
        )
        self.code = code


@transaction.atomic
def record_amounts(
    *,
    booking_id: int,
    gross: Decimal | None = None,
    guest_price: Decimal | None = None,
    fees: Decimal | None = None,
    payout: Decimal | None = None,
    currency: str = "USD",
    by: Actor,
    at: datetime,
) -> None:
    """Write the amounts that are given; the others stay as they are. The same again changes nothing.

    Raises `FinanceWriteError` when an amount is refused, `Booking.DoesNotExist` for an unknown trip.
    """
    given = {"gross": gross, "guest_price": guest_price, "fees": fees, "payout": payout}
    _write(booking_id, {name: amount for name, amount in given.items() if amount is not None}, currency, by=by, at=at)


@transaction.atomic
def clear_amounts(*, booking_id: int, names: Iterable[str], by: Actor, at: datetime) -> None:
    """Make amounts unknown again that were recorded by mistake."""
    _write(booking_id, dict.fromkeys(names), None, by=by, at=at)


@transaction.atomic
def note_privately(*, booking_id: int, note: str, by: Actor, at: datetime) -> None:
    """Keep what the office wants to remember about a trip's money."""
    booking = Booking.objects.get(pk=booking_id)
    row, made = BookingFinance.objects.get_or_create(booking_id=booking_id, defaults={"updated_at": at})
    if not made and row.private_note == note:
        return
    row.private_note, row.updated_at = note, at
    row.save(update_fields=["private_note", "updated_at"])
    record(act="finance.note.written", subject=booking.subject, by=by, at=at)


@transaction.atomic
def log_payment(
    *,
    booking: Booking,
    kind: PaymentKind,
    method: PaymentMethod,
    amount: Decimal,
    by: Actor,
    at: datetime,
    received_at: datetime | None = None,
    note: str = "",
) -> Payment:
    """Add a line to the ledger and let the trip's payment state follow it. Refunds and transfers out are negative.

    `received_at` is when the money moved, if that was not now. Raises `FinanceWriteError`.
    """
    payment = Payment(
        booking_id=booking.pk,
        at=received_at or at,
        kind=kind,
        method=method,
        amount=_exact(amount),
        recorded_by=str(by)[:150],
        recorded_at=at,
        note=note,
    )
    _one_writer(booking)
    with _finance_write():
        payment.save()
    detail = {"kind": str(kind), "method": str(method)}
    record(act="finance.payment.logged", subject=booking.subject, by=by, at=at, detail=detail)
    _follow_ledger(booking, by=by, at=at)
    return payment


def amounts_of(*, booking_id: int) -> BookingFinance | None:
    """What is recorded of a trip's money, or None."""
    return BookingFinance.objects.filter(booking_id=booking_id).first()


def margin_of(*, booking: Booking, labour: Iterable[Labour]) -> Margin:
    """What the trip leaves, by the rates that hold on its local date."""
    recorded = amounts_of(booking_id=booking.pk)
    return RateBook().margin(booking, recorded.gross if recorded else None, labour)


def payment_state(*, gross: Decimal | None, lines: Iterable[tuple[str, Decimal]]) -> PaymentState:
    """What a ledger says about departure; `lines` are (kind, amount) in order. Pure.

    A channel's payout pays its trip in full, whatever the gross: the channel holds the rest (domain 8).
    """
    lines = tuple(lines)
    total = sum((amount for _, amount in lines), ZERO)
    if total <= 0:
        sent = [kind for kind, _ in lines if kind in OUTGOING]
        if not sent:
            return PaymentState.TENTATIVE
        return PaymentState.CARRIED_OVER if sent[-1] == PaymentKind.TRANSFER_OUT else PaymentState.REFUNDED
    if any(kind == PaymentKind.CHANNEL_PAYOUT for kind, _ in lines) or (gross is not None and total >= gross):
        return PaymentState.PAID_IN_FULL
    return PaymentState.DEPOSIT_RECEIVED


# --- rates -----------------------------------------------------------------------------------------------------------


class RateBook:
    """The rates, policies and port fees as they stand, read once (three queries) for any number of trips."""

    def __init__(self) -> None:
        self._fees = list(PortFee.objects.order_by("-valid_from"))
        self._rates = list(PayRate.objects.order_by("-valid_from"))
        self._extra = EXTRA_MINUTES | {RoleGroup(p.role_group): p.extra_minutes for p in PayPolicy.objects.all()}

    def margin(self, booking: Booking, gross: Decimal | None, labour: Iterable[Labour]) -> Margin:
        port_rate = self.port_rate(booking.vessel.berth_id, booking.local_start.date())
        return margin(gross=gross, port_rate=port_rate, shifts=self.shifts(booking, labour))

    def shifts(self, booking: Booking, labour: Iterable[Labour]) -> tuple[Shift, ...]:
        """The trip's planned work, priced."""
        day = booking.local_start.date()
        return tuple(self._shift(member_key, role, minutes, day) for member_key, role, minutes in labour)

    def port_rate(self, berth_id: int, day: date) -> Decimal | None:
        return next((fee.rate for fee in self._fees if fee.berth_id == berth_id and fee.valid_from <= day), None)

    def hourly(self, member_key: str, role: str, day: date) -> Decimal | None:
        """The member's own rate first (in this role, then in any), then the role's default, then the group's."""
        wanted = [(member_key, role), (member_key, ""), ("", role), ("", group_of(role))]
        valid = [rate for rate in self._rates if rate.valid_from <= day]
        for key in wanted:
            for rate in valid:
                if (rate.member_key, rate.role) == key:
                    return rate.hourly
        return None

    def _shift(self, member_key: str, role: str, minutes: int, day: date) -> Shift:
        group = group_of(role)
        hours = planned_hours(minutes, self._extra[group])
        return Shift(member_key, role, group == RoleGroup.CAPTAIN, hours, self.hourly(member_key, role, day))


def group_of(role: str) -> RoleGroup:
    return RoleGroup.CAPTAIN if role == RoleGroup.CAPTAIN else RoleGroup.CREW


# --- the month -------------------------------------------------------------------------------------------------------


def statement(
    *, year: int, month: int, zone: ZoneInfo, until: datetime, labour_of: Callable[[Booking], Iterable[Labour]]
) -> Statement:
    """The month's trips that were over by `until`: what departed in `zone`'s month, whatever month UTC says it was."""
    start = datetime(year, month, 1, tzinfo=zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    sailed = Booking.objects.standing().departing(start, end).filter(ends_at__lte=until)
    bookings = list(sailed.select_related("vessel").order_by("starts_at", "pk"))
    recorded = BookingFinance.objects.filter(booking_id__in=[booking.pk for booking in bookings])
    gross = dict(recorded.values_list("booking_id", "gross"))
    book = RateBook()
    return Statement(year, month, tuple(_line(b, gross.get(b.pk), book, list(labour_of(b)), zone) for b in bookings))


def _line(
    booking: Booking, gross: Decimal | None, book: RateBook, labour: list[Labour], zone: ZoneInfo
) -> StatementLine:
    return StatementLine(
        booking_id=booking.pk,
        ref=booking.ref,
        channel=booking.channel,
        day=booking.starts_at.astimezone(zone).date(),
        margin=book.margin(booking, gross, labour),
        shifts=book.shifts(booking, labour),
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(
    booking_id: int, amounts: dict[str, Decimal | None], currency: str | None, *, by: Actor, at: datetime
) -> None:
    booking = Booking.objects.select_related("vessel").get(pk=booking_id)
    _one_writer(booking)
    row = BookingFinance.objects.filter(booking_id=booking_id).first()
    row = row or BookingFinance(booking_id=booking_id)
    values = {name: None if amount is None else _exact(amount) for name, amount in amounts.items()}
    changed = sorted(name for name, value in values.items() if getattr(row, name) != value)
    if currency and any(amounts.values()) and currency != row.currency:
        row.currency = currency
        changed.append("currency")
    if not changed:
        return
    for name in changed:
        if name in AMOUNTS:
            setattr(row, name, values[name])
    row.updated_at = at
    with _finance_write():
        row.save()
    record(act="finance.amounts.recorded", subject=booking.subject, by=by, at=at, detail={"fields": changed})
    if "gross" in changed:
        _follow_ledger(booking, by=by, at=at)


def _one_writer(booking: Booking) -> None:
    """The lock of every act on a trip, taken first here as well: a second payment waits, then counts the first one."""
    Vessel.objects.select_for_update().get(pk=booking.vessel_id)


def _follow_ledger(booking: Booking, *, by: Actor, at: datetime) -> None:
    """Let the payment state, all that crew may know of money, say what the ledger says. No ledger, no opinion."""
    lines = list(Payment.objects.filter(booking_id=booking.pk).values_list("kind", "amount"))
    if not lines:
        return
    recorded = amounts_of(booking_id=booking.pk)
    state = payment_state(gross=recorded.gross if recorded else None, lines=lines)
    set_payment_state(booking=booking, state=state, by=by, at=at)


def _exact(amount: Decimal) -> Decimal:
    """The amount in whole cents. What SQLite would take and PostgreSQL not (NaN, too many digits) is refused here."""
    if not amount.is_finite() or abs(amount) >= LIMIT:
        raise FinanceWriteError("finance_amount_in_range")
    return cents(amount)


@contextmanager
def _finance_write() -> Iterator[None]:
    """Databases quote the whole row when they refuse it: their text must not reach a log, a mail or a screen."""
    try:
        with transaction.atomic():
            yield
    except (IntegrityError, DataError) as refusal:
        code = _constraint(refusal)
    else:
        return
    logger.warning("A finance write was refused by %s", code)
    raise FinanceWriteError(code) from None


def _constraint(refusal: Exception) -> str:
    """The name of the rule, and nothing else that the database said."""
    diagnosis = getattr(refusal.__cause__, "diag", None)
    if name := getattr(diagnosis, "constraint_name", None):
        return str(name)
    words = str(refusal).replace(":", " ").split()
    return next((word for word in words if word.startswith("finance_")), "refused")
