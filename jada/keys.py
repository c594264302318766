"""Who may call the service APIs: keys of other systems, tokens of dashboards, and how often one may guess.

A key is `sjk_<key id>_<43 characters of base64url>` (256 random bits), a dashboard token the same with `sjd_`. Only the
SHA-256 of the *whole* text is configured (`SERVICE_KEY_HASHES`, `DASHBOARD_TOKEN_HASHES`: JSON of key id to hex), so
that `printf %s "$KEY" | sha256sum` is what stands there. A slow hash would protect nothing at 256 bits and would let a
stranger keep the server busy (ASVS 6.5.2). Two ids may be valid at once: that is how a key is changed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from ninja.security.base import AuthBase

logger = logging.getLogger(__name__)

FAILURES_A_MINUTE: Final = 30  # for one client, before it is told to wait
OLD_BODY_FIELD: Final = "SERVICE_KEY"
_KEY: Final = re.compile(r"sj[kd]_([0-9A-Za-z]{1,32})_[0-9A-Za-z_-]{43}")
_IN_ADDRESS: Final = re.compile(r"\bsj[kd]_")
_NOBODY: Final = hashlib.sha256(secrets.token_bytes(32)).hexdigest()  # compared with when the key id is unknown


@dataclass(frozen=True)
class Kind:
    """One kind of key: how it begins, which setting has its hashes, what it may do, and how people call it."""

    prefix: str
    setting: str
    scopes: tuple[str, ...]
    name: str


SERVICE: Final = Kind("sjk", "SERVICE_KEY_HASHES", ("events:read", "events:write"), "service key")
DASHBOARD: Final = Kind("sjd", "DASHBOARD_TOKEN_HASHES", ("calendar:read", "calendar:write"), "dashboard token")


@dataclass(frozen=True)
class Credential:
    """Who calls: the id of the key, never the key. Found on `request.auth`."""

    kid: str
    scopes: tuple[str, ...]


class CredentialRefused(Exception):
    """The caller is not let in. `code` is for its program, the text for its person; neither repeats what was sent."""

    code = "credential_wrong"
    status = 401


class CredentialAbsent(CredentialRefused):
    """Nothing was presented. Often something between the caller and us removed the header: look there first."""

    code = "credential_absent"


class CredentialWrong(CredentialRefused):
    """Something was presented, and it is not one of ours."""


class TooManyFailures(CredentialRefused):
    """Its client guessed too often in the last minute. A right key is let in all the same."""

    code = "too_many_failures"
    status = 429


def new_key(kind: Kind, kid: str) -> tuple[str, str]:
    """A new key and the hash to configure. The key is shown once and kept nowhere."""
    key = f"{kind.prefix}_{kid}_{secrets.token_urlsafe(32)}"
    return key, hash_of(key)


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def verify(kind: Kind, presented: str) -> Credential | None:
    """Whose key this is, or None. Takes whatever a client sends: Latin-1, ten kilobytes, nothing.

    Without configured hashes nobody is let in: an unset variable must not become a key that is always right.
    """
    match = _KEY.fullmatch(presented)
    kid = match[1] if match and presented.startswith(kind.prefix) else ""
    expected = _configured(kind, kid)
    # The same work for an unknown id as for a wrong secret: the answer's time says nothing about which ids exist.
    same = hmac.compare_digest(hash_of(presented).encode(), _bytes(expected or _NOBODY))
    return Credential(kid, kind.scopes) if expected and same else None


def _configured(kind: Kind, kid: str) -> str:
    """The configured hash of a key id in lower case, "" when there is none that could be one."""
    hashes: object = getattr(settings, kind.setting)
    found = hashes.get(kid) if kid and isinstance(hashes, dict) else None
    return found.lower() if isinstance(found, str) and len(found) == len(_NOBODY) else ""


def client_address(request: HttpRequest) -> str:
    """The caller's address, for limits. Headers are believed only from our own CDN, which knows ORIGIN_VERIFY.

    Whoever reaches the application directly can write any X-Forwarded-For or CloudFront-Viewer-Address it likes.
    """
    socket_address = str(request.META.get("REMOTE_ADDR") or "unknown")
    secret = settings.ORIGIN_VERIFY
    shown = request.headers.get("X-Origin-Verify", "")
    if not secret or not hmac.compare_digest(_bytes(shown), _bytes(secret)):
        return socket_address
    viewer = request.headers.get("CloudFront-Viewer-Address", "").rpartition(":")[0].strip("[]")  # address:port
    try:
        return str(ipaddress.ip_address(viewer))
    except ValueError:
        return socket_address


class KeyAuth(AuthBase, ABC):
    """Lets a call pass with the credential, or raises `CredentialRefused`."""

    kind: Kind
    hint: str

    def __call__(self, request: HttpRequest) -> Credential:
        try:
            return self.credential(request)
        except CredentialRefused as refusal:
            raise _counted(request, refusal) from None

    def credential(self, request: HttpRequest) -> Credential:
        name = self.kind.name
        if any(_IN_ADDRESS.search(part) for asked, values in request.GET.lists() for part in (asked, *values)):
            raise CredentialWrong(
                f"A {name} must not stand in the address, where logs keep it: "
                "send it as a header, and have this one replaced."
            )
        presented = self.presented(request)
        if not presented:
            raise CredentialAbsent(
                f"No {name} arrived: {self.hint}. If you did send it, something on the way (a CDN or a proxy) "
                "removed the header: let it pass there."
            )
        if credential := verify(self.kind, presented):
            return credential
        raise CredentialWrong(f"This {name} is not valid here: ask the operator for a new one.")

    @abstractmethod
    def presented(self, request: HttpRequest) -> str:
        """The key as the client sent it, "" when it sent none."""


class ServiceKey(KeyAuth):
    """`X-Api-Key: <key>` or `Authorization: Bearer <key>`.

    With `old_body_field`, a POST of an old client may carry it as SERVICE_KEY in its JSON body instead.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "The service key, as a bearer token; the header X-Api-Key is accepted as well."
    kind = SERVICE
    hint = "send it as `X-Api-Key` or as `Authorization: Bearer …`"

    def __init__(self, *, old_body_field: bool = False) -> None:
        super().__init__()
        self.old_body_field = old_body_field

    def presented(self, request: HttpRequest) -> str:
        return (
            request.headers.get("X-Api-Key", "")
            or _bearer(request.headers.get("Authorization", ""))
            or (_in_body(request) if self.old_body_field and request.method == "POST" else "")
        )


