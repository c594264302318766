"""The one base of every page of the console: named controls, one native date picker, quick views, pills.

`ConsoleAdmin` is a plain ModelAdmin, so that the theme stays one base class away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from django import forms
from django.contrib import admin
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

if TYPE_CHECKING:  # generic in the stubs, plain classes when they run
    _FormSet = BaseInlineFormSet[Any, Any, Any]
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _FormSet, _ModelAdmin, _TabularInline = BaseInlineFormSet, admin.ModelAdmin, admin.TabularInline

TONES = ("ok", "warn", "bad", "info", "mute")
_tones: dict[type[models.TextChoices], dict[str, str]] = {}

DATE = {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
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

    formfield_overrides: Any = {models.DateTimeField: DATETIME, models.DateField: DATE}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # a mixin
        if field is not None:
            widget = getattr(field.widget, "widget", field.widget)
            widget.attrs.setdefault("aria-label", str(field.label or db_field.verbose_name).capitalize())
            for act in ("add", "change", "delete", "view"):  # each opens a window: a form here is for one thing
                if hasattr(field.widget, f"can_{act}_related"):
                    setattr(field.widget, f"can_{act}_related", False)
        return field


class NamedFormSet(_FormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "Delete"


# What a list's address may carry beside the view itself: order, page, search, what a save left behind.
BESIDE = frozenset({"o", "p", "q", "e", "all", "_changelist_filters", "_facets"})


class ConsoleAdmin(NamedControls, _ModelAdmin):
    """`quick_views` is [(label, query string)]; {now}, {today} and {tomorrow} in a query are instants.

    The console's menu opens a list on its first quick view. An empty list says `empty_title` and what to do next.
    """

    quick_views: Sequence[tuple[str, str]] = ()
    list_per_page = 50
    show_full_result_count = False
    empty_icon = "check"
    empty_title = "Nothing here yet"
    empty_text = ""
    empty_noun = ""  # of several, where the model's own name is the program's
    heading = ""  # what people call the list, where the model's own name is the program's

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        here = {name: str(value) for name, value in request.GET.items() if name not in BESIDE}
        at = timezone.now()
        context = {
            "quick_views": [
                {"label": label, "url": "?" + _filled(query, at), "on": _is_view(query, here)}
                for label, query in self.quick_views
            ],
            "empty": {
                "icon": self.empty_icon,
                "title": self.empty_title,
                "text": self.empty_text,
                "noun": self.empty_noun,
            },
            "narrowed": bool(here),
            "heading": self.heading,
            "title": self.heading
            or capfirst(self.opts.verbose_name_plural),  # of the tab: "Select … to view" says less
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj") or next((arg for arg in args if isinstance(arg, models.Model)), None)
        headline = self.headline_of(obj) if obj else ""
        context |= {"heading": self.heading, "headline": headline} | ({"title": headline} if headline else {})
        return super().render_change_form(request, context, *args, **kwargs)

    def headline_of(self, obj: Any) -> str:
        """What the page of one row is called; its own text, unless a page knows better."""
        return str(obj)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list itself offers: its filters, its dates, its quick views.

        The stock admin filters by any field of the row, a hidden one too: an amount in a private note, or a guest's
        address, could then be guessed letter by letter.
        """
        if lookup in {name for _, query in self.quick_views for name, _ in parse_qsl(query)}:
            return True
        offered = {self.date_hierarchy or "", *map(_filtered, self.get_list_filter(request))} - {""}
        known = any(lookup == name or lookup.startswith(f"{name}__") for name in offered)
        return known and super().lookup_allowed(lookup, value, request)

    def opening_query(self, at: datetime) -> str:
        """The address of the first quick view, as a query string; empty where there is none."""
        return _filled(self.quick_views[0][1], at) if self.quick_views else ""


def _filtered(list_filter: Any) -> str:
    """The name in the address of one entry of `list_filter`: a field, (field, class), or a class with its own."""
    name = list_filter[0] if isinstance(list_filter, tuple) else list_filter
    return name if isinstance(name, str) else str(name.parameter_name)


def _filled(query: str, at: datetime) -> str:
    today = start_of_day(at)
    names = {"now": at.replace(microsecond=0), "today": today, "tomorrow": start_of_day(today + timedelta(hours=36))}
    return query.format(**{name: quote(instant.isoformat()) for name, instant in names.items()})


def _is_view(query: str, here: dict[str, str]) -> bool:
    """Whether an address shows this view; its instants were another minute's, so only their names are compared."""
    wanted = dict(parse_qsl(query))
    return wanted.keys() == here.keys() and all("{" in v or here[k] == v for k, v in wanted.items())


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
