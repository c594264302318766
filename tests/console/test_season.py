"""The demo season against its own `expected` part. Numbers are read from the file, never copied from it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from django.conf import settings as shipped
from django.core.management import CommandError, call_command
from django.db.models import F, Model

from bookings.calendar import hours
from bookings.enums import BookingStatus
from bookings.finance.models import BookingFinance, Payment, PayRate, PortFee, ProductPrice
from bookings.finance.pricing import Statement, port_fee
from bookings.finance.services import margin_of, statement
from bookings.models import Booking, CalendarEntry, HoldSeries, Vessel
from crew.enums import AssignmentStatus, Needs
from crew.manifest import BANNERS
from crew.models import Assignment, ChecklistItem, Credential, CrewEvent, CrewMember, CrewRequirement, TemplateItem
from crew.services import event_view, labour
from crew.services.fitness import unfit
from guests.models import GuestPage, PageSlug
from jada.audit.models import Event
from jada.console import season
from jada.console.conflicts import find_conflicts
from jada.console.season.reading import amount, instant
from jada.mail.models import Message
from jada.outbox.models import Effect

PATH = shipped.BASE_DIR / "samples" / "season.yaml"
SEASON = yaml.safe_load(PATH.read_text(encoding="utf-8"))
EXPECTED = SEASON["expected"]
ROWS = {row["ref"]: row for row in SEASON["bookings"]}
AT = instant(SEASON["season"]["reference_time"])
ZONE = ZoneInfo(SEASON["operator"]["timezone"])
TABLES: list[type[Model]] = [
    Booking, CalendarEntry, HoldSeries, Vessel, BookingFinance, Payment, PayRate, PortFee, ProductPrice, CrewMember,
    Credential, CrewRequirement, CrewEvent, Assignment, ChecklistItem, TemplateItem, GuestPage, PageSlug, Event, Effect,
]  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Loaded once for the module and flushed after it; each test's own changes are rolled back as ever."""
    with django_db_blocker.unblock():
        season.load(SEASON, at=AT)
    yield
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


def booking(ref: str) -> Booking:
    return Booking.objects.select_related("vessel").get(ref=ref)


def work(booking: Booking) -> list[tuple[str, str, int]]:
    return [(shift.member_key, shift.role, shift.minutes) for shift in labour(booking)]


def month(year: int, number: int, *, until: datetime = AT) -> Statement:
    return statement(year=year, month=number, zone=ZONE, until=until, labour_of=work)


# --- every booking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ROWS)
def test_a_booking_is_what_its_row_says(ref: str) -> None:
    row, found = ROWS[ref], booking(ref)

    assert (found.status, found.payment_state) == (row["status"], row["payment_state"])
    assert (found.channel, found.external_id) == (row["channel"], row.get("channel_ref", ""))
    assert (found.starts_at, found.ends_at) == (instant(row["start_utc"]), instant(row["end_utc"]))
    assert (found.local_start.isoformat(), found.local_end.isoformat()) == (row["start"], row["end"])
    assert hours(found.starts_at, found.ends_at) == Decimal(row["duration_hours"])
    assert (found.guest_name, found.party_size) == (row["customer"]["name"], row["party_size"])


@pytest.mark.parametrize("ref", [ref for ref, row in ROWS.items() if "expected_margin" in row])
def test_a_margin_is_what_its_row_expects(ref: str) -> None:
    expected = ROWS[ref]["expected_margin"]

    margin = margin_of(booking=booking(ref), labour=work(booking(ref)))

    assert {name: str(getattr(margin, name)) for name in expected} == expected
    assert not margin.missing


@pytest.mark.parametrize("ref", ROWS)
def test_a_crew_is_who_its_row_says(ref: str) -> None:
    rows = Assignment.objects.filter(event__booking__ref=ref).values_list("member__key", "role", "status")

    assert sorted(rows) == sorted((line["crew"], line["role"], line["status"]) for line in ROWS[ref]["crew"])


