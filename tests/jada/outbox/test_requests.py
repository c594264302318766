from typing import Any

import pytest

from jada.outbox.models import RequestKey
from jada.outbox.requests import KeyReused, once
from tests.meanwhile import meanwhile

pytestmark = pytest.mark.django_db


class Act:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> tuple[int, dict[str, Any]]:
        self.times += 1
        return 201, {"n": self.times}


def test_the_same_key_and_request_is_answered_once() -> None:
    act = Act()

    first = once(scope="events", key="k", request={"a": 1}, act=act)
    second = once(scope="events", key="k", request={"a": 1}, act=act)

    assert first == second == (201, {"n": 1})
    assert act.times == 1


def test_the_same_key_with_another_request_is_refused() -> None:
    once(scope="events", key="k", request={"a": 1}, act=Act())

    with pytest.raises(KeyReused, match="choose a new key"):
        once(scope="events", key="k", request={"a": 2}, act=Act())


def test_without_a_key_the_act_just_runs() -> None:
    act = Act()

    once(scope="events", key="", request={}, act=act)
    once(scope="events", key="", request={}, act=act)

    assert act.times == 2


def test_an_act_that_fails_stores_no_answer() -> None:
    def broken() -> tuple[int, dict[str, Any]]:
        raise ValueError

    with pytest.raises(ValueError):
        once(scope="events", key="k", request={}, act=broken)

    assert not RequestKey.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_same_request_at_the_same_instant_waits_for_the_answer_of_the_first() -> None:
    act = Act()

    def ask() -> tuple[int, dict[str, Any]]:
        return once(scope="events", key="k", request={"a": 1}, act=act)

    second = meanwhile(ask, ask)

    assert second == (201, {"n": 1})
    assert act.times == 1
