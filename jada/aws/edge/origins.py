"""Behind the edge: a private bucket, or the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from jada.aws import clients
from jada.aws.edge.answers import Answer
from jada.aws.edge.deployed import Origin

TIMEOUT: Final = 10.0  # seconds
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"})
# S3 says this for a missing key too: who may not list a bucket may not know what is in it.
_DENIED: Final = Answer(403, {"content-type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")


@dataclass(frozen=True)
class Asked:
    """What goes to the origin. `path` is not decoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


def ask(origin: Origin, asked: Asked, hosts: Mapping[str, str]) -> Answer:
    """The origin's answer. `hosts` maps the domain of an origin to the host:port that stands for it here."""
    if origin.bucket:
        return _bucket(origin, unquote(origin.path + asked.path).removeprefix("/"))
    return _host(hosts.get(origin.domain, origin.domain), origin, asked)


def _bucket(origin: Origin, key: str) -> Answer:
    if not any(fnmatchcase(key, pattern) for pattern in origin.grants):
        return _DENIED
    with clients.calling():
        try:
            found = clients.s3().get_object(Bucket=origin.bucket, Key=key)
        except ClientError as error:
            if clients.status_of(error) >= 500:
                raise
            return _DENIED
        body = found["Body"].read()
    headers = {"content-type": found.get("ContentType", "binary/octet-stream"), "etag": found["ETag"]}
    if control := found.get("CacheControl"):
        headers["cache-control"] = control
    return Answer(200, headers, body)


def _host(host: str, origin: Origin, asked: Asked) -> Answer:
    connection = HTTPConnection(host, timeout=TIMEOUT)
    target = origin.path + asked.path + (f"?{asked.query}" if asked.query else "")
    sent = {name: value for name, value in asked.headers.items() if name not in _HOP_BY_HOP}
    try:
        connection.request(asked.method, target, asked.body or None, {"user-agent": "Amazon CloudFront", **sent})
        answer = connection.getresponse()
        headers = {n.lower(): v for n, v in answer.getheaders() if n.lower() not in _HOP_BY_HOP}
        return Answer(answer.status, headers, answer.read())
    except (OSError, HTTPException):
        return Answer(502, {"content-type": "text/plain"}, b"The application behind the edge did not answer.")
    finally:
        connection.close()
