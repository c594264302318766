"""Non-interference: two worlds that differ only in money show crew and guests the same bytes.

After Hritcu et al., "Testing noninterference, quickly" (JFP 2016). A text search for amounts cannot see a leak by order,
by existence, by a version number or by a mail that only one world sends; comparing everything that leaves can.
"""

from __future__ import annotations

import json
import random
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bookings.finance.models import PayRate, PortFee
from bookings.finance.services import record_amounts
from bookings.models import Berth, Booking
from bookings.services import TripDetails, amend_booking, cancel_booking
from crew.models import Assignment, CrewLinkGrant, CrewMember, CrewRequirement
from crew.services import accept, decline, link_of
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.aws import clients
from jada.console.roles import make_roles
from jada.mail.models import Message
from jada.outbox import host
from jada.outbox.models import Effect, Mirror
from jada.outbox.reconcile import everything, reconcile
from tests.factories.bookings import NOW, START, VesselFactory, a_booking

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOUR = timedelta(hours=1)
ONE_FORM = re.compile(r'value="[^"]*" id="id_token"')  # drawn anew for each form of the console
CONSOLE = (
    "/admin/",
    "/admin/outbox/effect/",
    "/admin/mail/message/",
    "/admin/audit/event/",
    "/admin/attention/old-time/",
)


@dataclass(frozen=True)
class Money:
    """One world's money; None is a trip whose money nobody recorded."""

    gross: Decimal | None
    edit: Decimal | None = None
    captain_rate: str = "50.00"

    def record(self, booking: Booking, amount: Decimal | None) -> None:
        if amount is not None:
            record_amounts(booking_id=booking.pk, gross=amount, payout=amount, by=SYSTEM, at=NOW)


