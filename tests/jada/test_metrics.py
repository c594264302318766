"""What Prometheus reads, and who else may not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from jada.checks import findings
from jada.keys import hash_of
from jada.mail import inbox
from jada.mail.events import Told
from jada.mail.models import Message
from jada.outbox import heartbeats
from jada.outbox.enums import Mode, State
from jada.outbox.models import Attempt, Batch, Effect, Mirror
from tests.factories.bookings import a_booking

pytestmark = [pytest.mark.django_db]
NOW = datetime(2027, 5, 20, 16, 0, tzinfo=UTC)
TOKEN = "a-token-of-the-dashboards"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    heartbeats.forget()
    with time_machine.travel(NOW, tick=False):
        yield
    heartbeats.forget()


def owed(name: str, **fields: Any) -> Effect:
    usual: dict[str, Any] = {
        "topic": "crew.event", "key": name, "mode": Mode.STATE, "lane": f"lane:{name}", "created_at": NOW,
    }  # fmt: skip
    return Effect.objects.create(**usual | fields)


def scrape(client: Client) -> dict[tuple[str, ...], float]:
    """(name, *values of its labels) -> number, as Prometheus' own parser reads it."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.content.decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


class TestWhatItSays:
    def test_the_age_of_the_oldest_undelivered_effect(self, client: Client) -> None:
        owed("a", created_at=NOW - timedelta(minutes=4), run_at=NOW - timedelta(minutes=1))
        owed("b", created_at=NOW - timedelta(hours=9), state=State.DONE)

        said = scrape(client)

        assert said["jada_outbox_oldest_undelivered_seconds",] == 240
        assert said["jada_outbox_oldest_due_seconds",] == 60

    def test_copies_that_differ_and_were_not_written_since(self, client: Client) -> None:
        found = [{"store": "table", "object": "a", "field": "dock", "old": "A", "new": "B"}]
        for name, written in (("a", NOW - timedelta(hours=2)), ("b", None), ("written since", NOW)):
            read = {"applied_at": written, "checked_at": NOW - timedelta(hours=1), "differences": found}
            Mirror.objects.create(topic="crew.event", key=name, **read)
        Mirror.objects.create(topic="crew.event", key="in step", checked_at=NOW)

        assert scrape(client)["jada_copies_differing", "crew.event"] == 2

    def test_what_is_open_by_state_topic_cause_and_trouble(self, client: Client) -> None:
        owed("a")
        owed("b", state=State.DEAD, cause="refused")
        owed("c", state=State.IN_DOUBT, topic="mail.message", mode=Mode.MESSAGE)

        said = scrape(client)

        assert said["jada_outbox_effects", "pending", "crew.event"] == 1
        assert said["jada_outbox_dead", "refused"] == 1
        assert said["jada_outbox_in_doubt",] == 1
        assert said["jada_outbox_open", "refused"] == 1
        assert said["jada_outbox_open", "late"] == 0

    def test_attempts_and_failures_by_kind(self, client: Client) -> None:
        effect = owed("a")
        for outcome, age in (("retry", 5), ("retry", 10), ("dead", 15), ("retry", 500)):
            Attempt.objects.create(effect=effect, claim_no=1, outcome=outcome, at=NOW - timedelta(minutes=age))

        said = scrape(client)

        assert said["jada_outbox_attempts_failed_last_hour", "retry", "crew.event"] == 2
        assert said["jada_outbox_attempts_failed_last_hour", "dead", "crew.event"] == 1
        assert said["jada_outbox_attempts_failed_total",] >= 4

    def test_what_was_delivered_and_mailed_lately(self, client: Client) -> None:
        a_booking()
        owed("a", state=State.DONE)
        Message.objects.filter(pk=Message.objects.all()[0].pk).update(sent_at=NOW - timedelta(minutes=2))

        said = scrape(client)

        assert said["jada_outbox_delivered_last_hour", "crew.event"] == 1
        assert said["jada_mails_sent_last_hour",] == 1

    def test_what_the_queue_of_mail_events_held_that_is_not_ours(self, client: Client) -> None:
        inbox.keep(told=[Told(identity="new", problem="It is no notification.")], at=NOW - timedelta(minutes=2))
        inbox.keep(told=[Told(identity="old", problem="It is no notification.")], at=NOW - timedelta(hours=2))

        assert scrape(client)["jada_mail_events_refused_last_hour",] == 1

    def test_how_many_addresses_were_invalidated_this_month(self, client: Client) -> None:
        for reference, at in (("a", NOW), ("b", NOW - timedelta(days=40))):
            Batch.objects.create(topic="guests.page_edge", reference=reference, size=7, created_at=at, done_at=at)

        assert scrape(client)["jada_invalidation_paths_this_month",] == 7

    def test_how_long_each_part_has_been_silent(self, client: Client) -> None:
        heartbeats.beat(heartbeats.WORKER, at=NOW - timedelta(seconds=40))

        said = scrape(client)

        assert said["jada_heartbeat_age_seconds", "worker"] == 40
        assert said["jada_heartbeat_age_seconds", "schedule"] == float("inf")

    def test_it_names_no_guest_and_no_object(self, client: Client) -> None:
        booking = a_booking(guest_email="dana@guest.example")

        text = client.get("/metrics").content.decode()

        assert booking.public_id not in text
        assert "dana" not in text

    def test_it_asks_the_same_number_of_questions_for_any_number_of_rows(
        self, client: Client, django_assert_num_queries: Any
    ) -> None:
        owed("first")
        with django_assert_num_queries(17):
            client.get("/metrics")
        for n in range(20):
            owed(f"a{n}", state=State.DEAD, cause="bug")
        with django_assert_num_queries(17):
            client.get("/metrics")


