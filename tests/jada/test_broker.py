"""Each broker gets the options of its own kind; a dead one is given up at once."""

import pytest
from pytest_django import Settings

from jada import broker
from jada.checks import findings

URL = "https://sqs.us-west-2.amazonaws.com/123456789012/jada-bell"


def test_redis_is_given_up_after_half_a_second() -> None:
    options = broker.options("redis://127.0.0.1:6379/0", queue_url="", region="us-west-2")

    assert options == {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry_on_timeout": False}


def test_sqs_gets_its_one_queue_by_address_and_looks_for_no_other() -> None:
    options = broker.options("sqs://", queue_url=URL, region="us-west-2")

    assert options["predefined_queues"] == {"celery": {"url": URL}}
    assert options["region"] == "us-west-2"
    assert "socket_timeout" not in options


def test_sqs_is_asked_once_and_not_for_long() -> None:
    client = broker.options("sqs://", queue_url=URL, region="us-west-2")["client-config"]

    assert client["retries"] == {"total_max_attempts": 1}
    assert client["connect_timeout"] + client["read_timeout"] < 5


def test_what_the_sdk_writes_into_the_options_of_one_is_not_in_those_of_the_next() -> None:
    first = broker.options("sqs://", queue_url=URL, region="us-west-2")["client-config"]
    first["retries"]["mode"] = "legacy"

    assert "mode" not in broker.options("sqs://", queue_url=URL, region="us-west-2")["client-config"]["retries"]


@pytest.mark.parametrize(("queue_url", "found"), [("", ["jada.E014"]), (URL, [])])
def test_sqs_without_a_queue_stops_the_start(queue_url: str, found: list[str], settings: Settings) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = broker.options("sqs://", queue_url=queue_url, region="us-west-2")

    assert [finding.id for finding in findings() if finding.id == "jada.E014"] == found
