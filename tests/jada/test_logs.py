"""A line says what it is about; and no link, key or token reaches one, whatever way it came."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.test import Client

from jada.logs import HideSecrets, about, configuration, without_secrets
from jada.outbox import registry
from jada.outbox.delivery import claim, run
from tests.conftest import DASHBOARD_TOKEN, SERVICE_KEY
from tests.factories.bookings import a_booking

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where a logger with our filter writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(HideSecrets())
    logger = logging.getLogger("tests.logs")
    logger.addHandler(handler)
    logger.propagate = False
    yield written
    logger.removeHandler(handler)


def refuse(error: Exception) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    "text",
    [
        f"GET /crew/event/X/confirm?token={JWT} 200",
        "GET /crew/event/X/confirm?token=anything&x=1",
        f"Authorization: Bearer {SERVICE_KEY}",
        f"X-Api-Key: {SERVICE_KEY}",
        f"X-Dashboard-Token: {DASHBOARD_TOKEN}",
        f'{{"SERVICE_KEY": "{SERVICE_KEY}"}}',
        JWT.rsplit(".", 1)[0] + ".",
    ],
)
def test_hides_secrets(text: str) -> None:
    cleaned = without_secrets(text)

    assert "[hidden]" in cleaned
    assert not any(secret in cleaned for secret in (JWT, SERVICE_KEY, DASHBOARD_TOKEN, "anything"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "could not connect to postgres://jada:s3cret@db.internal:5432/jada",
            "to postgres://[hidden]@db.internal:5432",
        ),
        ("redis://:s3cret@10.0.0.4:6379/0 is away", "redis://[hidden]@10.0.0.4:6379/0 is away"),
        ("550 5.1.1 <dana.o'brien+x@mail.example.com>: unknown user", "550 5.1.1 <"),
        ("Key (address)=(dana@example.com) is there", "Key (address)=([hidden]) is there"),
        ("a gross of $1,840.75 was refused", "a gross of [hidden] was refused"),
    ],
)
def test_hides_passwords_contacts_and_amounts(text: str, left: str) -> None:
    cleaned = without_secrets(text)

    assert left in cleaned
    assert not any(told in cleaned for told in ("s3cret", "dana", "brien", "840.75"))


def test_a_row_that_the_database_refused_is_not_quoted(log: io.StringIO) -> None:
    row = "null value in column\nDETAIL:  Failing row contains (7, Dana\nReyes,\n\n +1 619 555 0142, 840.75).\n"

    def keep() -> None:
        try:
            refuse(IntegrityError(row))
        except IntegrityError as cause:
            raise ValueError("the booking was not kept") from cause

    try:
        keep()
    except ValueError:
        logging.getLogger("tests.logs").exception("Unable to keep it: %s", row)

    written = log.getvalue()
    assert "the booking was not kept" in written
    assert "null value in column" in written
    assert not any(told in written for told in ("Dana", "Reyes", "555", "840.75"))


def test_a_long_line_without_an_address_is_read_once() -> None:
    started = time.perf_counter()

    without_secrets("a" * 200_000 + " " + "DETAIL" * 30_000 + "$1" + ",1" * 50_000)

    assert time.perf_counter() - started < 1


def test_leaves_the_rest_of_a_line_alone() -> None:
    assert without_secrets("GET /x?token=abc&y=1 from 10.0.0.7") == "GET /x?token=[hidden]&y=1 from 10.0.0.7"
    assert without_secrets("a token of esteem, the bearer of news") == "a token of esteem, the bearer of news"


def test_hides_what_comes_as_an_argument(log: io.StringIO) -> None:
    logging.getLogger("tests.logs").error("refused %s of %s", SERVICE_KEY, {"token": JWT})

    assert SERVICE_KEY not in log.getvalue()
    assert JWT not in log.getvalue()


def test_hides_what_comes_in_a_traceback(log: io.StringIO) -> None:
    try:
        int(JWT)  # an exception whose text quotes what it was given
    except ValueError:
        logging.getLogger("tests.logs").exception("broken")

    assert "ValueError" in log.getvalue()
    assert JWT not in log.getvalue()


@pytest.mark.parametrize("broken", ["\n", "\r\n", "\u2028", "\x85"])
def test_a_line_break_in_a_strangers_text_makes_no_second_entry(log: io.StringIO, broken: str) -> None:
    logging.getLogger("tests.logs").warning("refused at %s", f"/api/events/X{broken}2027-05-30 ERROR paid")

    assert len(log.getvalue().splitlines()) == 1


def test_a_celery_worker_keeps_the_net() -> None:
    from jada.celery import app  # Celery is imported by the test that needs it

    before = list(logging.getLogger().handlers)

    app.log.setup_logging_subsystem()

    assert logging.getLogger().handlers == before


@pytest.fixture(params=["text", "json"])
def shipped(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Where a logger writes through the handler that the settings make."""
    yield from through_the_handler(request.param)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    yield from through_the_handler("json")


