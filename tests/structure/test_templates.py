"""Every template compiles, and none stands where nobody would look for it."""

from __future__ import annotations

import re

import pytest
from django.template import engines

from tests.structure.source import PACKAGES, ROOT

# Files of ours, a policy of hashes, a drawn QR code; and what our own admin classes say, as the stock template has it.
OUR_OWN_BYTES = {"css", "script", "policy", "facts.qr", "fieldset.description", "field.field.help_text"}


def jinja_templates() -> list[str]:
    folder = ROOT / "templates"
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.suffix in {".html", ".txt"})


def django_templates() -> list[str]:
    folders = [f for package in PACKAGES for f in (ROOT / package).rglob("templates") if f.is_dir()]
    return sorted(
        str(f.relative_to(folder)) for folder in folders for f in folder.rglob("*") if f.suffix in {".html", ".txt"}
    )


@pytest.mark.parametrize("template", jinja_templates())
def test_jinja_template_compiles(template: str) -> None:
    assert engines["jinja2"].get_template(template)


@pytest.mark.parametrize("template", django_templates())
def test_django_template_compiles(template: str) -> None:
    assert engines["django"].get_template(template)


def test_the_consoles_templates_are_django_templates() -> None:
    """Jinja2 is asked first: a templates/admin would shadow the console's pages."""
    assert not (ROOT / "templates" / "admin").exists()


def test_only_our_own_bytes_are_marked_as_safe() -> None:
    folders = (ROOT / "templates", ROOT / "jada" / "templates")
    files = [f for folder in folders for f in folder.rglob("*") if f.suffix in {".html", ".txt"}]
    marked = {found for f in files for found in re.findall(r"([\w.]+)\s*\|\s*safe\b", f.read_text())}

    assert marked <= OUR_OWN_BYTES
