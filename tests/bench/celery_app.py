"""The project's Celery without its refusal to start: what is measured speaks to fakes on this machine, and says so."""

from celery.signals import worker_init

from jada.celery import app, refuse_unsafe_start

worker_init.disconnect(refuse_unsafe_start)

__all__ = ["app"]
