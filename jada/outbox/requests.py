"""`Idempotency-Key`: the same request twice is answered once. The key is stored in the act's own transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from jada.outbox.entries import lock_lane
from jada.outbox.models import RequestKey


class KeyReused(Exception):
    """The key was used before with another request. Answer 422: the client must choose a new key."""


def once(
    *, scope: str, key: str, request: Mapping[str, Any], act: Callable[[], tuple[int, dict[str, Any]]]
) -> tuple[int, dict[str, Any]]:
    """Run `act` (it answers status and body) unless this key was answered before; then give that answer again.

    Without a key the act simply runs. Errors that `act` raises store nothing: the client may try again.
    """
    if not key:
        return act()
    fingerprint = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    if (earlier := _answered(scope, key, fingerprint)) is not None:
        return earlier
    with transaction.atomic():
        lock_lane(f"request:{scope}:{key}")  # the same request at the same instant waits here for its answer
        if (earlier := _answered(scope, key, fingerprint)) is not None:
            return earlier
        status, body = act()
        RequestKey.objects.create(scope=scope, key=key, request_hash=fingerprint, status=status, body=body)
    return status, body


def _answered(scope: str, key: str, fingerprint: str) -> tuple[int, dict[str, Any]] | None:
    row = RequestKey.objects.filter(scope=scope, key=key).first()
    if row is None:
        return None
    if row.request_hash != fingerprint:
        raise KeyReused("This Idempotency-Key was used for another request: choose a new key.")
    return row.status, row.body
