"""What every trip's crew and checklist are made from."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crew.models import (
    ChecklistItem,
    ChecklistTemplate,
    CheckOp,
    CrewRequirement,
    TemplateItem,
)
from jada.modeladmin import ConsoleAdmin, ConsoleInline, ReadOnlyAdmin


@admin.register(CrewRequirement)
class CrewRequirementAdmin(ConsoleAdmin):
    list_display = ("vessel", "for_product", "for_party", "needs", "count")
    list_filter = ("vessel", "needs")
    list_select_related = ("vessel", "product")
    empty_title = "No requirement yet"
    empty_text = "Say how many captains, mates and hosts each vessel needs. Until then every trip calls one captain."

    @admin.display(description="Product", ordering="product")
    def for_product(self, row: CrewRequirement) -> str:
        return str(row.product or "Every other product")

    @admin.display(description="Party", ordering="party_over")
    def for_party(self, row: CrewRequirement) -> str:
        return f"adds when over {row.party_over}" if row.party_over else "always"


class TemplateItemInline(ConsoleInline):
    model = TemplateItem
    fields = ("order", "key", "text", "anchor", "minutes", "role", "required")


@admin.register(ChecklistTemplate)
class ChecklistTemplateAdmin(ConsoleAdmin):
    list_display = ("name", "applies_to", "tasks", "is_default")
    inlines = (TemplateItemInline,)
    prepopulated_fields = {"key": ("name",)}
    empty_title = "No checklist yet"
    empty_text = "Make one for every trip, then others for products that need their own."

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChecklistTemplate]:
        rows: QuerySet[ChecklistTemplate] = super().get_queryset(request)
        return rows.prefetch_related("products", "items")

    @admin.display(description="Applies to")
    def applies_to(self, template: ChecklistTemplate) -> str:
        return ", ".join(product.name for product in template.products.all()) or "-"

    @admin.display(description="Tasks")
    def tasks(self, template: ChecklistTemplate) -> int:
        return len(template.items.all())


@admin.register(TemplateItem)
class TemplateItemAdmin(ConsoleAdmin):
    list_display = ("template", "order", "text", "anchor", "minutes", "role", "required")
    list_select_related = ("template",)
    list_filter = ("template",)


@admin.register(ChecklistItem)
class ChecklistItemAdmin(ReadOnlyAdmin):
    list_display = ("text", "event", "role", "due_at", "required", "done_at", "done_by")
    list_filter = ("required", "role", ("done_at", admin.EmptyFieldListFilter))
    list_select_related = ("event__booking__vessel",)
    search_fields = ("text", "event__booking__ref")


@admin.register(CheckOp)
class CheckOpAdmin(ReadOnlyAdmin):
    list_display = ("at", "member", "item", "done")
    list_select_related = ("member", "item")
    fields = ("at", "member", "item", "done")
    empty_text = "Every tap on a checklist, as it arrived."