@pytest.fixture
def same_dice(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Both worlds draw the same random codes, ids and keys."""

    def roll() -> None:
        dice = random.Random(7)
        monkeypatch.setattr(secrets, "choice", dice.choice)
        monkeypatch.setattr(secrets, "token_urlsafe", lambda n=32: f"{dice.getrandbits(8 * n):x}")
        monkeypatch.setattr(secrets, "token_hex", lambda n=32: f"{dice.getrandbits(8 * n):x}")
        monkeypatch.setattr(secrets, "token_bytes", lambda n=32: dice.randbytes(n))

    return roll


def a_company(money: Money) -> Any:
    berth = Berth.objects.create(key="harbor", name="Harbor Island, dock B")
    PortFee.objects.create(berth_id=berth.pk, rate=Decimal("0.18"), valid_from=NOW.date())
    PayRate.objects.create(role="captain", hourly=Decimal(money.captain_rate), valid_from=NOW.date())
    vessel = VesselFactory(berth=berth, name="Halcyon", key="halcyon")
    CrewRequirement.objects.create(vessel=vessel, needs="captain", count=1)
    CrewRequirement.objects.create(vessel=vessel, needs="mate_or_deckhand", count=2)
    for number, (name, role) in enumerate(
        [
            ("Ana Reyes", "captain"),
            ("Ben Cole", "captain"),
            ("Cy Dunn", "first_mate"),
            ("Di Eng", "deckhand"),
            ("Ed Fox", "deckhand"),
        ]
    ):
        CrewMember.objects.create(
            key=f"m{number}", name=name, role=role, roles=[role], call_order=number, email=f"m{number}@crew.example",
            phone=f"+1619555010{number}",
        )  # fmt: skip
    return vessel


def the_script(acts: list[str], money: Money) -> None:
    """The same acts in both worlds; what they earn is the only difference."""
    vessel = a_company(money)
    booking = a_booking(vessel=vessel, external_id="kqvmztr", also=lambda b: money.record(b, money.gross),
                        guest_email="dana@example.com", given_code="XHQGMDH")  # fmt: skip
    host.drain()
    for number, act in enumerate(acts, 1):
        at = NOW + number * HOUR
        match act:
            case "move":
                start = START + number * HOUR
                trip = replace(TripDetails.of(booking), starts_at=start, ends_at=start + 3 * HOUR)
                booking = amend_booking(booking=booking, trip=trip, by=SYSTEM, at=at)
            case "party":
                trip = replace(TripDetails.of(booking), party_size=3 + number % 3)
                booking = amend_booking(booking=booking, trip=trip, by=SYSTEM, at=at)
            case "accept" | "decline":
                waiting = Assignment.objects.filter(status="invited").order_by("pk").first()
                if waiting:
                    (accept if act == "accept" else decline)(assignment=waiting, at=at)
            case "money":
                money.record(booking, money.edit)
        host.drain()
    if "cancel" in acts:
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW + 20 * HOUR)
    host.drain()


def surfaces(stack: dict[str, str]) -> dict[str, Any]:
    """Everything that leaves for crew and guests, and what it cost to make."""
    return {
        "bucket": _bucket(),
        "table": _table(),
        "mails": [
            (m.kind, m.recipient, m.revision, m.subject, m.text, m.html, m.state, m.effect_id)  # it travels as a tag
            for m in Message.objects.exclude(recipient="ops").order_by("pk")
        ],
        "mirrors": list(Mirror.objects.order_by("topic", "key").values_list("topic", "key", "version", "digest")),
        "effects": list(
            Effect.objects.exclude(lane__startswith="mail:booking:").order_by("pk").values_list("topic", "key", "state")
        ),
        "invalidations": _invalidations(stack),
        "pages": _pages(),
    }


def _bucket() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in GuestPage.objects.all():
        for name in (f"g/{page.code.lower()}.html", f"g/{page.code.lower()}.ics"):
            stored = storages["guest"].read(name)  # type: ignore[attr-defined]
            found[name] = (stored.body, stored.content_type, stored.version)
    return found


def _table() -> list[Any]:
    items = clients.dynamodb().scan(TableName=settings.EVENTS_TABLE)["Items"]
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def _invalidations(stack: dict[str, str]) -> list[str]:
    made = clients.cloudfront().list_invalidations(DistributionId=stack["GuestDistributionId"])
    return [str(i["Status"]) for i in made["InvalidationList"].get("Items", [])]


def said_inside() -> dict[str, Any]:
    """What the office's roles without money, and its monitoring, are told of the same trip."""
    return {"read back": _read_back(), "console": _console(), "metrics": _metrics()}


def _read_back() -> list[Any]:
    """What is said of copies that somebody edited by hand: kept beside them, shown, and written into the history."""
    with time_machine.travel(NOW + 21 * HOUR, tick=False):
        for item in clients.dynamodb().scan(TableName=settings.EVENTS_TABLE)["Items"]:
            by_hand = item | {"vessel": {"S": "Another"}, "gross": {"S": "by hand"}}
            clients.dynamodb().put_item(TableName=settings.EVENTS_TABLE, Item=by_hand)
        report = reconcile(everything(), heal=False)
    kept = Mirror.objects.order_by("topic", "key").values_list("topic", "key", "differences")
    return [[(f.object, f.standing, f.differences, f.note) for f in report.findings], list(kept)]


def _console() -> list[Any]:
    """A trip, the deliveries and the mails as the roles without money see them."""
    make_roles()
    booking, found = Booking.objects.get(), list[Any]()
    for role in ("Coordinator", "Read-only"):
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        browser = Client()
        with time_machine.travel(NOW + 21 * HOUR, tick=False):
            browser.force_login(user)
            answers = [browser.get(path) for path in CONSOLE]
            answers.append(browser.get(f"/admin/bookings/booking/{booking.pk}/change/"))
        found.append([(a.status_code, ONE_FORM.sub("", _without_csrf(a))) for a in answers])
    return found


def _metrics() -> str:
    with time_machine.travel(NOW + 21 * HOUR, tick=False):
        return Client().get("/metrics").content.decode()


def _pages() -> list[Any]:
    """Every page of every crew member, opened by their own link; the CSRF token is the browser's, not the trip's."""
    found: list[Any] = []
    for grant in CrewLinkGrant.objects.select_related("event__booking", "member").order_by("pk"):
        browser = Client()
        link = link_of(grant).removeprefix(settings.CREW_BASE_URL)
        path, _, query = link.partition("?token=")
        with time_machine.travel(NOW + 21 * HOUR, tick=False), CaptureQueriesContext(connection) as queries:
            answers = [browser.get(link), browser.post(path, {"token": query})]
            answers += [browser.get(path.removesuffix("/confirm")), browser.get("/crew/")]
        found.append([(a.status_code, a.headers.get("Location"), _without_csrf(a)) for a in answers])
        found.append(len(queries))
    return found


def _without_csrf(answer: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", answer.content.decode())


@pytest.fixture
def clean(aws_server: Any) -> Iterator[Callable[[], None]]:
    def clear() -> None:
        random.seed()  # hypothesis seeds it alike for each example, and the local AWS draws its invalidations' ids from it
        call_command("flush", interactive=False, verbosity=0, reset_sequences=True)
        aws_server.empty()

    yield clear


AMOUNTS = st.none() | st.decimals("0.01", "9999.99", places=2)


@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    acts=st.lists(st.sampled_from(["move", "party", "accept", "decline", "money", "cancel"]), max_size=4),
    one=st.builds(Money, gross=AMOUNTS, edit=AMOUNTS, captain_rate=st.sampled_from(["50.00", "55.00"])),
    other=st.builds(Money, gross=AMOUNTS, edit=AMOUNTS, captain_rate=st.sampled_from(["50.00", "45.00"])),
)
def test_worlds_that_differ_only_in_money_show_crew_and_guests_the_same_bytes(
    *,
    brand: str,
    stack: dict[str, str],
    clean: Callable[[], None],
    same_dice: Callable[[], None],
    acts: list[str],
    one: Money,
    other: Money,
) -> None:
    seen = []
    for money in (one, other):
        clean()
        same_dice()
        the_script(acts, money)
        seen.append(surfaces(stack))

    for surface in seen[0]:
        assert seen[0][surface] == seen[1][surface], f"{surface} differs between {one} and {other} after {acts}"


def test_worlds_that_differ_only_in_amounts_are_read_back_shown_and_counted_alike(
    brand: str, stack: dict[str, str], clean: Callable[[], None], same_dice: Callable[[], None]
) -> None:
    """That amounts were recorded is in the history; how much, and whatever follows from it, is told nobody without money."""
    seen = []
    for money in (
        Money(Decimal("840.75"), edit=Decimal("1121.00")),
        Money(Decimal("12.00"), edit=Decimal("9.99"), captain_rate="45.00"),
    ):
        clean()
        same_dice()
        the_script(["accept", "money", "move"], money)
        seen.append(said_inside())

    assert {found.field for *_, differences, _ in seen[0]["read back"][0] for found in differences} >= {
        "vessel",
        "gross",
    }
    assert {status for answers in seen[0]["console"] for status, _ in answers} == {200}
    for said in seen[0]:
        assert seen[0][said] == seen[1][said], f"{said} differs"


def test_an_edit_of_money_alone_leaves_no_trace_outside(
    brand: str, stack: dict[str, str], clean: Callable[[], None], same_dice: Callable[[], None]
) -> None:
    same_dice()
    the_script([], Money(Decimal("840.75")))
    before, effects = surfaces(stack), Effect.objects.count()

    record_amounts(booking_id=Booking.objects.get().pk, gross=Decimal("1121.00"), by=SYSTEM, at=NOW + HOUR)
    host.drain()

    assert Effect.objects.count() == effects
    assert {k: v for k, v in surfaces(stack).items() if k != "pages"} == {
        k: v for k, v in before.items() if k != "pages"
    }


def test_the_comparison_sees_a_planted_leak(
    brand: str, stack: dict[str, str], clean: Callable[[], None], same_dice: Callable[[], None]
) -> None:
    """A star for a good trip: no amount, no digit, and still told by the money. The comparison must see it."""
    seen = []
    for gross in ("840.75", "2400.00"):
        clean()
        same_dice()
        the_script([], Money(Decimal(gross)))
        booking = Booking.objects.get()
        star = " *" if Decimal(gross) > 2000 else ""
        trip = replace(TripDetails.of(booking), occasion=f"Anniversary{star}")
        amend_booking(booking=booking, trip=trip, by=SYSTEM, at=NOW + HOUR)
        host.drain()
        seen.append(surfaces(stack))

    assert [status for status, *_ in seen[0]["pages"][0]] == [200, 303, 200, 200]  # it compares true pages
    assert seen[0]["table"] != seen[1]["table"]
    assert seen[0]["pages"] != seen[1]["pages"]
