"""The console: the stock admin site under our own name, skin, menu and sign-in rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from types import ModuleType
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django_otp.admin import OTPAdminAuthenticationForm
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from bookings.models import Booking
from jada.modeladmin import ConsoleAdmin
from jada.outbox import signs
from jada.outbox.models import Effect
from jada.outbox.troubles import Trouble

MONEY_MESSAGE = "mail.view_money_message"  # the mailbox holds the office's mails too


@dataclass(frozen=True)
class Place:
    """One entry of the menu: a list (`model`, shown to those who may see it) or a page of ours (`view`)."""

    label: str
    icon: str
    model: str = ""
    view: str = ""
    on_bar: bool = False  # of the phone's five


@dataclass(frozen=True)
class Tab:
    """A place as this person sees it now."""

    label: str
    icon: str
    url: str
    here: bool
    on_bar: bool
    count: int = 0
    counted: str = ""
    tone: str = ""


DAILY = (
    Place("Today", "today", view="index", on_bar=True),
    Place("Calendar", "calendar", view="calendar", on_bar=True),
    Place("Bookings", "booking", model="bookings.booking", on_bar=True),
    Place("Crew", "crew", model="crew.crewevent"),
    Place("Deliveries", "send", model="outbox.effect", on_bar=True),
    Place("Messages", "mail", model="mail.message"),
    Place("Intake inbox", "inbox", model="intake.intakemessage"),
    Place("Guest pages", "page", model="guests.guestpage"),
    Place("Money", "money", model="finance.bookingfinance"),
    Place("History", "history", model="audit.event"),
    Place("Mailbox", "mail", view="mailbox"),
)
SETUP = (
    Place("Vessels", "boat", model="bookings.vessel"),
    Place("Berths", "set", model="bookings.berth"),
    Place("Products", "set", model="bookings.product"),
    Place("Holds and entries", "calendar", model="bookings.calendarentry"),
    Place("Roster", "crew", model="crew.crewmember"),
    Place("Addresses without mail", "mail", model="mail.blockedaddress"),
    Place("What became of mails", "mail", model="mail.mailevent"),
    Place("Crew requirements", "set", model="crew.crewrequirement"),
    Place("Checklists", "check", model="crew.checklisttemplate"),
    Place("Pay rates", "money", model="finance.payrate"),
    Place("Listings", "inbox", model="intake.listing"),
    Place("Staff users", "crew", model="auth.user"),
    Place("Roles", "set", model="auth.group"),
    Place("Second factors", "set", model="otp_totp.totpdevice"),
    Place("Preflight", "check", model="console.preflightrun", view="preflight"),
)


class PasswordForm(AdminAuthenticationForm):
    """Where the second factor is switched off: a laptop, a test."""


class SecondFactorForm(OTPAdminAuthenticationForm):  # type: ignore[misc]  # django-otp is untyped
    """Password and code on one page. The code's look says which device it is of, so that no other device is tried
    (each miss would throttle it); with two of a kind the person chooses.
    """

    otp_token = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "off"})
    )

    def _chosen_device(self, user: AbstractBaseUser) -> Device | None:
        if device := super()._chosen_device(user):
            return device
        kind = TOTPDevice if self.cleaned_data.get("otp_token", "").isdecimal() else StaticDevice
        devices = list(kind.objects.filter(user=user, confirmed=True)[:2])
        return Device.from_persistent_id(devices[0].persistent_id, for_verify=True) if len(devices) == 1 else None


class ConsoleSite(admin.AdminSite):
    site_header = site_title = "JADA"
    index_title = "Today"
    site_url = None
    enable_nav_sidebar = False  # the menu is ours, beside the page and not inside it
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, and verified by a second factor: enforced here, where every page asks, not in a login view."""
        allowed = super().has_permission(request)
        if allowed and settings.CONSOLE_REQUIRE_OTP:
            return bool(request.user.is_verified())  # type: ignore[union-attr]  # django-otp adds it
        return allowed

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.login_form = SecondFactorForm if settings.CONSOLE_REQUIRE_OTP else PasswordForm
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        page: TemplateResponse = _pages().today(request)
        return page

    def get_urls(self) -> list[URLResolver | URLPattern]:
        view, pages = self.admin_view, _pages()
        one = "bookings/booking/<int:pk>/"
        ours = [
            path("find/", view(pages.find), name="find"),
            path("calendar/", view(pages.calendar), name="calendar"),
            path("copies/", view(pages.copies), name="copies"),
            path("attention/<slug:what>/", view(pages.attention), name="attention"),
            path("mailbox/", view(pages.mailbox), name="mailbox"),
            path("mailbox/<str:name>/", view(pages.mailbox_letter), name="mailbox_letter"),
            path(f"{one}confirm/", view(pages.confirm), name="booking_confirm"),
            path(f"{one}cancel/", view(pages.cancel), name="booking_cancel"),
            path(f"{one}amounts/", view(pages.amounts), name="booking_amounts"),
            path(f"{one}crew-view/", view(pages.crew_view), name="booking_crew_view"),
            path(f"{one}retry/<int:effect>/", view(pages.retry), name="booking_retry"),
            path(f"{one}check/", view(pages.check), name="booking_check"),
            path(f"{one}tell/", view(pages.tell_again), name="booking_tell"),
            path(f"{one}told/", view(pages.told_by_telephone), name="booking_told"),
        ]
        return [*ours, *super().get_urls()]

    def admin_view(  # type: ignore[override]  # the stubs promise the very view back
        self, view: Callable[..., Any], cacheable: bool = False
    ) -> Callable[..., Any]:
        return super().admin_view(self._answering(view), cacheable)

    def _answering(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """What is refused or gone is a page of the console, with its menu, and not a bare line of text."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if any("\0" in text for data in (request.GET, request.POST) for _, said in data.lists() for text in said):
                raise BadRequest("PostgreSQL takes that character in no text, and no person types it.")
            try:
                return view(request, *args, **kwargs)
            except OverflowError as error:  # an address may name an instant that no zone can hold
                raise BadRequest("That date is beyond the calendar: give one from 2000 to 2100.") from error
            except PermissionDenied:
                status, title, text = 403, "Not for your role", "Ask the ops manager if you need it for your work."
            except Http404:
                status, title, text = 404, "It is not here", "It was removed, or the address has a typing error."
            context = {**self.each_context(request), "title": title, "text": text}
            return render(request, "admin/console/refused.html", context, status=status)

        return answer

    # --- what every page carries

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        if context["has_permission"]:
            now = timezone.now()
            attention = _pages().attention_at(now, request.user)
            counts = attention.in_menu()
            context["attention"] = attention
            context["silences"] = signs.silences(now)
            context["places"] = {
                "daily": list(self._tabs(DAILY, request, counts, now)),
                "setup": list(self._tabs(SETUP, request, {}, now)),
                "role": "Ops manager" if request.user.is_superuser else "Charter office",
            }
        return context

    def _tabs(
        self, places: tuple[Place, ...], request: HttpRequest, counts: dict[str, tuple[int, str, str]], at: datetime
    ) -> Iterator[Tab]:
        lists = {model._meta.label_lower: page for model, page in self._registry.items()}
        for place in places:
            page = lists.get(place.model)
            if place.model and (page is None or not page.has_view_permission(request)):
                continue
            if place.view == "mailbox" and not (settings.MAILBOX_DIR and request.user.has_perm(MONEY_MESSAGE)):
                continue
            where = f"admin:{place.view}" if place.view else f"admin:{place.model.replace('.', '_')}_changelist"
            url = reverse(where)
            here = request.path == url if place.view == "index" else request.path.startswith(url)
            opening = page.opening_query(at) if isinstance(page, ConsoleAdmin) else ""
            count, counted, tone = counts.get(place.model, (0, "", ""))
            full = f"{url}?{opening}" if opening else url
            yield Tab(place.label, place.icon, full, here, place.on_bar, count, counted, tone)

    # --- what the apps' own pages ask the site for, because it stands above them all

    def booking_page(self, request: HttpRequest, booking: Booking) -> dict[str, Any]:
        """Everything around a booking that this person may see, for the page of the booking."""
        page: dict[str, Any] = _pages().around(booking, request.user, timezone.now())
        return page

    def retry_deliveries(self, request: HttpRequest, effects: Iterable[Effect], at: datetime) -> int:
        """Try stuck deliveries again, and say so in the history of what each is about. Answers how many."""
        again: int = _deliveries().retry_all(effects=effects, user=request.user, at=at)
        return again

    def take_as_arrived(self, request: HttpRequest, effects: Iterable[Effect], at: datetime) -> int:
        """End the doubt about mails that did arrive, and say so in the history of each trip. Answers how many."""
        settled: int = _deliveries().arrived_all(effects=effects, user=request.user, at=at)
        return settled

    def drop_deliveries(self, request: HttpRequest, effects: Iterable[Effect], reason: str, at: datetime) -> int:
        """Give deliveries up, and say why in the history of what each is about. Answers how many."""
        dropped: int = _deliveries().drop_all(effects=effects, reason=reason, user=request.user, at=at)
        return dropped

    def mail_of(self, request: HttpRequest, effect: Effect) -> tuple[str, str] | None:
        """(address, words) of the kept mail that a delivery is, if it is one and this person may read it."""
        found: tuple[str, str] | None = _deliveries().mail_of(effect, request.user)
        return found

    def remedies(self) -> dict[Trouble, tuple[str, str]]:
        """Where the cause of stuck deliveries is mended: (words, address), or (command, "")."""
        found: dict[Trouble, tuple[str, str]] = _deliveries().remedies()
        return found


def _pages() -> ModuleType:
    """The pages of our own. Late: they import admin modules, which register themselves with this very site."""
    from jada.console import views

    return views


def _deliveries() -> ModuleType:
    from jada.console import deliveries  # late, as the pages

    return deliveries
