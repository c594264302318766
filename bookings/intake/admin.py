"""The intake inbox: what could not be acted on, why, and what to do about it. All that a channel wrote is shown as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST

from bookings.intake import services
from bookings.intake.adapters.document import read_document
from bookings.intake.adapters.engine import NAMES
from bookings.intake.adapters.feed import is_feed
from bookings.intake.enums import EventKind, MessageState
from bookings.intake.models import IntakeEvent, IntakeMessage, Listing
from bookings.intake.services import Accepted
from bookings.models import Booking
from bookings.services import BookingRefused
from jada.audit.actors import Actor
from jada.modeladmin import ConsoleAdmin, ReadOnlyAdmin, pill, tones

tones(MessageState, read="info", acted="ok", quarantined="bad", ignored="mute")
tones(EventKind, booking="ok", amendment="info", cancellation="mute")

READS, DECIDES = "intake.view_intakemessage", "intake.change_intakemessage"
SHOWN = 60_000  # characters of the message as it came


@dataclass(frozen=True)
class Line:
    """A line of the message; `read` when a field was taken from it."""

    text: str
    read: bool


@dataclass(frozen=True)
class Field:
    name: str
    value: object
    evidence: str
    sure: bool


@admin.register(IntakeMessage)
class IntakeMessageAdmin(ReadOnlyAdmin):
    list_display = ("what", "state_pill", "why", "channel", "source", "age")
    list_filter = ("state", "channel", "source")
    search_fields = ("subject", "sender", "name", "booking_ref")
    ordering = ("-received_at",)
    fields = ()
    quick_views = (
        ("Waiting for a person", "state__exact=quarantined"),
        ("Waiting for their booking", "state__exact=read"),
        ("Acted on", "state__exact=acted"),
        ("Nothing to do", "state__exact=ignored"),
        ("All", ""),
    )
    empty_icon = "inbox"
    empty_title = "Nothing waits here"
    empty_text = "Mails that are certain become bookings by themselves; the others come here, each with the reason."
    actions = ("read_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[IntakeMessage]:
        found: QuerySet[IntakeMessage] = super().get_queryset(request)
        return found.defer("raw", "reading")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/reread/", view(require_POST(self.reread)), name="intake_reread"),
            path("<int:pk>/dismiss/", view(require_POST(self.dismiss)), name="intake_dismiss"),
            *super().get_urls(),
        ]

    # --- deciding

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DECIDES)

    @admin.action(description="Read again", permissions=["decide"])
    def read_again(self, request: HttpRequest, chosen: QuerySet[IntakeMessage]) -> None:
        for message in chosen.order_by("received_at", "pk"):
            self._reread(request, message)

    def reread(self, request: HttpRequest, pk: int) -> HttpResponse:
        message = self._to_decide(request, pk)
        self._reread(request, message)
        return self._back(message)

    def dismiss(self, request: HttpRequest, pk: int) -> HttpResponse:
        message, reason = self._to_decide(request, pk), request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Say in a few words why it needs nothing.", messages.ERROR)
            return self._back(message)
        try:
            services.dismiss_message(message=message, reason=reason, by=Actor.user(request.user), at=timezone.now())
        except BookingRefused as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
        else:
            self.message_user(request, f"Dismissed: {message.title}.", messages.SUCCESS)
        return self._back(message)

    def _to_decide(self, request: HttpRequest, pk: int) -> IntakeMessage:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return get_object_or_404(IntakeMessage, pk=pk)

    def _reread(self, request: HttpRequest, message: IntakeMessage) -> None:
        try:
            accepted = services.reread_message(message=message, by=Actor.user(request.user), at=timezone.now())
        except BookingRefused as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
        else:
            self.message_user(
                request, outcome(accepted), messages.WARNING if accepted.quarantined else messages.SUCCESS
            )

    def _back(self, message: IntakeMessage) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:intake_intakemessage_change", args=[message.pk]))

    # --- showing

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        message = kwargs["obj"] if "obj" in kwargs else args[3]
        fields = fields_of(message)
        context |= {
            "message": message,
            "title": message.title,
            "pill": pill(MessageState(message.state)),
            "waits": message.state == MessageState.QUARANTINED and self.has_decide_permission(request),
            "lines": lines_of(message, fields),
            "read_fields": fields,
            "unknown_labels": sorted({label for one in message.reading for label in one.get("unknown_labels", ())}),
            "as_it_came": bytes(message.raw).decode("utf-8", errors="replace")[:SHOWN],
            "map_url": map_url(message) if request.user.has_perm("intake.add_listing") else "",
            "booking": Booking.objects.filter(public_id=message.booking_ref).first() if message.booking_ref else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Message", ordering="subject")
    def what(self, message: IntakeMessage) -> SafeString:
        return format_html("<strong>{}</strong> <small>{}</small>", message.title, message.sender)

    @admin.display(description="State", ordering="state")
    def state_pill(self, message: IntakeMessage) -> SafeString:
        return pill(MessageState(message.state))

    @admin.display(description="Why")
    def why(self, message: IntakeMessage) -> str:
        more = f" (and {len(message.problems) - 1} more)" if len(message.problems) > 1 else ""
        return f"{message.problems[0]}{more}" if message.problems else message.decision

    @admin.display(description="Age", ordering="received_at")
    def age(self, message: IntakeMessage) -> SafeString:
        return format_html('<span class="when">{}</span>', timesince(message.received_at, depth=1))


def outcome(accepted: Accepted) -> str:
    """What reading did, in a sentence."""
    if accepted.quarantined:
        return f"“{accepted.message.title}” still waits: {accepted.problems[0]}"
    refs = ", ".join(booking.ref for booking in accepted.bookings)
    follows = f": {refs}" if refs else "; nothing follows yet"
    return f"“{accepted.message.title}” was read{follows}."


def fields_of(message: IntakeMessage) -> list[Field]:
    """What was understood, of every record in the message."""
    return [
        Field(
            name=NAMES[name].removeprefix("the "),
            value=_shown(name, record[name] if name in record else record["guest"][name.removeprefix("guest_")]),
            evidence=" · ".join(said["line"].splitlines()),
            sure=said["confidence"] >= 1,
        )
        for record in message.reading
        for name, said in sorted(record.get("evidence", {}).items(), key=lambda item: list(NAMES).index(item[0]))
    ]


def _shown(name: str, value: object) -> object:
    return f"{datetime.fromisoformat(str(value)):%A %-d %B %Y, %-I:%M %p}" if name in ("start", "end") else value


def lines_of(message: IntakeMessage, fields: list[Field]) -> list[Line]:
    """The message as people read it, with the lines that fields were taken from."""
    raw = bytes(message.raw)
    taken = {line for field in fields for line in field.evidence.split(" · ")}
    if is_feed(raw):
        return [Line(line, line in taken) for line in raw.decode("utf-8", errors="replace").splitlines()]
    document = read_document(raw, zone=ZoneInfo(settings.TIME_ZONE), staff_domains=settings.STAFF_DOMAINS)
    body = document.bodies[0].lines if document.bodies else ()
    return [Line(line.replace("\t", "   "), line in taken) for line in body]


def map_url(message: IntakeMessage) -> str:
    if not message.listing:
        return ""
    asked = urlencode({"channel": message.channel, "title": message.listing})
    return f"{reverse('admin:intake_listing_add')}?{asked}"


@admin.register(Listing)
class ListingAdmin(ConsoleAdmin):
    """Which vessel a channel's listing is. Mapping one reads again what waited for it."""

    list_display = ("title", "channel", "vessel", "product")
    list_filter = ("channel", "vessel")
    list_select_related = ("vessel", "product")
    search_fields = ("title",)
    fields = ("channel", "title", "vessel", "product")
    empty_icon = "inbox"
    empty_title = "No listing is mapped yet"
    empty_text = "Say which vessel each marketplace listing is; mails that name it then become bookings."

    def get_readonly_fields(self, request: HttpRequest, obj: Listing | None = None) -> tuple[str, ...]:
        return ("channel", "title") if obj else ()

    def save_model(self, request: HttpRequest, obj: Listing, form: Any, change: bool) -> None:
        listing, read = services.map_listing(
            channel=obj.channel,
            title=obj.title,
            vessel=obj.vessel,
            product=obj.product,
            by=Actor.user(request.user),
            at=timezone.now(),
        )
        obj.pk = listing.pk
        if not request.user.has_perm(READS):  # a message's subject and its problems may name amounts
            done = sum(not accepted.quarantined for accepted in read)
            words = f"Of the messages that waited for this listing, read: {done}, still waiting: {len(read) - done}."
            if read:
                self.message_user(request, words, messages.SUCCESS)
            return
        for accepted in read:
            self.message_user(
                request, outcome(accepted), messages.WARNING if accepted.quarantined else messages.SUCCESS
            )


@admin.register(IntakeEvent)
class IntakeEventAdmin(ReadOnlyAdmin):
    """Everything that channels said about bookings, in the order in which they said it."""

    list_display = ("external_id_norm", "channel", "kind_pill", "source", "sent_at", "message")
    list_filter = ("channel", "kind", "source")
    list_select_related = ("message",)
    search_fields = ("external_id_norm",)
    ordering = ("-sent_at",)
    fields = (("channel", "external_id_norm"), ("kind", "source"), ("sent_at", "received_at"), "fields", "message")
    empty_title = "No channel has said anything yet"
    empty_text = "Each message about a trip leaves one row here; a trip is what its rows say together."

    @admin.display(description="Kind", ordering="kind")
    def kind_pill(self, event: IntakeEvent) -> SafeString:
        return pill(EventKind(event.kind))
