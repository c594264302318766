"""Attack cases A16 to A19, and making a key."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from jada.keys import (
    DASHBOARD,
    FAILURES_A_MINUTE,
    SERVICE,
    CredentialAbsent,
    CredentialWrong,
    DashboardToken,
    ServiceKey,
    TooManyFailures,
    client_address,
    hash_of,
    new_key,
    verify,
)
from jada.logs import without_secrets
from tests.conftest import DASHBOARD_TOKEN, SERVICE_KEY

HOSTILE = ["", " ", "sjk_k1_", "ÿ" * 60, "sjk_k1_" + "é" * 43, "\udcff\ud800", "x" * 10_240, "sjk__" + "s" * 43]


@pytest.fixture(autouse=True)
def _nobody_has_failed() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def a_request(method: str = "GET", body: object = None, query: str = "", **headers: str) -> HttpRequest:
    path = f"/api/auth-check{query}"
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, path, content, "application/json", headers=sent)
    assert isinstance(request, HttpRequest)
    return request


class TestVerify:
    def test_knows_a_key_by_its_hash(self) -> None:
        credential = verify(SERVICE, SERVICE_KEY)

        assert credential is not None
        assert credential.kid == "k1"

    @pytest.mark.parametrize("presented", HOSTILE)
    def test_refuses_whatever_is_sent_without_raising(self, presented: str) -> None:
        assert verify(SERVICE, presented) is None

    def test_refuses_a_wrong_secret_of_a_known_id(self) -> None:
        assert verify(SERVICE, SERVICE_KEY[:-1] + "x") is None

    def test_refuses_the_other_kind_of_key(self) -> None:
        assert verify(DASHBOARD, SERVICE_KEY) is None
        assert verify(SERVICE, DASHBOARD_TOKEN) is None

    @pytest.mark.parametrize("hashes", [{}, {"k1": ""}, {"k1": None}, {"k1": "zz"}, {"": hash_of("")}, [], None, ""])
    def test_lets_nobody_in_when_no_hash_is_configured(self, settings: Settings, hashes: object) -> None:
        settings.SERVICE_KEY_HASHES = hashes

        assert verify(SERVICE, SERVICE_KEY) is None
        assert verify(SERVICE, "") is None

    def test_takes_two_keys_while_one_is_changed(self, settings: Settings) -> None:
        key, hashed = new_key(SERVICE, "k2")
        settings.SERVICE_KEY_HASHES = {"k1": hash_of(SERVICE_KEY), "k2": hashed.upper()}

        assert verify(SERVICE, key) is not None
        assert verify(SERVICE, SERVICE_KEY) is not None


class TestServiceKey:
    @pytest.mark.parametrize(
        "headers",
        [
            {"x_api_key": SERVICE_KEY},
            {"authorization": f"Bearer {SERVICE_KEY}"},
            {"authorization": f"bearer  {SERVICE_KEY}"},
        ],
    )
    def test_takes_either_header(self, headers: dict[str, str]) -> None:
        assert ServiceKey()(a_request(**headers)).kid == "k1"

    def test_says_that_nothing_arrived_and_who_may_have_removed_it(self) -> None:
        with pytest.raises(CredentialAbsent, match="CDN") as refused:
            ServiceKey()(a_request())

        assert refused.value.code == "credential_absent"

    def test_says_that_the_wrong_thing_arrived(self) -> None:
        with pytest.raises(CredentialWrong) as refused:
            ServiceKey()(a_request(x_api_key="sjk_k1_nonsense"))

        assert refused.value.code == "credential_wrong"
        assert "nonsense" not in str(refused.value)

    def test_refuses_a_doubled_header(self) -> None:
        with pytest.raises(CredentialWrong):
            ServiceKey()(a_request(x_api_key=f"{SERVICE_KEY},{SERVICE_KEY}"))

    @pytest.mark.parametrize("headers", [{}, {"x_api_key": SERVICE_KEY}])
    def test_refuses_a_key_in_the_address_even_beside_a_right_header(self, headers: dict[str, str]) -> None:
        with pytest.raises(CredentialWrong, match="address"):
            ServiceKey()(a_request(query=f"?key={SERVICE_KEY}", **headers))
        with pytest.raises(CredentialWrong, match="address"):
            ServiceKey()(a_request(query=f"?{SERVICE_KEY}", **headers))

    def test_takes_it_from_the_body_only_where_old_clients_may(self) -> None:
        request = a_request("POST", {"SERVICE_KEY": SERVICE_KEY})

        assert ServiceKey(old_body_field=True)(request).kid == "k1"
        with pytest.raises(CredentialAbsent):
            ServiceKey()(a_request("POST", {"SERVICE_KEY": SERVICE_KEY}))
        with pytest.raises(CredentialAbsent):
            ServiceKey(old_body_field=True)(a_request("PATCH", {"SERVICE_KEY": SERVICE_KEY}))

    @pytest.mark.parametrize(
        "body", [b"", b"\xff\xfe", b"[1]", b"{", b"[" * 100_000, b'{"SERVICE_KEY": 7}', b'{"SERVICE_KEY": ""}']
    )
    def test_reads_nothing_from_a_body_that_holds_no_key(self, body: bytes) -> None:
        with pytest.raises(CredentialAbsent):
            ServiceKey(old_body_field=True)(a_request("POST", body))


class TestDashboardToken:
    def test_takes_its_own_header_only(self) -> None:
        assert DashboardToken()(a_request(x_dashboard_token=DASHBOARD_TOKEN)).scopes == (
            "calendar:read",
            "calendar:write",
        )
        with pytest.raises(CredentialAbsent):
            DashboardToken()(a_request(authorization=f"Bearer {DASHBOARD_TOKEN}"))

    @pytest.mark.parametrize("token", [SERVICE_KEY, *filter(None, HOSTILE)])
    def test_refuses_what_is_not_one(self, token: str) -> None:
        with pytest.raises(CredentialWrong):
            DashboardToken()(a_request(x_dashboard_token=token))


class TestGuessing:
    def test_is_told_to_wait_whatever_address_the_headers_claim(self) -> None:
        for n in range(FAILURES_A_MINUTE):
            with pytest.raises(CredentialWrong):
                ServiceKey()(
                    a_request(x_api_key="x", x_forwarded_for=f"10.0.0.{n}", cloudfront_viewer_address=f"10.0.1.{n}:80")
                )

        with pytest.raises(TooManyFailures):
            ServiceKey()(a_request(x_api_key="x", x_forwarded_for="10.0.0.99"))

    def test_never_locks_a_right_key_out(self) -> None:
        for _ in range(FAILURES_A_MINUTE + 1):
            with pytest.raises((CredentialAbsent, TooManyFailures)):
                ServiceKey()(a_request())

        assert ServiceKey()(a_request(x_api_key=SERVICE_KEY)).kid == "k1"

    def test_is_logged_without_what_was_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING), pytest.raises(CredentialWrong):
            ServiceKey()(a_request(x_api_key="sjk_k1_" + "w" * 43))

        assert "credential_wrong from 127.0.0.1" in caplog.text
        assert "www" not in caplog.text


class TestClientAddress:
    def test_is_the_sockets_without_the_cdns_secret(self, settings: Settings) -> None:
        settings.ORIGIN_VERIFY = "only-the-cdn-knows"

        assert client_address(a_request(cloudfront_viewer_address="203.0.113.9:443")) == "127.0.0.1"
        assert (
            client_address(a_request(cloudfront_viewer_address="203.0.113.9:443", x_origin_verify="é")) == "127.0.0.1"
        )

    def test_is_not_the_headers_while_no_secret_is_set(self) -> None:
        assert client_address(a_request(cloudfront_viewer_address="203.0.113.9:443", x_origin_verify="")) == "127.0.0.1"

    @pytest.mark.parametrize(
        ("header", "address"),
        [
            ("203.0.113.9:443", "203.0.113.9"),
            ("2001:db8::7:443", "2001:db8::7"),
            ("nonsense", "127.0.0.1"),
            ("", "127.0.0.1"),
        ],
    )
    def test_is_the_viewers_when_our_cdn_says_so(self, settings: Settings, header: str, address: str) -> None:
        settings.ORIGIN_VERIFY = "only-the-cdn-knows"

        request = a_request(cloudfront_viewer_address=header, x_origin_verify="only-the-cdn-knows")

        assert client_address(request) == address


class TestNewKey:
    def made(self, *args: str) -> str:
        out = StringIO()
        call_command("new_key", *args, stdout=out)
        return out.getvalue()

    def test_prints_a_key_and_the_hashes_to_set(self, settings: Settings) -> None:
        lines = self.made("--id", "k2").splitlines()
        key = lines[1].strip()
        setting, _, value = lines[3].strip().partition("=")
        settings.SERVICE_KEY_HASHES = json.loads(value.strip("'"))

        assert setting == "SERVICE_KEY_HASHES"
        assert verify(SERVICE, key) is not None
        assert verify(SERVICE, SERVICE_KEY) is not None  # the old one stays until it is taken out

    def test_works_before_any_key_is_set(self, settings: Settings) -> None:
        settings.DASHBOARD_TOKEN_HASHES = {}

        assert "DASHBOARD_TOKEN_HASHES='{\"" in self.made("--kind", "dashboard")

    def test_makes_a_crew_link_key_beside_the_old_one(self) -> None:
        said = self.made("--kind", "crew-link", "--id", "cl2027")

        assert '"cl-test"' in said
        assert "CREW_LINK_ACTIVE_KID=cl2027" in said

    def test_makes_a_secret(self) -> None:
        assert len(self.made("--kind", "secret")) > 80

    @pytest.mark.parametrize("kid", ["k1", "a_b", "x" * 33])
    def test_refuses_an_id_that_is_taken_or_unreadable(self, kid: str) -> None:
        with pytest.raises(CommandError):
            self.made("--id", kid)


class TestLogs:
    def test_hide_keys(self) -> None:
        for key in (SERVICE_KEY, DASHBOARD_TOKEN, new_key(SERVICE, "k9")[0]):
            assert without_secrets(f"sent {key}.") == "sent [hidden]."


@pytest.mark.django_db
def test_auth_check_says_whose_key_it_is(client: Client) -> None:
    answer = client.get("/api/auth-check", headers={"X-Api-Key": SERVICE_KEY})

    assert answer.json() == {"kid": "k1", "scopes": ["events:read", "events:write"]}


def test_auth_check_refuses_in_one_shape(client: Client) -> None:
    answer = client.get("/api/auth-check")

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "message"}
    assert answer["Cache-Control"] == "no-store"
