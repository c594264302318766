"""The console's own pages. Each reads, or translates one form into one call of a service. GET changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import get_text_list
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bookings import services as bookings
from bookings.finance.services import FinanceWriteError
from bookings.intake.models import IntakeMessage
from bookings.models import Booking, CalendarEntry
from bookings.services import BookingRefused
from crew.models import CrewMember
from crew.services import event_of, event_view
from guests.models import GuestPage, PageSlug
from jada.audit.actors import Actor
from jada.console import booking_page, fleet, holders, ledger
from jada.console import mailbox as mailboxes
from jada.console import today as todays
from jada.console.astray import astray
from jada.console.booking_page import AmountsForm, User, around, retry_delivery
from jada.console.unreached import unreached
from jada.outbox.models import Effect
from jada.outbox.troubles import LATE

__all__ = ["around", "attention_at"]  # what the site hands on

SEES_CREW, SEES_DELIVERIES, SEES_INTAKE = "crew.view_assignment", "outbox.view_effect", "intake.view_intakemessage"
SEES_MAILS = "mail.view_message"
SEES_BOOKINGS = permission_required("bookings.view_booking", raise_exception=True)
CHANGES_BOOKINGS = permission_required("bookings.change_booking", raise_exception=True)


def attention_at(at: Any, user: User) -> todays.Attention:
    """The counts of the menu and of the Today page, for what this person may see."""
    return todays.attention_of(
        at=at,
        crew=user.has_perm(SEES_CREW),
        deliveries=user.has_perm(SEES_DELIVERIES),
        quarantined=IntakeMessage.objects.waiting().count() if user.has_perm(SEES_INTAKE) else 0,
    )


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, admin.site.each_context(request) | context)


# --- the day ---------------------------------------------------------------------------------------------------------


@require_safe
def today(request: HttpRequest) -> TemplateResponse:
    at, user = timezone.now(), request.user
    context = admin.site.each_context(request)
    attention = context["attention"]
    crew, deliveries = user.has_perm(SEES_CREW), user.has_perm(SEES_DELIVERIES)
    if not user.has_perm("bookings.view_booking"):
        return TemplateResponse(request, "admin/index.html", context | {"title": "Today", "at": at})
    context |= {
        "title": "Today",
        "at": at,
        "day": todays.page_of(at=at, crew=crew, money=user.has_perm(booking_page.MONEY)),
        "numbers": [
            *(todays.number_of_holders(holders.open_count(at)) if crew and user.has_perm(SEES_MAILS) else []),
            *todays.numbers(attention, at=at, crew=crew, deliveries=deliveries, intake=user.has_perm(SEES_INTAKE)),
        ],
        "late": bool(attention.oldest_due and at - attention.oldest_due > LATE),
        "last": todays.last_deliveries() if deliveries else {},
        "sees_deliveries": deliveries,
    }
    return TemplateResponse(request, "admin/index.html", context)


@require_safe
@permission_required(SEES_CREW, raise_exception=True)
def attention(request: HttpRequest, what: str) -> HttpResponse:
    """Exactly the rows that a counter of the Today page counted."""
    at = timezone.now()
    if what == "unconfirmed":
        found = todays.unconfirmed(at).select_related("event__booking__vessel", "member")
        rows = [
            (a.event.booking, f"{a.member} as {a.get_role_display().lower()}", a.get_status_display()) for a in found
        ]
        title, text = "Crew unconfirmed", "They sail within 72 hours and have not said yes."
    elif what == "declined":
        places = todays.unreplaced(at).select_related("event__booking__vessel")
        rows = [(p.event.booking, str(p), "Declined, nobody else has it") for p in places]
        title, text = "Declined, not replaced", "Somebody said no, and nobody else has the place."
    elif what == "old-time":
        held = holders.trips_with_holders(at) if request.user.has_perm(SEES_MAILS) else []
        rows = [(trip, one.name, one.in_words()) for trip, found in held for one in found]
        title, text = "Holding an old time", "Their last mail tells the trip as it was. Its page tells them again."
    elif what == "unreached":
        rows = [(one.booking, one.who, one.why) for one in unreached(at)]
        title, text = "Mail does not reach them", "Telephone them, and correct the address on file."
    else:
        raise Http404
    context = {"title": title, "text": text, "rows": rows, "part": "holders" if what == "old-time" else "crew"}
    return _page(request, "admin/console/attention.html", context)


@require_safe
@permission_required(SEES_DELIVERIES, raise_exception=True)
def copies(request: HttpRequest) -> HttpResponse:
    """Exactly the copies that the Today page counted."""
    text = "Read back, and different from the database. A trip's page shows how, and sets right what can be."
    return _page(request, "admin/console/copies.html", {"title": "Copies that differ", "text": text, "rows": astray()})


@require_safe
@permission_required("bookings.view_calendarentry", raise_exception=True)
def calendar(request: HttpRequest) -> HttpResponse:
    """?from=2026-11-22&days=14&vessel=jada"""
    day = timezone.localdate()
    asked = fleet.Asked.of(request.GET, day)
    step = timedelta(days=asked.length)
    context = {
        "title": "Fleet calendar",
        "fleet": fleet.fleet(asked),
        "asked": asked,
        "today": day,
        "earlier": asked.first - step,
        "later": asked.first + step,
        "ranges": fleet.RANGES,
    }
    return _page(request, "admin/console/calendar.html", context)


@require_safe
@SEES_BOOKINGS
def find(request: HttpRequest) -> HttpResponse:
    """To the one thing that is named, or to the list of bookings that match."""
    asked = request.GET.get("q", "").strip()[:100]
    page = _named(asked) if asked else None
    bookings_list = reverse("admin:bookings_booking_changelist")
    return HttpResponseRedirect(page or (f"{bookings_list}?{urlencode({'q': asked})}" if asked else bookings_list))


def _named(asked: str) -> str | None:
    """The page of what is called so: a booking by any of its names, a guest page's code or friendly name, crew, entry."""
    plain = asked.lstrip("#").strip()
    for name in ("public_id__iexact", "ref__iexact", "external_id_norm__iexact", "given_code__iexact"):
        hits = list(Booking.objects.filter(**{name: plain}).values_list("pk", flat=True)[:2])
        if len(hits) == 1:
            return reverse("admin:bookings_booking_change", args=hits)
    page = GuestPage.objects.filter(code__iexact=plain).first()
    slug = PageSlug.objects.filter(slug__iexact=plain).select_related("page").first()
    if found := page or (slug and slug.page):
        return reverse("admin:bookings_booking_change", args=[found.booking_id])
    if entry := CalendarEntry.objects.filter(public_id__iexact=plain).first():
        return reverse("admin:bookings_calendarentry_change", args=[entry.pk])
    if member := CrewMember.objects.filter(public_id__iexact=plain).first():
        return reverse("admin:crew_crewmember_change", args=[member.pk])
    guests = list(Booking.objects.filter(guest_name__icontains=plain).values_list("pk", flat=True)[:2])
    return reverse("admin:bookings_booking_change", args=guests) if len(guests) == 1 else None


