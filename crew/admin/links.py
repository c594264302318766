"""Links and sessions, to be read and to be ended. The address itself is nowhere: it is made when a mail is sent."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from crew import services
from crew.models import (
    CrewLinkGrant,
    CrewSession,
    LinkUse,
)
from jada.audit.actors import Actor
from jada.modeladmin import ReadOnlyAdmin, plain_pill


@admin.register(CrewLinkGrant)
class CrewLinkGrantAdmin(ReadOnlyAdmin):
    """Links, never the address itself: what was issued to whom, and one press that ends it."""

    list_display = ("member", "event", "issued_at", "expires_at", "standing", "opens", "exchanges", "last_exchange_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("member", "event__booking__vessel")
    search_fields = ("member__name", "event__booking__ref", "event__booking__public_id")
    fields = (
        "member", "event", "issued_at", "expires_at", "standing", "revoked_by", "revoke_reason", "opens",
        "first_opened_at", "exchanges", "last_exchange_at", "open_sessions",
    )  # fmt: skip
    readonly_fields = ("standing", "open_sessions")
    actions = ("revoke",)
    empty_text = "Links are made with invitations."

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crew.change_crewlinkgrant")

    @admin.display(description="State", ordering="revoked_at")
    def standing(self, grant: CrewLinkGrant) -> SafeString:
        if grant.revoked_at:
            return plain_pill("mute", "Ended")
        return plain_pill("ok", "Opens") if grant.expires_at > timezone.now() else plain_pill("mute", "Over")

    @admin.display(description="Open in")
    def open_sessions(self, grant: CrewLinkGrant) -> SafeString | str:
        rows = (
            (s.browser or "a browser", f"{timezone.localtime(s.last_seen_at):%-d %b, %-I:%M %p}")
            for s in grant.sessions.all()
        )
        return format_html_join("; ", "{}, last seen {}", rows) or "no browser"

    @admin.action(description="End these links and their sessions", permissions=["revoke"])
    def revoke(self, request: HttpRequest, grants: QuerySet[CrewLinkGrant]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        standing = list(grants.filter(revoked_at=None).select_related("member", "event__booking"))
        for grant in standing:
            services.revoke_grant(grant=grant, reason="ended in the console", by=by, at=at)
        self.message_user(request, f"Links ended: {len(standing)}.", messages.SUCCESS)


@admin.register(CrewSession)
class CrewSessionAdmin(ReadOnlyAdmin):
    list_display = ("member", "event", "browser", "created_at", "last_seen_at")
    list_select_related = ("member", "event__booking__vessel")
    fields = ("member", "event", "browser", "created_at", "last_seen_at")
    empty_text = "Browsers that have a trip open."


@admin.register(LinkUse)
class LinkUseAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "member")
    list_filter = ("kind",)
    list_select_related = ("member",)
    fields = ("at", "kind", "member")
    empty_text = "What the limits count: links opened, new links asked for."
