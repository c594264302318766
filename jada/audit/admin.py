"""The console's history: who did what, when, to what. Read, searched, never edited."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jada.audit.models import Event
from jada.modeladmin import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("when", "deed", "actor", "about", "changes")
    list_filter = ("actor_kind",)
    search_fields = ("act", "subject", "actor_name")
    date_hierarchy = "at"
    quick_views = (
        ("All", ""),
        ("Today", "at__gte={today}"),
        ("By people", "actor_kind__in=user,crew"),
        ("By channels and systems", "actor_kind__in=channel,service,system"),
    )
    heading = "History"
    empty_icon = "history"
    empty_title = "Nothing has happened yet"
    empty_text = "Every act on a booking, a crew or a page leaves one line here."
    fields = ("when", "deed", "actor", "about", "changes")
    readonly_fields = fields

    def headline_of(self, obj: Event) -> str:
        return self.deed(obj)

    @admin.display(description="When", ordering="at")
    def when(self, event: Event) -> SafeString:
        local = timezone.localtime(event.at)
        return format_html('<span class="when">{}</span>', f"{local:%a %-d %b %Y, %-I:%M %p}")

    @admin.display(description="What", ordering="act")
    def deed(self, event: Event) -> str:
        return deed_of(event.act)

    @admin.display(description="Who", ordering="actor_name")
    def actor(self, event: Event) -> str:
        return event.actor_name if event.actor_kind == "user" else f"{event.actor_name} ({event.actor_kind})"

    @admin.display(description="About", ordering="subject")
    def about(self, event: Event) -> SafeString:
        kind, _, name = event.subject.partition(":")
        return format_html('<a href="{}?q={}">{} {}</a>', reverse("admin:find"), name, kind.capitalize(), name)

    @admin.display(description="What changed")
    def changes(self, event: Event) -> SafeString:
        return format_html_join("", "<small>{}: {}</small>", changes_of(event))


NOUNS = {"booking": "trip", "event": "crew event", "page": "guest page"}


def deed_of(act: str) -> str:
    """`bookings.booking.amended` is `Trip amended`."""
    *_, noun, verb = act.replace("-", " ").replace("_", " ").split(".")
    return f"{NOUNS.get(noun, noun)} {verb}".capitalize()


def changes_of(event: Event) -> list[tuple[str, str]]:
    """[(field, "old → new")] in people's words; instants in the operator's time."""
    return [(name.replace("_", " ").capitalize(), _words(value)) for name, value in event.detail.items()]


def _list(parts: list[object]) -> str:
    """Two parts are what was and what is."""
    return (" → " if len(parts) == 2 else ", ").join(_words(part) for part in parts) if parts else "none"


def _words(value: object) -> str:
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    text = "nothing" if value in (None, "") else str(value)
    return _instant(text) or text.replace("_", " ")


def _instant(text: str) -> str:
    if len(text) < 19 or text[10] != "T":
        return ""
    try:
        local = timezone.localtime(datetime.fromisoformat(text))
    except ValueError:
        return ""
    return f"{local:%a %-d %b %Y, %-I:%M %p}"
