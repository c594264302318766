"""The standing parts of a company: berths, vessels, products, people, rates, checklists, holds.

What belongs to a berth, a vessel, a member or a checklist comes with it, once: what the office takes away stays away.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from bookings.calendar import day_bounds, occurrences
from bookings.enums import EntryKind, EntryStatus
from bookings.finance.enums import RoleGroup
from bookings.finance.models import PayPolicy, PayRate, PortFee, ProductPrice
from bookings.finance.services import EXTRA_MINUTES
from bookings.models import Berth, CalendarEntry, HoldSeries, Product, Vessel
from bookings.services import refuse_overlap
from crew.models import ChecklistTemplate, Credential, CrewMember, CrewRequirement, TemplateItem, Unavailability
from jada.console.season.reading import Row, amount, instant, maybe_amount

SINCE = date(2020, 1, 1)  # rates and fees of a file have no date: they hold for every trip in it


def set_up(document: Row) -> dict[str, int]:
    """Add the house's parts that are missing; answers how many of each."""
    return {
        "berths": sum(_add_berth(row) for row in document["berths"]),
        "products": sum(_add_product(row) for row in document["products"]),
        "vessels": sum(_add_vessel(row, document) for row in document["vessels"]),
        "crew": sum(_add_member(row) for row in document["crew"]),
        "rates": sum(_add_rate("", role, hourly) for role, hourly in document.get("role_rates", {}).items()),
        "policies": sum(_add_policy(group) for group in RoleGroup),
        "checklists": sum(_add_checklist(row) for row in document["checklists"]),
        "holds": sum(_add_hold(row) for row in document.get("holds", ())),
    }


def _add_berth(row: Row) -> bool:
    described = ("address", "directions", "latitude", "longitude", "gate_code", "phone")
    berth, added = Berth.objects.get_or_create(
        key=row["key"], defaults={"name": row["name"], **{name: row[name] for name in described if name in row}}
    )
    if added:
        PortFee.objects.create(berth_id=berth.pk, valid_from=SINCE, rate=amount(row["port_fee_rate"]))
    return added


def _add_vessel(row: Row, document: Row) -> bool:
    settings = document["settings"]
    vessel, added = Vessel.objects.get_or_create(
        key=row["key"],
        defaults={
            "name": row["name"],
            "kind": row["kind"],
            "berth": Berth.objects.get(key=row["berth"]),
            "passenger_limit": row["passenger_limit"],
            "captain_credentials": row["captain_credential"],
            "time_zone": document["operator"]["timezone"],
            "turnaround_minutes": settings["turnaround_minutes"],
            "call_minutes": settings["crew_call_minutes_before"],
            "order": Vessel.objects.count() + 1,
        },
    )
    if added:
        for product, party_over, needs, count in _requirements(row):
            CrewRequirement.objects.create(
                vessel=vessel, product=product, party_over=party_over, needs=needs, count=count
            )
    return added


def _requirements(row: Row) -> Iterator[tuple[Product | None, int, str, int]]:
    """(product, party over, what is needed, how many): the vessel's own, a product's instead, a larger party's beside."""
    for needs, count in row["required"].items():
        yield None, 0, needs, count
    for key, required in row.get("required_by_product", {}).items():
        product = Product.objects.get(key=key)
        for needs, count in required.items():
            yield product, 0, needs, count
    for rule in row.get("above", ()):
        for needs, count in rule["add"].items():
            yield None, rule["party_over"], needs, count


def _add_product(row: Row) -> bool:
    _, added = Product.objects.get_or_create(
        key=row["key"],
        defaults={
            "name": row["name"],
            "minutes": None if row["hours"] is None else int(Decimal(row["hours"]) * 60),
            "max_party": row.get("max_party"),
            "notes": row.get("notes", ""),
        },
    )
    for vessel_key, price in row["price"].items():
        included, each = next(iter(row.get("per_guest_above", {}).get(vessel_key, {}).items()), (None, None))
        ProductPrice.objects.get_or_create(
            product_key=row["key"],
            vessel_key=vessel_key,
            defaults={
                "price": amount(price),
                "guests_included": None if included is None else int(included),
                "per_extra_guest": maybe_amount(each),
            },
        )
    return added


