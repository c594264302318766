from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "jada.mail"
    verbose_name = "Messages"
