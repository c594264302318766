"""The console's list of deliveries: what is owed to the outside world, what is stuck, and one press to try again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from jada.modeladmin import ConsoleInline, ReadOnlyAdmin, pill, tones
from jada.outbox.enums import Mode, State
from jada.outbox.models import Attempt, Batch, Breaker, Effect, Epoch, Heartbeat, Limit, Mirror, RequestKey

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

CAUSES = {
    "refused": "Refused: correct what it names, then try again",
    "configuration": "Configuration: a setting or a permission is wrong",
    "bug": "An error of the program",
    "in_doubt": "Not known whether it was sent",
    "retry": "The other side does not answer",
}


class Retries(Protocol):
    """The site's own act: the row is due again, and history says who wanted it."""

    def retry_delivery(self, request: HttpRequest, effect: Effect, at: datetime) -> bool: ...


class AttemptInline(ConsoleInline):
    model = Attempt
    fields = readonly_fields = ("at", "outcome", "error")
    can_delete = False
    verbose_name_plural = "Tries that were not a plain success"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    list_display = ("what", "about", "state_pill", "age", "attempts", "trouble")
    list_filter = ("state", "topic", "cause")
    search_fields = ("key", "subject", "last_error")
    actions = ("retry_now",)
    inlines = (AttemptInline,)
    quick_views = (
        ("Stuck", "state__in=dead,in_doubt"),
        ("On their way", "state__in=pending,running,sending"),
        ("Delivered", "state__exact=done"),
        ("All", ""),
    )
    heading = "Deliveries"
    empty_icon = "send"
    empty_title = "Nothing is owed to anybody"
    empty_text = (
        "What a booking owes the outside world (its page, its crew event, each mail) stands here until it is delivered."
    )
    fieldsets = (
        ("Delivery", {"fields": (("what", "about"), ("state_pill", "attempts"), ("created_at", "run_at", "done_at"))}),
        ("What went wrong", {"fields": ("cause_words", "last_error")}),
        (
            "For the engineer",
            {"fields": (("topic", "key", "lane"), ("claim_no", "version", "claimed_by"), "depends_on")},
        ),
    )
    readonly_fields = ("what", "about", "state_pill", "cause_words")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.retry_effect")

    @admin.action(description="Try again now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, effects: QuerySet[Effect]) -> None:
        site, at = cast("Retries", self.admin_site), timezone.now()
        again = sum(site.retry_delivery(request, effect, at) for effect in effects)
        self.message_user(request, f"On their way again: {again}.", messages.SUCCESS)
        if again < len(effects):
            words = f"Not stuck any more, so left as they are: {len(effects) - again}."
            self.message_user(request, words, messages.WARNING)

    def headline_of(self, obj: Effect) -> str:
        return self.what(obj)

    @admin.display(description="What", ordering="topic")
    def what(self, effect: Effect) -> str:
        return name_of(effect.topic)

    @admin.display(description="About", ordering="subject")
    def about(self, effect: Effect) -> SafeString | str:
        kind, _, name = effect.subject.partition(":")
        if not name:
            return effect.key
        return format_html('<a href="{}?q={}">{} {}</a>', reverse("admin:find"), name, kind.capitalize(), name)

    @admin.display(description="State", ordering="state")
    def state_pill(self, effect: Effect) -> SafeString:
        return pill(State(effect.state))

    @admin.display(description="Age", ordering="created_at")
    def age(self, effect: Effect) -> SafeString:
        return format_html('<span class="when">{}</span>', timesince(effect.created_at, depth=1))

    @admin.display(description="Last trouble")
    def trouble(self, effect: Effect) -> SafeString | str:
        return format_html('<span class="error-text">{}</span>', effect.last_error[:160]) if effect.last_error else ""

    @admin.display(description="Cause")
    def cause_words(self, effect: Effect) -> str:
        return CAUSES.get(effect.cause, effect.cause) or "-"


def name_of(topic: str) -> str:
    """A topic as people say it: `guests.page_edge` is `Guests: page edge`."""
    app, _, thing = topic.partition(".")
    return f"{app.capitalize()}: {thing.replace('_', ' ')}"


@admin.register(Mirror)
class MirrorAdmin(ReadOnlyAdmin):
    list_display = ("topic", "key", "version", "applied_version", "applied_at", "seen_version", "seen_at")
    list_filter = ("topic",)
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
    list_filter = ("topic",)
    search_fields = ("reference", "foreign_id")
    empty_text = "No call has carried several deliveries yet."


@admin.register(Limit)
class LimitAdmin(ReadOnlyAdmin):
    list_display = ("name", "next_at")
    empty_text = "Nothing that is limited in its rate has left yet."


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    list_display = ("service", "failures", "open_until")
    empty_text = "Every service outside has answered so far."


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ("number", "at")
    empty_text = "The database has never gone back in time."
