"""The console's messages: each as it was sent, in plain text. Those that show money are for those who may see it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jada.mail.models import Message
from jada.modeladmin import ReadOnlyAdmin, pill

SEES_MONEY = "mail.view_money_message"
SEES_CONTACTS = "bookings.view_guest_contact"
KINDS = {
    "ops.booked": "To the office: booked",
    "ops.changed": "To the office: changed",
    "ops.cancelled": "To the office: cancelled",
    "crew.invitation": "To crew: invitation",
    "crew.changed": "To crew: changed",
    "crew.cancelled": "To crew: cancelled",
    "crew.link": "To crew: new link",
    "guest.booked": "To the guest: booked",
    "guest.changed": "To the guest: changed",
    "guest.cancelled": "To the guest: cancelled",
}


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("headline", "kind_words", "sent_to", "state_pill", "created_at")
    list_filter = ("kind", "effect__state")
    list_select_related = ("effect",)
    search_fields = ("subject", "sent_to", "recipient", "subject_of")
    quick_views = (
        ("All", ""),
        ("Waiting", "effect__state=pending"),
        ("Stuck", "effect__state=dead"),
    )
    empty_icon = "mail"
    empty_title = "No message yet"
    empty_text = "Every mail to crew, guests and the office is kept here as it was sent."
    readonly_fields = ("kind_words", "about", "state_pill", "subject_line", "as_sent")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        messages: QuerySet[Message] = super().get_queryset(request)
        return messages if request.user.has_perm(SEES_MONEY) else messages.filter(has_money=False)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        return [name for name in shown if name != "sent_to" or request.user.has_perm(SEES_CONTACTS)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        whom = ("sent_to", "state_pill") if request.user.has_perm(SEES_CONTACTS) else ("state_pill",)
        return (
            (None, {"fields": (("kind_words", "about"), whom, ("created_at", "sent_at"))}),
            ("As it was sent", {"fields": ("subject_line", "as_sent")}),
        )

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.search_fields if request.user.has_perm(SEES_CONTACTS) else ("subject", "subject_of")

    def headline_of(self, obj: Message) -> str:
        return self.headline(obj)

    @admin.display(description="Message", ordering="subject")
    def headline(self, message: Message) -> str:
        return message.subject or f"{self.kind_words(message)}, not sent yet"

    @admin.display(description="Kind", ordering="kind")
    def kind_words(self, message: Message) -> str:
        return kind_name(message.kind)

    @admin.display(description="About")
    def about(self, message: Message) -> SafeString | str:
        kind, _, name = message.subject_of.partition(":")
        return format_html('<a href="{}?q={}">{} {}</a>', reverse("admin:find"), name, kind.capitalize(), name)

    @admin.display(description="State")
    def state_pill(self, message: Message) -> SafeString:
        return pill(message.state)

    @admin.display(description="Subject")
    def subject_line(self, message: Message) -> str:
        return message.subject or "Written when it is sent, with the facts of that moment."

    @admin.display(description="Text")
    def as_sent(self, message: Message) -> SafeString | str:
        return format_html('<pre class="letter">{}</pre>', message.text) if message.text else "Not sent yet."


def kind_name(kind: str) -> str:
    """A kind of message as people say it."""
    return KINDS.get(kind, kind.replace(".", ": ").replace("_", " ").capitalize())
