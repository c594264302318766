"""The service APIs as one: who may call what, one shape of refusal, and the schema that other systems build against.

Cookies are not read, so there is nothing for another site to abuse: no CSRF token is asked for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver
from django.views import defaults
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

import bookings.api
import bookings.intake.api
import crew.api
from bookings.models import Booking
from bookings.services import BookingRefused, ChangedMeanwhile, VesselTaken
from guests.models import GuestPage
from jada.keys import CredentialRefused, DashboardToken, ServiceKey, caller
from jada.outbox.requests import KeyReused


class Problem(Schema):
    """Every refusal: `error` is for a program and stays as it is, `message` is a sentence for its person."""

    error: str
    message: str
    fields: dict[str, str] | None = None


class JadaAPI(NinjaAPI):
    """One shape of refusal, in the answers and in the schema."""

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**kwargs)
        schema["components"].setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        reference = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path in schema["paths"].values():
            for operation in path.values():
                for status, meaning in PROBLEMS.items():
                    operation["responses"].setdefault(status, {"description": meaning, "content": reference})
        return schema


PROBLEMS = {
    400: "The request cannot be read",
    401: "No key, or a wrong one",
    404: "There is no such thing",
    409: "The vessel's time is taken",
    412: "The thing has changed since it was read",
    422: "The request can be read and cannot be done as it is",
    429: "Too many calls without a valid key",
}

api = JadaAPI(
    title="JADA service APIs",
    version="1",
    description="Bookings and the calendar, for other systems. Amounts go in; they never come out.",
    urls_namespace="api",
    docs_url="/docs" if settings.DEBUG else None,
    openapi_url="/openapi.json" if settings.DEBUG else None,
)


# --- refusals ------------------------------------------------------------------------------------------------------


def refuse(status: int, error: str, message: str, fields: dict[str, str] | None = None) -> JsonResponse:
    body: dict[str, object] = {"error": error, "message": message}
    return JsonResponse(body | ({"fields": fields} if fields else {}), status=status)


@api.exception_handler(CredentialRefused)
def not_let_in(request: HttpRequest, refusal: CredentialRefused) -> HttpResponse:
    response = refuse(refusal.status, refusal.code, str(refusal))
    if refusal.status == 429:
        response["Retry-After"] = "60"
    else:
        response["WWW-Authenticate"] = 'Bearer realm="jada"'
    return response


@api.exception_handler(BookingRefused)
def not_so(request: HttpRequest, refusal: BookingRefused) -> HttpResponse:
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(refusal).__name__).lower()  # VesselTaken -> vessel_taken
    if isinstance(refusal, VesselTaken):
        return refuse(409, code, refusal.nameless)
    return refuse(412 if isinstance(refusal, ChangedMeanwhile) else 422, code, str(refusal))


@api.exception_handler(KeyReused)
def key_reused(request: HttpRequest, refusal: KeyReused) -> HttpResponse:
    return refuse(422, "idempotency_key_reused", str(refusal))


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    return refuse(404, "not_found", "There is nothing at this address: check the path and the id.")


@api.exception_handler(HttpError)
def not_read(request: HttpRequest, error: HttpError) -> HttpResponse:
    if error.status_code == 400:
        return refuse(400, "not_json", "The body cannot be read: send one JSON object, in UTF-8.")
    return refuse(error.status_code, "refused", str(error))


@api.exception_handler(ValidationError)
def not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = {_field(found["loc"]): _sentence(found) for found in error.errors}
    said = "; ".join(f"{name} {what}" if name else what for name, what in fields.items())
    return refuse(422, "invalid", f"The request cannot be accepted: {said}.", fields)


def _field(place: Sequence[str | int]) -> str:
    """("body", "payload", "guest_count") -> guest_count; "" where the request as a whole is meant."""
    names = [str(part) for part in place if part not in ("body", "query", "path", "header", "payload")]
    return ".".join(names)


def _sentence(found: dict[str, Any]) -> str:
    match found["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known here"
        case "timezone_aware":
            return "needs its offset, such as 2027-05-30T13:00:00-07:00 (or send date and start, the clock at the dock)"
        case "value_error":
            return str(found["msg"]).removeprefix("Value error, ")
    text = str(found["msg"]).removeprefix("Input ").removeprefix("Value ")
    return text[:1].lower() + text[1:]


def _said_as_problem(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ninja answers a wrong method with bare text; here it is a refusal like any other."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        said = refuse(405, "method_not_allowed", f"{request.method} does not work here: use {response['Allow']}.")
        said["Allow"] = response["Allow"]
        return said

    return answer


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form that was open too long, or that another site sent. Nothing was changed by it."""
    sentence = "This page was open too long, or cookies are off here: go back, load it again, and do it once more."
    return render(request, "refused.html", {"sentence": sentence}, status=403, using="jinja2")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django itself refuses to read, such as a body of more than 5 MB."""
    if is_api(request):
        return refuse(400, "bad_request", "The request cannot be read: check its size, its host and its form.")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: our fault; what happened is in the log and nowhere else."""
    if is_api(request):
        return refuse(500, "internal", "Something is broken on our side; nothing was changed. Try again later.")
    return defaults.server_error(request)


# --- what is offered -----------------------------------------------------------------------------------------------


class Caller(Schema):
    kid: str
    scopes: list[str]


@api.get("/auth-check", response=Caller, auth=ServiceKey(), tags=["keys"], summary="Whose service key this is")
def auth_check(request: HttpRequest) -> Caller:
    credential = caller(request)
    return Caller(kid=credential.kid, scopes=list(credential.scopes))


api.add_router("", bookings.api.router, auth=DashboardToken())
api.add_router("", crew.api.router, auth=ServiceKey())
api.add_router("", bookings.intake.api.router, auth=ServiceKey(old_body_field=True))


def guest_code(booking: Booking) -> str:
    """The name of the guest's page; the app that takes bookings in knows no guests."""
    return GuestPage.objects.filter(booking=booking).values_list("code", flat=True).first() or ""


bookings.intake.api.Codes.of = guest_code


def urls() -> tuple[list[URLPattern | URLResolver], str, str]:
    """What `jada.urls` mounts at /api/."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = _said_as_problem(pattern.callback)
    return patterns, app_name, namespace
