"""One client per service, one guard around every call, and one reading of what went wrong.

The clients know nothing of emulators: the SDK itself obeys `AWS_ENDPOINT_URL` (or `AWS_ENDPOINT_URL_<SERVICE>`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  (the SDK's own, not the built-in one)
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
)
from django.conf import settings
from django.db import connection

from jada.failures import DeliveryFailure, InDoubt, Misconfigured, Refused, Retry

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

# Two attempts of 3 + 10 s stay under the 30 s a handler may take. Path style, because the wildcard certificate of S3
# does not match bucket names with dots.
CONFIG: Final = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},
    user_agent_extra="jada",
)

# SES has no token against a repeat, and the SDK repeats a call whose answer is late: a mail is asked for once.
CONFIG_OF_MAIL: Final = CONFIG.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))

_MISCONFIGURED: Final = frozenset(
    {
        "403",  # HEAD has no body to say more
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccessDenied",
        "AccessDeniedException",
        "AccountSuspendedException",
        "AllAccessDisabled",
        "ExpiredToken",
        "ExpiredTokenException",
        "IllegalLocationConstraintException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MailFromDomainNotVerifiedException",
        "NoSuchBucket",
        "NoSuchDistribution",
        "NotFoundException",
        "PermanentRedirect",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "SendingPausedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Turned away at the door: whatever the status, nothing was done.
_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyInvalidationsInProgress",
        "TooManyRequestsException",
    }
)
_BUSY: Final = frozenset({"RequestTimeout", "RequestTimeTooSkewed", "TransactionInProgressException"})
# These fail before the request is on the wire, so not even a message can have been accepted.
_NEVER_LEFT: Final = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
_NO_ANSWER: Final = (ConnectionError, HTTPClientError, IncompleteReadError)


class _Client(Protocol):
    def close(self) -> None: ...


_C = TypeVar("_C", bound=_Client)
_making = threading.Lock()
_forget: list[Callable[[], None]] = []


def _made_once(make: Callable[[], _C]) -> Callable[[], _C]:
    """Keep one client for every thread. Clients may be shared by threads; the session that makes them may not."""
    kept = cache(make)

    def forget() -> None:
        if kept.cache_info().currsize:
            kept().close()
        kept.cache_clear()

    @wraps(make)
    def get() -> _C:
        with _making:
            return kept()

    _forget.append(forget)
    return get


@cache
def _session() -> boto3.Session:
    return boto3.Session(region_name=settings.AWS_REGION)


@_made_once
def s3() -> S3Client:
    return _session().client("s3", config=CONFIG)


@_made_once
def dynamodb() -> DynamoDBClient:
    return _session().client("dynamodb", config=CONFIG)


@_made_once
def cloudfront() -> CloudFrontClient:
    return _session().client("cloudfront", config=CONFIG)


@_made_once
def cloudformation() -> CloudFormationClient:
    return _session().client("cloudformation", config=CONFIG)


@_made_once
def sesv2() -> SESV2Client:
    return _session().client("sesv2", config=CONFIG_OF_MAIL)


@_made_once
def sqs() -> SQSClient:
    return _session().client("sqs", config=CONFIG)


@_made_once
def sts() -> STSClient:
    return _session().client("sts", config=CONFIG)


@_made_once
def sns() -> SNSClient:
    return _session().client("sns", config=CONFIG)


@_made_once
def iam() -> IAMClient:
    return _session().client("iam", config=CONFIG)


@_made_once
def lambda_() -> LambdaClient:
    return _session().client("lambda", config=CONFIG)


@_made_once
def acm() -> ACMClient:
    """Of us-east-1, wherever we are: CloudFront takes its certificates from there."""
    return _session().client("acm", region_name="us-east-1", config=CONFIG)


def reset() -> None:
    """Forget every client, so that the next one reads the environment again."""
    with _making:
        for forget in _forget:
            forget()
        _session.cache_clear()


def guard() -> None:
    """Refuse to call the network while a transaction is open: its locks would be held for as long as AWS takes."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise RuntimeError("A database transaction is open: commit it before you call AWS.")


@contextmanager
def calling() -> Iterator[None]:
    """Around every call of AWS: no open transaction goes in, only a `DeliveryFailure` comes out.

    Handle an answer you expect (a condition that failed, a missing key) inside the block.
    """
    guard()
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error) from None  # the SDK's own text can quote what was sent


def code_of(error: ClientError) -> str:
    """What AWS calls this error; the bare status ("404") where there is no body to say more."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def translate(error: BaseException, *, message: bool = False) -> DeliveryFailure:
    """Sort an error of the SDK by what has to happen next.

    With `message` the call had no fence: whatever may have been accepted is `InDoubt` instead of `Retry`.
    """
    match error:
        case ClientError():
            return _answered(error, message=message)
        case _ if isinstance(error, _NEVER_LEFT):
            return Retry("AWS cannot be reached: the connection could not be opened.")
        case _ if isinstance(error, _NO_ANSWER):
            return _unanswered("AWS was asked and its answer did not arrive.", message=message)
        case BotoCoreError() if not isinstance(error, ParamValidationError):
            kind = type(error).__name__
            return Misconfigured(f"AWS cannot be used from here ({kind}): set the role or keys and the region.")
    return Refused(f"The request was not accepted ({type(error).__name__}).")


def _answered(error: ClientError, *, message: bool) -> DeliveryFailure:
    code, status = code_of(error), status_of(error)
    said = f"AWS answered {code or status} to {error.operation_name}"
    if code in _MISCONFIGURED or _is_unverified(error):
        return Misconfigured(f"{said}: check the permission, and that the resource exists in this account and region.")
    if code in _THROTTLED or code in _BUSY or status in (409, 429):
        return Retry(f"{said}: it is busy or in the middle of another change.")
    if status >= 500:
        return _unanswered(f"{said}: a fault on its side.", message=message)
    return Refused(f"{said}: it does not accept this object as it is.")


def _is_unverified(error: ClientError) -> bool:
    """SES says MessageRejected both for a bad message and for an identity it does not know or a sandbox."""
    text = error.response.get("Error", {}).get("Message", "")
    return code_of(error) == "MessageRejected" and "not verified" in text


def _unanswered(reason: str, *, message: bool) -> DeliveryFailure:
    return InDoubt(f"{reason} It may have been accepted.") if message else Retry(reason)
