"""The crew portal. Each view translates, asks one service, translates back; GET changes nothing but a counter.

The way in has two steps (ADR 4): the link shows a page with a button, the button's POST opens a session and sends the
browser on to a clean address. Accepting is a POST of its own, so that no scanner of mails can do it.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.utils.timezone import now
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crew import services
from crew.enums import AssignmentStatus
from crew.models import CrewSession
from crew.services import AnswerRefused, Browser, ChecklistClosed, NoSuchTask
from crew.tokens import LinkRefused
from jada.keys import client_address

logger = logging.getLogger(__name__)

LINK_PAGE_POLICY = {
    "default-src": [NONE],
    "style-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
FAMILIES = (("Edg", "Edge"), ("Firefox", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))
DEVICES = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Mac OS", "Mac"), ("Windows", "Windows"))

View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Personal, never kept by a cache; no address of ours travels on, yet forms keep their Origin (ADR 4)."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "strict-origin"
        response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        return response

    return answer


def for_crew(view: Callable[Concatenate[HttpRequest, CrewSession, ...], HttpResponse]) -> View:
    """Only for a browser with a session of this trip, checked anew each time; another trip's id is an unknown one."""

    @private
    @wraps(view)
    def answer(request: HttpRequest, event_id: str, **kwargs: Any) -> HttpResponse:
        key = request.COOKIES.get(settings.CREW_COOKIE_NAME, "")
        try:
            session = services.session_for(key=key, event_id=event_id, at=now())
        except LinkRefused as refused:
            logger.info("Crew page refused: %s", refused)
            return _closed(request, HTTPStatus.NOT_FOUND)
        return view(request, session, **kwargs)

    return answer


# --- the way in --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@csp(LINK_PAGE_POLICY)
@private
def confirm(request: HttpRequest, event_id: str) -> HttpResponse:
    """GET, HEAD: the boat, the day and one button. POST, to the address without the token: the session."""
    at = now()
    token = request.POST.get("token", "") if request.method == "POST" else request.GET.get("token", "")
    try:
        if request.method == "POST":
            return _exchange(request, token, event_id)
        grant = services.open_link(token=token, event_id=event_id, at=at)
    except LinkRefused as refused:
        logger.info("Crew link refused: %s", refused)
        return _closed(request, HTTPStatus.GONE, token=token)
    booking = grant.event.booking
    context = {"event_id": event_id, "token": token, "vessel": booking.vessel.name, "date": booking.local_start}
    return render(request, "crew/confirm.html", context, using="jinja2")


