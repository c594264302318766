"""Looks that go where people go: a call on the public address of the APIs, a guest's page as it is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import storages
from pytest_django import Settings

from jada.aws import clients
from jada.aws.bucket import PAGE_CACHE
from jada.aws.preflight import edge
from jada.aws.preflight.asking import Installation, Site
from jada.aws.preflight.checks import page_check
from jada.findings import Check, Finding, run

ERROR, WARNING, OK = "error", "warning", "ok"


def echo(base_url: str) -> Finding:
    site = Site("ops", django_settings.OPS_BUCKET, base_url, "OpsDistributionId", Installation())
    [found] = run([Check(("ops.echo",), lambda: edge.echo(site), "curl")])
    return found


@pytest.fixture
def answering() -> Iterator[Callable[[Callable[[Any], tuple[int, dict[str, str]]]], str]]:
    """A host of the test's own, in place of CDN and application; answers its address."""
    servers = []

    def serve(answer: Callable[[Any], tuple[int, dict[str, str]]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(self.headers)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Requests are not news."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join(5)
        server.server_close()


class TestEcho:
    def test_the_application_says_that_a_key_arrived(self, live_server: Any) -> None:
        assert echo(live_server.url).level == OK

    @pytest.mark.parametrize("stripped", ["X-Api-Key", "Authorization"])
    def test_a_header_that_is_taken_out_on_the_way(self, answering: Any, stripped: str) -> None:
        def answer(headers: Any) -> tuple[int, dict[str, str]]:
            names = {"X-Api-Key", "Authorization"} - {stripped}
            arrived = any(headers.get(name) for name in names)
            return 401, {"error": "credential_wrong" if arrived else "credential_absent"}

        found = echo(answering(answer))

        assert found.level == ERROR
        assert found.said == f"{stripped} did not arrive at the application."

    @pytest.mark.parametrize("status", [200, 403, 404, 502])
    def test_another_answer_than_the_application_s(self, answering: Any, status: int) -> None:
        found = echo(answering(lambda headers: (status, {"error": "not ours"})))

        assert found.level == ERROR
        assert f"answers {status}" in found.said

    def test_a_host_that_does_not_answer_is_not_known(self) -> None:
        found = echo("http://127.0.0.1:9")

        assert found.level == WARNING
        assert found.mend.startswith("curl -i -H 'X-Api-Key: ")


@pytest.mark.slow
class TestPage:
    KEY, PATH = "g/xhqgmdh.html", "/g/XHQGMDH"
    BODY = b"<!doctype html><title>A page</title>"

    @pytest.fixture(autouse=True)
    def _published(self, brand: str) -> None:
        self.brand = brand
        storages["guest"].publish(self.KEY, self.BODY, version=7)

    def put(self, **changed: Any) -> None:
        """Put the page by hand, as nobody should."""
        usual = {"ContentType": "text/html; charset=utf-8", "CacheControl": PAGE_CACHE, "Metadata": {"rev": "8"}}
        asked: Any = {"Bucket": django_settings.GUEST_BUCKET, "Key": self.KEY, "Body": self.BODY} | usual | changed
        clients.s3().put_object(**asked)

    def levels(self) -> dict[str, str]:
        found = list(run([page_check(self.KEY, self.brand + self.PATH)]))
        assert not [f for f in found if "xhqgmdh" in (f.said + f.mend).lower()]
        return {finding.code: finding.level.value for finding in found}

    def test_is_served_as_it_stands_in_the_bucket(self) -> None:
        assert self.levels() == {"page.stored": OK, "page.served": OK, "page.lifetime": OK}

    def test_is_not_there(self) -> None:
        clients.s3().delete_object(Bucket=django_settings.GUEST_BUCKET, Key=self.KEY)

        assert self.levels() == {"page.stored": ERROR}

    def test_is_put_by_hand_without_its_type(self) -> None:
        self.put(ContentType="text/html")

        assert self.levels() == {"page.stored": ERROR, "page.served": ERROR, "page.lifetime": OK}

    def test_is_put_by_hand_without_its_version(self) -> None:
        self.put(Metadata={})

        assert self.levels() == {"page.stored": ERROR, "page.served": OK, "page.lifetime": OK}

    def test_is_put_by_hand_to_be_kept_for_long(self) -> None:
        self.put(CacheControl="max-age=86400")

        assert self.levels() == {"page.stored": OK, "page.served": OK, "page.lifetime": ERROR}

    def test_is_an_older_copy_at_the_edge(self) -> None:
        assert self.levels()["page.served"] == OK  # the edge keeps it from now on
        self.put(Body=b"<!doctype html><title>A newer page</title>")

        assert self.levels() == {"page.stored": OK, "page.served": ERROR, "page.lifetime": OK}

    def test_is_not_served_at_all(self, settings: Settings) -> None:
        found = {f.code: f for f in run([page_check(self.KEY, f"{self.brand}/g/a/b")])}

        assert found["page.served"].level == ERROR
        assert "404" in found["page.served"].said

    def test_nobody_answers_at_the_public_address(self) -> None:
        found = {f.code: f.level.value for f in run([page_check(self.KEY, f"http://127.0.0.1:9{self.PATH}")])}

        assert found == {"page.stored": OK, "page.served": ERROR}