@pytest.mark.parametrize("ref", [ref for ref, row in ROWS.items() if row["status"] not in ("inquiry", "needs_review")])
def test_a_page_has_the_slug_of_its_row(ref: str) -> None:
    assert PageSlug.objects.get(page__booking__ref=ref, current=True).slug == ROWS[ref]["slug"]


@pytest.mark.parametrize("ref", ROWS)
def test_a_ledger_and_its_amounts_are_the_rows_to_the_cent(ref: str) -> None:
    row, found = ROWS[ref], booking(ref)
    recorded = BookingFinance.objects.get(booking_id=found.pk)
    names = {"gross": "gross", "guest_price": "guest_price", "channel_commission": "fees"}

    ledger = Payment.objects.filter(booking_id=found.pk).values_list("at", "kind", "method", "amount", "recorded_by")

    assert {name: str(getattr(recorded, names[name])) for name in row["money"]} == row["money"]
    assert [(at, kind, method, str(money), by.partition(" ")[0]) for at, kind, method, money, by in ledger] == [
        (instant(p["at"]), p["kind"], p["method"], p["amount"], p["recorded_by"]) for p in row["payments"]
    ]


# --- the month -------------------------------------------------------------------------------------------------------


def test_the_statement_so_far_is_the_expected_one() -> None:
    expected = EXPECTED["statement_2026_10_so_far"]

    totals = month(2026, 10).totals

    assert totals.trips == expected["trips"]
    for name in ("gross", "crew_pay", "captain_pay", "port_fee", "net"):
        assert str(getattr(totals, name)) == expected[name], name


def test_the_months_fee_is_not_taken_on_the_total() -> None:
    totals = month(2026, 10).totals
    rate = Decimal(SEASON["berths"][0]["port_fee_rate"])

    on_the_total = port_fee(totals.gross, rate)

    assert str(on_the_total) == EXPECTED["statement_2026_10_so_far"]["port_fee_if_taken_on_the_total"]
    assert on_the_total != totals.port_fee


def test_the_gross_by_channel_is_the_expected_one() -> None:
    by_channel = month(2026, 10).by_channel

    found = {channel: {"trips": t.trips, "gross": str(t.gross)} for channel, t in by_channel.items()}
    assert found == EXPECTED["gross_by_channel_2026_10_so_far"]


def test_the_planned_pay_is_the_expected_one() -> None:
    pay = month(2026, 10).pay

    assert [{"crew": p.member_key, "hours": str(p.hours), "pay": str(p.pay)} for p in pay] == EXPECTED[
        "planned_pay_2026_10_so_far"
    ]


def test_the_overnight_belongs_to_the_month_it_departed_in_at_the_dock() -> None:
    expected = EXPECTED["statement_month_of_overnight"]
    ref, later = expected["booking"], AT + timedelta(days=60)
    departed = booking(ref).starts_at

    by_month = {
        f"{year}-{number:02}": ref in [line.ref for line in month(year, number, until=later).lines]
        for year, number in ((2026, 10), (2026, 11))
    }

    assert by_month[expected["local"]]
    assert not by_month[expected["utc_would_say"]]
    assert f"{departed:%Y-%m}" == expected["utc_would_say"]


# --- the calendar ----------------------------------------------------------------------------------------------------


def test_the_conflicts_are_the_expected_ones_and_no_others() -> None:
    found = find_conflicts(*season.window(SEASON))

    assert [_as_expected(conflict) for conflict in found] == sorted(EXPECTED["conflicts"], key=_first_start)


def _first_start(conflict: dict[str, Any]) -> Any:
    return min(ROWS[ref]["start_utc"] for ref in conflict["bookings"])


