from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "bookings.intake"
    label = "intake"
    verbose_name = "Intake"
