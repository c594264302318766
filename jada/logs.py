"""The last net before a log line is written: no crew link, no key, no bearer token, and no line made by a stranger."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # anything shaped like a JWT
    r"|(?<=token=)[^&\s\"']+"
    r"|\bsj[kd]_[\w]+_[\w-]{20,}"  # service keys and dashboard tokens
    r"|(?<=Bearer )\S+",
)

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def without_secrets(text: str) -> str:
    return _SECRETS.sub("[hidden]", text)


def one_line(text: str) -> str:
    """Control characters as they are written in a program: a path with a line break makes no second entry."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class HideSecrets(logging.Filter):
    """Works on the formatted line and on the traceback, whatever the caller passed as arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(without_secrets(record.getMessage())), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_secrets(record.exc_text)
        return True


_about: ContextVar[dict[str, object]] = ContextVar("about", default={})  # noqa: B039  never changed in place


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Every line logged inside says what it is about: booking, effect, attempt. Ids only, never contents."""
    token = _about.set(_about.get() | fields)
    try:
        yield
    finally:
        _about.reset(token)


class SayAbout(logging.Filter):
    """Puts what the line is about into the record, as `record.about` (a dict) and for people in front of the message."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = _about.get()
        return True
