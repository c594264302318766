"""The console: the stock admin site under our own name, skin and sign-in rules."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest


class ConsoleSite(admin.AdminSite):
    site_header = site_title = "JADA"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, and verified by a second factor: enforced here, where every page asks, not in a login view."""
        allowed = super().has_permission(request)
        if allowed and settings.CONSOLE_REQUIRE_OTP:
            return bool(request.user.is_verified())  # type: ignore[union-attr]  # django-otp adds it
        return allowed
