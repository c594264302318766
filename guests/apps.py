from django.apps import AppConfig


class GuestsConfig(AppConfig):
    name = "guests"
    verbose_name = "Guest pages"

    def ready(self) -> None:
        from importlib import import_module
        from importlib.util import find_spec

        if find_spec("guests.receivers"):
            import_module("guests.receivers")
