"""Who gets in where: the console, the crew portal, the APIs. And looking changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, get_resolver
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from jada.api import api
from tests.factories.bookings import a_booking
from tests.structure.source import addresses, filled

pytestmark = pytest.mark.django_db

OPEN_TO_ALL = {"login", "logout"}
UNTRACED = {Session}  # a session is kept alive by using it


@pytest.fixture(autouse=True)
def _nobody_has_failed() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def console() -> list[tuple[str, URLPattern]]:
    return [(address, pattern) for address, pattern in every_address() if address.startswith("/admin/")]


def every_address() -> list[tuple[str, URLPattern]]:
    return [(a, p) for a, p in addresses(get_resolver().url_patterns) if "(" not in a and "*" not in a]


@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "stranger"])
def test_every_page_of_the_console_refuses_a_stranger(client: Client, stranger: User, *, signed_in: bool) -> None:
    if signed_in:
        client.force_login(stranger)
    let_in = {}
    for address, pattern in console():
        if pattern.name not in OPEN_TO_ALL:
            answer = client.get(filled(address, {}))
            if not (answer.status_code == 302 and "/admin/login/" in answer.headers["Location"]):
                let_in[address] = answer.status_code

    assert len(console()) > 20
    assert let_in == {}


def test_a_password_alone_opens_no_page_of_the_console(client: Client, ops: User, settings: Settings) -> None:
    settings.CONSOLE_REQUIRE_OTP = True
    client.force_login(ops)

    let_in = [
        address
        for address, pattern in console()
        if pattern.name not in OPEN_TO_ALL and client.get(filled(address, {})).status_code not in {302, 403}
    ]

    assert let_in == []


def operations() -> list[tuple[str, str]]:
    paths = api.get_openapi_schema()["paths"]
    return [(method, path) for path, found in paths.items() for method in found]


@pytest.mark.parametrize(("method", "path"), operations())
def test_every_operation_of_the_apis_refuses_a_caller_without_key(client: Client, method: str, path: str) -> None:
    address = path.replace("{", "<").replace("}", ">")

    answer = client.generic(method.upper(), filled(address, {}), b"{}", "application/json")

    assert (answer.status_code, answer.json()["error"]) == (401, "credential_absent")


@pytest.mark.parametrize(("method", "path"), operations())
def test_every_operation_of_the_apis_refuses_a_signed_in_person(ops: User, method: str, path: str) -> None:
    client = Client()
    client.force_login(ops)
    address = path.replace("{", "<").replace("}", ">")

    answer = client.generic(method.upper(), filled(address, {}), b"{}", "application/json")

    assert answer.status_code == 401


def test_an_unknown_address_of_the_apis_is_a_refusal_like_any_other(client: Client) -> None:
    answer = client.get("/api/no/such/thing")

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json"])
def test_the_schema_is_not_served_in_production(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def snapshot() -> dict[str, str]:
    """Every row of every table."""
    return {
        model._meta.label: hashlib.sha256(repr(list(model._base_manager.order_by("pk").values())).encode()).hexdigest()
        for model in apps.get_models()
        if model not in UNTRACED
    }


def values_of_a_trip(ops: User) -> dict[str, str]:
    """What the addresses of one trip, and of the ops manager's second factor, are filled with."""
    booking = a_booking()
    device = TOTPDevice.objects.create(user=ops)
    return {"event_id": booking.public_id, "entry_id": booking.entry.public_id, "pk": str(device.pk)}


@pytest.mark.slow
def test_looking_changes_nothing(client: Client, ops: User) -> None:
    """GET on every address of the console, the portal and the APIs leaves every row of every table as it was."""
    client.force_login(ops)
    client.raise_request_exception = False
    values = values_of_a_trip(ops)
    visited = [filled(a, values) for a, p in every_address() if p.name != "logout"]
    for model in admin.site._registry:
        first = model._base_manager.order_by("pk").first()
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        visited += [f"{base}{first.pk}/change/", f"{base}{first.pk}/history/"] if first else []
    before = snapshot()
    client.get("/admin/")  # whatever a first look makes, such as the session, is made now

    broken = {path: status for path in visited if (status := client.get(path).status_code) >= 500}

    assert broken == {}
    assert {label for label, digest in snapshot().items() if before[label] != digest} == set()
