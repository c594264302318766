from django.apps import AppConfig


class NoopConfig(AppConfig):
    name = "tests.bench.noop"
    label = "bench"
