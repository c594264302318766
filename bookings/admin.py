"""The console's pages for trips, the calendar and the fleet. Every change of a trip is one call of a service."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Protocol, cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings import services
from bookings.enums import BookingStatus, EntryKind, EntryStatus, PaymentState
from bookings.forms import BookingForm, HoldForm, TimedForm
from bookings.models import Berth, Booking, CalendarEntry, HoldSeries, Product, Vessel
from bookings.services import BookingRefused
from jada.audit.actors import Actor
from jada.modeladmin import ConsoleAdmin, ConsoleInline, ReadOnlyAdmin, pill, plain_pill, tones
from jada.outbox.requests import KeyReused, once

tones(
    BookingStatus,
    inquiry="info",
    quoted="info",
    needs_review="bad",
    confirmed="ok",
    completed="mute",
    cancelled="mute",
)
tones(PaymentState, tentative="warn", deposit_received="warn", paid_in_full="ok", refunded="mute", carried_over="mute")
tones(EntryStatus, tentative="info", confirmed="ok", conflict="bad", cancelled="mute")
tones(EntryKind, charter="ok", tentative="info", recurring="mute", maintenance="warn", owner="mute")

# An office's note may quote what a channel wrote, amounts included.
SEES_MONEY = "finance.view_bookingfinance"
SEES_CONTACTS = "bookings.view_guest_contact"
USUAL_HOURS = (time(13), time(16))


class Console(Protocol):
    """What the site composes around a booking from the apps above this one."""

    def booking_page(self, request: HttpRequest, booking: Booking) -> dict[str, Any]: ...


class RefusableAdmin(ConsoleAdmin):
    """Saves through a service; what the service refuses comes back as a sentence on the form, and nothing is written."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except BookingRefused as refusal:  # the transaction is undone; the same form again, with the reason on it
            request.refusal = refusal  # type: ignore[attr-defined]  # how get_form hears of it
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return type("RefusedForm", (form,), {"refusal": refusal}) if refusal else form

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def prefilled(self, request: HttpRequest) -> dict[str, Any]:
        """`?vessel=1&date=2027-05-30`: what an empty cell of the fleet calendar asks for."""
        try:
            day = date.fromisoformat(request.GET.get("date", ""))
        except ValueError:
            return {}
        start, end = (datetime.combine(day, hour) for hour in USUAL_HOURS)
        return {"starts_at": start, "ends_at": end}

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), **self.prefilled(request)}


