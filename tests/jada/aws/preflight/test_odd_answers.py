"""Answers that a real AWS gives and an emulator does not come to: half-made things, refusals, conditions ignored."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pytest_django import Settings

from jada.aws import clients, public
from jada.failures import Misconfigured
from tests.jada.aws.preflight.conftest import Installation
from tests.jada.aws.preflight.test_live import echo

pytestmark = pytest.mark.slow

ERROR, WARNING = "error", "warning"
Answers = Callable[[Any, str, Callable[[Any], object]], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """`answers(client, call, edit)`: the call answers as it does, edited."""

    def wrap(client: Any, name: str, edit: Callable[[Any], object]) -> None:
        really = getattr(client, name)

        def call(**asked: Any) -> Any:
            answer = copy.deepcopy(really(**asked))
            edit(answer)
            return answer

        monkeypatch.setattr(client, name, call)

    return wrap


@pytest.fixture
def refuses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def wrap(client: Any, name: str, code: str, status: int) -> None:
        def call(**asked: Any) -> Any:
            answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, name)

        monkeypatch.setattr(client, name, call)

    return wrap


class TestHalfMade:
    def test_a_stack_in_the_middle_of_a_change(self, here: Installation, answers: Answers) -> None:
        def begin(answer: Any) -> None:
            answer["Stacks"][0]["StackStatus"] = "UPDATE_IN_PROGRESS"

        answers(clients.cloudformation(), "describe_stacks", begin)

        assert here.wrong() == {"stack.standing": ERROR}

    def test_a_distribution_on_its_way_to_the_edges(self, here: Installation, answers: Answers) -> None:
        answers(clients.cloudfront(), "get_distribution", lambda a: a["Distribution"].update(Status="InProgress"))

        assert here.wrong() == {"guest.distribution": WARNING, "ops.distribution": WARNING}

    def test_a_table_that_is_being_made(self, here: Installation, answers: Answers) -> None:
        answers(clients.dynamodb(), "describe_table", lambda answer: answer["Table"].update(TableStatus="CREATING"))

        assert here.wrong() == {"table.there": ERROR}

    @pytest.mark.parametrize(
        ("state", "update", "level"),
        [("Pending", "Successful", WARNING), ("Active", "InProgress", WARNING), ("Active", "Failed", ERROR)],
    )
    def test_a_function_in_the_middle_of_a_deploy(
        self, here: Installation, answers: Answers, state: str, update: str, level: str
    ) -> None:
        changed = {"State": state, "LastUpdateStatus": update}
        answers(clients.lambda_(), "get_function_configuration", lambda answer: answer.update(changed))

        assert here.wrong() == {"lambda.function": level}

    def test_a_function_whose_keys_cannot_be_read(self, here: Installation, answers: Answers) -> None:
        def spoil(answer: Any) -> None:
            answer["Environment"]["Variables"]["SERVICE_KEY_HASHES"] = "{not json"

        answers(clients.lambda_(), "get_function_configuration", spoil)

        assert here.wrong() == {"lambda.keys": ERROR}


class TestRefused:
    def test_a_bucket_of_another_account(self, here: Installation, refuses: Callable[..., None]) -> None:
        refuses(clients.s3(), "head_bucket", "403", 403)

        assert here.wrong() == {"guest.bucket": ERROR, "ops.bucket": ERROR}
        assert "another account" in here.found()["guest.bucket"].said

    @pytest.mark.parametrize(
        ("client", "call", "turned"),
        [
            ("s3", "head_bucket", {"guest.bucket", "ops.bucket"}),
            ("s3", "get_public_access_block", {"guest.private", "ops.private"}),
            ("s3", "put_object", {"guest.write", "ops.write"}),
            ("s3", "get_bucket_policy", {"guest.policy", "ops.policy"}),
            ("dynamodb", "describe_table", {"table.there"}),
            ("dynamodb", "put_item", {"table.write"}),
            ("sesv2", "get_email_identity", {"mail.identity"}),
            ("sesv2", "get_configuration_set", {"mail.configuration"}),
            ("sns", "get_topic_attributes", {"mail.topic"}),
            ("sqs", "get_queue_attributes", {"mail.subscription"}),
            ("cloudfront", "get_function", {"guest.function-code"}),
            ("lambda_", "get_function_configuration", {"lambda.function"}),
        ],
    )
    def test_a_fault_at_aws_is_said_where_it_came(
        self, here: Installation, refuses: Callable[..., None], client: str, call: str, turned: set[str]
    ) -> None:
        refuses(getattr(clients, client)(), call, "InternalError", 500)

        assert here.wrong() == dict.fromkeys(turned, ERROR)
        assert "InternalError" in here.found()[min(turned)].said

    def test_a_distribution_that_cannot_be_read(self, here: Installation, refuses: Callable[..., None]) -> None:
        refuses(clients.cloudfront(), "get_distribution", "InternalError", 500)

        turned = {"guest.distribution", "guest.function", "ops.distribution", "ops.headers"}
        assert here.wrong() == dict.fromkeys(turned, ERROR)


class TestIgnored:
    """A service that ignores a condition would let an older state win; the looks notice, and say what to delete."""

    def test_by_the_bucket(self, here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clients.s3(), "put_object", lambda **asked: {})

        assert here.wrong() == {"guest.write": ERROR, "ops.write": ERROR}
        assert here.found()["guest.write"].mend.startswith("aws s3api delete-object")

    def test_by_the_table(self, here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clients.dynamodb(), "put_item", lambda **asked: {})

        assert here.wrong() == {"table.write": ERROR}
        assert here.found()["table.write"].mend.startswith("aws dynamodb delete-item")


class TestNames:
    def test_a_function_that_was_never_made(self, here: Installation, refuses: Callable[..., None]) -> None:
        refuses(clients.cloudfront(), "get_function", "NoSuchFunctionExists", 404)

        assert here.wrong() == {"guest.function-code": ERROR}
        assert here.found()["guest.function-code"].said == "There is no function jada-guest-rewrite."

    def test_a_host_on_this_machine_needs_none(self, here: Installation, settings: Settings) -> None:
        settings.GUEST_BASE_URL = settings.CREW_BASE_URL = "http://localhost:8000"

        found = here.found()

        assert found["guest.alias"].level == found["ops.verify"].level == "ok"
        assert "this machine" in found["guest.alias"].said

    def test_an_invalid_certificate_is_an_error_of_the_live_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(url: str, *, headers: Any = None) -> public.Fetched:
            raise Misconfigured("The certificate of sailjada.com is not valid: renew or attach it.")

        monkeypatch.setattr(public, "fetch", refuse)  # a certificate that expired cannot be had on loopback

        assert echo("https://sailjada.com").level == ERROR
