"""The guest bucket in S3: flat pages that CloudFront serves, each put behind a version fence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from storages.backends.s3 import S3Storage

from jada.aws import clients
from jada.failures import Outcome, Refused, Retry

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        HeadObjectOutputTypeDef,
        ListObjectsV2RequestTypeDef,
        PutObjectRequestTypeDef,
    )

# Browsers ask every time; the edge may keep a page 5 minutes, which bounds the harm of a lost invalidation.
PAGE_CACHE: Final = "max-age=0, s-maxage=300, stale-while-revalidate=60"
ATTEMPTS: Final = 5
EPOCH: Final = 10**12  # the outbox numbers versions epoch * 10^12 + n

# By name, never guessed from the system's tables: a page without a charset is read wrongly.
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".ics": "text/calendar; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class StoredObject:
    """What stands in the bucket. `sha256` is of the body as it is; `version` is 0 for an object that is not ours.

    `stated_sha256` is what its writer said of the body: another one means that only the metadata was kept.
    """

    body: bytes
    content_type: str
    cache_control: str
    version: int
    sha256: str
    stated_sha256: str = ""


class GuestPageStorage(S3Storage):  # type: ignore[misc]  # the base class has no types
    """`STORAGES["guest"]`. Pages go through `publish` and `read`; `save`, `url` and the rest work as in any storage.

    Keys are lower case, because the edge function writes them so: another spelling is a ValueError.
    """

    def get_default_settings(self) -> dict[str, object]:
        return {**super().get_default_settings(), "client_config": clients.CONFIG}

    def get_object_parameters(self, name: str) -> dict[str, str]:
        parameters = {"CacheControl": PAGE_CACHE, **super().get_object_parameters(_lower(name))}
        return {**parameters, "ContentType": content_type_of(name)}

    def publish(self, name: str, body: bytes, *, version: int) -> Outcome:
        """Put `body` at `name`, unless this version stands there already, or a newer one.

        The body itself has to carry its version. S3's ETag is the hash of the body: where a page returns to earlier
        bytes, the ETag returns too, and a writer that looked long ago would pass the condition.
        Raises Refused if this very version stands there with another body, Retry if others write faster than we do.
        """
        # What gets its first number is nearly always a new key: put on that condition, and look only if it is refused.
        if version % EPOCH == 1 and self._put(_lower(name), body, version=version, over=None):
            return Outcome.WRITTEN
        for _ in range(ATTEMPTS):
            head = self._head(_lower(name))
            if head is not None and (outcome := _judge(head, version=version, sha256=_sha256(body))):
                return outcome
            if self._put(name, body, version=version, over=head):
                return Outcome.WRITTEN
        raise Retry("Another writer changes the same page faster than we can: nothing was lost.")

    def read(self, name: str) -> StoredObject | None:
        """The object as it stands now, or None."""
        with clients.calling():
            try:
                answer = clients.s3().get_object(Bucket=self.bucket_name, Key=_lower(name))
            except ClientError as error:
                if clients.code_of(error) != "NoSuchKey":
                    raise
                return None
            body = answer["Body"].read()
        return StoredObject(
            body=body,
            content_type=answer.get("ContentType", ""),
            cache_control=answer.get("CacheControl", ""),
            version=_version(answer["Metadata"]),
            sha256=_sha256(body),
            stated_sha256=answer["Metadata"].get("sha256", ""),
        )

    def names(self, prefix: str) -> Iterator[list[str]]:
        """The keys under `prefix` as they are listed: up to a thousand at a time, one call each."""
        request: ListObjectsV2RequestTypeDef = {"Bucket": self.bucket_name, "Prefix": prefix}
        more = True
        while more:
            with clients.calling():
                answer = clients.s3().list_objects_v2(**request)
            yield [stored["Key"] for stored in answer.get("Contents", [])]
            more = answer["IsTruncated"]
            request["ContinuationToken"] = answer.get("NextContinuationToken", "")

    def _head(self, name: str) -> HeadObjectOutputTypeDef | None:
        with clients.calling():
            try:
                return clients.s3().head_object(Bucket=self.bucket_name, Key=name)
            except ClientError as error:
                # HEAD has no body: a missing bucket looks the same, and is told apart by the put that follows.
                if clients.status_of(error) != 404:
                    raise
                return None

    def _put(self, name: str, body: bytes, *, version: int, over: HeadObjectOutputTypeDef | None) -> bool:
        """Put over exactly what was seen; answers whether nobody came between."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self.bucket_name,
            "Key": name,
            "Body": body,
            "Metadata": {"rev": str(version), "sha256": _sha256(body)},
            "ContentType": content_type_of(name),
            "CacheControl": self.get_object_parameters(name)["CacheControl"],
        }
        if over is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = over["ETag"]
        with clients.calling():
            try:
                clients.s3().put_object(**request)
            except ClientError as error:
                # NoSuchKey: deleted since the HEAD; 409: S3 is in the middle of another conditional write.
                if clients.code_of(error) == "NoSuchKey" or clients.status_of(error) in (409, 412):
                    return False
                raise
        return True


def content_type_of(name: str) -> str:
    """The Content-Type of a key by its suffix; a ValueError for one that nobody has decided about."""
    suffix = PurePosixPath(name).suffix
    if suffix not in CONTENT_TYPES:
        raise ValueError(f"No content type is known for the suffix {suffix!r}: add it to CONTENT_TYPES.")
    return CONTENT_TYPES[suffix]


def _lower(name: str) -> str:
    if name != name.lower():
        raise ValueError("A key in the guest bucket is lower case, as the edge function asks for it: lower it first.")
    return name


def _judge(head: HeadObjectOutputTypeDef, *, version: int, sha256: str) -> Outcome | None:
    found = _version(head["Metadata"])
    if found < version:
        return None
    if found > version:
        return Outcome.NEWER
    if head["Metadata"].get("sha256") != sha256:
        raise Refused(f"Version {version} stands in the bucket with another body: compare the two, then resync it.")
    return Outcome.ALREADY


def _version(metadata: dict[str, str]) -> int:
    """0 for an object that somebody put there by hand: any version of ours replaces it."""
    rev = metadata.get("rev", "")
    return int(rev) if rev.isascii() and rev.isdigit() else 0


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