def _as_expected(conflict: Any) -> dict[str, Any]:
    names = {
        "kind": conflict.kind,
        "crew" if conflict.kind == "crew" else "vessel": conflict.who,
        "bookings": sorted(name for name in conflict.names if name in ROWS),
    }
    if conflict.kind == "hold":
        names["hold"] = next(name for name in conflict.names if name not in ROWS)
    if conflict.kind != "crew":
        names["gap_minutes" if conflict.kind == "turnaround" else "minutes"] = conflict.minutes
    return names


@pytest.mark.parametrize("innocent", EXPECTED["not_conflicts"], ids=lambda row: row["because"])
def test_what_is_no_conflict_is_not_found(innocent: dict[str, Any]) -> None:
    pairs = [set(conflict.names) for conflict in find_conflicts(*season.window(SEASON))]

    assert not [pair for pair in pairs if set(innocent["bookings"]) <= pair]


@pytest.mark.parametrize("hold", [hold for hold in SEASON["holds"] if "rrule" in hold], ids=lambda hold: hold["key"])
def test_a_weekly_hold_keeps_its_time_on_the_wall(hold: dict[str, Any]) -> None:
    first, last = season.window(SEASON)

    entries = CalendarEntry.objects.filter(series__key=hold["key"]).on_days(first, last)

    assert [(e.starts_at, e.starts_at.astimezone(ZONE).isoformat()) for e in entries] == [
        (instant(one["start_utc"]), one["start"]) for one in hold["expected_in_window"]
    ]


def test_an_owners_day_is_the_whole_local_day() -> None:
    hold = next(hold for hold in SEASON["holds"] if "all_day" in hold)

    entry = CalendarEntry.objects.get(title=hold["title"])

    assert entry.starts_at.astimezone(ZONE).isoformat()[:16] == f"{hold['all_day'][0]}T00:00"
    assert entry.ends_at - entry.starts_at == timedelta(days=1)


def test_a_quotes_hold_is_its_own_entry_and_expires_with_it() -> None:
    for hold in (hold for hold in SEASON["holds"] if "booking" in hold):
        entry = CalendarEntry.objects.get(booking__ref=hold["booking"])

        assert (entry.starts_at, entry.ends_at) == (instant(hold["start"]), instant(hold["end"]))
        assert (entry.expires_at, entry.blocks) == (instant(hold["expires"]), True)


def test_quotes_expire_one_after_the_other() -> None:
    quotes = Booking.objects.filter(status=BookingStatus.QUOTED)
    seen: set[str] = set()

    for moment, refs in EXPECTED["expired_quotes_by"].items():
        expired = set(quotes.filter(hold_until__lte=instant(moment)).values_list("ref", flat=True))
        assert expired - seen == set(refs)
        seen = expired


def test_a_party_too_large_is_asked_about_and_not_sailed() -> None:
    too_large = Booking.objects.filter(party_size__gt=F("vessel__passenger_limit")).select_related("vessel")

    assert [
        {"booking": b.ref, "party": b.party_size, "limit": b.vessel.passenger_limit} for b in too_large
    ] == EXPECTED["over_capacity"]
    assert not [b for b in too_large if b.is_standing]


# --- what guests and crew see ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("redirect", EXPECTED["redirects"], ids=lambda row: row["from"])
def test_an_old_slug_stays_with_its_page(redirect: dict[str, str]) -> None:
    retired = PageSlug.objects.get(slug=redirect["from"])

    assert not retired.current
    assert retired.page.slug == redirect["to"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("shown_to_crew_of_")])
def test_crew_see_the_payment_state_and_its_banner(name: str) -> None:
    event = CrewEvent.objects.get(booking__ref=name.removeprefix("shown_to_crew_of_"))

    view = event_view(event)

    assert {"payment_state": view.payment_state, "banner": view.banner} == EXPECTED[name]


def test_no_amount_of_a_trip_is_in_what_its_crew_see() -> None:
    for event in CrewEvent.objects.select_related("booking__vessel__berth"):
        row = ROWS[event.booking.ref]
        amounts = {*row["money"].values(), *(payment["amount"].lstrip("-") for payment in row["payments"])}

        shown = repr(event_view(event))

        assert not [money for money in amounts if money in shown]


