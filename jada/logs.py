"""Log lines: what each is about, in the format that its reader wants, and the last net before it is written.

No crew link, key, password, address or amount leaves by a line, and no stranger makes one. Two formats: `text` for people,
`json` (one object a line) for what collects the lines of production.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

FORMATS: Final = ("text", "json")
SAID: Final = ("request", "booking", "effect", "attempt", "topic")  # of what is known; a key may be a page's code

_SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # anything shaped like a JWT
    r"|(?<=token=)[^&\s\"']+"
    r"|\bsj[kd]_[\w]+_[\w-]{20,}"  # service keys and dashboard tokens
    r"|(?<=Bearer )\S+"
    r"|(?<=://)[^\s/@]+(?=@)"  # who asks a database or a broker, and with which password
    # PostgreSQL quotes the whole row that it refused, and a row may be a guest, or an amount
    r"|(?<=DETAIL:)[\s\S]+?(?=\n\n(?:The above|During) |\n {0,2}(?:File|Traceback) |\Z)"
    r"|(?<![^\s<>\",;:()\[\]=@])[^\s<>\",;:()\[\]=@]+@[\w-]+(?:\.[\w-]+)+"  # mail addresses
    r"|[$€£] ?\d[\d,.]*\.\d\d\b"
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
            record.exc_text = "\n".join(map(one_line, without_secrets(record.exc_text).split("\n")))
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
    """Puts what the line is about into the record, as `record.about`: {"booking": …, "effect": …, "attempt": …}.

    Django logs a refused request after the last middleware has returned, so its id is asked of the request itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        known = dict(_about.get())
        if request_id := getattr(getattr(record, "request", None), "request_id", ""):
            known["request"] = request_id
        if "booking" not in known and str(known.get("subject", "")).startswith("booking:"):
            known["booking"] = str(known["subject"]).partition(":")[2]
        record.about = {name: _plain(known[name]) for name in SAID if name in known}
        return True


def _plain(value: object) -> object:
    return one_line(without_secrets(value)) if isinstance(value, str) else value


class TextLines(logging.Formatter):
    """`2026-11-24 18:05:39,120 WARNING jada.outbox.delivery [booking=… effect=12 attempt=2] message`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(subject)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        words = " ".join(f"{name}={value}" for name, value in getattr(record, "about", {}).items())
        record.subject = f"[{words}] " if words else ""
        return "\n  ".join(super().format(record).split("\n"))  # a line of a traceback does not look like an entry


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what it is about, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if record.exc_info or record.exc_text:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(line, default=str)


def configuration(*, form: str, level: str) -> dict[str, Any]:
    """The LOGGING of the settings: one handler, and what hides secrets looks last."""
    lines = JsonLines if form == "json" else TextLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"about": {"()": SayAbout}, "secrets": {"()": HideSecrets}},
        "formatters": {"line": {"()": lines}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "filters": ["about", "secrets"], "formatter": "line"}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "botocore": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},  # it names every object that is asked for, and with it the page's code
            "axes": {"level": "WARNING"},
            # Named, so that they lose the handlers of Django's own, which no filter of ours stands before.
            "django": {"level": "INFO"},
            "django.server": {"level": "INFO", "propagate": True},
        },
    }
