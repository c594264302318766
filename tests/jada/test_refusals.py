import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_form_that_was_open_too_long_is_refused_in_a_sentence() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ops"})

    assert answer.status_code == 403
    assert "go back, load it again" in answer.content.decode()
    assert "DEBUG" not in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_an_unknown_address_of_the_api_is_a_404_for_every_method(method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)("/api/nothing/here")

    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"
