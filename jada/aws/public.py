"""The public side: look at a page as a guest's browser would get it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jada.aws import clients
from jada.failures import Misconfigured, Refused, Retry

TIMEOUT: Final = 10.0  # seconds
LIMIT: Final = 2 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Fetched:
    """One answer, whatever its status. A redirect is an answer too: it is not followed."""

    status: int
    content_type: str
    body: bytes
    sha256: str
    cache_control: str = ""


def fetch(url: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
    """GET a public address, with `headers` beside our own. Raises Retry when nobody answers, Refused for a body over 2 MB.

    No message names more than the host: the path of a guest's page is a secret of that guest.
    """
    clients.guard()
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("A public address starts with http:// or https:// and names a host.")
    connection = _connection(address)
    try:
        return _get(connection, address, headers or {})
    except ssl.SSLCertVerificationError:
        raise Misconfigured(f"The certificate of {address.hostname} is not valid: renew or attach it.") from None
    except (OSError, HTTPException) as error:
        raise Retry(f"{address.hostname} did not answer ({type(error).__name__}).") from None
    finally:
        connection.close()


def _connection(address: SplitResult) -> HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "https":
        return HTTPSConnection(host, address.port, timeout=TIMEOUT, context=_trust())
    return HTTPConnection(host, address.port, timeout=TIMEOUT)


@cache
def _trust() -> ssl.SSLContext:
    """The machine's authorities, read once: reading them takes longer than the look itself."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _get(connection: HTTPConnection, address: SplitResult, headers: Mapping[str, str]) -> Fetched:
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    connection.request("GET", target, headers={"User-Agent": "jada", "Accept": "*/*", **headers})
    answer = connection.getresponse()
    body = _bounded(answer, address)
    return Fetched(
        status=answer.status,
        content_type=answer.getheader("Content-Type", ""),
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        cache_control=answer.getheader("Cache-Control", ""),
    )


def _bounded(answer: HTTPResponse, address: SplitResult) -> bytes:
    body = answer.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise Refused(f"{address.hostname} answered with more than 2 MB: that is not one of our pages.")
    return body
