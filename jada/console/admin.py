"""Staff users and their roles: Django's own pages, with the console's controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin  # its module registers them, ours replaces them
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from jada.console.preflight import pages  # noqa: F401  registers the page of the preflights
from jada.modeladmin import ConsoleAdmin

if TYPE_CHECKING:  # generic in the stubs, a plain class when it runs
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class StaffAdmin(ConsoleAdmin, _UserAdmin):
    heading = "Staff users"
    list_display = ("username", "email", "is_staff", "is_superuser", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        ("Person", {"fields": (("username", "email"), ("first_name", "last_name"), "password")}),
        ("Role", {"fields": ("groups", ("is_active", "is_staff", "is_superuser"))}),
        ("Single permissions", {"classes": ("collapse",), "fields": ("user_permissions",)}),
        ("Dates", {"fields": (("last_login", "date_joined"),)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return _UserAdmin.get_fieldsets(self, request, obj)


@admin.register(Group)
class RoleAdmin(ConsoleAdmin, GroupAdmin):
    heading = "Roles"
    filter_horizontal = ()
    empty_text = "A role is a set of permissions that staff users are given together."
