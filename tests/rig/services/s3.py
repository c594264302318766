"""S3: objects of two buckets, their preconditions compared and the body put under one lock."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from xml.sax.saxutils import escape

from tests.rig.wire import Reply, Request
from tests.rig.world import World

XML = {"Content-Type": "application/xml", "x-amz-request-id": "RIG"}
UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
FAULTS = {
    "throttle": (503, "SlowDown"),
    "busy": (409, "ConditionalRequestConflict"),
    "500": (500, "InternalError"),
    "503": (503, "ServiceUnavailable"),
    "403": (403, "AccessDenied"),
}


@dataclass(frozen=True)
class Stored:
    body: bytes
    headers: Mapping[str, str]
    at: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'

    @property
    def version(self) -> int | None:
        rev = self.headers.get("x-amz-meta-rev", "")
        return int(rev) if rev.isdigit() else None

    @property
    def facts(self) -> dict[str, Any]:
        """`stated`: the version that the body itself carries, which has to be the one of its metadata."""
        stated = re.search(rb"(?:<!-- v=|^X-PUBLISHED-VERSION:)(\d+)", self.body, re.MULTILINE)
        sha = hashlib.sha256(self.body).hexdigest()
        return {"version": self.version, "digest": sha, "stated": int(stated[1]) if stated else None}


def failed(status: int, code: str, message: str = "ordered") -> Reply:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Reply(status, body.encode(), XML)


class S3:
    name = "s3"

    def __init__(self, world: World) -> None:
        self.world = world
        self.objects: dict[tuple[str, str], Stored] = {}

    def named(self, request: Request) -> tuple[str, str]:
        bucket, _, key = request.path.removeprefix("/").partition("/")
        if key:
            ops = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
            return ops.get(request.method, request.method), key
        return {"HEAD": "HeadBucket", "GET": "ListObjectsV2"}.get(request.method, f"{request.method} bucket"), bucket

    def fault(self, action: str) -> Reply:
        return failed(*FAULTS[action])

    def act(self, request: Request, op: str, key: str) -> Reply:
        bucket = request.path.removeprefix("/").partition("/")[0]
        with self.world.lock:
            if bucket not in (self.world.habits.bucket, self.world.habits.ops_bucket):
                return self._refused(request, op, key, failed(404, "NoSuchBucket", "The bucket does not exist"))
            match op:
                case "PutObject":
                    return self._put(request, bucket, key)
                case "GetObject" | "HeadObject":
                    return self._get(request, op, bucket, key)
                case "DeleteObject":
                    old = self.objects.pop((bucket, key), None)
                    self.world.note(request, self.name, op, key, "accepted" if old else "same")
                    return Reply(204)
                case "HeadBucket":
                    self.world.note(request, self.name, op, key, "read")
                    return Reply(200, b"", XML | {"x-amz-bucket-region": "us-west-2"})
                case "ListObjectsV2":
                    self.world.note(request, self.name, op, key, "read")
                    return Reply(200, self._listed(bucket, request.query.get("prefix", "")), XML)
        return self._refused(request, op, key, failed(501, "NotImplemented", op))

    def _put(self, request: Request, bucket: str, key: str) -> Reply:
        stored = self.objects.get((bucket, key))
        if refusal := _damaged(request) or _precondition(request, stored):
            return self._refused(request, "PutObject", key, refusal)
        kept = ("content-type", "cache-control")
        headers = {n: v for n, v in request.headers.items() if n in kept or n.startswith("x-amz-meta-")}
        new = Stored(request.body, headers, time.time())
        self.objects[bucket, key] = new
        self.world.note(request, self.name, "PutObject", key, "accepted", bucket=bucket, **new.facts)
        return Reply(200, b"", XML | {"ETag": new.etag})

    def _get(self, request: Request, op: str, bucket: str, key: str) -> Reply:
        found = self.objects.get((bucket, key))
        if found is None:
            self.world.note(request, self.name, op, key, "missing")
            return failed(404, "NoSuchKey", "The specified key does not exist.")
        self.world.note(request, self.name, op, key, "read", version=found.version)
        return Reply(200, found.body, headers_of(found))

    def _refused(self, request: Request, op: str, key: str, reply: Reply) -> Reply:
        code = re.search(rb"<Code>(\w+)", reply.body)
        rev = request.headers.get("x-amz-meta-rev", "")
        facts = {"code": code[1].decode() if code else "", "version": int(rev) if rev.isdigit() else None}
        self.world.note(request, self.name, op, key, "refused", **facts)
        return reply

    def _listed(self, bucket: str, prefix: str) -> bytes:
        found = sorted(key for b, key in self.objects if b == bucket and key.startswith(prefix))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><ETag>{escape(self.objects[bucket, key].etag)}</ETag>"
            f"<Size>{len(self.objects[bucket, key].body)}</Size></Contents>"
            for key in found
        )
        counts = f"<Name>{bucket}</Name><KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f"<?xml version='1.0'?><ListBucketResult>{counts}{entries}</ListBucketResult>".encode()


def headers_of(found: Stored) -> dict[str, str]:
    return {"ETag": found.etag, "Last-Modified": formatdate(found.at, usegmt=True), **found.headers}


def _damaged(request: Request) -> Reply | None:
    """The body has to be the one that was signed for."""
    said = request.headers.get("x-amz-content-sha256", UNSIGNED[0])
    if said not in UNSIGNED and said != hashlib.sha256(request.body).hexdigest():
        return failed(400, "XAmzContentSHA256Mismatch", "The body is not the one that was signed")
    md5 = request.headers.get("content-md5")
    if md5 and base64.b64decode(md5) != hashlib.md5(request.body).digest():
        return failed(400, "BadDigest", "The Content-MD5 is not that of the body")
    return None


def _precondition(request: Request, stored: Stored | None) -> Reply | None:
    none_match, match = request.headers.get("if-none-match"), request.headers.get("if-match")
    if none_match == "*" and stored is not None:
        return failed(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if match is None:
        return None
    if stored is None:
        return failed(404, "NoSuchKey", "The specified key does not exist.")
    if match.strip('"') != stored.etag.strip('"'):
        return failed(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    return None
