"""What is deployed, read through the API: one distribution with its policies, function and bucket grants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from jada.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_cloudfront.type_defs import (
        CacheBehaviorOutputTypeDef,
        DefaultCacheBehaviorOutputTypeDef,
        DistributionConfigOutputTypeDef,
        OriginOutputTypeDef,
        ResponseHeadersPolicySecurityHeadersConfigTypeDef,
    )

    type_of_behaviour = CacheBehaviorOutputTypeDef | DefaultCacheBehaviorOutputTypeDef

ERROR_SECONDS: Final = 10  # CloudFront's ErrorCachingMinTTL where nobody says otherwise
_BUCKET_DOMAIN: Final = re.compile(r"^(?P<bucket>.+?)\.s3[.-]")


@dataclass(frozen=True)
class Lifetime:
    """Bounds of a cache policy, in seconds."""

    minimum: int = 0
    default: int = 86400
    maximum: int = 31536000


@dataclass(frozen=True)
class Forwarded:
    """What of a request reaches the origin. Header names are lower case; `but` counts when `all_headers` is set."""

    all_headers: bool = False
    headers: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()
    query: bool = False

    def of(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if self.takes(name)}

    def takes(self, name: str) -> bool:
        return name not in self.but if self.all_headers else name in self.headers


@dataclass(frozen=True)
class HeaderRule:
    """One header the distribution adds to an answer; `override` replaces the origin's own."""

    name: str
    value: str
    override: bool


@dataclass(frozen=True)
class Behaviour:
    """How paths of one pattern are answered. `function` is the LIVE source of the viewer-request function."""

    pattern: str
    origin: str
    methods: frozenset[str]
    function: str | None
    lifetime: Lifetime
    query_in_key: bool
    forwarded: Forwarded
    headers: tuple[HeaderRule, ...]

    def covers(self, path: str) -> bool:
        return fnmatchcase(path, "/" + self.pattern.removeprefix("/"))


@dataclass(frozen=True)
class Origin:
    """A host, or a private bucket with the key patterns its policy grants to this very distribution."""

    domain: str
    path: str
    bucket: str = ""
    grants: tuple[str, ...] = ()


@dataclass(frozen=True)
class ErrorPage:
    """`path` is shown as `status` instead of the origin's error, and remembered for `seconds`."""

    seconds: int
    path: str = ""
    status: int = 0


@dataclass(frozen=True)
class Deployed:
    """One distribution. The last behaviour is the default and covers every path."""

    root: str
    behaviours: tuple[Behaviour, ...]
    origins: Mapping[str, Origin]
    errors: Mapping[int, ErrorPage] = field(default_factory=dict)

    def behaviour(self, path: str) -> Behaviour:
        return next(behaviour for behaviour in self.behaviours if behaviour.covers(path))

    def error(self, status: int) -> ErrorPage:
        return self.errors.get(status, ErrorPage(ERROR_SECONDS))


def read(distribution_id: str) -> Deployed:
    """The distribution as it is deployed now. Raises a DeliveryFailure if it is not there or nobody answers."""
    with clients.calling():
        distribution = clients.cloudfront().get_distribution(Id=distribution_id)["Distribution"]
        config = distribution["DistributionConfig"]
        listed = config.get("CacheBehaviors", {}).get("Items", [])
        return Deployed(
            root=config.get("DefaultRootObject", ""),
            behaviours=(
                *(_behaviour(each["PathPattern"], each) for each in listed),
                _behaviour("*", config["DefaultCacheBehavior"]),
            ),
            origins={each["Id"]: _origin(each, distribution["ARN"]) for each in config["Origins"]["Items"]},
            errors=_errors(config),
        )


def forwarded(found: type_of_behaviour) -> Forwarded:
    """What of a request this behaviour lets reach the origin: what its cache is keyed by, and what it is asked to add."""
    if "ForwardedValues" in found:  # settings from before there were policies let every custom header pass
        return Forwarded(all_headers=True)
    _, in_key = _cache_policy(found.get("CachePolicyId", ""))
    return _together(in_key, _origin_request_policy(found.get("OriginRequestPolicyId", "")))


def lifetime(found: type_of_behaviour) -> Lifetime:
    """How long this behaviour may keep an answer."""
    return _cache_policy(found.get("CachePolicyId", ""))[0]


# --- behaviours --------------------------------------------------------------------------------------------------


def _behaviour(pattern: str, found: type_of_behaviour) -> Behaviour:
    lifetime, in_key = _cache_policy(found.get("CachePolicyId", ""))
    return Behaviour(
        pattern=pattern,
        origin=found["TargetOriginId"],
        methods=frozenset(found.get("AllowedMethods", {}).get("Items", ["GET", "HEAD"])),
        function=_function(found),
        lifetime=lifetime,
        query_in_key=in_key.query,
        forwarded=_together(in_key, _origin_request_policy(found.get("OriginRequestPolicyId", ""))),
        headers=_header_rules(found.get("ResponseHeadersPolicyId", "")),
    )


def _function(found: type_of_behaviour) -> str | None:
    for association in found.get("FunctionAssociations", {}).get("Items", []):
        if association["EventType"] == "viewer-request":
            name = association["FunctionARN"].rsplit("/", 1)[1]
            return clients.cloudfront().get_function(Name=name, Stage="LIVE")["FunctionCode"].read().decode()
    return None


