"""The arithmetic of money. Pure; Decimal only; every amount is rounded half up to the cent where it arises.

The port fee is taken on the full gross and rounded before it is subtracted: 18 % of 840.75 is 151.335, so 151.34, and
the net of the reference charter 289.41. Rounding the difference instead would give 289.42.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def port_fee(gross: Decimal, rate: Decimal) -> Decimal:
    """The dock's share of the full gross; `rate` is a fraction, such as 0.18."""
    return cents(gross * rate)


def planned_hours(charter_minutes: int, extra_minutes: int) -> Decimal:
    """Paid hours of a trip: the charter's, and what the policy adds around it.

    Two decimals, as a statement prints them: printed hours times the printed rate are the printed pay.
    """
    return cents(Decimal(charter_minutes + extra_minutes) / 60)


def pay(hours: Decimal, rate: Decimal) -> Decimal:
    """One person's pay for one trip; `rate` is by the hour."""
    return cents(hours * rate)


@dataclass(frozen=True)
class Shift:
    """One person's planned work on one trip. `rate` is None where nobody has set one."""

    member_key: str
    role: str
    is_captain: bool
    hours: Decimal
    rate: Decimal | None

    @property
    def pay(self) -> Decimal | None:
        return None if self.rate is None else pay(self.hours, self.rate)


@dataclass(frozen=True)
class Margin:
    """What a trip leaves. An amount that cannot be known is None, and `missing` says in sentences what it waits for."""

    gross: Decimal | None
    crew_pay: Decimal | None
    captain_pay: Decimal | None
    port_fee: Decimal | None
    net: Decimal | None
    missing: tuple[str, ...] = ()


def margin(*, gross: Decimal | None, port_rate: Decimal | None, shifts: Iterable[Shift]) -> Margin:
    """Gross less crew pay, captain pay and port fee, each rounded before it is subtracted."""
    shifts = tuple(shifts)
    crew_pay = _total(shift.pay for shift in shifts if not shift.is_captain)
    captain_pay = _total(shift.pay for shift in shifts if shift.is_captain)
    fee = None if gross is None or port_rate is None else port_fee(gross, port_rate)
    net = None
    if gross is not None and crew_pay is not None and captain_pay is not None and fee is not None:
        net = gross - crew_pay - captain_pay - fee
    missing = tuple(_missing(gross, port_rate, shifts))
    return Margin(gross, crew_pay, captain_pay, fee, net, missing)


def _total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum, or None when a part of it is unknown: a net that leaves somebody's pay out would be a lie."""
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _missing(gross: Decimal | None, port_rate: Decimal | None, shifts: tuple[Shift, ...]) -> Iterable[str]:
    if gross is None:
        yield "no gross recorded"
    if port_rate is None:
        yield "no port fee set for the berth on the day of the trip"
    if not shifts:
        yield "nobody planned on board yet"
    for shift in shifts:
        if shift.rate is None:
            yield f"no rate for {shift.member_key} as {shift.role.replace('_', ' ')} on the day of the trip"


# --- the month -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StatementLine:
    """One trip of a month. `day` is its local departure date."""

    booking_id: int
    ref: str
    channel: str
    day: date
    margin: Margin
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Totals:
    """Sums of what is known; a trip with an unknown amount is counted and named in `Statement.missing`."""

    trips: int
    gross: Decimal
    crew_pay: Decimal
    captain_pay: Decimal
    port_fee: Decimal
    net: Decimal


@dataclass(frozen=True)
class MemberPay:
    member_key: str
    hours: Decimal
    pay: Decimal


@dataclass(frozen=True)
class Statement:
    """A month's sailed trips, by local departure date. The month's fee is the sum of the trips' rounded fees."""

    year: int
    month: int
    lines: tuple[StatementLine, ...]

    @property
    def totals(self) -> Totals:
        return _totals(self.lines)

    @property
    def by_channel(self) -> dict[str, Totals]:
        channels = dict.fromkeys(line.channel for line in self.lines)
        return {channel: _totals([line for line in self.lines if line.channel == channel]) for channel in channels}

    @property
    def pay(self) -> tuple[MemberPay, ...]:
        """Planned hours and pay by member, in order of their keys; a shift without a rate adds its hours only."""
        shifts = [shift for line in self.lines for shift in line.shifts]
        return tuple(_member_pay(key, shifts) for key in sorted({shift.member_key for shift in shifts}))

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(f"{line.ref}: {sentence}" for line in self.lines for sentence in line.margin.missing)


def _totals(lines: Iterable[StatementLine]) -> Totals:
    margins = [line.margin for line in lines]
    return Totals(
        trips=len(margins),
        gross=_sum(m.gross for m in margins),
        crew_pay=_sum(m.crew_pay for m in margins),
        captain_pay=_sum(m.captain_pay for m in margins),
        port_fee=_sum(m.port_fee for m in margins),
        net=_sum(m.net for m in margins),
    )


def _member_pay(key: str, shifts: Iterable[Shift]) -> MemberPay:
    own = [shift for shift in shifts if shift.member_key == key]
    return MemberPay(key, sum((shift.hours for shift in own), ZERO), _sum(shift.pay for shift in own))


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), ZERO)
