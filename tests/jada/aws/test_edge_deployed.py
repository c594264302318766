"""Reading a distribution: what our own template does not use, but a changed set-up may."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber

from jada.aws import clients
from jada.aws.edge import Edge, deployed
from jada.aws.edge.deployed import Behaviour, Forwarded, HeaderRule, Lifetime, Origin
from jada.aws.edge.function import Viewed
from jada.aws.edge.origins import Asked, ask
from jada.failures import Misconfigured, Retry


@pytest.fixture
def changed(own_stack: dict[str, str]) -> Callable[..., Behaviour]:
    """Change the default behaviour of the guest distribution; answers it as the edge reads it then."""

    def change(**settings: Any) -> Behaviour:
        identity = own_stack["GuestDistributionId"]
        found = clients.cloudfront().get_distribution_config(Id=identity)
        found["DistributionConfig"]["DefaultCacheBehavior"].update(settings)  # type: ignore[typeddict-item]
        clients.cloudfront().update_distribution(
            Id=identity, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
        )
        return deployed.read(identity).behaviour("/")

    return change


@pytest.mark.slow
def test_an_origin_request_policy_may_name_headers_and_cookies(changed: Callable[..., Behaviour]) -> None:
    policy = clients.cloudfront().create_origin_request_policy(
        OriginRequestPolicyConfig={
            "Name": "named",
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 1, "Items": ["X-Api-Key"]}},
            "CookiesConfig": {"CookieBehavior": "all"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        }
    )["OriginRequestPolicy"]

    behaviour = changed(OriginRequestPolicyId=policy["Id"])

    assert behaviour.forwarded.of({"x-api-key": "k", "cookie": "c", "accept": "a"}) == {"x-api-key": "k", "cookie": "c"}


@pytest.mark.slow
def test_a_headers_policy_may_hold_a_csp_alone(changed: Callable[..., Behaviour]) -> None:
    csp = {"ContentSecurityPolicy": "default-src 'none'", "Override": False}
    config: Any = {"Name": "csp", "SecurityHeadersConfig": {"ContentSecurityPolicy": csp}}
    policy = clients.cloudfront().create_response_headers_policy(ResponseHeadersPolicyConfig=config)

    behaviour = changed(ResponseHeadersPolicyId=policy["ResponseHeadersPolicy"]["Id"])

    assert behaviour.headers == (HeaderRule("content-security-policy", "default-src 'none'", override=False),)


def test_a_short_hsts_says_no_more_than_it_is_told() -> None:
    found = {"AccessControlMaxAgeSec": 60, "Override": True}

    rules = deployed._security_headers({"StrictTransportSecurity": found})  # type: ignore[typeddict-item]

    assert list(rules) == [HeaderRule("strict-transport-security", "max-age=60", override=True)]


def test_without_a_cache_policy_cloudfront_s_own_times_count() -> None:
    assert deployed._cache_policy("") == (Lifetime(0, 86400, 31536000), Forwarded())


@pytest.mark.usefixtures("aws")
def test_a_cache_policy_may_say_nothing_of_its_key() -> None:
    with Stubber(clients.cloudfront()) as cloudfront:
        config = {"Name": "bare", "MinTTL": 5}
        policy = {"Id": "p", "LastModifiedTime": "2026-11-22T00:00:00Z", "CachePolicyConfig": config}
        cloudfront.add_response("get_cache_policy", {"CachePolicy": policy})

        assert deployed._cache_policy("p") == (Lifetime(5, 86400, 31536000), Forwarded())


def test_a_function_at_the_answer_is_none_at_the_request() -> None:
    association = {"EventType": "viewer-response", "FunctionARN": "arn:aws:cloudfront::1:function/other"}

    found: Any = {"FunctionAssociations": {"Quantity": 1, "Items": [association]}}

    assert deployed._function(found) is None


@pytest.mark.usefixtures("aws")
def test_a_policy_that_may_not_be_read_is_not_taken_for_none() -> None:
    with Stubber(clients.s3()) as s3:
        s3.add_client_error("get_bucket_policy", "AccessDenied", http_status_code=403)

        with pytest.raises(Misconfigured), clients.calling():
            deployed._grants("sailjada.com", "arn")


@pytest.mark.usefixtures("aws")
def test_a_fault_of_the_bucket_is_not_taken_for_a_missing_page() -> None:
    with Stubber(clients.s3()) as s3:
        s3.add_client_error("get_object", "InternalError", http_status_code=500)

        with pytest.raises(Retry):
            ask(Origin("d", "", "bucket", ("*",)), Asked("GET", "/g/x.html", "", {}), {})


def test_a_function_s_own_answer_is_the_last_word(stack: dict[str, str]) -> None:
    edge = Edge(stack["GuestDistributionId"])
    behaviour = edge._deployed.behaviour("/g/x")
    gone = "function handler(event) { return {statusCode: 410}; }"

    answer = edge._viewed(replace(behaviour, function=gone), Viewed("GET", "/g/x", "", {}), b"")

    assert answer.status == 410
