"""The one base of every page of the console: named controls, one native date picker, quick views, pills.

`ConsoleAdmin` is a plain ModelAdmin, so that the theme stays one base class away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:  # generic in the stubs, plain classes when they run
    _FormSet = BaseInlineFormSet[Any, Any, Any]
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _FormSet, _ModelAdmin, _TabularInline = BaseInlineFormSet, admin.ModelAdmin, admin.TabularInline

TONES = ("ok", "warn", "bad", "info", "mute")
_tones: dict[type[models.TextChoices], dict[str, str]] = {}

DATETIME = {
    "form_class": forms.DateTimeField,
    "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
}


def tones(choices: type[models.TextChoices], **tone_of: str) -> None:
    """Say once which tone each state of an enum has: ok, warn, bad, info or mute. Every member needs one."""
    missing = set(choices.values) - set(tone_of)
    if missing or not set(tone_of.values()) <= set(TONES):
        raise ValueError(f"{choices.__name__}: every state needs one of the tones {TONES}; missing {sorted(missing)}.")
    _tones[choices] = tone_of


def tone(member: models.TextChoices) -> str:
    return _tones[type(member)][member.value]


def pill(member: models.TextChoices) -> SafeString:
    """A state as a word on its colour; the colour alone never says it."""
    return format_html('<span class="pill pill-{}">{}</span>', tone(member), str(member.label).capitalize())


def plain_pill(tone_name: str, label: str) -> SafeString:
    return format_html('<span class="pill pill-{}">{}</span>', tone_name, label)


def start_of_day(at: datetime) -> datetime:
    return timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)


class NamedControls:
    """Inline cells have no visible label, so each control carries its name for assistive technology."""

    formfield_overrides = {models.DateTimeField: DATETIME}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # a mixin
        if field is not None:
            widget = getattr(field.widget, "widget", field.widget)
            widget.attrs.setdefault("aria-label", str(field.label or db_field.verbose_name).capitalize())
        return field


class NamedFormSet(_FormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "Delete"


class ConsoleAdmin(NamedControls, _ModelAdmin):
    """`quick_views` is [(label, query string)]; {now}, {today} and {tomorrow} in a query are instants."""

    quick_views: Sequence[tuple[str, str]] = ()
    list_per_page = 50
    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        here = request.META.get("QUERY_STRING", "")
        views = [{"label": label, "url": f"?{query}", "on": here == query} for label, query in self._views_now()]
        return super().changelist_view(request, {"quick_views": views} | (extra_context or {}))

    def _views_now(self) -> list[tuple[str, str]]:
        at = timezone.now()
        today = start_of_day(at)
        names = {"now": at.replace(microsecond=0), "today": today, "tomorrow": today + timedelta(days=1)}
        quoted = {name: quote(instant.isoformat()) for name, instant in names.items()}
        return [(label, query.format(**quoted)) for label, query in self.quick_views]


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that only the program writes: to be read, searched and filtered, never edited by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ConsoleInline(NamedControls, _TabularInline):
    formset = NamedFormSet
    extra = 0
