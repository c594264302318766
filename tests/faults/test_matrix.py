"""Kinds × failpoints × actions: what is enumerated, and a slice of it in every run. `make faults` plays the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from django.conf import settings

from jada.outbox.failpoints import ACTIONS, NAMES
from tests.faults.cases import a_slice, every

KINDS = {
    "crew.event",
    "guests.page",
    "guests.page_edge",
    "guests.page_seen",
    "guests.slug",
    "mail.message crew",
    "mail.message guest",
    "mail.message ops",
}
# No message is sent of what is no message; the row of a step is inserted with the record of its put, not by an act.
MESSAGES = {kind for kind in KINDS if kind.startswith("mail.message")}
STEPS = {"guests.page_edge", "guests.page_seen"}
NEVER = {(kind, place) for kind in KINDS - MESSAGES for place in ("before_sending", "after_sending")} | {
    (kind, place) for kind in STEPS for place in ("after_insert", "before_commit", "after_commit_before_bell")
}


def test_every_kind_is_played_at_every_place_with_every_fault() -> None:
    played = Counter((case.kind, case.failpoint, case.action) for case in every())

    assert played == Counter((kind, place, action) for kind in KINDS for place in NAMES for action in ACTIONS)


def test_it_is_known_where_a_kind_never_comes_by() -> None:
    assert {(case.kind, case.failpoint) for case in every() if not case.passes} == NEVER


def test_the_slice_has_each_fault_at_each_place_and_every_kind() -> None:
    chosen = a_slice()

    assert [(case.failpoint, case.action) for case in chosen] == [(place, a) for place in NAMES for a in ACTIONS]
    assert {case.kind for case in chosen} == KINDS
    assert all(case.passes for case in chosen)


@pytest.mark.slow
def test_nothing_is_lost_and_no_mail_repeated_against_its_rule() -> None:
    command = [sys.executable, "-m", "tests.faults.matrix", "slice"]
    played = subprocess.run(
        command, cwd=settings.BASE_DIR, env=os.environ, capture_output=True, text=True, timeout=300, check=False
    )

    assert played.returncode == 0, played.stdout + played.stderr
    assert "44 cases, 0 wrong" in played.stdout