# --- one booking -----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@CHANGES_BOOKINGS
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    booking = get_object_or_404(Booking.objects.select_related("vessel", "product"), pk=pk)
    if request.method == "POST":
        try:
            bookings.confirm_booking(booking=booking, by=Actor.user(request.user), at=timezone.now())
        except BookingRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{booking.ref} is confirmed: crew are called and the guest is told.")
        return _to_booking(booking)
    return _ask(request, booking, "confirm")


@require_http_methods(["GET", "HEAD", "POST"])
@CHANGES_BOOKINGS
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    booking = get_object_or_404(Booking.objects.select_related("vessel", "product"), pk=pk)
    reason = request.POST.get("reason", "").strip()
    if request.method == "POST" and reason:
        bookings.cancel_booking(booking=booking, reason=reason, by=Actor.user(request.user), at=timezone.now())
        messages.success(request, f"{booking.ref} is cancelled: {booking.vessel} is free again, and everybody is told.")
        return _to_booking(booking)
    if request.method == "POST":
        messages.error(request, "Say why the trip is cancelled: the history and the office's mail show it.")
    return _ask(request, booking, "cancel")


def _ask(request: HttpRequest, booking: Booking, act: str) -> HttpResponse:
    """The dialog as a page, for browsers without it."""
    context = {"title": f"{act.capitalize()} {booking.ref}", "booking": booking, "act": act}
    context |= {"told": booking_page.told(booking)}
    return _page(request, "admin/console/ask.html", context)


@require_POST
@permission_required(booking_page.CHANGES_MONEY, raise_exception=True)
def amounts(request: HttpRequest, pk: int) -> HttpResponse:
    booking = get_object_or_404(Booking, pk=pk)
    form = AmountsForm(request.POST)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{form.fields[name].label}: {' '.join(map(str, errors))}")
        return _to_booking(booking, "money")
    try:
        by, at = Actor.user(request.user), timezone.now()
        booking_page.write_amounts(booking=booking, typed=form.cleaned_data, by=by, at=at)
    except FinanceWriteError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The amounts are recorded.")
    return _to_booking(booking, "money")


