"""The tree as the structural tests see it: our own modules, models and addresses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.apps import apps
from django.db import models
from django.urls import URLPattern, URLResolver

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("jada", "bookings", "crew", "guests")


@cache
def modules() -> dict[Path, ast.Module]:
    """Every module of the product, parsed; migrations apart."""
    files = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return {file: ast.parse(file.read_text()) for file in files if "migrations" not in file.parts}


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called: `update` of `Booking.objects.filter(…).update(…)`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def own_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.split(".")[0] in PACKAGES]


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    """Every address below `patterns` as it is written there, with its pattern."""
    for pattern in patterns:
        here = prefix + str(pattern.pattern).lstrip("^")
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, here)
        else:
            yield here, pattern


def filled(address: str, values: dict[str, str]) -> str:
    """The address with each `<converter:name>` replaced; "1" where `values` does not say."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found[1], "1"), address).rstrip("$")
