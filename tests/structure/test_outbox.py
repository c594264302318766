"""Whatever is owed can be delivered: every topic, step and letter that code names is registered."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.template.loader import get_template

from jada.celery import app
from jada.mail.letters import kinds, letter_of
from jada.outbox import registry
from tests.structure.source import called, calls, dotted, modules, name


def text_of(node: ast.expr, file: Path) -> str | None:
    """A string, written there or kept in a constant of the module."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id.isupper():
        return str(getattr(import_module(dotted(file)), node.id))
    return None


def test_every_topic_that_is_owed_has_a_handler() -> None:
    owed = {
        topic: f"{name(file)}:{call.lineno}"
        for file, tree in modules().items()
        for call in calls(tree)
        if called(call) in {"enqueue", "enqueue_message"}
        and call.args
        and (topic := text_of(call.args[0], file)) is not None
    }

    assert owed
    assert {topic: where for topic, where in owed.items() if topic not in registry.known()} == {}


def test_every_message_waits_for_a_topic_there_is() -> None:
    awaited = {
        topic: f"{name(file)}:{call.lineno}"
        for file, tree in modules().items()
        for call in calls(tree)
        for keyword in call.keywords
        if keyword.arg == "after"
        and isinstance(keyword.value, ast.Tuple)
        and (topic := text_of(keyword.value.elts[0], file)) is not None
    }

    assert {topic: where for topic, where in awaited.items() if topic not in registry.known()} == {}


def test_every_step_and_confirmation_is_registered() -> None:
    topics = [registry.topic(topic) for topic in registry.known()]
    named = {step for topic in topics for step in (*topic.then, topic.confirms) if step}

    assert named <= registry.known()


def test_every_letter_that_is_owed_can_be_written() -> None:
    owed = {
        kind: f"{name(file)}:{call.lineno}"
        for file, tree in modules().items()
        for call in calls(tree)
        for keyword in call.keywords
        if called(call) == "owe_message"
        and keyword.arg == "kind"
        and (kind := text_of(keyword.value, file)) is not None
    }

    assert {kind: where for kind, where in owed.items() if kind not in kinds()} == {}


def test_every_task_is_rung_or_scheduled() -> None:
    """A task that nobody starts is work that never happens."""
    app.loader.import_default_modules()
    own = {task for task in app.tasks if not task.startswith("celery.")}
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert own - {"outbox.drain"} == scheduled


def test_every_letter_has_its_three_templates() -> None:
    for kind in kinds():
        for part in ("subject.txt", "body.txt", "body.html"):
            assert get_template(f"mail/{letter_of(kind).template}/{part}", using="jinja2")