class TestWhoMayRead:
    @pytest.fixture(autouse=True)
    def _token(self, settings: Any) -> None:
        settings.METRICS_TOKEN_HASH = hash_of(TOKEN)

    def status(self, client: Client, *, address: str = "10.0.0.9", **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get("/metrics", REMOTE_ADDR=address, headers=named).status_code

    def test_whoever_knows_the_token(self, client: Client) -> None:
        assert self.status(client, Authorization=f"Bearer {TOKEN}") == 200

    @pytest.mark.parametrize("sent", ["", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {hash_of(TOKEN)}", "Bearer "])
    def test_nobody_else_on_the_network(self, client: Client, sent: str) -> None:
        assert self.status(client, Authorization=sent) == 401

    def test_an_unset_hash_is_no_token(self, client: Client, settings: Any) -> None:
        settings.METRICS_TOKEN_HASH = ""

        assert self.status(client, Authorization="Bearer ") == 401

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_this_machine(self, client: Client, address: str) -> None:
        assert self.status(client, address=address) == 200

    @pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "Via"])
    def test_not_whoever_a_proxy_on_this_machine_speaks_for(self, client: Client, header: str) -> None:
        assert self.status(client, address="127.0.0.1", **{header: "203.0.113.9"}) == 401

    def test_not_this_machine_where_a_proxy_is_configured(self, client: Client, settings: Any) -> None:
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

        assert self.status(client, address="127.0.0.1") == 401

    @pytest.mark.parametrize("header", ["X_Amz_Cf_Id", "X_Origin_Verify"])
    def test_nobody_through_the_cdn_whatever_they_know(self, client: Client, header: str) -> None:
        assert self.status(client, Authorization=f"Bearer {TOKEN}", **{header: "x"}) == 404

    def test_a_token_in_the_place_of_its_hash_stops_the_start(self, settings: Any) -> None:
        settings.METRICS_TOKEN_HASH = TOKEN

        assert "jada.E015" in [found.id for found in findings()]

    def test_the_hash_of_an_empty_token_opens_nothing_and_stops_the_start(self, client: Client, settings: Any) -> None:
        settings.METRICS_TOKEN_HASH = hash_of("")

        assert self.status(client, Authorization="Bearer ") == 401
        assert "jada.E015" in [found.id for found in findings()]
