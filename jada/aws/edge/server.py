"""The edge behind a small threaded web server: quiet, loopback, ended by a signal."""

from __future__ import annotations

from collections.abc import Iterable
from http.client import responses
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from jada.aws.edge.answers import Answer
from jada.aws.edge.distribution import Edge
from jada.failures import DeliveryFailure

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> WSGIEnvironment:
        return {**super().get_environ(), "RAW_URI": self.path}  # PATH_INFO is decoded; an edge function sees it raw

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing: the path of a guest's page is a secret."""


def application(edge: Edge) -> WSGIApplication:
    """The edge as a WSGI application; 503 with a sentence while AWS does not answer."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer = edge.request(environ["REQUEST_METHOD"], _target(environ), _headers(environ), _body(environ))
        except DeliveryFailure as failure:
            answer = Answer(503, {"content-type": "text/plain; charset=utf-8"}, failure.reason.encode())
        start_response(f"{answer.status} {responses.get(answer.status, '')}", list(answer.headers.items()))
        return [answer.body]

    return serve


def server(edge: Edge, host: str, port: int) -> WSGIServer:
    """Bound and ready for `serve_forever`. Raises OSError if the port is taken; 0 takes any free one."""
    return make_server(host, port, application(edge), server_class=_Server, handler_class=_Handler)


def _target(environ: WSGIEnvironment) -> str:
    path: str = environ.get("RAW_URI") or quote(environ["PATH_INFO"], encoding="latin-1")
    query: str = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query and "?" not in path else path


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if kind := environ.get("CONTENT_TYPE"):
        headers["content-type"] = kind
    return headers


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    return body
