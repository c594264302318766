from django.apps import AppConfig


class AwsConfig(AppConfig):
    name = "jada.aws"
    verbose_name = "AWS"