@require_POST
@permission_required(booking_page.RETRY, raise_exception=True)
def retry(request: HttpRequest, pk: int, effect: int) -> HttpResponse:
    booking = get_object_or_404(Booking, pk=pk)
    row = get_object_or_404(Effect.objects.about(booking.subject), pk=effect)
    if retry_delivery(effect=row, user=request.user, at=timezone.now()):
        messages.success(request, "On its way again.")
    else:
        messages.warning(request, "It is not stuck any more, so it was left as it is.")
    return _to_booking(booking, "ledger")


@require_POST
@permission_required(SEES_DELIVERIES, raise_exception=True)
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the trip's copies back now; with `heal` also owe anew what differs, for those who may retry."""
    booking = get_object_or_404(Booking, pk=pk)
    heal = "heal" in request.POST
    if heal and not request.user.has_perm(booking_page.RETRY):
        raise PermissionDenied
    report = ledger.check(booking=booking, heal=heal, by=Actor.user(request.user), at=timezone.now())
    level, sentence = ledger.said(report)
    messages.add_message(request, level, sentence)
    return _to_booking(booking, "ledger")


@require_POST
@CHANGES_BOOKINGS
def tell_again(request: HttpRequest, pk: int) -> HttpResponse:
    """A mail for everybody who holds the trip as it was, and for nobody else."""
    booking = get_object_or_404(Booking, pk=pk)
    told = holders.tell_holders(booking=booking, by=Actor.user(request.user), at=timezone.now())
    if told:
        messages.success(request, f"On its way to {get_text_list(told, 'and')}.")
    else:
        messages.warning(request, "Nobody is left to be told by mail: it is on its way, or they have to be called.")
    return _to_booking(booking, "holders")


@require_POST
@CHANGES_BOOKINGS
def told_by_telephone(request: HttpRequest, pk: int) -> HttpResponse:
    booking = get_object_or_404(Booking.objects.select_related("vessel__berth"), pk=pk)
    recipient, read = request.POST.get("recipient", "")[:60], request.POST.get("revision", "")
    revision = int(read) if read.isascii() and read.isdecimal() and len(read) < 10 else 0
    by, at = Actor.user(request.user), timezone.now()
    try:
        told = holders.note_told(booking=booking, recipient=recipient, revision=revision, by=by, at=at)
    except holders.ChangedMeanwhile as changed:
        messages.error(request, str(changed))
    else:
        if told:
            messages.success(request, "Written down: they know it by telephone.")
        else:
            messages.warning(request, "They know it already, or are not on this trip any more.")
    return _to_booking(booking, "holders")


@require_safe
@permission_required(SEES_CREW, raise_exception=True)
def crew_view(request: HttpRequest, pk: int) -> HttpResponse:
    """All that crew are told of a trip: the view object their page, their mails and the events table are made of."""
    booking = get_object_or_404(Booking.objects.select_related("vessel__berth"), pk=pk)
    event = event_of(booking)
    if event is None:
        raise Http404
    view = event_view(event)
    facts = [(name.replace("_", " ").capitalize(), value) for name, value in asdict(view).items() if name != "crew"]
    context = {"title": "What crew see", "booking": booking, "view": view, "facts": facts}
    return _page(request, "admin/console/crew_view.html", context)


def _to_booking(booking: Booking, section: str = "") -> HttpResponse:
    url = reverse("admin:bookings_booking_change", args=[booking.pk])
    return redirect(f"{url}#{section}" if section else url)


# --- the demo's mailbox ----------------------------------------------------------------------------------------------


@require_safe
@permission_required(booking_page.MONEY_MESSAGE, raise_exception=True)
def mailbox(request: HttpRequest) -> HttpResponse:
    found = mailboxes.letters(_folder())
    return _page(request, "admin/console/mailbox.html", {"title": "Mailbox", "letters": found})


@require_safe
@permission_required(booking_page.MONEY_MESSAGE, raise_exception=True)
def mailbox_letter(request: HttpRequest, name: str) -> HttpResponse:
    letter = mailboxes.letter_named(_folder(), name)
    if letter is None:
        raise Http404
    context = {"title": letter.subject, "letter": letter, "text": mailboxes.linked(letter.text)}
    return _page(request, "admin/console/letter.html", context)


def _folder() -> Path:
    """Never in production: a system check refuses to start with it there."""
    if not settings.MAILBOX_DIR:
        raise Http404
    return Path(settings.MAILBOX_DIR)
