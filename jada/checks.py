"""What must be so before the application may start. Each finding says which variable to set, and to what."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

LOOPBACK = ("localhost", "::1")
SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()


def findings() -> Iterator[CheckMessage]:
    yield from _keys()
    yield from _broker()
    if not settings.DEBUG:
        yield from _production()


def _keys() -> Iterator[CheckMessage]:
    for name, what in (("SERVICE_KEY_HASHES", "service key"), ("DASHBOARD_TOKEN_HASHES", "dashboard token")):
        hashes = getattr(settings, name)
        if not isinstance(hashes, dict) or not hashes:
            yield Error(
                f"{name} is not set: without the SHA-256 of a {what} every call of the API would be refused.",
                hint=f"Make one with `manage.py new_key` and set {name} to what it prints.",
                id="jada.E001",
            )
        elif not all(_is_sha256(h) for h in hashes.values()):
            yield Error(f"{name} must be JSON of key id to SHA-256 in hex (64 digits).", id="jada.E002")
    yield from _metrics_token()
    keys = settings.CREW_LINK_KEYS if isinstance(settings.CREW_LINK_KEYS, dict) else {}
    if settings.CREW_LINK_ACTIVE_KID not in keys:
        yield Error(
            "CREW_LINK_KEYS has no key with the id in CREW_LINK_ACTIVE_KID: crew links cannot be signed.",
            hint="Make one with `manage.py new_key` and set both variables to what it prints.",
            id="jada.E003",
        )
    for kid, key in keys.items():
        if not _is_strong(key):
            yield Error(
                f"The crew link key {kid} is weak: it must be base64 of at least 32 random bytes.", id="jada.E004"
            )


def _metrics_token() -> Iterator[CheckMessage]:
    said = settings.METRICS_TOKEN_HASH
    if said and not _is_sha256(said):
        yield Error(
            "METRICS_TOKEN_HASH must be a SHA-256 in hex (64 digits): the token itself never stands in a setting.",
            hint='Set it to what `printf %s "$TOKEN" | sha256sum` prints.',
            id="jada.E015",
        )
    if said.lower() == SHA256_OF_NOTHING:
        yield Error(
            "METRICS_TOKEN_HASH is the SHA-256 of no text at all: $TOKEN was empty when it was made.",
            hint='Set TOKEN first, then METRICS_TOKEN_HASH to what `printf %s "$TOKEN" | sha256sum` prints.',
            id="jada.E015",
        )


def _broker() -> Iterator[CheckMessage]:
    queues = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("predefined_queues", {})
    if not all(queue["url"] for queue in queues.values()):
        yield Error(
            "CELERY_BROKER_URL is sqs://, and CELERY_QUEUE_URL does not say which queue: set it to the stack's output "
            "BellQueueUrl.",
            id="jada.E014",
        )


def _production() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < 50 or len(set(settings.SECRET_KEY)) < 5:
        yield Error("SECRET_KEY is missing or weak: set it to at least 50 random characters.", id="jada.E005")
    if any(not host or host[0] in "*." for host in settings.ALLOWED_HOSTS) or not settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS has a wildcard or is empty: name the hosts that the application serves.", id="jada.E006"
        )
    if settings.AWS_ENDPOINT_URL and _is_here(settings.AWS_ENDPOINT_URL):
        yield Error(
            "AWS_ENDPOINT_URL points to this machine while DEBUG is off: pages and mails would reach nobody. "
            "Unset it to use AWS.",
            id="jada.E007",
        )
    if settings.MAILBOX_DIR:
        yield Error("MAILBOX_DIR keeps mails with their personal links: unset it outside DEBUG.", id="jada.E008")
    if not settings.CONSOLE_REQUIRE_OTP:
        yield Error(
            "CONSOLE_REQUIRE_OTP is off: the console shows money and must ask for a second factor.", id="jada.E009"
        )
    for name in ("CREW_BASE_URL", "GUEST_BASE_URL"):
        if not getattr(settings, name).startswith("https://"):
            yield Error(f"{name} must begin with https:// outside DEBUG.", id="jada.E010")
    if "FAILPOINT" in os.environ:  # no setting: nothing but a test of faults may order one
        yield Error(
            "FAILPOINT orders faults of this very process: unset it. It is for tests, and for DEBUG.", id="jada.E013"
        )


def _is_sha256(text: object) -> bool:
    if not isinstance(text, str) or len(text) != 64:
        return False
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


def _is_strong(key: object) -> bool:
    """At least 32 bytes, and not the same few over and over: those came from no random source."""
    try:
        secret = base64.b64decode(str(key), validate=True)
    except ValueError:
        return False
    return len(secret) >= 32 and len(set(secret)) >= 8


def _is_here(url: str) -> bool:
    """Whether an address leads to this very machine, however it is spelled."""
    host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").rstrip(".")
    try:
        return socket.inet_aton(host)[0] in (0, 127)  # takes 127.1 and the like, as the resolver does
    except OSError:
        return host in LOOPBACK or host.endswith(".localhost")


@register("jada")
def configuration(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(findings())


def refuse_unsafe_start() -> None:
    """Called by the processes that no management command guards (web server, Celery): a sentence a finding, then out."""
    found = list(findings())
    if found:
        sys.exit("JADA does not start:\n" + "\n".join(f"- {m.msg} {m.hint or ''}".rstrip() for m in found))
