"""Looking at a page from outside."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jada.aws import public
from jada.failures import Misconfigured, Refused, Retry


class Site(BaseHTTPRequestHandler):
    """/page, /moved, /huge, and nothing else."""

    def do_GET(self) -> None:
        status, body = {
            "/page?x=1": (200, b"<p>page</p>"),
            "/moved": (302, b""),
            "/huge": (200, b"x" * (public.LIMIT + 1)),
        }.get(self.path, (404, b"not here"))
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Location", "/page?x=1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of the handshake that the client breaks off."""


def serve(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def site() -> Iterator[str]:
    for port in serve(ThreadingHTTPServer(("127.0.0.1", 0), Site)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def untrusted_site(tmp_path: Path) -> Iterator[str]:
    """A site whose certificate nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9999))
    signed = builder.sign(key, hashes.SHA256())
    unlocked = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = _Quiet(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    for port in serve(server):
        yield f"https://127.0.0.1:{port}"


def test_answers_what_a_browser_would_get(site: str) -> None:
    fetched = public.fetch(f"{site}/page?x=1")

    assert (fetched.status, fetched.content_type) == (200, "text/html; charset=utf-8")
    assert fetched.sha256 == hashlib.sha256(fetched.body).hexdigest() == hashlib.sha256(b"<p>page</p>").hexdigest()


def test_a_missing_page_is_an_answer(site: str) -> None:
    assert public.fetch(site).status == 404


def test_a_redirect_is_an_answer_and_not_followed(site: str) -> None:
    assert public.fetch(f"{site}/moved").status == 302


def test_a_body_over_two_megabytes_is_refused(site: str) -> None:
    with pytest.raises(Refused, match="more than 2 MB"):
        public.fetch(f"{site}/huge")


def test_nobody_there_is_tried_again_and_names_only_the_host() -> None:
    with pytest.raises(Retry) as raised:
        public.fetch("http://127.0.0.1:9/g/XHQGMDH")

    assert str(raised.value) == "127.0.0.1 did not answer (ConnectionRefusedError)."


def test_an_answer_that_is_not_http_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_mumble, args=(listening,), daemon=True).start()

        with pytest.raises(Retry, match="BadStatusLine"):
            public.fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/")


def test_a_certificate_nobody_trusts_is_a_matter_of_the_set_up(untrusted_site: str) -> None:
    with pytest.raises(Misconfigured, match=r"certificate of 127\.0\.0\.1"):
        public.fetch(untrusted_site)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "/g/XHQGMDH", "http:///x", "file:///etc/hostname"])
def test_only_public_addresses_are_fetched(url: str) -> None:
    with pytest.raises(ValueError, match="names a host"):
        public.fetch(url)


def _mumble(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"ahoy\r\n\r\n")
