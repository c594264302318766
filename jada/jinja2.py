"""The one Jinja2 environment: pages of the crew portal, guest pages and mails."""

from datetime import date, datetime
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from jinja2 import Environment, StrictUndefined


def environment(**options: Any) -> Environment:
    """Everything is escaped, whatever the file is called; an unknown name is an error, never an empty string."""
    ours = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    env = Environment(**(options | ours))  # noqa: S701  autoescape is in `ours`
    env.globals |= {"static": static, "url": reverse}
    env.filters["clock"] = clock
    env.filters["day"] = day
    return env


def clock(at: datetime) -> str:
    """`1:00 PM`; the instant must already be in its vessel's zone."""
    return at.strftime("%-I:%M %p")


def day(at: date) -> str:
    """`Saturday 30 May`."""
    return at.strftime("%A %-d %B")
