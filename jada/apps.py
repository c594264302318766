from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """The stock admin, served by our own site: the ops console."""

    default_site = "jada.console.site.ConsoleSite"  # by name, so that no model loads early
