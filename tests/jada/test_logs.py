"""No link, key or token reaches a log line, whatever way it came."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from jada.logs import HideSecrets, without_secrets
from tests.conftest import DASHBOARD_TOKEN, SERVICE_KEY

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
