"""The console's pages of money, for those who may see it. Amounts and payments are written by services alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.finance import services
from bookings.finance.enums import PaymentKind, PaymentMethod
from bookings.finance.forms import AmountsForm, PaymentForm, PortFeeForm
from bookings.finance.models import AMOUNTS, BookingFinance, Payment, PayPolicy, PayRate, PortFee, ProductPrice
from bookings.models import Berth, Booking
from jada.audit.actors import Actor
from jada.modeladmin import ConsoleAdmin, pill, tones

tones(
    PaymentKind,
    deposit="ok",
    balance="ok",
    channel_payout="ok",
    refund="warn",
    transfer_in="info",
    transfer_out="info",
)


class OfABookingAdmin(ConsoleAdmin):
    """Rows that know their trip by its number: the page shows its reference and its guest, in one query."""

    search_fields = ("ref", "guest")
    search_help_text = "Booking reference or guest"

    def get_queryset(self, request: HttpRequest) -> Any:
        trip = Booking.objects.filter(pk=OuterRef("booking_id"))
        ref, guest = Subquery(trip.values("ref")[:1]), Subquery(trip.values("guest_name")[:1])
        return super().get_queryset(request).annotate(ref=ref, guest=guest)

    @admin.display(ordering="booking_id")
    def booking(self, row: Any) -> SafeString:
        url = reverse("admin:bookings_booking_change", args=[row.booking_id])
        return format_html('<a href="{}">{} {}</a>', url, row.ref or "trip", row.guest or "guest")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(BookingFinance)
class BookingFinanceAdmin(OfABookingAdmin):
    """A trip gets its amounts when it is booked, or on its own page; here they are found and corrected."""

    form = AmountsForm
    list_display = ("booking", *AMOUNTS, "currency", "updated_at")
    list_display_links = ("updated_at",)  # the first column leads to the trip
    fields = ("booking", *AMOUNTS, "currency", "private_note", "updated_at")
    readonly_fields = ("booking", "updated_at")
    quick_views = (("All", ""), ("No gross yet", "gross__isnull=True"))
    list_filter = ("currency", ("gross", admin.EmptyFieldListFilter))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BookingFinance, form: Any, change: bool) -> None:
        by, at = Actor.user(request.user), timezone.now()
        values = {name: form.cleaned_data[name] for name in AMOUNTS if name in form.changed_data}
        known = {name: value for name, value in values.items() if value is not None}
        if known or "currency" in form.changed_data:
            # A new currency is of every amount there is.
            amounts = known or {name: getattr(obj, name) for name in AMOUNTS}
            services.record_amounts(booking_id=obj.booking_id, currency=obj.currency, by=by, at=at, **amounts)
        if cleared := values.keys() - known.keys():
            services.clear_amounts(booking_id=obj.booking_id, names=cleared, by=by, at=at)
        if "private_note" in form.changed_data:
            services.note_privately(booking_id=obj.booking_id, note=obj.private_note, by=by, at=at)


@admin.register(Payment)
class PaymentAdmin(OfABookingAdmin):
    """The ledger. A line is added and stands; it is corrected by a counter-entry."""

    form = PaymentForm
    list_display = ("at", "booking", "what", "amount", "method", "recorded_by")
    list_filter = ("kind", "method")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")

    def get_fields(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        if obj is None:
            return ("booking_id", "kind", "method", "amount", "at", "note")
        return ("booking", "kind", "method", "amount", "at", "note", "recorded_by", "recorded_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        return () if obj is None else ("booking",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"at": timezone.now(), **super().get_changeform_initial_data(request)}

    @admin.display(description="kind", ordering="kind")
    def what(self, line: Payment) -> SafeString:
        return pill(PaymentKind(line.kind))

    def save_model(self, request: HttpRequest, obj: Payment, form: Any, change: bool) -> None:
        logged = services.log_payment(
            booking=Booking.objects.select_related("vessel").get(pk=obj.booking_id),
            kind=PaymentKind(obj.kind),
            method=PaymentMethod(obj.method),
            amount=obj.amount,
            note=obj.note,
            received_at=obj.at,
            by=Actor.user(request.user),
            at=timezone.now(),
        )
        obj.pk = logged.pk


@admin.register(PortFee)
class PortFeeAdmin(ConsoleAdmin):
    form = PortFeeForm
    list_display = ("berth", "rate", "valid_from")

    def get_queryset(self, request: HttpRequest) -> Any:
        name = Subquery(Berth.objects.filter(pk=OuterRef("berth_id")).values("name")[:1])
        return super().get_queryset(request).annotate(berth_name=name)

    @admin.display(ordering="berth_name")
    def berth(self, fee: Any) -> str:
        return fee.berth_name or "a berth that is gone"


@admin.register(PayRate)
class PayRateAdmin(ConsoleAdmin):
    list_display = ("whose", "role", "hourly", "valid_from")
    list_filter = ("role",)
    search_fields = ("member_key",)

    @admin.display(description="member", ordering="member_key")
    def whose(self, rate: PayRate) -> str:
        return rate.member_key or "everybody"


@admin.register(PayPolicy)
class PayPolicyAdmin(ConsoleAdmin):
    list_display = ("role_group", "extra_minutes")


@admin.register(ProductPrice)
class ProductPriceAdmin(ConsoleAdmin):
    list_display = ("product_key", "vessel_key", "price", "guests_included", "per_extra_guest")
    list_filter = ("vessel_key",)
    search_fields = ("product_key", "vessel_key")
