"""The console's list of guest pages: what stands where, what the guest sees, and one press to publish it again."""

from __future__ import annotations

from csp.decorators import csp_exempt
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from guests import codes, services
from guests.enums import PageState
from guests.models import GuestPage, PageSlug
from guests.page import render
from guests.phases import Phase
from jada.audit.actors import Actor
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress
from jada.modeladmin import ConsoleInline, ReadOnlyAdmin, pill, plain_pill, tones

tones(PageState, waiting="info", on_its_way="info", live="ok", failed="bad")
tones(
    Phase,
    held="warn",
    booked="ok",
    week="ok",
    day="ok",
    today="ok",
    underway="ok",
    after="mute",
    moved="warn",
    cancelled="mute",
    expired="mute",
)


class CopyFilter(admin.SimpleListFilter):
    title = "public copy"
    parameter_name = "copy"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in PageState.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[GuestPage]) -> QuerySet[GuestPage]:
        wanted = self.value()
        if wanted is None or wanted not in PageState.values:
            return queryset
        return queryset.in_state(PageState(wanted))  # type: ignore[attr-defined, no-any-return]  # our queryset


class SlugInline(ConsoleInline):
    """The page's friendly names; retired ones send the reader on for ever, so none is ever edited or removed."""

    model = PageSlug
    fields = readonly_fields = ("slug", "current")
    can_delete = False
    verbose_name_plural = "friendly names"

    def has_add_permission(self, request: HttpRequest, obj: GuestPage | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: GuestPage | None = None) -> bool:
        return False


@admin.register(GuestPage)
class GuestPageAdmin(ReadOnlyAdmin):
    list_display = ("code", "guest", "reached", "vessel", "departs", "face", "state", "public_link")
    list_filter = ("phase", CopyFilter, "booking__vessel")
    list_select_related = ("booking__vessel",)
    search_fields = ("code", "slugs__slug", "booking__guest_name", "booking__ref")
    search_help_text = "Code, friendly name, guest or booking reference"
    date_hierarchy = "starts_at"
    ordering = ("starts_at",)
    actions = ("publish_again",)
    inlines = (SlugInline,)
    quick_views = (
        ("Upcoming", "starts_at__gte={today}"),
        ("Today", "starts_at__gte={today}&starts_at__lt={tomorrow}"),
        ("Failed", "copy=failed"),
        ("All", ""),
    )
    empty_icon = "check"
    empty_title = "No guest pages here"
    empty_text = "A page is made with every booking that is confirmed."
    fields = (
        "code", "public_link", "preview_links", "booking", "reached", "face", "state", "next_turn_at",
        "moved_from", "moved_at", "revision", "revised_at", "opened_at",
    )  # fmt: skip
    readonly_fields = ("public_link", "preview_links", "reached", "face", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[GuestPage]:
        pages: QuerySet[GuestPage] = super().get_queryset(request).with_delivery()  # type: ignore[attr-defined]  # ours
        blocks = BlockedAddress.objects.standing().filter(address=Lower(OuterRef("booking__guest_email")))
        return pages.annotate(trouble=Subquery(blocks.values("trouble")[:1]))

    def get_urls(self) -> list[URLPattern]:
        # The page brings its own policy, by hash. The stubs know no admin view with arguments.
        preview = csp_exempt()(self.admin_site.admin_view(self.preview))  # type: ignore[arg-type]
        return [path("<int:pk>/preview/", preview, name="guests_guestpage_preview"), *super().get_urls()]

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("guests.publish_guestpage")

    @admin.display(description="Guest", ordering="booking__guest_name")
    def guest(self, page: GuestPage) -> str:
        return page.booking.guest_name or "Guest without a name"

    @admin.display(description="Mail", ordering="trouble")
    def reached(self, page: GuestPage) -> SafeString:
        """Whether mail reaches the guest; who has no address is told by telephone anyway."""
        if not page.booking.guest_email:
            return plain_pill("mute", "No address")
        trouble = page.trouble  # type: ignore[attr-defined]  # annotated
        return pill(Trouble(trouble)) if trouble else plain_pill("ok", "Reached by mail")

    @admin.display(ordering="booking__vessel")
    def vessel(self, page: GuestPage) -> str:
        return page.booking.vessel.name

    @admin.display(ordering="starts_at")
    def departs(self, page: GuestPage) -> str:
        return f"{page.booking.local_start:%a %-d %b %Y, %-I:%M %p}"

    @admin.display(description="Shows", ordering="phase")
    def face(self, page: GuestPage) -> SafeString:
        return pill(Phase(page.phase))

    @admin.display(description="Public copy")
    def state(self, page: GuestPage) -> SafeString:
        return pill(page.delivery)

    @admin.display(description="Guest's link")
    def public_link(self, page: GuestPage) -> SafeString:
        address = codes.printed_path(page.code)
        return format_html('<a href="{}{}" rel="noopener">{}</a>', settings.GUEST_BASE_URL, address, address)

    @admin.display(description="Preview as")
    def preview_links(self, page: GuestPage) -> SafeString:
        """Every face of the page, as it would be published with the facts of now."""
        address = reverse("admin:guests_guestpage_preview", args=[page.pk])
        return format_html_join(" · ", '<a href="{}?phase={}">{}</a>', ((address, p.value, p.label) for p in Phase))

    @admin.action(description="Publish again", permissions=["publish"])
    def publish_again(self, request: HttpRequest, pages: QuerySet[GuestPage]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        for page in pages.select_related("booking"):
            services.publish_again(page=page, by=by, at=at)
        self.message_user(request, f"On their way again: {len(pages)}.", messages.SUCCESS)

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The very bytes that would be published; `?phase=` shows another face. Changes nothing."""
        page = self.get_object(request, str(pk))
        if page is None:
            raise Http404
        if not self.has_view_permission(request, page):
            raise PermissionDenied
        wanted = request.GET.get("phase", page.phase)
        if wanted not in Phase.values:
            raise Http404
        page.phase = wanted
        return HttpResponse(render(services.view_of(page), version=0), content_type="text/html; charset=utf-8")
