from django.apps import AppConfig


class ConsolePagesConfig(AppConfig):
    name = "jada.console"
    label = "console"
    verbose_name = "Console"

    def ready(self) -> None:
        from jada import checks  # noqa: F401  registers the checks of the configuration
        from jada.console import receivers  # noqa: F401  connected last: everyone else has acted by then
