"""The two distributions: on, under their host's name, in front of the right origin, with a certificate that lasts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from jada.aws import clients
from jada.aws.preflight.asking import Site
from jada.findings import Finding, error, ok, warning

if TYPE_CHECKING:
    from mypy_boto3_cloudfront.type_defs import (
        CacheBehaviorOutputTypeDef,
        DefaultCacheBehaviorOutputTypeDef,
        DistributionConfigOutputTypeDef,
        DistributionTypeDef,
        OriginOutputTypeDef,
    )

    type_of_behaviour = CacheBehaviorOutputTypeDef | DefaultCacheBehaviorOutputTypeDef

# Paths whose answer has to come out of the site's bucket; everything else of operations is the application's.
FROM_BUCKET: Final = {"guest": ("/index.html", "/g/preflight.html"), "ops": ("/site/preflight.png",)}
LASTS: Final = timedelta(days=21)  # ACM renews 60 days before the end; three weeks before, something is in its way
_BUCKET_HOST: Final = re.compile(r"\.s3([.-].*)?\.amazonaws\.com(\.cn)?$")


def distribution(site: Site, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """`….distribution`, `….alias`, `….origin`, `….access`, `….policy`, `….certificate`."""
    try:
        found = clients.cloudfront().get_distribution(Id=site.distribution_id)["Distribution"]
    except ClientError as refusal:
        if clients.code_of(refusal) != "NoSuchDistribution":
            raise
        said = f"There is no distribution {site.distribution_id}: {site.host} answers nobody."
        yield error(f"{site.code}.distribution", said, mend=site.here.redeploy)
        return
    yield _on(site, found)
    yield _alias(site, found["DistributionConfig"])
    yield _origin(site, found["DistributionConfig"])
    yield _access(site, found["DistributionConfig"])
    yield _policy(site, found["ARN"])
    yield _certificate(site, found["DistributionConfig"], clock())


def behaviour(config: DistributionConfigOutputTypeDef, path: str) -> type_of_behaviour:
    """What answers a path: the first pattern that covers it, or else the default."""
    for each in config.get("CacheBehaviors", {}).get("Items", []):
        if fnmatchcase(path, "/" + each["PathPattern"].removeprefix("/")):
            return each
    return config["DefaultCacheBehavior"]


def origin(config: DistributionConfigOutputTypeDef, path: str) -> OriginOutputTypeDef | None:
    wanted = behaviour(config, path)["TargetOriginId"]
    return next((each for each in config["Origins"]["Items"] if each["Id"] == wanted), None)


def _on(site: Site, found: DistributionTypeDef) -> Finding:
    code, here = f"{site.code}.distribution", site.distribution_id
    if not found["DistributionConfig"]["Enabled"]:
        return error(code, f"The distribution {here} of {site.host} is switched off.", mend=site.here.redeploy)
    if found["Status"] != "Deployed":
        mend = f"aws cloudfront wait distribution-deployed --id {here}"
        return warning(code, f"A change of the distribution {here} is still on its way to the edges.", mend=mend)
    return ok(code, f"The distribution {here} is on and deployed.")


def _alias(site: Site, config: DistributionConfigOutputTypeDef) -> Finding:
    code, names = f"{site.code}.alias", config.get("Aliases", {}).get("Items", [])
    if site.local:
        return ok(code, f"{site.host} is this machine: it needs no name at CloudFront.")
    if any(_covers(name, site.host) for name in names):
        return ok(code, f"{site.host} is a name of the distribution.")
    has = ", ".join(names) or "none"
    said = f"{site.host} is no name of the distribution {site.distribution_id} (it has {has}): CloudFront turns visitors away."
    return error(code, said, mend="manage.py deploy_stack --parameter CertificateArn=ARN")


def _origin(site: Site, config: DistributionConfigOutputTypeDef) -> Finding:
    code = f"{site.code}.origin"
    for path in FROM_BUCKET[site.code]:
        found = origin(config, path)
        domain = found["DomainName"] if found else "nothing"
        if _BUCKET_HOST.sub("", domain) != site.bucket:
            said = f"{site.host} takes {path} from {domain}, not from the bucket {site.bucket}: pages go to one, visitors to the other."
            return error(code, said, mend=site.here.redeploy)
    rest = origin(config, "/api/preflight")
    if site.code == "ops" and (rest is None or "S3OriginConfig" in rest):
        domain = rest["DomainName"] if rest else "nothing"
        return error(code, f"{site.host} takes /api/ from {domain}, not from the application.", mend=site.here.redeploy)
    return ok(code, f"{site.host} is answered by the bucket {site.bucket} where it should be.")


def _access(site: Site, config: DistributionConfigOutputTypeDef) -> Finding:
    """A private bucket lets in nobody who does not sign, and the origin's access control is what signs."""
    code = f"{site.code}.access"
    origins = [origin(config, path) for path in FROM_BUCKET[site.code]]
    if not all(found and found.get("OriginAccessControlId") for found in origins):
        said = f"CloudFront asks {site.bucket} without signing (no origin access control): every page is refused."
        return error(code, said, mend=site.here.redeploy)
    return ok(code, f"CloudFront signs what it asks of {site.bucket}.")


