"""What every answer of the application carries."""

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from jada.logs import about


class RequestId:
    """One id for a request, its log lines and its answer (`X-Request-ID`), to find the ones by the other.

    Always our own: an id that a client may choose could be another request's, or a story for whoever reads the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]  # for lines logged after we returned
        with about(request=request.request_id):  # type: ignore[attr-defined]
            response = self.get_response(request)
        response.headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class NeverCached:
    """No page of the console, the crew portal or the APIs may lie in a cache: they are personal (ASVS 14.2.2)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Robots-Tag", "noindex, nofollow, noarchive")
        return response
