"""The token alone: what we sign, and everything that is not it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings

from crew.tokens import AUDIENCE, ISSUER, REQUIRED, TYP, LinkClaims, LinkRefused, decode, encode, identify

KEY, OTHER = b"k" * 32, b"o" * 32
KEYS = {"cl-1": KEY}
AT = datetime(2027, 5, 20, 16, 0, tzinfo=UTC)
CLAIMS = LinkClaims(
    jti="grant", kid="cl-1", member="MEMBER", event="EVENT", version=1, issued_at=AT, expires_at=AT + timedelta(days=5)
)


def payload(**changes: Any) -> dict[str, Any]:
    iat = int(AT.timestamp())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "MEMBER", "evt": "EVENT", "jti": "grant", "av": 1}
    return {**usual, "iat": iat, "nbf": iat, "exp": iat + 5 * 86400, **changes}


def signed(claims: Mapping[str, Any], *, key: bytes = KEY, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers={"typ": TYP, "kid": "cl-1", **header})


def unsigned(alg: str) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': alg, 'typ': TYP, 'kid': 'cl-1'})}.{part(payload())}."


class TestOurs:
    def test_says_what_was_put_in(self) -> None:
        assert decode(encode(CLAIMS, KEYS), KEYS, at=AT) == CLAIMS

    def test_is_a_pure_function_of_its_claims(self) -> None:
        assert encode(CLAIMS, KEYS) == encode(CLAIMS, KEYS)

    def test_holds_public_ids_and_instants_only(self) -> None:
        body = jwt.decode(encode(CLAIMS, KEYS), options={"verify_signature": False})

        assert set(body) == {"iss", "aud", "sub", "evt", "jti", "av", "iat", "nbf", "exp"}

    def test_an_old_key_still_opens_while_it_is_kept(self) -> None:
        old = encode(replace(CLAIMS, kid="cl-0"), {"cl-0": OTHER})

        assert decode(old, {"cl-0": OTHER, "cl-1": KEY}, at=AT).kid == "cl-0"
        with pytest.raises(LinkRefused):
            decode(old, KEYS, at=AT)

    @pytest.mark.parametrize(("late", "opens"), [(29, True), (31, False)])
    def test_is_refused_half_a_minute_after_its_end(self, late: int, opens: bool) -> None:
        moment = CLAIMS.expires_at + timedelta(seconds=late)

        if opens:
            assert decode(encode(CLAIMS, KEYS), KEYS, at=moment) == CLAIMS
        else:
            with pytest.raises(LinkRefused):
                decode(encode(CLAIMS, KEYS), KEYS, at=moment)

    def test_is_refused_before_it_was_issued(self) -> None:
        with pytest.raises(LinkRefused):
            decode(encode(CLAIMS, KEYS), KEYS, at=AT - timedelta(minutes=1))

    def test_still_names_its_member_when_it_is_over(self) -> None:
        assert identify(encode(CLAIMS, KEYS), KEYS).member == "MEMBER"

    def test_a_short_key_signs_nothing(self) -> None:
        with pytest.raises(jwt.InvalidKeyError):
            encode(CLAIMS, {"cl-1": b"short"})


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "hs256"])
def test_a01_no_signature(alg: str) -> None:
    with pytest.raises(LinkRefused):
        decode(unsigned(alg), KEYS, at=AT)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("key", [b"\0", b"secret", settings.SECRET_KEY.encode(), b"A" * 32, OTHER])
def test_a02_another_key(key: bytes) -> None:
    with pytest.raises(LinkRefused):
        decode(signed(payload(), key=key), KEYS, at=AT)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a02_another_algorithm_with_the_right_key() -> None:
    with pytest.raises(LinkRefused):
        decode(signed(payload(), algorithm="HS512"), KEYS, at=AT)


def test_a02_a_key_brought_along_in_the_header() -> None:
    own = {"kty": "oct", "k": base64.urlsafe_b64encode(OTHER).decode()}

    with pytest.raises(LinkRefused):
        decode(signed(payload(), key=OTHER, jwk=own), KEYS, at=AT)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a07_a_claim_is_missing(missing: str) -> None:
    claims = payload()
    del claims[missing]

    with pytest.raises(LinkRefused):
        decode(signed(claims), KEYS, at=AT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "sailjada:ics-feed"},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "other"]},
        {"iss": "https://evil.example"},
        {"exp": "9999999999"},
        {"exp": 10**18},
        {"av": "1"},
        {"av": True},
        {"sub": 7},
        {"nbf": 0},
    ],
    ids=str,
)
def test_a07_a_claim_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(LinkRefused):
        decode(signed(payload(**wrong)), KEYS, at=AT)


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": None}, {"kid": "cl-2"}, {"kid": ""}, {"crit": ["x"]}], ids=str
)
def test_a07_the_header_is_another_ones(header: dict[str, Any]) -> None:
    with pytest.raises(LinkRefused):
        decode(signed(payload(), **header), KEYS, at=AT)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é" * 10, "eyJ" * 2000, "\x00", "..", "a.b.c.d.e"])
def test_whatever_else_is_typed_is_one_refusal(text: str) -> None:
    with pytest.raises(LinkRefused):
        decode(text, KEYS, at=AT)
