"""The console's messages: each as it was sent, in plain text. Those that show money are for those who may see it."""

from __future__ import annotations

from shlex import quote
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jada.audit.actors import Actor
from jada.mail import inbox
from jada.mail.enums import Outcome, Trouble
from jada.mail.models import BlockedAddress, MailEvent, Message
from jada.modeladmin import ConsoleInline, ReadOnlyAdmin, pill, plain_pill, tones

tones(Outcome, sent="info", held_up="warn", delivered="ok", bounced="bad", reported="bad")
tones(Trouble, bounced="bad", reported="bad")

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


class EventInline(ConsoleInline):
    """What the mail service told of this mail, in the order in which it arrived here."""

    model = MailEvent
    fields = readonly_fields = ("occurred_at", "what", "because")
    ordering = ("occurred_at", "pk")
    can_delete = False
    verbose_name_plural = "what became of it"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(SEES_CONTACTS)

    @admin.display(description="What")
    def what(self, event: MailEvent) -> str:
        return str(event.get_kind_display()).capitalize()

    @admin.display(description="Said of it")
    def because(self, event: MailEvent) -> SafeString | str:
        return because_of(event)


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
        ("Bounced", "bounced_at__isnull=False"),
    )
    inlines = (EventInline,)
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
            (
                None,
                {"fields": (("kind_words", "about"), whom, ("created_at", "sent_at", "delivered_at", "bounced_at"))},
            ),
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
        return pill(message.outcome)

    @admin.display(description="Subject")
    def subject_line(self, message: Message) -> str:
        return message.subject or "Written when it is sent, with the facts of that moment."

    @admin.display(description="Text")
    def as_sent(self, message: Message) -> SafeString | str:
        return format_html('<pre class="letter">{}</pre>', message.text) if message.text else "Not sent yet."


class ContactsOnly(ReadOnlyAdmin):
    """Rows that are nothing without the address in them: for those who may see guests' contacts."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and request.user.has_perm(SEES_CONTACTS)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and request.user.has_perm(SEES_CONTACTS)


@admin.register(MailEvent)
class MailEventAdmin(ContactsOnly):
    list_display = ("occurred_at", "what", "recipient", "because", "applied")
    list_filter = ("kind",)
    search_fields = ("recipient", "provider_id")
    date_hierarchy = "received_at"
    quick_views = (("All", ""), ("Refused", "kind__exact=Other"), ("Bounced", "kind__exact=Bounce"))
    heading = "What became of mails"
    empty_icon = "mail"
    empty_title = "Nothing was told yet"
    empty_text = "The mail service says here what became of each mail: delivered, bounced, reported as unwanted."
    fields = (
        ("occurred_at", "received_at", "applied"), ("what", "recipient"), "because",
        ("message", "effect_no", "claim_no", "provider_id"),
    )  # fmt: skip
    readonly_fields = ("what", "because", "applied")

    def headline_of(self, obj: MailEvent) -> str:
        return self.what(obj)

    @admin.display(description="What", ordering="kind")
    def what(self, event: MailEvent) -> str:
        return str(event.get_kind_display()).capitalize()

    @admin.display(description="Said of it")
    def because(self, event: MailEvent) -> SafeString | str:
        return event.problem or because_of(event)

    @admin.display(description="Here")
    def applied(self, event: MailEvent) -> SafeString:
        if event.problem:
            return plain_pill("warn", "Refused")
        if event.applied_at is None:
            return plain_pill("info", "Waiting")
        return plain_pill("ok", "Applied") if event.message_id else plain_pill("mute", "No mail of ours")


@admin.register(BlockedAddress)
class BlockedAddressAdmin(ContactsOnly):
    list_display = ("address", "why", "since", "because_of_mail", "lifted_at", "lifted_by")
    list_filter = ("trouble",)
    list_select_related = ("message",)
    search_fields = ("address",)
    actions = ("mail_again",)
    quick_views = (("Without mail", "lifted_at__isnull=True"), ("All", ""))
    heading = "Addresses without mail"
    empty_icon = "mail"
    empty_title = "Every address takes mail"
    empty_text = "An address is kept here when mail to it bounces for good, or when its owner reports ours as unwanted."
    fields = (("address", "why"), ("since", "because_of_mail"), ("lifted_at", "lifted_by"), "also")
    readonly_fields = ("why", "because_of_mail", "also")

    def headline_of(self, obj: BlockedAddress) -> str:
        return obj.address

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mail.change_blockedaddress") and request.user.has_perm(SEES_CONTACTS)

    @admin.display(description="Why", ordering="trouble")
    def why(self, block: BlockedAddress) -> SafeString:
        return pill(Trouble(block.trouble)) if block.lifted_at is None else plain_pill("mute", "Lifted")

    @admin.display(description="Mail")
    def because_of_mail(self, block: BlockedAddress) -> SafeString | str:
        if block.message is None:
            return "A mail that is not known here"
        address = reverse("admin:mail_message_change", args=[block.message.pk])
        return format_html('<a href="{}">{}</a>', address, kind_name(block.message.kind))

    @admin.display(description="At the mail service")
    def also(self, block: BlockedAddress) -> str:
        """SES keeps a list of its own, which only its owner can change. An address may hold what a shell obeys."""
        return f"aws sesv2 delete-suppressed-destination --email-address {quote(block.address)}"

    @admin.action(description="Mail it again", permissions=["lift"])
    def mail_again(self, request: HttpRequest, blocks: QuerySet[BlockedAddress]) -> None:
        by, at = Actor.user(request.user), timezone.now()
        for block in blocks.select_related("message"):
            inbox.lift_block(block=block, by=by, at=at)
        self.message_user(request, f"Free to get mail again: {len(blocks)}.", messages.SUCCESS)


def because_of(event: MailEvent) -> SafeString | str:
    """The service's own words: "bounce type: Permanent", "smtp response: 250 ok"."""
    words = ((_spaced(name), value) for name, value in event.detail.items())
    return format_html_join("", "<small>{}: {}</small> ", words) or "Nothing more"


def _spaced(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).capitalize()


def kind_name(kind: str) -> str:
    """A kind of message as people say it."""
    return KINDS.get(kind, kind.replace(".", ": ").replace("_", " ").capitalize())
