"""What Prometheus reads at /metrics: the state of the outbox, computed from the database when it is asked.

Not counters of a process: several web processes and workers share one outbox, and each would count its own part. Every
query looks at the open rows, at the newest few, or at one row, so that a scrape costs the same with a million rows done;
but for one over the mirrors, a row for each object outside (0.1 ms for a thousand).
What would need all of them is given for the last hour instead; the two totals are highest ids, whose gaps are rollbacks.

Who may read: whoever knows the token (`Authorization: Bearer …`, its hash is METRICS_TOKEN_HASH), or this machine where
nothing stands in front of the application. What comes through the CDN is told that there is nothing here.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jada.keys import hash_of
from jada.mail.models import MailEvent, Message
from jada.outbox import signs
from jada.outbox.batches import members_since
from jada.outbox.enums import UNFINISHED, State
from jada.outbox.models import Attempt, Effect
from jada.outbox.reconcile import differing
from jada.outbox.troubles import Trouble, groups, open_effects

RECENTLY = timedelta(hours=1)
PAGE_EDGE = "guests.page_edge"
NEWEST = 10_000  # rows looked at for what happened recently; more than an hour holds
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip")
FROM_CDN = ("X-Amz-Cf-Id", "X-Origin-Verify", "CloudFront-Viewer-Address")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if any(name in request.headers for name in FROM_CDN):
        return HttpResponse("There is nothing here.\n", status=404, content_type="text/plain")
    if not (_is_this_machine(request) or _knows_the_token(request)):
        answer = HttpResponse(
            "Send the metrics token as `Authorization: Bearer …`; METRICS_TOKEN_HASH has its SHA-256.\n",
            status=401,
            content_type="text/plain",
        )
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Outbox(datetime.now(UTC)))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _knows_the_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token, expected = token.strip(), settings.METRICS_TOKEN_HASH.lower()
    presented = bool(token) and scheme.lower() == "bearer"
    return bool(expected) and presented and hmac.compare_digest(hash_of(token), expected)


def _is_this_machine(request: HttpRequest) -> bool:
    """A proxy on this machine makes every stranger look like it, so it counts only where there is none."""
    if settings.SECURE_PROXY_SSL_HEADER or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(str(request.META.get("REMOTE_ADDR"))).is_loopback
    except ValueError:
        return False


class Outbox(Collector):
    """All of it as of one instant."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def collect(self) -> Iterator[Metric]:
        yield from self._open()
        yield from self._recent()
        yield from self._beats()

    def _open(self) -> Iterator[Metric]:
        ages = open_effects().filter(state__in=UNFINISHED).aggregate(first=Min("created_at"))
        yield _gauge(
            "jada_outbox_oldest_undelivered_seconds",
            "Age of the oldest effect not delivered and not given up.",
            self._age(ages["first"]),
        )
        due = Effect.objects.filter(state=State.PENDING, run_at__lte=self.at).aggregate(first=Min("run_at"))
        yield _gauge(
            "jada_outbox_oldest_due_seconds",
            "How long the longest waiting due effect has been due.",
            self._age(due["first"]),
        )
        rows = open_effects().order_by().values_list("state", "topic").annotate(n=Count("pk"))
        yield _gauges(
            "jada_outbox_effects", "Effects that are not final, by state and topic.", ("state", "topic"), rows
        )
        stuck = open_effects().filter(state=State.DEAD).order_by().values_list("cause").annotate(n=Count("pk"))
        yield _gauges("jada_outbox_dead", "Effects that stand before a person, by cause.", ("cause",), stuck)
        yield _gauge(
            "jada_outbox_in_doubt",
            "Messages of which it is not known whether they were sent.",
            Effect.objects.filter(state=State.IN_DOUBT).count(),
        )
        found = {group.trouble: group.count for group in groups(self.at)}
        yield _gauges(
            "jada_outbox_open",
            "Effects that are not delivered, by what a person can do about it.",
            ("trouble",),
            [(t.value, found.get(t, 0)) for t in Trouble],
        )

        astray = differing().order_by().values_list("topic").annotate(n=Count("pk"))
        yield _gauges("jada_copies_differing", "Copies that were read back and differ, by topic.", ("topic",), astray)

    def _recent(self) -> Iterator[Metric]:
        since = self.at - RECENTLY
        yield _total(
            "jada_outbox_owed", "Effects owed since the beginning.", Effect.objects.aggregate(top=Max("pk"))["top"]
        )
        yield _total(
            "jada_outbox_attempts_failed",
            "Attempts that were not a plain success.",
            Attempt.objects.aggregate(top=Max("pk"))["top"],
        )
        done = (
            Effect.objects.filter(state=State.DONE, created_at__gte=since)
            .order_by()
            .values_list("topic")
            .annotate(n=Count("pk"))
        )
        yield _gauges(
            "jada_outbox_delivered_last_hour",
            "Effects owed and delivered within the last hour, by topic.",
            ("topic",),
            done,
        )
        tries = Attempt.objects.filter(pk__gt=_newest(Attempt), at__gte=since).order_by()
        yield _gauges(
            "jada_outbox_attempts_failed_last_hour",
            "Attempts of the last hour that were not a plain success, by outcome and topic.",
            ("outcome", "topic"),
            tries.values_list("outcome", "effect__topic").annotate(n=Count("pk")),
        )
        mails = Message.objects.filter(pk__gt=_newest(Message), sent_at__gte=since).count()
        yield _gauge("jada_mails_sent_last_hour", "Mails that the mail service accepted within the last hour.", mails)
        refused = MailEvent.objects.refused().filter(received_at__gte=since).count()
        yield _gauge(
            "jada_mail_events_refused_last_hour",
            "Messages in the queue of mail events that are not our topic's, or that nobody understands.",
            refused,
        )

        month = self.at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        paths = members_since(PAGE_EDGE, month)
        yield _gauge(
            "jada_invalidation_paths_this_month", "Addresses that CloudFront was asked to forget, of 1,000 free.", paths
        )

    def _beats(self) -> Iterator[Metric]:
        ages = [(part, self._age(last) if last else float("inf")) for part, last in signs.beats().items()]
        yield _gauges(
            "jada_heartbeat_age_seconds", "Since a part of the host last ran; +Inf if it never did.", ("part",), ages
        )

    def _age(self, since: datetime | None) -> float:
        return max((self.at - since).total_seconds(), 0.0) if since else 0.0


def _newest(model: type[Attempt | Message]) -> int:
    """The id before the newest `NEWEST` rows: what is recent is behind it, and the index by id finds it at once."""
    top: int | None = model._default_manager.aggregate(top=Max("pk"))["top"]
    return (top or 0) - NEWEST


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _total(name: str, words: str, value: float | None) -> Metric:
    return CounterMetricFamily(name, words, value=value or 0)


def _gauges(name: str, words: str, labels: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Metric:
    """Each row is the values of the labels, then the number."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], number)
    return family
