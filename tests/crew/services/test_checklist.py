"""The list of a trip: from its template, moved with it, ticked once a tap."""

from datetime import timedelta

import pytest

from bookings.enums import PaymentState
from bookings.models import Product
from bookings.services import set_payment_state
from crew import services
from crew.models import ChecklistTemplate, CrewEvent, CrewMember, TemplateItem
from crew.services import ChecklistClosed, NoSuchTask
from jada.audit.actors import SYSTEM
from tests.crew.services.test_events import change
from tests.factories.bookings import START
from tests.factories.crew import (
    DURING,
    a_crew_event,
    accepted,
    captain,
    crewed_vessel,
    day_checklist,
    event_of,
    mate,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def juno() -> CrewMember:
    return mate("juno")


@pytest.fixture
def event(juno: CrewMember) -> CrewEvent:
    day_checklist()
    return a_crew_event()


def memorial() -> Product:
    product = Product.objects.create(key="memorial-2h", name="Memorial sail")
    template = ChecklistTemplate.objects.create(key="memorial", name="Memorial")
    template.products.add(product)
    TemplateItem.objects.create(template=template, key="notice", text="Federal notice filed", minutes=-60)
    TemplateItem.objects.create(template=template, key="open", text="Open the boat", minutes=-60)
    return product


def tick(event: CrewEvent, juno: CrewMember, key: str = "open", *, done: bool = True, op: str = "", **at: object):
    item = event.items.get(key=key)
    return services.tick(
        event=event_of(event.booking), item_id=item.pk, done=done, op=op, member=juno, **({"at": DURING} | at)
    )


def test_a_product_with_its_own_list_gets_it() -> None:
    day_checklist()

    event = a_crew_event(product=memorial())

    assert {item.key for item in event.items.all()} == {"notice", "open"}


def test_another_product_changes_the_list_and_keeps_what_is_done(event: CrewEvent, juno: CrewMember) -> None:
    tick(event, juno, "weather")

    change(event, product=memorial())

    assert {item.key for item in event.items.all()} == {"weather", "notice", "open"}


def test_without_a_template_there_is_no_list() -> None:
    assert a_crew_event().items.count() == 0


def test_a_tick_says_who_and_when(event: CrewEvent, juno: CrewMember) -> None:
    item = tick(event, juno)

    assert (item.done_by, item.done_at) == ("Juno Park", DURING)


def test_an_untick_forgets_both(event: CrewEvent, juno: CrewMember) -> None:
    tick(event, juno)

    item = tick(event, juno, done=False)

    assert (item.done_by, item.done_at) == (None, None)


def test_the_same_tap_counts_once(event: CrewEvent, juno: CrewMember) -> None:
    tick(event, juno, op="a")
    tick(event, juno, done=False, op="b")

    item = tick(event, juno, op="a")

    assert not item.is_done
    assert item.ops.count() == 2


def test_ticking_what_is_ticked_keeps_the_first_hand(event: CrewEvent, juno: CrewMember) -> None:
    tick(event, juno)

    item = tick(event, mate("silas"), at=DURING + timedelta(hours=1))

    assert item.done_by == "Juno Park"


def test_a_day_after_the_trip_the_list_is_closed(event: CrewEvent, juno: CrewMember) -> None:
    with pytest.raises(ChecklistClosed, match="tell the captain"):
        tick(event, juno, at=START + timedelta(hours=28))


def test_a_task_of_another_trip_is_none(event: CrewEvent, juno: CrewMember) -> None:
    other = a_crew_event(vessel=crewed_vessel(), starts_at=START + timedelta(days=1))

    with pytest.raises(NoSuchTask):
        services.tick(
            event=event_of(event.booking),
            item_id=other.items.get(key="open").pk,
            done=True,
            op="",
            member=juno,
            at=DURING,
        )


def test_a_trip_is_ready_when_crew_list_and_payment_are(juno: CrewMember) -> None:
    captain("ines")
    day_checklist()
    event = a_crew_event()
    accepted(event, "ines", "juno")
    for key in ("weather", "open"):
        tick(event, juno, key)
    set_payment_state(booking=event.booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=DURING)
    assert not event_of(event.booking).ready

    tick(event, juno, "lifejackets")
    assert event_of(event.booking).ready

    tick(event, juno, "lifejackets", done=False)
    assert not event_of(event.booking).ready


def test_a_trip_without_its_mate_is_not_ready() -> None:
    captain("ines")
    event = a_crew_event()
    accepted(event, "ines")

    set_payment_state(booking=event.booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=DURING)

    assert not event_of(event.booking).ready
