"""The console's Deliveries: what is owed to the outside world, why it is not there yet, and what a person can do.

Retrying and dropping are acts of the site, which stands above this package and writes them into the history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from jada.modeladmin import ConsoleInline, ReadOnlyAdmin, pill, tone, tones
from jada.outbox import registry, troubles
from jada.outbox.enums import Cause, Mode, State
from jada.outbox.models import Attempt, Batch, Breaker, Effect, Epoch, Heartbeat, Limit, Mirror, RequestKey
from jada.outbox.troubles import OPEN, WHAT_TO_DO, Trouble, blocker_of, with_trouble

tones(
    State,
    pending="info",
    running="info",
    sending="info",
    in_doubt="bad",
    done="ok",
    superseded="mute",
    cancelled="mute",
    dead="bad",
)
tones(Mode, S="mute", M="info")
tones(
    Trouble,
    late="bad",
    unknown="warn",
    configuration="bad",
    restored="bad",
    in_doubt="bad",
    refused="bad",
    bug="bad",
    gave_up="bad",
    blocked="warn",
    service="warn",
    on_its_way="info",
)

AT_ONCE = 500  # rows of one press; a form of more fields than a thousand is refused anyway
RETRIES, DROPS = (State.DEAD, State.IN_DOUBT), (State.DEAD, State.IN_DOUBT, State.PENDING)
ALL_OPEN = "state__in=pending,running,sending,in_doubt,dead"


class Site(Protocol):
    """What the list asks of the console: acts that history keeps, and places that this package does not know."""

    def retry_deliveries(self, request: HttpRequest, effects: Iterable[Effect], at: datetime) -> int: ...
    def take_as_arrived(self, request: HttpRequest, effects: Iterable[Effect], at: datetime) -> int: ...
    def drop_deliveries(self, request: HttpRequest, effects: Iterable[Effect], reason: str, at: datetime) -> int: ...
    def mail_of(self, request: HttpRequest, effect: Effect) -> tuple[str, str] | None: ...
    def remedies(self) -> dict[Trouble, tuple[str, str]]: ...


class TroubleFilter(admin.SimpleListFilter):
    title = "cause"
    parameter_name = "why"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(trouble.value, str(trouble.label)) for trouble in Trouble]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state__in=OPEN, trouble=self.value()) if self.value() else queryset


class TopicFilter(admin.SimpleListFilter):
    """The topics that the program knows; which of them a million rows have is not asked for each page."""

    title = parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(topic, name_of(topic)) for topic in sorted(registry.known())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


class AttemptInline(ConsoleInline):
    model = Attempt
    fields = readonly_fields = ("started_at", "at", "outcome", "error")
    can_delete = False
    verbose_name_plural = "Tries that were not a plain success"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    list_display = ("what", "about", "state_pill", "age", "tries", "detail")
    list_filter = (TroubleFilter, TopicFilter, "state")
    list_select_related = ("depends_on__depends_on__depends_on",)
    search_fields = ("key", "subject", "topic", "last_error")
    search_help_text = "A booking, a page's code, a topic, or words of an error"
    actions = ("retry_now", "it_arrived", "drop_with_reason")
    inlines = (AttemptInline,)
    quick_views = (
        ("Not delivered", ALL_OPEN),
        ("Stuck", "state__in=dead,in_doubt"),
        ("Delivered", "state__exact=done"),
        ("Dropped", "state__exact=cancelled"),
        ("All", ""),
    )
    heading = "Deliveries"
    empty_icon = "send"
    empty_noun = "deliveries"
    empty_title = "Nothing is owed to anybody"
    empty_text = (
        "What a booking owes the outside world (its page, its crew event, each mail) stands here until it is delivered."
    )
    fieldsets = (
        ("Delivery", {"fields": (("what", "about"), ("state_pill", "attempts"), ("created_at", "run_at", "done_at"))}),
        ("What went wrong", {"fields": ("cause_words", "last_error", "blocked_by", "holds_up")}),
        ("What was sent", {"fields": ("as_sent",)}),
        (
            "For the engineer",
            {"fields": (("topic", "key", "lane"), ("claim_no", "version", "lease_until"), "claimed_by", "depends_on")},
        ),
    )
    readonly_fields = ("what", "about", "state_pill", "cause_words", "blocked_by", "holds_up", "as_sent")

    # --- the list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_trouble(Effect.objects.all(), timezone.now()).order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Late first, as long as the list shows open rows only: those are few, all of them may be a million."""
        states = set(request.GET.get("state__in", request.GET.get("state__exact", "")).split(","))
        only_open = "why" in request.GET or states <= set(OPEN)
        return ("rank", "run_at", "pk") if only_open else ("-pk",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        remedies = cast("Site", self.admin_site).remedies()
        groups = [
            {"group": group, "tone": tone(group.trouble), "do": WHAT_TO_DO[group.trouble], "remedy": remedies.get(group.trouble)}
            for group in troubles.groups(timezone.now())
        ]  # fmt: skip
        context = {"groups": groups, "why": request.GET.get("why", "")}
        return super().changelist_view(request, context | (extra_context or {}))

    def headline_of(self, obj: Effect) -> str:
        return self.what(obj)

    @admin.display(description="What", ordering="topic")
    def what(self, effect: Effect) -> str:
        return name_of_row(effect)

    @admin.display(description="About", ordering="subject")
    def about(self, effect: Effect) -> SafeString | str:
        kind, _, name = effect.subject.partition(":")
        if not name:
            return effect.key
        return format_html('<a href="{}?q={}">{} {}</a>', reverse("admin:find"), name, kind.capitalize(), name)

    @admin.display(description="State", ordering="state")
    def state_pill(self, effect: Any) -> SafeString:
        troubled = effect.trouble not in ("", Trouble.ON_ITS_WAY)
        return pill(Trouble(effect.trouble)) if troubled else pill(State(effect.state))

    @admin.display(description="Owed", ordering="created_at")
    def age(self, effect: Effect) -> SafeString:
        return format_html('<span class="when">{} ago</span>', timesince(effect.created_at, depth=1))

    @admin.display(description="Tries", ordering="attempts")
    def tries(self, effect: Effect) -> SafeString:
        words = f"{effect.attempts} {'try' if effect.attempts == 1 else 'tries'}" if effect.attempts else ""
        return format_html('<span class="when">{}</span>', words)

    @admin.display(description="Detail")
    def detail(self, effect: Any) -> SafeString:
        blocker = blocker_of(effect) if effect.trouble == Trouble.BLOCKED else None
        waits = format_html("Waits for {}. ", link_to(blocker)) if blocker else ""
        return format_html('<span class="error-text">{}{}</span>', waits, effect.last_error[:160])

    # --- the page of one

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row: Any = kwargs.get("obj")
        trouble = Trouble(row.trouble) if row is not None and row.trouble else None
        context |= {
            "trouble": trouble,
            "do": WHAT_TO_DO[trouble] if trouble else "",
            "tone": tone(trouble) if trouble else "",
            "remedy": cast("Site", self.admin_site).remedies().get(trouble) if trouble else None,
            "can_retry": row is not None and row.state in RETRIES and self.has_retry_permission(request),
            "can_drop": row is not None and row.state in DROPS and self.has_drop_permission(request),
            "mail": cast("Site", self.admin_site).mail_of(request, row) if row is not None else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Cause")
    def cause_words(self, effect: Effect) -> str:
        return str(Cause(effect.cause).label).capitalize() if effect.cause in Cause.values else effect.cause or "–"

    @admin.display(description="Waits for")
    def blocked_by(self, effect: Effect) -> SafeString | str:
        before = effect.depends_on
        if before is None or before.state == State.DONE:
            return "Nothing"
        return format_html("{} {}", link_to(before), pill(State(before.state)))

    @admin.display(description="Holds up")
    def holds_up(self, effect: Effect) -> SafeString | str:
        waiting = list(effect.waiters.filter(state=State.PENDING).order_by("pk")[:20])
        return format_html_join(", ", "{}", ((link_to(row),) for row in waiting)) if waiting else "Nothing"

    @admin.display(description="As it was sent")
    def as_sent(self, effect: Effect) -> SafeString | str:
        """A copy is the state of its object: which version stands there. A mail is kept; the head links to it."""
        if effect.mode == Mode.MESSAGE:
            return "A message: kept as it was sent, under Messages, for those who may read it."
        if effect.topic not in registry.known():
            return "Nobody here knows what it writes."
        if registry.topic(effect.topic).kind != "projection":
            return "A step that follows another delivery: it writes nothing of its own."
        mirror = Mirror.objects.filter(topic=effect.topic, key=effect.key).first()
        if mirror is None:
            return "Nothing of it stands outside yet."
        parts = [
            ("Applied", mirror.applied_version, mirror.applied_at),
            ("seen in public", mirror.seen_version, mirror.seen_at),
        ]
        said = [f"{how} version {version}, {_when(at)}" for how, version, at in parts if at]
        return f"{'; '.join(said)}." if said else "Nothing of it stands outside yet."

    # --- acts

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.retry_effect")

    def has_drop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.drop_effect")

    @admin.action(description="Try again now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, effects: QuerySet[Effect]) -> HttpResponse:
        chosen = self._at_once(request, effects)
        again = cast("Site", self.admin_site).retry_deliveries(request, chosen, timezone.now())
        if again:
            self.message_user(request, f"On their way again: {again}.", messages.SUCCESS)
        if again < len(chosen):
            words = f"Not stuck any more, so left as they are: {len(chosen) - again}."
            self.message_user(request, words, messages.WARNING)
        return self._back(request, chosen)

    @admin.action(description="It arrived: do not send it again", permissions=["retry"])
    def it_arrived(self, request: HttpRequest, effects: QuerySet[Effect]) -> HttpResponse:
        chosen = self._at_once(request, effects)
        settled = cast("Site", self.admin_site).take_as_arrived(request, chosen, timezone.now())
        if settled:
            self.message_user(request, f"Taken as arrived: {settled}. They are not sent again.", messages.SUCCESS)
        if settled < len(chosen):
            words = f"Not in doubt, so left as they are: {len(chosen) - settled}."
            self.message_user(request, words, messages.WARNING)
        return self._back(request, chosen)

    @admin.action(description="Drop, with a reason", permissions=["drop"])
    def drop_with_reason(self, request: HttpRequest, effects: QuerySet[Effect]) -> HttpResponse:
        """Asks first, on a page of its own: what is dropped, what waits for it, and why."""
        chosen, reason = self._at_once(request, effects), request.POST.get("reason", "").strip()[:200]
        if not reason:
            return self._ask(request, chosen)
        dropped = cast("Site", self.admin_site).drop_deliveries(request, chosen, reason, timezone.now())
        if dropped:
            self.message_user(request, f"Dropped: {dropped}. History says by whom, and why.", messages.SUCCESS)
        if dropped < len(chosen):
            words = f"Under way or over by now, so left as they are: {len(chosen) - dropped}."
            self.message_user(request, words, messages.WARNING)
        return self._back(request, chosen)

    def _at_once(self, request: HttpRequest, effects: QuerySet[Effect]) -> list[Effect]:
        chosen = list(effects[: AT_ONCE + 1])
        if len(chosen) > AT_ONCE:
            words = f"Only the first {AT_ONCE} of them: do the same again for the rest."
            self.message_user(request, words, messages.WARNING)
        return chosen[:AT_ONCE]

    def _ask(self, request: HttpRequest, chosen: list[Effect]) -> HttpResponse:
        droppable = [row for row in chosen if row.state in DROPS]
        keys = [row.pk for row in droppable]
        waiting = Effect.objects.filter(depends_on__in=keys, state=State.PENDING).exclude(pk__in=keys)
        context = {
            **self.admin_site.each_context(request),
            "title": "Drop deliveries",
            "chosen": droppable,
            "kinds": sorted(Counter(name_of_row(row) for row in droppable).items()),
            "left": len(chosen) - len(droppable),
            "mails": sum(1 for row in droppable if row.mode == Mode.MESSAGE),
            "waiting": waiting.count(),
            "unsaid": "reason" in request.POST,
            "from_row": request.POST.get("from_row", ""),
            "back": request.POST.get("back", request.META.get("QUERY_STRING", "")),
        }
        return TemplateResponse(request, "admin/outbox/effect/drop.html", context)

    def _back(self, request: HttpRequest, chosen: list[Effect]) -> HttpResponse:
        """To the page that the act was pressed on: the row's, or the list as the person had filtered it."""
        if request.POST.get("from_row") and len(chosen) == 1:
            return HttpResponseRedirect(reverse("admin:outbox_effect_change", args=[chosen[0].pk]))
        shown = request.POST.get("back", request.META.get("QUERY_STRING", ""))
        return HttpResponseRedirect(f"{reverse('admin:outbox_effect_changelist')}?{shown}".rstrip("?"))


def name_of(topic: str) -> str:
    """A topic as people say it: `guests.page_edge` is `Guests: page edge`."""
    app, _, thing = topic.partition(".")
    return f"{app.capitalize()}: {thing.replace('_', ' ')}"


def name_of_row(row: Effect) -> str:
    """A message by what it tells, which its fact begins with: `Mail: crew invitation`."""
    app, _, tells = (row.fact or "").partition(":")[0].partition(".")
    return f"Mail: {app} {tells.replace('_', ' ')}" if tells else name_of(row.topic)


def link_to(row: Effect) -> SafeString:
    url = reverse("admin:outbox_effect_change", args=[row.pk])
    return format_html('<a href="{}">#{} {}</a>', url, row.pk, name_of_row(row))


def _when(at: datetime) -> str:
    return f"{timezone.localtime(at):%a %-d %b, %-I:%M %p}"


@admin.register(Mirror)
class MirrorAdmin(ReadOnlyAdmin):
    list_display = ("topic", "key", "version", "applied_version", "applied_at", "seen_version", "seen_at")
    list_filter = (TopicFilter,)
    search_fields = ("key",)
    empty_text = "What is believed to stand outside: one row for each page, event and friendly name."


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("at", "effect", "outcome", "error")
    list_filter = ("outcome",)
    list_select_related = ("effect",)
    empty_text = "Every delivery so far was a plain success."


@admin.register(RequestKey)
class RequestKeyAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "scope", "key", "status")
    list_filter = ("scope",)
    search_fields = ("key",)
    fields = ("created_at", "scope", "key", "status")
    empty_text = "Requests that carried an Idempotency-Key, and the answer they were given."


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "at")
    empty_text = "No worker, sweeper or schedule has run yet."


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("reference", "topic", "size", "created_at", "done_at")
    list_filter = (TopicFilter,)
    search_fields = ("reference",)
    empty_text = "Deliveries that one call made together, such as the addresses of one invalidation."


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    list_display = ("service", "failures", "open_until")
    empty_text = "Every service outside has answered so far."


@admin.register(Limit)
class LimitAdmin(ReadOnlyAdmin):
    list_display = ("name", "next_at")
    empty_text = "No rate has been limited yet."


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ("number", "at")
    empty_text = "The database was never restored from a backup."
