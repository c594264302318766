"""One act, one service, one transaction, one named actor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.db.transaction import Atomic

from tests.structure.source import ROOT, called, calls, dotted, functions, modules, name

# Its callers are acts already: a row of history stands or falls with the transaction it is written in.
INSIDE_AN_ACT = {"jada.audit.services", "jada.mail.services", "jada.outbox.services"}
SURFACES = {"views", "tasks", "admin", "api", "sync", "forms"}


def service_modules() -> list[str]:
    files = [f for f in modules() if f.stem == "services" or (f.stem == "__init__" and f.parent.name == "services")]
    return sorted({dotted(file) for file in files} - INSIDE_AN_ACT)


def acts(module_name: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Public functions of a services module that say who acts, and when."""
    module = import_module(module_name)
    for found, value in vars(module).items():
        own = inspect.isfunction(value) and value.__module__.startswith(module_name)
        if own and not found.startswith("_") and {"by", "at"} <= set(inspect.signature(value).parameters):
            yield found, value


@pytest.mark.parametrize("module", service_modules())
def test_every_act_is_one_transaction(module: str) -> None:
    bare = [found for found, act in acts(module) if not is_atomic(act)]

    assert bare == []


@pytest.mark.parametrize("module", service_modules())
def test_every_act_names_its_arguments(module: str) -> None:
    positional = {
        f"{found}({parameter.name})"
        for found, act in acts(module)
        for parameter in inspect.signature(act).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    }

    assert positional == set()


def is_atomic(act: Callable[..., object]) -> bool:
    cells = getattr(act, "__closure__", None) or ()
    return any(isinstance(cell.cell_contents, Atomic) for cell in cells)


def test_no_clock_is_read_below_the_surfaces() -> None:
    """Services and what lies under them take `at`: that is what makes them provable."""
    below = [f for f in modules() if {"services", "models", "adapters"} & {f.stem, *f.parent.parts}]
    readers = [
        f"{name(file)}:{call.lineno}"
        for file in below
        if not is_foundation(file)
        for call in calls(modules()[file])
        if called(call) in {"now", "today", "localdate", "localtime"} and not call.args
    ]

    assert readers == []


def is_foundation(file: Path) -> bool:
    return file.is_relative_to(ROOT / "jada" / "outbox")  # its rows are due by the clock


def test_receivers_hold_no_logic() -> None:
    long = {
        f"{name(file)} {function.name}": len(function.body)
        for file in modules()
        if file.stem == "receivers"
        for function in functions(modules()[file])
        if len(function.body) > 6
    }

    assert long == {}
