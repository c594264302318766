"""What every answer of the application carries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class NeverCached:
    """No page of the console, the crew portal or the APIs may lie in a cache: they are personal (ASVS 14.2.2)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Robots-Tag", "noindex, nofollow, noarchive")
        return response