def through_the_handler(form: str) -> Iterator[io.StringIO]:
    made = logging.config.DictConfigurator(configuration(form=form, level="INFO"))
    parts = made.config
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(made.configure_formatter(parts["formatters"]["line"]))
    for name in parts["handlers"]["stderr"]["filters"]:
        handler.addFilter(made.configure_filter(parts["filters"][name]))
    logger = logging.getLogger("django.request")
    kept, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)
    logger.propagate = kept


def last(written: io.StringIO) -> dict[str, Any]:
    return json.loads(written.getvalue().splitlines()[-1])


class TestWhatALineIsAbout:
    def test_a_delivery_is_named_by_booking_effect_and_attempt(self, lines: io.StringIO) -> None:
        with about(effect=12, attempt=2, topic="crew.event", subject="booking:7QK2", key="secret-code"):
            logging.getLogger("django.request").warning("It is late by %s minutes", 3)

        said = last(lines)
        assert (said["booking"], said["effect"], said["attempt"], said["topic"]) == ("7QK2", 12, 2, "crew.event")
        assert (said["level"], said["logger"], said["message"]) == (
            "WARNING",
            "django.request",
            "It is late by 3 minutes",
        )
        assert "secret-code" not in lines.getvalue()

    def test_what_fails_in_a_handler_names_its_booking(
        self, lines: io.StringIO, transactional_db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        booking = a_booking()

        def fails(self: object, key: str) -> None:
            logging.getLogger("django.request").error("The table does not answer")
            raise ValueError

        monkeypatch.setattr(type(registry.topic("crew.event").handler), "view", fails)
        for taken in claim(limit=20):
            if taken.topic.name == "crew.event":
                run(taken)

        said = last(lines)
        assert (said["booking"], said["topic"], said["attempt"]) == (booking.public_id, "crew.event", 1)

    def test_people_read_it_in_front_of_the_message(self) -> None:
        written = through_the_handler("text")
        where = next(written)

        with about(effect=12, attempt=2):
            logging.getLogger("django.request").warning("It is late")

        assert "WARNING django.request [effect=12 attempt=2] It is late" in where.getvalue()
        next(written, None)

    def test_a_line_outside_says_nothing_of_it(self, lines: io.StringIO) -> None:
        with about(effect=12):
            pass
        logging.getLogger("django.request").warning("Idle")

        assert "effect" not in last(lines)

    def test_a_refused_request_is_found_by_the_id_of_its_answer(self, lines: io.StringIO, client: Client) -> None:
        answer = client.get("/no/such/page", headers={"X-Request-ID": "a-strangers"})

        assert len(answer.headers["X-Request-ID"]) == 16
        assert last(lines)["request"] == answer.headers["X-Request-ID"]
        assert "a-strangers" not in lines.getvalue()


class TestBothFormats:
    def test_hide_secrets_last(self, shipped: io.StringIO) -> None:
        with about(topic=JWT):
            try:
                int(JWT)
            except ValueError:
                logging.getLogger("django.request").exception("refused %s", SERVICE_KEY)

        assert "ValueError" in shipped.getvalue()
        assert JWT not in shipped.getvalue()
        assert SERVICE_KEY not in shipped.getvalue()

    def test_let_a_stranger_make_no_second_line(self, shipped: io.StringIO) -> None:
        with about(topic="x\ny"):
            logging.getLogger("django.request").warning("refused at %s", "/a\n2027 ERROR paid\u2028")

        assert len(shipped.getvalue().splitlines()) == 1

    def test_let_an_exception_make_none_either(self, shipped: io.StringIO) -> None:
        try:
            refuse(ValueError("x\n2026-11-24 10:00:00,000 CRITICAL jada All is lost \x1b[31m"))
        except ValueError:
            logging.getLogger("django.request").exception("Unable to read it")

        assert len([line for line in shipped.getvalue().splitlines() if not line.startswith("  ")]) == 1
        assert "\x1b" not in shipped.getvalue()


def test_production_writes_objects() -> None:
    assert settings.LOG_FORMAT == "json"


@pytest.mark.parametrize("name", ["django", "django.server", "django.request"])
def test_no_line_goes_round_the_net(name: str) -> None:
    logger = logging.getLogger(name)

    assert (logger.handlers, logger.propagate) == ([], True)
