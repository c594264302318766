"""The two buckets: there, in our region, private, and ours to write to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import ClientError
from django.conf import settings

from jada.aws import clients
from jada.aws.preflight.asking import DENIED, DEPLOY, Site, attach
from jada.findings import Finding, error, ok

PROBES: Final = {"guest": "g/preflight.html", "ops": "preflight"}
NO_ETAG: Final = '"00000000000000000000000000000000-preflight"'  # of no object: a put on this condition writes nothing
_PRIVATE: Final = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def bucket(site: Site) -> Iterator[Finding]:
    """`….bucket`, `….region`, `….private`, `….write`."""
    there = _there(site)
    yield there
    if there.mend:
        return
    yield _region(site)
    yield _private(site)
    yield _write(site)


def _there(site: Site) -> Finding:
    code, name = f"{site.code}.bucket", site.bucket
    try:
        clients.s3().head_bucket(Bucket=name)
    except ClientError as refusal:
        status = clients.status_of(refusal)
        if status == 403:
            said = f"The bucket {name} is not ours to use: it belongs to another account, or the role may not list it."
            return error(code, said, mend=attach("AppPolicyArn"))
        if status == 404:
            return error(code, f"There is no bucket {name}: deploy the stack, or correct the setting.", mend=DEPLOY)
        raise
    return ok(code, f"The bucket {name} is there.")


def _region(site: Site) -> Finding:
    code, name = f"{site.code}.region", site.bucket
    found = clients.s3().head_bucket(Bucket=name).get("BucketRegion", settings.AWS_REGION)
    if found == settings.AWS_REGION:
        return ok(code, f"The bucket {name} is in {found}.")
    said = f"The bucket {name} is in {found}, and AWS_REGION says {settings.AWS_REGION}: table and mail are looked for there."
    return error(code, said, mend=f"export AWS_REGION={found}")


def _private(site: Site) -> Finding:
    code, name = f"{site.code}.private", site.bucket
    try:
        found = clients.s3().get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as refusal:
        if clients.status_of(refusal) != 404:
            raise
        found = {}
    if all(found.get(rule) for rule in _PRIVATE):
        return ok(code, f"Nobody can make anything in {name} public.")
    rules = ",".join(f"{rule}=true" for rule in _PRIVATE)
    return error(
        code,
        f"The bucket {name} does not block public access: one policy or ACL would open it to everybody.",
        mend=f"aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {rules}",
    )


def _write(site: Site) -> Finding:
    """A put on a condition that cannot hold: AWS judges the permission first, and writes nothing."""
    code, name = f"{site.code}.write", site.bucket
    try:
        clients.s3().put_object(Bucket=name, Key=PROBES[site.code], Body=b"", IfMatch=NO_ETAG)
    except ClientError as refusal:
        if clients.code_of(refusal) in DENIED:
            return error(code, f"This role may not write to {name}.", mend=attach("AppPolicyArn"))
        if clients.status_of(refusal) not in (404, 409, 412):
            raise
        return ok(code, f"This role may write to {name}.")
    said = f"A put to {name} ignored its condition: an older page could replace a newer one there."
    return error(code, said, mend=f"aws s3api delete-object --bucket {name} --key {PROBES[site.code]}")
