"""The token of a crew link: a signed pointer to a grant, never the authority itself (ADR 4; RFC 8725).

Pure: keys and the clock are arguments. Header `{"alg": "HS256", "typ": "crewlink+jwt", "kid": …}`; the claims hold
public ids only, for a JWT is readable by everyone who has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

ISSUER = "https://sailjada.com"
AUDIENCE = "sailjada:crew-confirm"
TYP = "crewlink+jwt"
ALGORITHM = "HS256"
LEEWAY = timedelta(seconds=30)
LONGEST = 2048  # characters; ours have about 500
REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "evt", "av"]

# A short key is an error, not a warning (RFC 8725 3.5).
_jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})


class LinkRefused(Exception):
    """A link that opens nothing. The reason is for the log; whoever holds the link sees one and the same page."""


@dataclass(frozen=True, kw_only=True)
class LinkClaims:
    """What a token says. Instants are whole seconds; `version` is the assignment's when the link was made."""

    jti: str
    kid: str
    member: str
    event: str
    version: int
    issued_at: datetime
    expires_at: datetime


def encode(claims: LinkClaims, keys: Mapping[str, bytes]) -> str:
    """The same claims give the same token for ever, so that a mail sent twice carries one link."""
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": claims.member,
        "evt": claims.event,
        "jti": claims.jti,
        "av": claims.version,
        "iat": int(claims.issued_at.timestamp()),
        "nbf": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
    }
    return _jwt.encode(payload, keys[claims.kid], algorithm=ALGORITHM, headers={"typ": TYP, "kid": claims.kid})


def decode(token: str, keys: Mapping[str, bytes], *, at: datetime) -> LinkClaims:
    """What a genuine token in force at `at` says. Raises `LinkRefused` for anything else."""
    claims = identify(token, keys)
    if at > claims.expires_at + LEEWAY:
        raise LinkRefused("expired")
    if at < claims.issued_at - LEEWAY:
        raise LinkRefused("not valid yet")
    return claims


def identify(token: str, keys: Mapping[str, bytes]) -> LinkClaims:
    """What a genuine token says, even if its time is over: enough to send a new link to the address on file.

    Its instants are compared by `decode`, on integers only: PyJWT would take strings, and its own clock.
    """
    if not token or len(token) > LONGEST:
        raise LinkRefused("empty or overlong")
    try:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("typ") != TYP or not isinstance(kid, str) or kid not in keys:
            raise LinkRefused("another type of token, or an unknown key")
        payload = _jwt.decode(
            token,
            keys[kid],
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": REQUIRED,
                "strict_aud": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return _claims(payload, kid)
    except (jwt.PyJWTError, ValueError, OverflowError, OSError) as error:
        raise LinkRefused(type(error).__name__) from error


def _claims(payload: Mapping[str, Any], kid: str) -> LinkClaims:
    numbers = [payload[name] for name in ("iat", "nbf", "exp", "av")]
    texts = [payload[name] for name in ("jti", "sub", "evt")]
    if not all(type(n) is int for n in numbers) or not all(isinstance(t, str) for t in texts):
        raise LinkRefused("a claim of the wrong kind")
    if payload["nbf"] != payload["iat"]:
        raise LinkRefused("not a token of ours")
    return LinkClaims(
        jti=payload["jti"],
        kid=kid,
        member=payload["sub"],
        event=payload["evt"],
        version=payload["av"],
        issued_at=datetime.fromtimestamp(payload["iat"], UTC),
        expires_at=datetime.fromtimestamp(payload["exp"], UTC),
    )
