"""What happens at the edge: the function that finds a guest's page, and what of a call reaches the application."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients, public, stack
from jada.aws.edge import deployed
from jada.aws.preflight.asking import DEPLOY, Site
from jada.aws.preflight.distributions import behaviour, origin
from jada.failures import DeliveryFailure, Misconfigured
from jada.findings import Finding, error, ok, warning

if TYPE_CHECKING:
    from mypy_boto3_cloudfront.type_defs import DistributionConfigOutputTypeDef

PAGE: Final = "/g/preflight.html"
CALL: Final = "/api/preflight"
CREDENTIALS: Final = ("X-Api-Key", "Authorization", "X-Dashboard-Token", "Idempotency-Key", "Content-Type")
METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
VERIFY: Final = "x-origin-verify"
NOT_A_KEY: Final = (
    "preflight-this-is-no-key"  # the application says whether *a* key arrived, not only whether it is right
)
SENT: Final = {"X-Api-Key": NOT_A_KEY, "Authorization": f"Bearer {NOT_A_KEY}"}


# --- the function --------------------------------------------------------------------------------------------------


def function(site: Site) -> Iterator[Finding]:
    """`guest.function`, `guest.function-code`."""
    associations = behaviour(_config(site), PAGE).get("FunctionAssociations", {}).get("Items", [])
    names = [a["FunctionARN"].rsplit("/", 1)[1] for a in associations if a["EventType"] == "viewer-request"]
    name = f"{settings.AWS_STACK_NAME}-guest-rewrite"
    if name in names:
        yield ok("guest.function", "Short addresses of guest pages pass through the edge function.")
    else:
        said = f"The function {name} is not run for {PAGE.rsplit('/', 1)[0]}/*: short addresses of guest pages lead nowhere."
        yield error("guest.function", said, mend=site.here.redeploy)
    yield _code(name)


def _code(name: str) -> Finding:
    code, ours = "guest.function-code", stack.guest_function().strip()
    live, edited = _source(name, "LIVE"), _source(name, "DEVELOPMENT")
    publish = f'aws cloudfront publish-function --name {name} --if-match "$({_etag(name)})"'
    if live == ours:
        return ok(code, "The published function is the one of this release.")
    if live is None and edited is None:
        return error(code, f"There is no function {name}.", mend=f"{DEPLOY} --revert-drift")
    if edited == ours:
        state = "was never published" if live is None else "is edited but not published"
        return error(code, f"The function {name} {state}: visitors run another one than this release's.", mend=publish)
    update = (
        f'aws cloudfront update-function --name {name} --if-match "$({_etag(name)})" '
        '--function-config Comment="/g/CODE to /g/code.html",Runtime=cloudfront-js-2.0 '
        f"--function-code fileb://infra/guest_rewrite.js && {publish}"
    )
    return error(code, f"The published function {name} is not the one of this release.", mend=update)


def _source(name: str, stage: str) -> str | None:
    try:
        answer = clients.cloudfront().get_function(Name=name, Stage="LIVE" if stage == "LIVE" else "DEVELOPMENT")
    except ClientError as refusal:
        if clients.code_of(refusal) != "NoSuchFunctionExists":
            raise
        return None
    return answer["FunctionCode"].read().decode().strip()


def _etag(name: str) -> str:
    return f"aws cloudfront describe-function --name {name} --query ETag --output text"


# --- calls of other systems ----------------------------------------------------------------------------------------


def calls(site: Site) -> Iterator[Finding]:
    """`ops.headers`, `ops.methods`, `ops.uncached`, `ops.verify`."""
    config = _config(site)
    found = behaviour(config, CALL)
    forwarded = deployed.forwarded(found)
    if lost := [name for name in CREDENTIALS if not forwarded.takes(name.lower())]:
        said = f"CloudFront strips {', '.join(lost)} from calls of /api/*: right keys are refused."
        yield error("ops.headers", said, mend=site.here.redeploy)
    else:
        yield ok("ops.headers", "Keys of other systems reach the application.")
    if lost := sorted(METHODS - set(found.get("AllowedMethods", {}).get("Items", []))):
        said = f"CloudFront refuses {', '.join(lost)} for /api/*: bookings cannot be sent."
        yield error("ops.methods", said, mend=site.here.redeploy)
    else:
        yield ok("ops.methods", "CloudFront lets every method of the APIs pass.")
    if (lifetime := deployed.lifetime(found)).maximum > 0:
        said = f"CloudFront may keep answers of /api/* for {lifetime.maximum} s: one system would read another's."
        yield error("ops.uncached", said, mend=site.here.redeploy)
    else:
        yield ok("ops.uncached", "No answer of the APIs is kept at the edge.")
    yield _verify(site, config)


def _verify(site: Site, config: DistributionConfigOutputTypeDef) -> Finding:
    """Compared, and never said."""
    found = origin(config, CALL)
    headers = found.get("CustomHeaders", {}).get("Items", []) if found else []
    sent = next((each["HeaderValue"] for each in headers if each["HeaderName"].lower() == VERIFY), "")
    ours = settings.ORIGIN_VERIFY
    mend = f'{DEPLOY} --parameter OriginVerify="$ORIGIN_VERIFY"'
    if site.local and not ours:
        return ok("ops.verify", "People come to the application without a CDN here.")
    if not ours and not sent:
        said = "ORIGIN_VERIFY is not set: limits count the edge as one caller, and whoever skips it is not noticed."
        return warning("ops.verify", said, mend=f'export ORIGIN_VERIFY="$(openssl rand -hex 32)" && {mend}')
    if not hmac.compare_digest(sent.encode(), ours.encode()):
        state = "does not send" if not sent else "sends another value than ours of" if ours else "sends, unasked,"
        return error("ops.verify", f"CloudFront {state} X-Origin-Verify: ORIGIN_VERIFY has no effect.", mend=mend)
    return ok("ops.verify", "CloudFront proves itself to the application.")


def echo(site: Site) -> Iterator[Finding]:
    """`ops.echo`: a real call on the public address; the refusal says whether the header arrived."""
    mend = f"curl -i -H 'X-Api-Key: {NOT_A_KEY}' {site.base_url}/api/auth-check"
    lost = []
    for name, value in SENT.items():
        try:
            answer = public.fetch(f"{site.base_url}/api/auth-check", headers={name: value})
        except Misconfigured as failure:
            yield error("ops.echo", failure.reason, mend=mend)
            return
        except DeliveryFailure as failure:
            said = f"{failure.reason} So no call was made on the public address; from here it may not be reachable."
            yield warning("ops.echo", said, mend=mend)
            return
        if b"credential_absent" in answer.body:
            lost.append(name)
        elif answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS):
            said = f"{site.host} answers {answer.status} to a call of /api/auth-check, where the application would refuse the key."
            yield error("ops.echo", said, mend=mend)
            return
    if lost:
        yield error("ops.echo", f"{' and '.join(lost)} did not arrive at the application.", mend=mend)
    else:
        yield ok("ops.echo", f"A key sent to {site.host} arrives at the application.")


def no_cdn() -> Iterator[Finding]:
    """`ops.echo` on one machine: nothing is on the way that could take a header out."""
    yield ok("ops.echo", "People come to the application without a CDN here.")


def _config(site: Site) -> DistributionConfigOutputTypeDef:
    return clients.cloudfront().get_distribution(Id=site.distribution_id)["Distribution"]["DistributionConfig"]
