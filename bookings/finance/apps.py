from django.apps import AppConfig


class FinanceConfig(AppConfig):
    name = "bookings.finance"
    label = "finance"
    verbose_name = "Finance"