# --- the bucket's policy -------------------------------------------------------------------------------------------


def _policy(site: Site, arn: str) -> Finding:
    code = f"{site.code}.policy"
    granted = [_sources(each) for each in _statements(site.bucket) if _is_cloudfront_s(each)]
    if not any(arn in sources for sources in granted):
        said = (
            f"The policy of {site.bucket} does not let the distribution {site.distribution_id} read: pages are refused."
        )
        return error(code, said, mend=site.here.redeploy)
    if not all(granted):
        said = f"The policy of {site.bucket} lets every distribution of every account read it."
        return error(code, said, mend=site.here.redeploy)
    if others := sorted({source for sources in granted for source in sources} - {arn}):
        said = f"The policy of {site.bucket} lets another distribution read it, too: {', '.join(others)}."
        return warning(code, said, mend=site.here.redeploy)
    return ok(code, f"{site.bucket} is read by its distribution alone.")


def _statements(bucket: str) -> list[Mapping[str, Any]]:
    try:
        found: dict[str, Any] = json.loads(clients.s3().get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as refusal:
        if clients.status_of(refusal) != 404:
            raise
        return []
    return listed(found.get("Statement"))


def _is_cloudfront_s(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = listed(principal.get("Service")) if isinstance(principal, dict) else []
    reads = {"s3:GetObject", "s3:Get*", "s3:*"} & set(listed(statement.get("Action")))
    return statement.get("Effect") == "Allow" and "cloudfront.amazonaws.com" in services and bool(reads)


def _sources(statement: Mapping[str, Any]) -> frozenset[str]:
    """The distributions that a grant names; none means that it names nobody, and so everybody."""
    return frozenset(
        str(value)
        for condition in statement.get("Condition", {}).values()
        for name, values in condition.items()
        if name.lower() == "aws:sourcearn"
        for value in listed(values)
    )


def listed(value: Any) -> list[Any]:
    """A policy writes one thing bare and several as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


# --- the certificate -----------------------------------------------------------------------------------------------


def _certificate(site: Site, config: DistributionConfigOutputTypeDef, now: datetime) -> Finding:
    code, arn = f"{site.code}.certificate", config.get("ViewerCertificate", {}).get("ACMCertificateArn", "")
    if not arn:
        return ok(code, "The distribution uses CloudFront's own certificate.")
    found = clients.acm().describe_certificate(CertificateArn=arn)["Certificate"]
    look = f"aws acm describe-certificate --region us-east-1 --certificate-arn {arn}"
    if found.get("Status") != "ISSUED":
        status = found.get("Status", "in no state")
        return error(code, f"The certificate of {site.host} is {status}: browsers will refuse the site.", mend=look)
    if not any(_covers(name, site.host) for name in found.get("SubjectAlternativeNames", [])):
        mend = f"aws acm request-certificate --region us-east-1 --domain-name {site.host} --validation-method DNS"
        return error(code, f"The certificate of the distribution does not name {site.host}.", mend=mend)
    left = (found["NotAfter"] - now).days if "NotAfter" in found else 0
    if left < LASTS.days:
        said = (
            f"The certificate of {site.host} ends in {left} days and was not renewed: its DNS record is probably gone."
        )
        return error(code, said, mend=look)
    return ok(code, f"The certificate of {site.host} is good for {left} days.")


def _covers(name: str, host: str) -> bool:
    """A star stands for one label."""
    return name == host or (name.startswith("*.") and name[2:] == host.partition(".")[2])
