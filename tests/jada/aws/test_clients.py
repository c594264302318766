"""The guard around every call, and the sorting of what went wrong."""

from datetime import timedelta

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
)
from django.db import transaction

from jada.aws import clients
from jada.failures import DeliveryFailure, InDoubt, Misconfigured, Refused, Retry
from tests.emulator import Emulator


def answered(code: str, status: int = 400, text: str = "what AWS wrote about sj-secret") -> ClientError:
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutItem")  # type: ignore[arg-type]  # the stubs want every field of the metadata


class TestTranslate:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (answered("ThrottlingException"), Retry),
            (answered("ProvisionedThroughputExceededException"), Retry),
            (answered("SlowDown", 503), Retry),
            (answered("InternalServerError", 500), Retry),
            (answered("ConditionalRequestConflict", 409), Retry),
            (answered("TooManyRequestsException", 429), Retry),
            (answered("AccessDenied", 403), Misconfigured),
            (answered("403", 403), Misconfigured),
            (answered("NoSuchBucket", 404), Misconfigured),
            (answered("ResourceNotFoundException"), Misconfigured),
            (answered("ExpiredToken"), Misconfigured),
            (answered("MessageRejected", 400, "Email address is not verified."), Misconfigured),
            (answered("MessageRejected", 400, "Address blacklisted."), Refused),
            (answered("ValidationException"), Refused),
            (NoCredentialsError(), Misconfigured),
            (ProfileNotFound(profile="sailor"), Misconfigured),
            (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), Retry),
            (ConnectTimeoutError(endpoint_url="http://127.0.0.1:9"), Retry),
            (ReadTimeoutError(endpoint_url="http://127.0.0.1:9"), Retry),
            (IncompleteReadError(actual_bytes=1, expected_bytes=2), Retry),
            (ParamValidationError(report="value: sj-secret"), Refused),
            (ValueError("not of the SDK"), Refused),
        ],
    )
    def test_sorts_by_what_has_to_happen_next(self, error: Exception, kind: type[DeliveryFailure]) -> None:
        assert type(clients.translate(error)) is kind

    @pytest.mark.parametrize(
        "error",
        [
            answered("InternalFailure", 500),
            answered("ServiceUnavailable", 503),
            ReadTimeoutError(endpoint_url="http://127.0.0.1:9"),
        ],
    )
    def test_a_message_that_may_have_been_accepted_is_in_doubt(self, error: Exception) -> None:
        assert type(clients.translate(error, message=True)) is InDoubt

    @pytest.mark.parametrize(
        "error",
        [
            answered("TooManyRequestsException", 429),
            answered("SlowDown", 503),
            EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
            SSLError(endpoint_url="https://127.0.0.1:9", error=OSError("handshake")),
        ],
    )
    def test_a_message_that_never_got_in_is_sent_again(self, error: Exception) -> None:
        assert type(clients.translate(error, message=True)) is Retry

    @pytest.mark.parametrize("error", [answered("ValidationException"), ParamValidationError(report="sj-secret")])
    def test_says_nothing_of_what_was_sent(self, error: Exception) -> None:
        assert "sj-secret" not in str(clients.translate(error))


class TestCalling:
    @pytest.mark.django_db
    def test_refuses_inside_a_transaction(self) -> None:
        with transaction.atomic(), pytest.raises(RuntimeError, match="commit it before"), clients.calling():
            pytest.fail("the call was made")

    @pytest.mark.django_db
    def test_a_test_case_is_not_a_transaction(self) -> None:
        with clients.calling():
            pass

    def test_only_delivery_failures_come_out(self) -> None:
        with pytest.raises(Retry) as raised, clients.calling():
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

        assert raised.value.__suppress_context__

    def test_other_faults_pass_as_they_are(self) -> None:
        with pytest.raises(ZeroDivisionError), clients.calling():
            raise ZeroDivisionError


class TestClients:
    @pytest.mark.parametrize("make", [clients.s3, clients.dynamodb, clients.cloudfront, clients.cloudformation])
    def test_one_client_serves_everyone_until_it_is_forgotten(self, aws: Emulator, make: type) -> None:
        first = make()

        assert make() is first
        clients.reset()
        assert make() is not first

    def test_speak_to_the_endpoint_of_the_environment(self, aws: Emulator) -> None:
        assert clients.s3().meta.endpoint_url == aws.url

    def test_give_up_within_the_time_of_a_handler(self, aws: Emulator) -> None:
        merged = vars(clients.dynamodb().meta.config)["_user_provided_options"]

        assert (merged["connect_timeout"], merged["read_timeout"]) == (3, 10)
        assert merged["retries"]["total_max_attempts"] == 2


def test_a_failure_carries_its_sentence_and_its_pause() -> None:
    failure = Retry("Busy.", after=timedelta(seconds=60))

    assert (str(failure), failure.reason, failure.after) == ("Busy.", "Busy.", timedelta(seconds=60))
