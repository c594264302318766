"""The console's pages of the people: the roster, their papers, their days off."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from crew import services
from crew.enums import Role
from crew.models import (
    Credential,
    CrewMember,
    Unavailability,
)
from jada.audit.actors import Actor
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress
from jada.modeladmin import ConsoleAdmin, ConsoleInline, pill, plain_pill

LANGUAGES = (("en", "English"), ("es", "Spanish"), ("fr", "French"), ("pt", "Portuguese"), ("ar", "Arabic"),
             ("sv", "Swedish"), ("de", "German"), ("it", "Italian"))  # fmt: skip
WAYS = (("email", "Mail"), ("sms", "Text message"))


class Several(forms.MultipleChoiceField):
    """A list of codes as boxes to tick."""

    widget = forms.CheckboxSelectMultiple


class CrewMemberForm(forms.ModelForm):  # type: ignore[type-arg]  # the class takes no parameter when it runs
    roles = Several(label="Also sails as", choices=Role.choices, required=False)
    languages = Several(choices=LANGUAGES, required=False)
    contact_by = Several(label="Contact by", choices=WAYS, required=False)

    class Meta:
        model = CrewMember
        fields = (
            "name", "key", "role", "roles", "call_order", "active", "email", "phone", "languages", "contact_by",
        )  # fmt: skip


class CredentialInline(ConsoleInline):
    model = Credential


class UnavailabilityInline(ConsoleInline):
    model = Unavailability
    verbose_name = verbose_name_plural = "days off"


@admin.register(CrewMember)
class CrewMemberAdmin(ConsoleAdmin):
    form = CrewMemberForm
    readonly_fields = ("reached",)
    inlines = (CredentialInline, UnavailabilityInline)
    fields = (
        ("name", "key"), ("role", "call_order"), "active", ("email", "reached", "phone"), ("roles", "contact_by", "languages"),
    )  # fmt: skip
    list_display = ("name", "rank", "call_order", "papers", "on_roster", "email", "reached", "phone")
    list_filter = ("role", "active")
    search_fields = ("name", "key", "email")
    search_help_text = "Name or e-mail"
    ordering = ("-active", "role", "call_order")
    prepopulated_fields = {"key": ("name",)}
    quick_views = (
        ("On the roster", "active__exact=1"),
        ("Captains", "active__exact=1&role__exact=captain"),
        ("All", ""),
    )
    empty_icon = "people"
    empty_title = "Nobody on the roster yet"
    empty_text = "Add captains first, with their licences: a trip calls them before anybody else."

    def get_queryset(self, request: HttpRequest) -> QuerySet[CrewMember]:
        rows: QuerySet[CrewMember] = super().get_queryset(request)
        blocks = BlockedAddress.objects.standing().filter(address=Lower(OuterRef("email")))
        return rows.annotate(trouble=Subquery(blocks.values("trouble")[:1])).prefetch_related("credentials")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """What follows from the edit follows at once: somebody who left is replaced, a new address gets new links."""
        super().save_related(request, form, formsets, change)
        if change:
            services.revise_member(member=form.instance, by=Actor.user(request.user), at=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Somebody who leaves is set inactive: history keeps their name."""
        return False

    @admin.display(description="Rank", ordering="role")
    def rank(self, member: CrewMember) -> str:
        return str(member.get_role_display())

    @admin.display(description="Roster", ordering="active")
    def on_roster(self, member: CrewMember) -> SafeString:
        return plain_pill("ok", "Active") if member.active else plain_pill("mute", "Left")

    @admin.display(description="Mail", ordering="trouble")
    def reached(self, member: CrewMember) -> SafeString:
        trouble = getattr(member, "trouble", None)  # annotated by the list
        return pill(Trouble(trouble)) if trouble else plain_pill("ok", "Reached by mail")

    @admin.display(description="Papers")
    def papers(self, member: CrewMember) -> SafeString:
        """The paper that ends first, with how near that is."""
        today = timezone.localdate()
        dated = [paper for paper in member.credentials.all() if paper.expires_on]
        if not dated:
            return plain_pill("mute", "None with an end")
        first = min(dated, key=lambda paper: paper.expires_on or today)
        left = ((first.expires_on or today) - today).days
        tone = "bad" if left < 0 else "warn" if left < 60 else "ok"
        said = "ended" if left < 0 else "to"
        return plain_pill(tone, f"{first} {said} {first.expires_on:%-d %b %Y}")


@admin.register(Credential)
class CredentialAdmin(ConsoleAdmin):
    list_display = ("member", "kind", "expires_on")
    list_filter = ("kind",)
    list_select_related = ("member",)
    search_fields = ("member__name", "kind")
    ordering = ("expires_on",)
    quick_views = (("Ending first", "expires_on__isnull=False"), ("All", ""))


@admin.register(Unavailability)
class UnavailabilityAdmin(ConsoleAdmin):
    list_display = ("member", "from_date", "to_date", "note")
    list_select_related = ("member",)
    ordering = ("-from_date",)
