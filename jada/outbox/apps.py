from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class OutboxConfig(AppConfig):
    name = "jada.outbox"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        autodiscover_modules("sync")  # each app's projections, steps and letters