class DashboardToken(KeyAuth):
    """`X-Dashboard-Token: <token>`, and nothing else: a service key does not open the calendar."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "X-Dashboard-Token"
    kind = DASHBOARD
    hint = "send it as `X-Dashboard-Token`"

    def presented(self, request: HttpRequest) -> str:
        return request.headers.get("X-Dashboard-Token", "")


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _in_body(request: HttpRequest) -> str:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):  # not JSON, or nested to blow the stack: the schema will say so
        return ""
    found = body.get(OLD_BODY_FIELD) if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def _counted(request: HttpRequest, refusal: CredentialRefused) -> CredentialRefused:
    """Count the failure. Right keys are never counted nor held up: nobody can shut another system out by guessing."""
    address = client_address(request)
    logger.warning("API call refused: %s from %s to %s", refusal.code, address, request.path)
    if _failures(address) <= FAILURES_A_MINUTE:
        return refusal
    return TooManyFailures(
        "Too many calls without a valid key from this address: wait a minute, then send a valid one."
    )


def _failures(address: str) -> int:
    """Failures of the last minute, this one included. Approximate by design: Django's default cache is enough."""
    slot = f"api-failures:{hashlib.sha256(address.encode()).hexdigest()}"
    if cache.add(slot, 1, timeout=60):
        return 1
    try:
        return int(cache.incr(slot))
    except ValueError:  # it ran out between the two calls
        return 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def caller(request: HttpRequest) -> Credential:
    """Who calls an operation that asks for a key."""
    credential: object = getattr(request, "auth", None)
    if not isinstance(credential, Credential):
        raise CredentialAbsent("Nobody is known to call: this operation was mounted without asking for a key.")
    return credential
