from django.apps import AppConfig


class GuestsConfig(AppConfig):
    name = "guests"
    verbose_name = "Guest pages"

    def ready(self) -> None:
        from guests import receivers  # noqa: F401  connects them