def _cache_policy(policy_id: str) -> tuple[Lifetime, Forwarded]:
    """How long, and what is part of the key; the latter reaches the origin too."""
    if not policy_id:
        return Lifetime(), Forwarded()
    config = clients.cloudfront().get_cache_policy(Id=policy_id)["CachePolicy"]["CachePolicyConfig"]
    lifetime = Lifetime(config["MinTTL"], config.get("DefaultTTL", 86400), config.get("MaxTTL", 31536000))
    key = config.get("ParametersInCacheKeyAndForwardedToOrigin")
    if key is None:
        return lifetime, Forwarded()
    headers = _lower(key["HeadersConfig"].get("Headers", {}).get("Items", []))
    return lifetime, Forwarded(headers=headers, query=key["QueryStringsConfig"]["QueryStringBehavior"] == "all")


def _origin_request_policy(policy_id: str) -> Forwarded:
    if not policy_id:
        return Forwarded()
    policy = clients.cloudfront().get_origin_request_policy(Id=policy_id)["OriginRequestPolicy"]
    config = policy["OriginRequestPolicyConfig"]
    kind = config["HeadersConfig"]["HeaderBehavior"]
    named = _lower(config["HeadersConfig"].get("Headers", {}).get("Items", []))
    cookies = frozenset() if config["CookiesConfig"]["CookieBehavior"] == "none" else frozenset({"cookie"})
    return Forwarded(
        all_headers=kind in ("allViewer", "allExcept", "allViewerAndWhitelistCloudFront"),
        headers=named | cookies if kind == "whitelist" else cookies,
        but=(named if kind == "allExcept" else frozenset()) | (frozenset() if cookies else frozenset({"cookie"})),
        query=config["QueryStringsConfig"]["QueryStringBehavior"] == "all",
    )


def _together(one: Forwarded, other: Forwarded) -> Forwarded:
    return Forwarded(
        all_headers=one.all_headers or other.all_headers,
        headers=one.headers | other.headers,
        but=one.but | other.but,
        query=one.query or other.query,
    )


def _header_rules(policy_id: str) -> tuple[HeaderRule, ...]:
    if not policy_id:
        return ()
    policy = clients.cloudfront().get_response_headers_policy(Id=policy_id)["ResponseHeadersPolicy"]
    config = policy["ResponseHeadersPolicyConfig"]
    custom = config.get("CustomHeadersConfig", {}).get("Items", [])
    return (
        *_security_headers(config.get("SecurityHeadersConfig", {})),
        *(HeaderRule(each["Header"].lower(), each["Value"], each["Override"]) for each in custom),
    )


def _security_headers(found: ResponseHeadersPolicySecurityHeadersConfigTypeDef) -> Iterable[HeaderRule]:
    if nosniff := found.get("ContentTypeOptions"):
        yield HeaderRule("x-content-type-options", "nosniff", nosniff["Override"])
    if frame := found.get("FrameOptions"):
        yield HeaderRule("x-frame-options", frame["FrameOption"], frame["Override"])
    if referrer := found.get("ReferrerPolicy"):
        yield HeaderRule("referrer-policy", referrer["ReferrerPolicy"], referrer["Override"])
    if csp := found.get("ContentSecurityPolicy"):
        yield HeaderRule("content-security-policy", csp["ContentSecurityPolicy"], csp["Override"])
    if hsts := found.get("StrictTransportSecurity"):
        value = f"max-age={hsts['AccessControlMaxAgeSec']}"
        value += "; includeSubDomains" if hsts.get("IncludeSubdomains") else ""
        value += "; preload" if hsts.get("Preload") else ""
        yield HeaderRule("strict-transport-security", value, hsts["Override"])


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


# --- origins and error pages -------------------------------------------------------------------------------------


def _origin(found: OriginOutputTypeDef, arn: str) -> Origin:
    domain, path = found["DomainName"], found.get("OriginPath", "")
    named = _BUCKET_DOMAIN.match(domain)
    if "S3OriginConfig" not in found or named is None:
        return Origin(domain, path)
    # Without an access control the edge asks as a stranger, and a private bucket lets no stranger in.
    grants = _grants(named["bucket"], arn) if found.get("OriginAccessControlId") else ()
    return Origin(domain, path, named["bucket"], grants)


def _grants(bucket: str, arn: str) -> tuple[str, ...]:
    """Key patterns that the bucket's policy lets this distribution read."""
    try:
        policy = json.loads(clients.s3().get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if clients.status_of(error) != 404:
            raise
        return ()
    resources = [
        resource
        for statement in policy["Statement"]
        if _is_grant(statement, arn)
        for resource in _listed(statement["Resource"])
    ]
    return tuple(resource.split(":::", 1)[1].removeprefix(f"{bucket}/") for resource in resources)


def _is_grant(statement: Mapping[str, object], arn: str) -> bool:
    condition = statement.get("Condition")
    wanted = {"StringEquals": {"AWS:SourceArn": arn}}
    return (
        statement["Effect"] == "Allow"
        and statement.get("Principal") == {"Service": "cloudfront.amazonaws.com"}
        and "s3:GetObject" in _listed(statement["Action"])
        and (condition is None or condition == wanted)
    )


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _errors(config: DistributionConfigOutputTypeDef) -> dict[int, ErrorPage]:
    return {
        each["ErrorCode"]: ErrorPage(
            seconds=each.get("ErrorCachingMinTTL", ERROR_SECONDS),
            path=each.get("ResponsePagePath", ""),
            status=int(each.get("ResponseCode") or each["ErrorCode"]),
        )
        for each in config.get("CustomErrorResponses", {}).get("Items", [])
    }
