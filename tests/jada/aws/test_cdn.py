"""Invalidations: ordered once however often they are asked for."""

from datetime import timedelta

import pytest
from botocore.stub import Stubber
from pytest_django import Settings

from jada.aws import cdn, clients
from jada.failures import Misconfigured, Refused, Retry

PATHS = ["/g/xhqgmdh.html", "/g/XHQGMDH"]


def ordered(stack: dict[str, str]) -> list[str]:
    found = clients.cloudfront().list_invalidations(DistributionId=stack["GuestDistributionId"])["InvalidationList"]
    return [each["Id"] for each in found.get("Items", [])]


def test_a_repeat_with_its_reference_is_the_same_invalidation(stack: dict[str, str]) -> None:
    first = cdn.invalidate(PATHS, reference="test-17")

    assert cdn.invalidate(reversed(PATHS), reference="test-17") == first
    assert ordered(stack) == [first]


def test_paths_are_sent_once_and_sorted(stack: dict[str, str]) -> None:
    order = cdn.invalidate([*PATHS, *PATHS], reference="test-17")

    found = clients.cloudfront().get_invalidation(DistributionId=stack["GuestDistributionId"], Id=order)
    assert found["Invalidation"]["InvalidationBatch"]["Paths"]["Items"] == ["/g/XHQGMDH", "/g/xhqgmdh.html"]


@pytest.mark.usefixtures("stack")
def test_one_reference_for_other_paths_is_refused() -> None:
    cdn.invalidate(PATHS, reference="test-17")

    with pytest.raises(Refused, match="InvalidationBatchAlreadyExists"):
        cdn.invalidate(["/g/other.html"], reference="test-17")


@pytest.mark.usefixtures("stack")
def test_says_when_it_is_done() -> None:
    order = cdn.invalidate(PATHS, reference="test-17")

    assert cdn.invalidation_done(order)


@pytest.mark.usefixtures("stack")
def test_one_in_progress_is_not_done() -> None:
    with Stubber(clients.cloudfront()) as stubber:
        stubber.add_response("get_invalidation", {"Invalidation": _invalidation("InProgress")})

        assert not cdn.invalidation_done("I1")


@pytest.mark.usefixtures("stack")
def test_too_many_in_progress_waits_a_minute() -> None:
    with Stubber(clients.cloudfront()) as stubber:
        stubber.add_client_error("create_invalidation", "TooManyInvalidationsInProgress", http_status_code=400)

        with pytest.raises(Retry) as raised:
            cdn.invalidate(PATHS, reference="test-17")

    assert raised.value.after == timedelta(seconds=60)


@pytest.mark.parametrize("paths", [["g/xhqgmdh.html"], ["/g/a.html", ""]])
def test_a_path_without_its_slash_is_refused(paths: list[str]) -> None:
    with pytest.raises(ValueError, match="starts with a slash"):
        cdn.invalidate(paths, reference="test-17")


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        cdn.invalidate([], reference="test-17")


@pytest.mark.usefixtures("stack")
def test_an_unknown_distribution_is_a_matter_of_the_set_up(settings: Settings) -> None:
    settings.GUEST_DISTRIBUTION_ID = "E0NOWHERE"

    with pytest.raises(Misconfigured, match="NoSuchDistribution"):
        cdn.invalidate(PATHS, reference="test-17")


def _invalidation(status: str) -> dict[str, object]:
    batch = {"Paths": {"Quantity": 1, "Items": ["/g/x.html"]}, "CallerReference": "r"}
    return {"Id": "I1", "Status": status, "CreateTime": "2026-11-22T00:00:00Z", "InvalidationBatch": batch}