def _exchange(request: HttpRequest, token: str, event_id: str) -> HttpResponse:
    at = now()
    old_key = request.COOKIES.get(settings.CREW_COOKIE_NAME, "")
    key = services.exchange_link(token=token, event_id=event_id, old_key=old_key, browser=browser_of(request), at=at)
    response = _see("crew:trip", event_id)
    held = services.trips_of_session(key=key, at=at)
    response.set_cookie(
        settings.CREW_COOKIE_NAME,
        key,
        expires=max(session.event.open_until for session in held),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


@require_POST
@private
def ask_link(request: HttpRequest) -> HttpResponse:
    """A new link to the address on file. The answer is the same whoever asks, and for whom."""
    services.request_link(
        token=request.POST.get("token", ""), email=_typed(request, "email", 254), browser=browser_of(request), at=now()
    )
    return _see("crew:link_asked")


@require_safe
@private
def link_asked(request: HttpRequest) -> HttpResponse:
    return render(request, "crew/link_asked.html", using="jinja2")


@require_POST
@private
def leave(request: HttpRequest) -> HttpResponse:
    """Sign this browser out of every trip it has open."""
    services.leave(key=request.COOKIES.get(settings.CREW_COOKIE_NAME, ""))
    response = _see("crew:trips")
    response.delete_cookie(settings.CREW_COOKIE_NAME, path="/", samesite="Lax")
    return response


# --- the trips ---------------------------------------------------------------------------------------------------------


@require_safe
@private
def trips(request: HttpRequest) -> HttpResponse:
    """The trips that were opened in this browser, soonest first."""
    sessions = services.trips_of_session(key=request.COOKIES.get(settings.CREW_COOKIE_NAME, ""), at=now())
    cards = [services.trip_card(session) for session in sessions]
    me = sessions[0].member.name if sessions else ""
    return render(request, "crew/trips.html", {"cards": cards, "me": me}, using="jinja2")


@require_safe
@for_crew
def trip(request: HttpRequest, session: CrewSession) -> HttpResponse:
    page = services.trip_page(session)
    today = now().astimezone(page.starts_at.tzinfo).date()
    context = {"trip": page, "is_today": page.starts_at.date() == today, "refused": ""}
    return render(request, "crew/trip.html", context, using="jinja2")


@require_POST
@for_crew
def answer(request: HttpRequest, session: CrewSession) -> HttpResponse:
    """Accept or decline; anything else in the form is ignored."""
    said = request.POST.get("answer", "")
    assignment = session.grant.assignment
    if said == "decline":
        services.decline(assignment=assignment, at=now())
        return _see("crew:declined")
    if said != "accept":
        return _plain(request, "Say accept or decline: reload the page, then try again.", HTTPStatus.BAD_REQUEST)
    try:
        services.accept(assignment=assignment, at=now())
    except AnswerRefused as refused:
        return _plain(request, str(refused), HTTPStatus.CONFLICT)
    return _see("crew:trip", session.event.public_id)


@require_safe
@private
def declined(request: HttpRequest) -> HttpResponse:
    return render(request, "crew/declined.html", using="jinja2")


@require_POST
@for_crew
def tick(request: HttpRequest, session: CrewSession, item_id: int) -> HttpResponse:
    """A task is done, or is not after all. A form is sent on to the list; the queue's script gets JSON."""
    wants_json = request.headers.get("Accept") == "application/json"
    to = request.POST.get("to", "")
    if to not in ("0", "1") or session.grant.assignment.status != AssignmentStatus.ACCEPTED:
        return _plain(request, "Accept the trip first, then tick its tasks.", HTTPStatus.CONFLICT)
    try:
        services.tick(
            event=session.event,
            item_id=item_id,
            done=to == "1",
            op=_typed(request, "op", 64),
            member=session.member,
            at=now(),
        )
    except NoSuchTask as missing:
        return _plain(request, str(missing), HTTPStatus.NOT_FOUND)
    except ChecklistClosed as closed:
        return _plain(request, str(closed), HTTPStatus.CONFLICT)
    if wants_json:
        return JsonResponse({"done": services.trip_page(session).done})
    response = _see("crew:trip", session.event.public_id)
    response["Location"] += "#list"
    return response


# --- parts -------------------------------------------------------------------------------------------------------------


def browser_of(request: HttpRequest) -> Browser:
    """Fingerprints of where the request came from; the address itself is not kept."""
    address = client_address(request)
    try:
        ip = ipaddress.ip_address(address)
        network = str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))
    except ValueError:
        network = address
    agent = request.headers.get("User-Agent", "")
    family = next((name for mark, name in FAMILIES if mark in agent), "")
    device = next((name for mark, name in DEVICES if mark in agent), "")
    return Browser(
        client=_fingerprint(address),
        network=_fingerprint(network),
        family=" on ".join(part for part in (family, device) if part),
    )


def _typed(request: HttpRequest, name: str, longest: int) -> str:
    """A field of a form, cut to length, without the one character that PostgreSQL takes in no text."""
    return request.POST.get(name, "").replace("\0", "")[:longest]


def _fingerprint(text: str) -> str:
    return salted_hmac("crew.client", text, algorithm="sha256").hexdigest()


def _see(name: str, *args: str) -> HttpResponse:
    """303: whatever was posted, the browser goes on with a GET."""
    response = redirect(name, *args)
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _closed(request: HttpRequest, status: HTTPStatus, *, token: str = "") -> HttpResponse:
    """The one page of every link and session that opens nothing. A genuine token needs no address to be typed."""
    context = {"token": token if services.is_genuine(token=token) else "", "gone": status == HTTPStatus.GONE}
    return render(request, "crew/closed.html", context, status=status, using="jinja2")


def _plain(request: HttpRequest, sentence: str, status: HTTPStatus) -> HttpResponse:
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"message": sentence}, status=status)
    return render(request, "crew/sorry.html", {"sentence": sentence}, status=status, using="jinja2")