@admin.register(Booking)
class BookingAdmin(RefusableAdmin):
    form = BookingForm
    list_display = ("ref", "departs", "vessel", "who", "channel", "state", "payment")
    list_filter = ("status", "vessel", "channel", "payment_state")
    list_select_related = ("vessel",)
    search_fields = ("ref", "guest_name", "external_id", "public_id", "guest_email")
    ordering = ("starts_at",)
    quick_views = (
        ("Upcoming", "ends_at__gte={now}&status__in=confirmed,needs_review,quoted,inquiry"),
        ("Today", "starts_at__gte={today}&starts_at__lt={tomorrow}"),
        ("Needs review", "status__exact=needs_review"),
        ("Quotes and inquiries", "status__in=quoted,inquiry"),
        ("Cancelled", "status__exact=cancelled"),
        ("All", ""),
    )
    empty_icon = "booking"
    empty_title = "No bookings yet"
    empty_text = "They come from the channels' mails by themselves; one made by telephone is typed in here."

    # --- who may see and change what

    def has_change_permission(self, request: HttpRequest, obj: Booking | None = None) -> bool:
        """A cancelled booking is not changed; it is booked anew."""
        cancelled = obj is not None and obj.status == BookingStatus.CANCELLED
        return super().has_change_permission(request, obj) and not cancelled

    def get_search_fields(self, request: HttpRequest) -> Any:
        contacts = request.user.has_perm(SEES_CONTACTS)
        return self.search_fields if contacts else [name for name in self.search_fields if name != "guest_email"]

    def get_fieldsets(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        contacts = request.user.has_perm(SEES_CONTACTS)
        guest = [("guest_name", "guest_phone"), "guest_email"] if contacts else ["guest_name"]
        notes = ["public_note", "private_note"] if request.user.has_perm(SEES_MONEY) else ["public_note"]
        if obj is not None and not self.has_change_permission(request, obj):
            return [
                ("Trip", {"fields": (("vessel", "product"), ("times", "party_size"), "occasion")}),
                ("Guest", {"fields": guest}),
                ("Notes", {"fields": notes}),
            ]
        trip = (
            ("vessel", "product"), ("starts_at", "ends_at", "party_size"), "took_place", "occasion",
            ("token", "seen_revision"),
        )  # fmt: skip
        last = ("Where it came from", {"fields": (("channel", "external_id", "given_code"), "take_as")})
        return [
            ("Trip", {"fields": trip}),
            ("Guest", {"fields": guest}),
            ("Notes", {"fields": [*notes, *(["reason"] if obj else [])]}),
            *([] if obj else [last]),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        return ("times",) if obj is not None and not self.has_change_permission(request, obj) else ()

    # --- saving

    def save_model(self, request: HttpRequest, obj: Booking, form: BookingForm, change: bool) -> None:
        by, at = Actor.user(request.user), timezone.now()
        saved = self._amend(obj, form, by, at) if change else self._book(form, by, at)
        obj.pk = saved.pk
        obj.refresh_from_db()

    def _amend(self, booking: Booking, form: BookingForm, by: Actor, at: datetime) -> Booking:
        typed = form.cleaned_data
        return services.amend_booking(
            booking=booking, trip=form.trip(), by=by, at=at, reason=typed["reason"], past_ok=typed["took_place"]
        )

    def _book(self, form: BookingForm, by: Actor, at: datetime) -> Booking:
        """The form's token makes a double press one booking."""
        typed = form.cleaned_data

        def act() -> tuple[int, dict[str, Any]]:
            self._refuse_known(typed["channel"], typed["external_id"])
            booking = services.book(
                channel=typed["channel"],
                external_id=typed["external_id"],
                given_code=typed["given_code"],
                trip=form.trip(),
                status=BookingStatus(typed["take_as"]),
                past_ok=typed["took_place"],
                by=by,
                at=at,
            )
            return 201, {"booking": booking.pk}

        try:
            _, answer = once(scope="console.booking", key=typed["token"], request=_as_asked(typed), act=act)
        except KeyReused as reused:
            raise BookingRefused(
                "This form has already made a booking: find it in the list and change it there."
            ) from reused
        return Booking.objects.get(pk=answer["booking"])

    def _refuse_known(self, channel: str, external_id: str) -> None:
        known = services.find_booking(channel=channel, external_id=external_id)
        if known:
            raise BookingRefused(
                f"{known.get_channel_display()} booking {external_id} is here already: it is {known.ref}. "
                "Open it and change it there."
            )

    # --- showing

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj") or (args[3] if len(args) > 3 else None)
        if obj is not None:
            stored = self.get_queryset(request).get(pk=obj.pk)  # the form's own copy holds what was typed
            site = cast("Console", self.admin_site)
            context |= {"booking": stored} | site.booking_page(request, stored)
        context["save_label"] = "Save changes" if obj else "Book it"
        context |= {"show_save_and_add_another": False, "show_save_and_continue": bool(obj)}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(ordering="starts_at")
    def departs(self, booking: Booking) -> SafeString:
        start = booking.local_start
        day = f"{start:%a %-d %b}" if start.year == timezone.localdate().year else f"{start:%a %-d %b %Y}"
        return format_html('<span class="when">{} <small>{}</small></span>', day, f"{start:%-I:%M %p}")

    @admin.display(description="Guest", ordering="guest_name")
    def who(self, booking: Booking) -> SafeString:
        party = f"{booking.party_size} guests" if booking.party_size else "party unknown"
        return format_html("<strong>{}</strong> <small>{}</small>", booking.guest_name or "Guest without a name", party)

    @admin.display(description="Status", ordering="status")
    def state(self, booking: Booking) -> SafeString:
        return pill(BookingStatus(booking.status))

    @admin.display(description="Payment", ordering="payment_state")
    def payment(self, booking: Booking) -> SafeString:
        return pill(PaymentState(booking.payment_state))

    @admin.display(description="Starts and ends, time at the dock")
    def times(self, booking: Booking) -> str:
        return f"{booking.local_start:%A %-d %B %Y, %-I:%M %p} to {booking.local_end:%-I:%M %p}"


def _as_asked(typed: dict[str, Any]) -> dict[str, str]:
    return {name: str(getattr(value, "pk", value)) for name, value in typed.items() if name != "token"}


@admin.register(CalendarEntry)
class CalendarEntryAdmin(RefusableAdmin):
    """The schedule. A trip's entry follows its booking; here time is held by hand, and days get their times."""

    form = HoldForm
    list_display = ("what", "vessel", "begins", "ends", "kind_pill", "state")
    list_filter = ("kind", "status", "vessel", "needs_times")
    list_select_related = ("vessel", "booking")
    search_fields = ("title", "note", "public_id", "booking__ref")
    ordering = ("starts_at",)
    quick_views = (
        ("Upcoming", "ends_at__gte={now}&status__in=tentative,confirmed,conflict"),
        ("Without times", "needs_times__exact=1&ends_at__gte={now}"),
        ("In conflict", "status__exact=conflict"),
        ("All", ""),
    )
    empty_icon = "calendar"
    empty_title = "Nothing is on the calendar"
    empty_text = "Trips stand here by themselves; hold a vessel's time to keep it free of them."

    def has_change_permission(self, request: HttpRequest, obj: CalendarEntry | None = None) -> bool:
        """Only a day without times is waiting for something; the rest follows its booking or its series."""
        waiting = obj is None or obj.needs_times
        return super().has_change_permission(request, obj) and waiting

    def get_fields(self, request: HttpRequest, obj: CalendarEntry | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return (
                "what",
                "vessel",
                "begins",
                "ends",
                "free_again",
                "kind",
                "status",
                "guest_count",
                "booking",
                "series",
            )
        return ("vessel", "title", "guest_count", ("starts_at", "ends_at"), "took_place")

    def get_readonly_fields(self, request: HttpRequest, obj: CalendarEntry | None = None) -> Any:
        if obj is None:
            return ()
        if self.has_change_permission(request, obj):
            return ("vessel", "title", "guest_count")
        return ("what", "begins", "ends", "free_again")

    def save_model(self, request: HttpRequest, obj: CalendarEntry, form: TimedForm, change: bool) -> None:
        by, at, typed = Actor.user(request.user), timezone.now(), form.cleaned_data
        times = {"starts_at": typed["starts_at"], "ends_at": typed["ends_at"], "past_ok": typed["took_place"]}
        if change:
            saved = services.give_times(entry=obj, by=by, at=at, **times)
        else:
            what = {"vessel": typed["vessel"], "title": typed["title"], "guest_count": typed["guest_count"]}
            saved = services.hold_time(by=by, at=at, **what, **times)
        obj.pk = saved.pk
        obj.refresh_from_db()

    @admin.display(description="What", ordering="title")
    def what(self, entry: CalendarEntry) -> str:
        return f"{entry.booking.ref} {entry}" if entry.booking else str(entry)

    @admin.display(ordering="starts_at")
    def begins(self, entry: CalendarEntry) -> str:
        return self._time(entry, entry.starts_at)

    @admin.display(ordering="ends_at")
    def ends(self, entry: CalendarEntry) -> str:
        return self._time(entry, entry.ends_at)

    @admin.display(description="Vessel free again")
    def free_again(self, entry: CalendarEntry) -> str:
        return self._time(entry, entry.blocked_until)

    def _time(self, entry: CalendarEntry, at: datetime) -> str:
        local = at.astimezone(entry.vessel.zone)
        return f"{local:%a %-d %b %Y}" if entry.needs_times else f"{local:%a %-d %b %Y, %-I:%M %p}"

    @admin.display(description="Kind", ordering="kind")
    def kind_pill(self, entry: CalendarEntry) -> SafeString:
        return pill(EntryKind(entry.kind))

    @admin.display(description="Status", ordering="status")
    def state(self, entry: CalendarEntry) -> SafeString:
        return plain_pill("warn", "Needs times") if entry.needs_times else pill(EntryStatus(entry.status))


@admin.register(HoldSeries)
class HoldSeriesAdmin(ReadOnlyAdmin):
    """Recurring uses are written by the loader, which expands them; here they are read."""

    list_display = ("title", "vessel", "rule", "first_date", "until_date")
    list_filter = ("vessel",)
    list_select_related = ("vessel",)
    search_fields = ("title", "key")


class VesselInline(ConsoleInline):
    model = Vessel
    fields = ("name", "passenger_limit", "active")
    readonly_fields = ("name", "passenger_limit", "active")
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Vessel)
class VesselAdmin(ConsoleAdmin):
    list_display = ("name", "kind", "berth", "passenger_limit", "turnaround_minutes", "state")
    list_filter = ("active", "berth")
    list_select_related = ("berth",)
    search_fields = ("name", "key")
    ordering = ("order", "name")
    prepopulated_fields = {"key": ("name",)}
    fieldsets = (
        ("Vessel", {"fields": (("name", "key"), "kind", ("passenger_limit", "active", "order"))}),
        (
            "Where and when",
            {"fields": (("berth", "time_zone"), ("turnaround_minutes", "call_minutes", "arrive_minutes"))},
        ),
        ("Captain", {"fields": ("captain_credentials",)}),
    )
    empty_icon = "boat"
    empty_title = "No vessels yet"
    empty_text = "Add the first one: bookings, crew and calendar stand on it."

    @admin.display(description="Sails", ordering="active")
    def state(self, vessel: Vessel) -> SafeString:
        return plain_pill("ok", "Active") if vessel.active else plain_pill("mute", "Laid up")


@admin.register(Berth)
class BerthAdmin(ConsoleAdmin):
    list_display = ("name", "address", "phone")
    search_fields = ("name", "key", "address")
    prepopulated_fields = {"key": ("name",)}
    inlines = (VesselInline,)


@admin.register(Product)
class ProductAdmin(ConsoleAdmin):
    list_display = ("name", "minutes", "max_party")
    search_fields = ("name", "key")
    prepopulated_fields = {"key": ("name",)}