@pytest.mark.parametrize("trip", EXPECTED["may_not_depart_on_10_29_to_10_31"], ids=lambda row: row["booking"])
def test_a_trip_that_may_not_depart_is_not_ready(trip: dict[str, str]) -> None:
    assert not CrewEvent.objects.get(booking__ref=trip["booking"]).ready


def test_the_captains_call_stands_where_the_file_says() -> None:
    event = CrewEvent.objects.get(booking__ref="BK-0028")

    for captain in EXPECTED["captain_call_for_BK-0028"]:
        member = CrewMember.objects.get(key=captain["crew"])
        asked = event.assignments.filter(member=member).values_list("status", flat=True)
        if captain["state"] == "skip":
            assert not asked
            assert unfit(member, event, Needs.CAPTAIN)
        else:
            assert list(asked) == [captain["state"]]


def test_a_skipped_captains_licence_ends_the_day_before_the_trip() -> None:
    event = CrewEvent.objects.get(booking__ref="BK-0028")
    expected = next(c for c in EXPECTED["captain_call_for_BK-0028"] if "expires" in c.get("because", ""))

    reason = unfit(CrewMember.objects.get(key=expected["crew"]), event, Needs.CAPTAIN)

    assert reason.replace("licence", "license") == expected["because"]


@pytest.mark.parametrize("warning", EXPECTED["credential_warnings"], ids=lambda row: f"{row['crew']}-{row['kind']}")
def test_papers_are_on_file_as_the_warnings_say(warning: dict[str, Any]) -> None:
    paper = Credential.objects.filter(member__key=warning["crew"], kind=warning["kind"]).first()
    ends = warning.get("expires") or warning.get("expired")

    assert (paper and paper.expires_on and paper.expires_on.isoformat()) == ends
    assert bool(warning.get("missing")) == (paper is None)


def test_whoever_sailed_on_a_lapsed_paper_is_found() -> None:
    lapsed = next(w for w in EXPECTED["credential_warnings"] if "sailed_after" in w)
    day = date.fromisoformat(lapsed["expired"])

    sailed = Assignment.objects.filter(
        member__key=lapsed["crew"],
        status=AssignmentStatus.ACCEPTED,
        event__booking__ends_at__lte=AT,
        event__booking__starts_at__gte=datetime.combine(day + timedelta(days=1), datetime.min.time(), ZONE),
    )

    assert list(sailed.values_list("event__booking__ref", flat=True)) == lapsed["sailed_after"]


def test_marks_on_the_checklist_are_kept() -> None:
    done = ChecklistItem.objects.exclude(done_at=None).select_related("event__booking")

    marks = [(item.event.booking.ref, item.key, item.done_at) for item in done]
    assert sorted(marks) == sorted((m["booking"], m["item"], instant(m["at"])) for m in SEASON["checklist_marks"])


# --- the house -------------------------------------------------------------------------------------------------------


def test_every_rate_price_and_fee_is_the_files_to_the_cent() -> None:
    rates = {rate.member_key: str(rate.hourly) for rate in PayRate.objects.all()}
    prices = {(p.product_key, p.vessel_key): str(p.price) for p in ProductPrice.objects.all()}

    assert rates == {row["key"]: row["rate"] for row in SEASON["crew"]}
    assert prices == {(p["key"], vessel): price for p in SEASON["products"] for vessel, price in p["price"].items()}
    assert [fee.rate for fee in PortFee.objects.all()] == [Decimal(b["port_fee_rate"]) for b in SEASON["berths"]]


def test_a_quote_for_a_larger_party_is_at_the_list_price() -> None:
    row = ROWS["BK-0026"]

    price = ProductPrice.objects.get(product_key=row["product"], vessel_key=row["vessel"])

    assert str(price.for_party(row["party_size"])) == row["money"]["gross"]