def _add_member(row: Row) -> bool:
    member, added = CrewMember.objects.get_or_create(
        key=row["key"],
        defaults={
            "name": row["name"],
            "role": row["role"],
            "roles": row.get("also", []),
            "call_order": row["call_order"],
            "email": row["email"],
            "phone": row["phone"],
            "languages": row["languages"],
            "contact_by": row["contact_by"],
        },
    )
    if added:
        _add_what_goes_with(member, row)
    return added


def _add_what_goes_with(member: CrewMember, row: Row) -> None:
    for paper in row["credentials"]:
        Credential.objects.create(member=member, kind=paper["kind"], expires_on=date.fromisoformat(paper["expires"]))
    for days in row.get("unavailable", ()):
        Unavailability.objects.create(
            member=member,
            from_date=date.fromisoformat(days["from"]),
            to_date=date.fromisoformat(days["to"]),
            note=days["note"],
        )
    if "rate" in row:
        _add_rate(row["key"], "", row["rate"])


def _add_rate(member_key: str, role: str, hourly: str) -> bool:
    return PayRate.objects.get_or_create(
        member_key=member_key, role=role, valid_from=SINCE, defaults={"hourly": amount(hourly)}
    )[1]


def _add_policy(group: RoleGroup) -> bool:
    return PayPolicy.objects.get_or_create(role_group=group, defaults={"extra_minutes": EXTRA_MINUTES[group]})[1]


def _add_checklist(row: Row) -> bool:
    no_default_yet = not ChecklistTemplate.objects.filter(is_default=True).exists()
    template, added = ChecklistTemplate.objects.get_or_create(
        key=row["key"],
        defaults={
            "name": row["key"].replace("-", " ").capitalize(),
            "is_default": row.get("default", False) and no_default_yet,
        },
    )
    template.products.add(*Product.objects.filter(key__in=row["applies_to"]))
    if added:
        for order, item in enumerate(row["items"]):
            TemplateItem.objects.create(
                template=template,
                key=item["key"],
                text=item["text"],
                anchor=item["due"][0],
                minutes=int(item["due"][1:]),
                role=item["role"],
                required=item["required"],
                order=order,
            )
    return added


# --- holds -------------------------------------------------------------------------------------------------------------


def _add_hold(row: Row) -> int:
    """How many entries were added. A quote's hold belongs to its booking: it comes with it."""
    if "booking" in row:
        return 0
    vessel = Vessel.objects.get(key=row["vessel"])
    if "rrule" in row:
        return _add_series(row, vessel)
    return _keep_free(row, vessel, *_period(row, vessel.zone))


def _add_series(row: Row, vessel: Vessel) -> int:
    starts_local, ends_local = (time.fromisoformat(text) for text in row["local_times"])
    first, until = instant(row["first_start"]).date(), date.fromisoformat(row["until"])
    skip = frozenset(date.fromisoformat(day) for day in row["exceptions"])
    series, added = HoldSeries.objects.get_or_create(
        key=row["key"],
        defaults={
            "vessel": vessel,
            "title": row["title"],
            "rule": row["rrule"],
            "first_date": first,
            "until_date": until,
            "starts_local": starts_local,
            "ends_local": ends_local,
            "exceptions": row["exceptions"],
        },
    )
    if not added:
        return 0
    spans = occurrences(
        row["rrule"], first=first, until=until, at=(starts_local, ends_local), zone=vessel.zone, skip=skip
    )
    return sum(_keep_free(row, vessel, start, end, series) for start, end in spans)


def _period(row: Row, zone: ZoneInfo) -> tuple[datetime, datetime]:
    if "all_day" in row:
        first, last = (date.fromisoformat(day) for day in row["all_day"])
        return day_bounds(first, zone)[0], day_bounds(last, zone)[1]
    return instant(row["start"]), instant(row["end"])


def _keep_free(row: Row, vessel: Vessel, start: datetime, end: datetime, series: HoldSeries | None = None) -> int:
    """One entry that blocks its vessel; a hold needs no turnaround after it."""
    title = row["title"]
    if CalendarEntry.objects.filter(vessel=vessel, title=title, starts_at=start, booking=None).exists():
        return 0
    refuse_overlap(vessel, start, end)
    CalendarEntry.objects.create(
        vessel=vessel,
        kind=EntryKind(row["kind"]),
        status=EntryStatus.CONFIRMED,
        title=title,
        series=series,
        starts_at=start,
        ends_at=end,
        blocked_until=end,
    )
    return 1
