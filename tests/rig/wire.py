"""HTTP/1.1 by hand: keep-alive, no Nagle, and a socket that can be dropped in the middle, which no framework offers."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

LINE = 65536


class Drop(Exception):
    """End this connection with a reset, without an answer."""


@dataclass
class Request:
    """`fault` is what was ordered for this one; the ledger says it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    fault: str = ""
    path: str = field(init=False)
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = unquote(parts.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection; `answer` is asked once a request."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while (request := _read(self.rfile, self.connection)) is not None:
                try:
                    reply = self.server.answer(request)
                except Drop:
                    # SO_LINGER 0 makes the close a reset: the client learns at once, and learns nothing else.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                self.connection.sendall(_written(request, reply))
                if request.headers.get("connection", "").lower() == "close":
                    return


def _read(stream: BinaryIO, connection: socket.socket) -> Request | None:
    first = stream.readline(LINE).split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(LINE)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _chunks(stream)
    else:
        body = stream.read(length := int(headers.get("content-length") or 0))
        if len(body) < length:
            return None  # whoever sent it died in the middle: nothing was asked
    if "aws-chunked" in headers.get("content-encoding", ""):
        body = _aws_chunks(body)
    return Request(first[0].decode(), first[1].decode(), headers, body)


def _chunks(stream: BinaryIO) -> bytes:
    parts = []
    while size := int(stream.readline(LINE).split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline(LINE)
    while stream.readline(LINE) not in (b"\r\n", b""):
        pass
    return b"".join(parts)


def _aws_chunks(body: bytes) -> bytes:
    """The SDK's own framing inside the body, with a checksum behind it."""
    parts, rest = [], body
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        if not size:
            break
        parts.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(parts)


def _written(request: Request, reply: Reply) -> bytes:
    body = b"" if request.method == "HEAD" or reply.status in (204, 304) else reply.body
    headers = {"Content-Length": str(len(reply.body))} | dict(reply.headers)
    if reply.status == 204:
        headers.pop("Content-Length")
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