def test_a_small_trip_needs_the_captain_alone_and_a_large_party_a_host() -> None:
    places = CrewEvent.objects.get(booking__ref="BK-0013").places.values_list("needs", flat=True)
    hosts = CrewEvent.objects.get(booking__ref="BK-0020").places.filter(needs=Needs.HOST)

    assert list(places) == [Needs.CAPTAIN]
    assert hosts.count() == 1


# --- loading ---------------------------------------------------------------------------------------------------------


def snapshot() -> dict[str, list[tuple[Any, ...]]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in TABLES}


def test_a_second_run_changes_nothing() -> None:
    before = snapshot()

    loaded = season.load(SEASON, at=AT + timedelta(days=1))

    assert not any(loaded.added.values())
    assert snapshot() == before


def test_nobody_is_told_of_history() -> None:
    assert not Message.objects.exists()


def test_the_command_says_what_it_did_and_what_it_left() -> None:
    out = StringIO()

    call_command("load_season", stdout=out)

    done, *to_settle, left = out.getvalue().splitlines()
    assert done == "Everything is there already: nothing was changed."
    assert len(to_settle) == len(EXPECTED["conflicts"])
    assert "To settle: BK-0036 and BK-0037 leave 30 minutes between them on marisol." in to_settle
    assert "waivers" in left
    assert "time entries" in left


def test_the_command_does_not_speak_of_what_a_file_has_not(tmp_path: Path) -> None:
    path, out = tmp_path / "small.yaml", StringIO()
    small = {name: part for name, part in SEASON.items() if name not in season.LATER}
    path.write_text(yaml.safe_dump(small), encoding="utf-8")

    call_command("load_season", str(path), stdout=out)

    assert "Not loaded" not in out.getvalue()


def test_a_season_is_not_mixed_with_real_trips(settings: Any) -> None:
    settings.ENVIRONMENT = "production"

    with pytest.raises(CommandError, match="real trips"):
        call_command("load_season")


def test_a_file_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    broken, other = tmp_path / "broken.yaml", tmp_path / "other.yaml"
    broken.write_text("a: [1", encoding="utf-8")
    other.write_text("a: 1", encoding="utf-8")

    for path in (tmp_path / "none.yaml", broken, other):
        with pytest.raises(CommandError, match=r"Nothing was loaded\. .* (cannot be read|is not a season file)"):
            call_command("load_season", str(path))


def test_money_that_yaml_has_turned_into_a_float_is_refused() -> None:
    with pytest.raises(season.SeasonRefused, match="not in quotes"):
        amount(840.75)


def test_money_that_is_no_number_is_refused() -> None:
    with pytest.raises(season.SeasonRefused, match="not a number"):
        amount("eight hundred")


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(season.SeasonRefused, match="has no offset"):
        instant("2026-10-29T08:30:00")


def test_crew_on_a_trip_that_does_not_stand_is_refused_and_nothing_is_kept() -> None:
    row = {**ROWS["BK-0026"], "ref": "BK-9999", "crew": ROWS["BK-0027"]["crew"]}

    with pytest.raises(season.SeasonRefused, match="BK-9999 has crew but is not a standing trip"):
        season.load({**SEASON, "bookings": [row]}, at=AT + timedelta(days=90))

    assert not Booking.objects.filter(ref="BK-9999").exists()


def test_a_quote_whose_time_was_over_holds_nothing() -> None:
    row = {**ROWS["BK-0026"], "ref": "BK-9999"}

    season.load({**SEASON, "bookings": [row]}, at=instant(row["hold_until"]))

    assert not CalendarEntry.objects.get(booking__ref="BK-9999").blocks


def test_every_banner_of_the_file_is_one_of_ours() -> None:
    banners = {EXPECTED[name]["banner"] for name in EXPECTED if name.startswith("shown_to_crew_of_")}

    assert banners <= set(BANNERS.values())
