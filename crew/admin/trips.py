"""The console's pages of trips' crews. A state is never typed: it changes by an act, which is an action here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crew import services
from crew.enums import LIVE, AssignmentStatus, EventStatus
from crew.models import (
    Assignment,
    ChecklistItem,
    CrewEvent,
    CrewLinkGrant,
    CrewMember,
    Place,
)
from jada.audit.actors import Actor
from jada.modeladmin import ConsoleAdmin, ConsoleInline, ReadOnlyAdmin, pill, plain_pill, tones

tones(EventStatus, open="ok", cancelled="mute")
tones(
    AssignmentStatus, proposed="mute", invited="info", accepted="ok", declined="bad", withdrawn="mute", expired="warn"
)


class AssignmentInline(ConsoleInline):
    model = Assignment
    fields = ("member", "role", "place", "state", "answer_by", "answered_at", "ended_because")
    readonly_fields = fields
    can_delete = False
    verbose_name_plural = "crew"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="State")
    def state(self, assignment: Assignment) -> SafeString:
        return pill(AssignmentStatus(assignment.status))


class ChecklistInline(ConsoleInline):
    model = ChecklistItem
    fields = ("text", "role", "due_at", "required", "done_at", "done_by")
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CrewEvent)
class CrewEventAdmin(ReadOnlyAdmin):
    list_display = ("trip", "departs", "call", "filled", "readiness", "state")
    list_filter = ("status", "ready", "booking__vessel")
    list_select_related = ("booking__vessel",)
    search_fields = ("booking__public_id", "booking__ref", "booking__guest_name", "assignments__member__name")
    search_help_text = "Booking reference, guest or crew member"
    date_hierarchy = "booking__starts_at"
    ordering = ("booking__starts_at",)
    inlines = (AssignmentInline, ChecklistInline)
    fields = (
        ("trip", "booking_link"), ("departs", "call"), ("filled", "readiness", "state"), ("cancelled_at", "cancelled_by"),
    )  # fmt: skip
    readonly_fields = tuple(name for row in fields for name in row)
    actions = ("call_open_places",)
    quick_views = (
        ("Upcoming", "booking__starts_at__gte={today}&status__exact=open"),
        ("Today", "booking__starts_at__gte={today}&booking__starts_at__lt={tomorrow}"),
        ("All", ""),
    )
    empty_icon = "people"
    empty_title = "No trip with a crew here"
    empty_text = "A confirmed booking makes its crew event by itself, with its places, invitations and checklist."

    def get_queryset(self, request: HttpRequest) -> QuerySet[CrewEvent]:
        rows: QuerySet[CrewEvent] = super().get_queryset(request)
        confirmed = Q(assignments__status=AssignmentStatus.ACCEPTED, assignments__place__isnull=False)
        return rows.annotate(
            wanted=Count("places", distinct=True), confirmed=Count("assignments", filter=confirmed, distinct=True)
        )

    def has_call_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crew.change_assignment")

    @admin.display(description="Trip")
    def trip(self, event: CrewEvent) -> str:
        return f"{event.booking.vessel}, {event.booking.first_name or event.booking.ref}"

    @admin.display(description="Booking")
    def booking_link(self, event: CrewEvent) -> SafeString:
        address = reverse("admin:bookings_booking_change", args=[event.booking_id])
        return format_html('<a href="{}">{}</a>', address, event.booking.ref)

    @admin.display(description="Departs", ordering="booking__starts_at")
    def departs(self, event: CrewEvent) -> str:
        return f"{event.booking.local_start:%a %-d %b %Y, %-I:%M %p}"

    @admin.display(description="Call time", ordering="call_at")
    def call(self, event: CrewEvent) -> str:
        return f"{event.call_at.astimezone(event.zone):%-I:%M %p}"

    @admin.display(description="Confirmed")
    def filled(self, event: CrewEvent) -> SafeString:
        wanted, confirmed = event.wanted, event.confirmed  # type: ignore[attr-defined]  # annotated above
        tone = "mute" if event.status != EventStatus.OPEN else "ok" if confirmed >= wanted else "warn"
        return plain_pill(tone, f"{confirmed} of {wanted}")

    @admin.display(description="Ready", ordering="ready")
    def readiness(self, event: CrewEvent) -> SafeString:
        return plain_pill("ok", "Clear to depart") if event.ready else plain_pill("mute", "Not yet")

    @admin.display(description="State", ordering="status")
    def state(self, event: CrewEvent) -> SafeString:
        return pill(EventStatus(event.status))

    @admin.action(description="Call crew for open places", permissions=["call"])
    def call_open_places(self, request: HttpRequest, events: QuerySet[CrewEvent]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        invited = [a for event in events for a in services.call_crew(event=event, by=by, at=at)]
        names = ", ".join(assignment.member.name for assignment in invited)
        self.message_user(
            request,
            f"Invited: {names}." if names else "Nobody was invited: there is no open place, or nobody left to ask.",
            messages.SUCCESS if names else messages.WARNING,
        )


class AssignmentForm(forms.ModelForm):  # type: ignore[type-arg]  # the class takes no parameter when it runs
    class Meta:
        model = Assignment
        fields = ("event", "member")

    def clean(self) -> dict[str, Any]:
        """The service refuses with a sentence, before anything is written."""
        cleaned = super().clean() or {}
        event, member = cleaned.get("event"), cleaned.get("member")
        if event and member and (reason := services.why_not(event=event, member=member)):
            raise forms.ValidationError(reason)
        return cleaned


@admin.register(Assignment)
class AssignmentAdmin(ConsoleAdmin):
    """Who is on which trip. Adding one puts a member aboard by hand and asks them; the rest are acts."""

    form = AssignmentForm
    list_display = ("member", "role", "trip", "departs", "state", "answer_by", "answered_at")
    list_filter = ("status", "role", "member")
    list_select_related = ("member", "event__booking__vessel")
    search_fields = ("member__name", "event__booking__ref", "event__booking__public_id")
    search_help_text = "Crew member or booking reference"
    ordering = ("event__booking__starts_at", "pk")
    actions = ("withdraw", "invite_again", "send_link", "revoke_links")
    quick_views = (
        ("Not answered", "status__exact=invited&event__booking__starts_at__gte={now}"),
        ("Declined", "status__exact=declined&event__booking__starts_at__gte={now}"),
        ("Upcoming", "event__booking__starts_at__gte={today}"),
        ("All", ""),
    )
    empty_icon = "people"
    empty_text = "Everybody who was asked has answered."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("event", "member")
        return (
            "member", "role", "trip", "departs", "place", "state", "by_hand", "invited_at", "invited_by", "answer_by",
            "answered_at", "answered_by", "ended_at", "ended_by", "ended_because", "version",
        )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Trips that lie ahead, members on the roster."""
        if db_field.name == "event":
            ahead = CrewEvent.objects.filter(status=EventStatus.OPEN, booking__ends_at__gt=timezone.now())
            kwargs["queryset"] = ahead.select_related("booking__vessel")
        if db_field.name == "member":
            kwargs["queryset"] = CrewMember.objects.filter(active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form has asked already; somebody else may have been faster."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except services.AssignmentRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: Assignment, form: Any, change: bool) -> None:
        if change:  # everything is read-only: there is nothing to save
            return
        by, at = Actor.user(request.user), timezone.now()
        made = services.assign_member(event=obj.event, member=obj.member, by=by, at=at)
        obj.pk = made.pk
        obj.refresh_from_db()

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """History is written by the service."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing is changed here."""

    @admin.display(description="Trip", ordering="event__booking__ref")
    def trip(self, assignment: Assignment) -> SafeString:
        booking = assignment.event.booking
        address = reverse("admin:bookings_booking_change", args=[booking.pk])
        return format_html('<a href="{}">{}, {}</a>', address, booking.ref, booking.vessel)

    @admin.display(description="Departs", ordering="event__booking__starts_at")
    def departs(self, assignment: Assignment) -> str:
        return f"{assignment.event.booking.local_start:%a %-d %b %Y, %-I:%M %p}"

    @admin.display(description="State", ordering="status")
    def state(self, assignment: Assignment) -> SafeString:
        return pill(AssignmentStatus(assignment.status))

    @admin.action(description="Withdraw and call the next", permissions=["change"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Assignment]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        live = list(rows.filter(status__in=LIVE))
        for assignment in live:
            services.withdraw_member(assignment=assignment, by=by, at=at)
        self._say(request, len(live), "withdrawn")

    @admin.action(description="Invite again", permissions=["change"])
    def invite_again(self, request: HttpRequest, rows: QuerySet[Assignment]) -> None:
        by, at, count = Actor.user(request.user), timezone.now(), 0
        for assignment in rows:
            try:
                services.invite_again(assignment=assignment, by=by, at=at)
                count += 1
            except services.AssignmentRefused as refused:
                self.message_user(request, str(refused), messages.WARNING)
        self._say(request, count, "invited again")

    @admin.action(description="Send a new link", permissions=["change"])
    def send_link(self, request: HttpRequest, rows: QuerySet[Assignment]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        asked = list(rows.asked().select_related("member", "event__booking__vessel__berth"))  # type: ignore[attr-defined]  # our queryset
        for assignment in asked:
            services.send_link(assignment=assignment, by=by, at=at)
        self._say(request, len(asked), "sent a new link")

    @admin.action(description="Telephone lost: end every link and session", permissions=["change"])
    def revoke_links(self, request: HttpRequest, rows: QuerySet[Assignment]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        grants = CrewLinkGrant.objects.filter(assignment__in=rows, revoked_at=None)
        for grant in grants.select_related("member", "event__booking"):
            services.revoke_grant(grant=grant, reason="telephone lost", by=by, at=at)
        self._say(request, rows.count(), "without a link now; send new ones when the member is ready")

    def _say(self, request: HttpRequest, count: int, what: str) -> None:
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(
            request, f"{count} {what}." if count else "None of these could be: look at their state.", level
        )


@admin.register(Place)
class PlaceAdmin(ReadOnlyAdmin):
    list_display = ("event", "needs", "number")
    list_filter = ("needs",)
    list_select_related = ("event__booking__vessel",)
    empty_text = "Places are made with each trip, from the vessel's requirements."
