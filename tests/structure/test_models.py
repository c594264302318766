"""What is true of every model: its facts are guarded, its rows are seen in the console, its changes are heard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import models
from django.db.models.signals import post_save

from jada.modeladmin import ConsoleAdmin, ConsoleInline, _tones
from tests.structure.source import PACKAGES, called, calls, modules, name, own_models

BULK = {"update", "bulk_create", "bulk_update"}
# Rows that mean nothing by themselves; the page of what they belong to tells what they say.
SEEN_ELSEWHERE = {"crew.CheckOp", "crew.CrewSession"}


def fields_of(condition: models.Q) -> Iterator[str]:
    for child in condition.children:
        if isinstance(child, models.Q):
            yield from fields_of(child)
        elif isinstance(child, tuple):
            yield str(child[0]).split("__")[0]


def constrained_together(model: type[models.Model]) -> list[set[str]]:
    found = [c for c in model._meta.constraints if isinstance(c, models.CheckConstraint)]
    return [set(fields_of(c.condition)) for c in found if isinstance(c.condition, models.Q)]


def test_when_and_by_whom_stand_together() -> None:
    """`…_at` without `…_by`, or the other way round, is half a fact: the database refuses it."""
    bare = []
    for model in own_models():
        fields = {field.name: field for field in model._meta.fields}
        pairs = [(f"{n[:-3]}_at", n) for n in fields if n.endswith("_by") and f"{n[:-3]}_at" in fields]
        pairs = [pair for pair in pairs if fields[pair[0]].null]  # where both are always there, nothing can part them
        together = constrained_together(model)
        bare += [f"{model._meta.label}: {pair}" for pair in pairs if not any(set(pair) <= names for names in together)]

    assert bare == []


def test_bookings_is_reached_from_below_only() -> None:
    """crew and guests point at bookings without a way back: there is no accessor that bookings could use."""
    visible = [
        f"{model._meta.label}.{field.name}"
        for model in own_models()
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey)
        and field.related_model._meta.app_label == "bookings"
        and model._meta.app_label in {"crew", "guests", "finance", "intake"}
        and not field.remote_field.hidden
    ]

    assert visible == []


def test_finance_points_at_bookings_by_plain_id() -> None:
    pointing = [
        model._meta.label
        for model in own_models()
        if model._meta.app_label == "finance"
        for field in model._meta.fields
        if isinstance(field, models.ForeignKey) and field.related_model._meta.app_label != "finance"
    ]

    assert pointing == []


def inlines() -> set[type[models.Model]]:
    return {inline.model for page in admin.site._registry.values() for inline in page.inlines}


def test_every_model_is_seen_in_the_console() -> None:
    seen = set(admin.site._registry) | inlines()
    unseen = {model._meta.label for model in own_models() if model not in seen and not model._meta.proxy}

    assert unseen - SEEN_ELSEWHERE == set()


def test_every_page_of_the_console_is_one_of_ours() -> None:
    ours = own_models()
    pages = admin.site._registry.items()
    stock = [m._meta.label for m, page in pages if m in ours and not isinstance(page, ConsoleAdmin)]
    stock_inlines = [
        inline.model._meta.label
        for page in admin.site._registry.values()
        for inline in page.inlines
        if inline.model in ours and not issubclass(inline, ConsoleInline)
    ]

    assert stock + stock_inlines == []


def states() -> list[type[models.TextChoices]]:
    every = models.TextChoices.__subclasses__()
    own = [enum for enum in every if enum.__module__.split(".")[0] in PACKAGES]
    return [enum for enum in own if enum.__name__.endswith(("State", "Status"))]


@pytest.mark.parametrize("state", states(), ids=lambda enum: f"{enum.__module__}.{enum.__name__}")
def test_every_state_has_a_tone_for_its_pill(state: type[models.TextChoices]) -> None:
    assert state in _tones


def heard() -> set[str]:
    """Names of the models whose saving is listened to: a bulk write of them would go unheard."""
    ours = {
        model.__name__
        for model in own_models()
        for receiver in post_save._live_receivers(model)[0]
        if receiver.__module__.split(".")[0] in PACKAGES
    }
    return ours | {"Booking"}


def test_no_bulk_write_goes_unheard() -> None:
    unheard = [
        f"{name(file)}:{call.lineno}"
        for file, tree in modules().items()
        for call in calls(tree)
        if called(call) in BULK and root_model(call) in heard()
    ]

    assert unheard == []


def root_model(call: ast.Call) -> str:
    """`Booking` of `Booking.objects.filter(…).update(…)`, "" for anything else."""
    node: ast.expr = call.func
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute) and node.attr == "objects":
            return getattr(node.value, "id", "")
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return ""


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
