from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "jada.audit"
    verbose_name = "History"
