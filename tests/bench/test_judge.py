"""The bench is not run by the suite; that it would see what is lost, repeated or slow is."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.bench import bars, log, plan, report
from tests.bench.child import MARK
from tests.bench.report import Bar

KINDS = ("page", "mail")
MS = 1_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_RUN", str(tmp_path))
    return tmp_path


def write(folder: Path, commits: str, effects: str) -> None:
    (folder / "commits.log").write_text(commits)
    (folder / "effects.log").write_text(effects)


def test_counts_from_the_commit_to_the_last_effect(folder: Path) -> None:
    write(folder, f"a {10 * MS}\n", f"a:mail {14 * MS}\na:page {30 * MS}\n")

    found = log.judge(KINDS)

    assert (found["p50"], found["lost"], found["twice"]) == (20.0, 0, 0)
    assert found["per_s"] == pytest.approx(50.0)


def test_sees_what_is_lost_and_what_happened_twice(folder: Path) -> None:
    write(folder, f"a {MS}\nb {MS}\n", f"a:page {2 * MS}\na:page {3 * MS}\nb:page {2 * MS}\nb:mail {2 * MS}\n")

    found = log.judge(KINDS)

    assert (found["lost"], found["twice"]) == (1, 1)


def test_a_run_without_figures_failed_and_says_its_last_words() -> None:
    with pytest.raises(plan.Failed, match="no such table"):
        plan.figures_of(CompletedProcess([], 1, "", "no such table"))


def test_reads_the_figures_of_a_run() -> None:
    assert plan.figures_of(CompletedProcess([], 0, f"noise\n{MARK}{json.dumps({'per_s': 3})}\n", "")) == {"per_s": 3}


@pytest.mark.parametrize(
    ("measured", "sign", "verdict"), [(0.6, "≥", "PASS"), (0.5, "≥", "MISS"), (0.7, "≤", "MISS"), (None, "≥", "SKIP")]
)
def test_a_bar_is_kept_missed_or_was_not_measured(measured: float | None, sign: str, verdict: str) -> None:
    assert Bar("engine ÷ raw", measured, sign, 0.6).verdict == verdict


def test_a_ratio_is_of_the_same_round() -> None:
    """A slow round is slow for both: the medians of each alone would say 0.5 or 2."""
    ours, theirs = ("engine", "sqlite", "thread, mixed", "burst"), ("raw", "sqlite", "driver", "burst")
    results = {
        ours: [{"per_s": 10.0}, {"per_s": 50.0}, {"per_s": 20.0}],
        theirs: [{"per_s": 20.0}, {"per_s": 100.0}, {"per_s": 40.0}],
    }

    assert report.ratio(results, ours, theirs, "per_s") == 0.5


def test_one_lost_effect_anywhere_is_a_miss() -> None:
    results = {("engine", "sqlite", "thread, mixed", "burst"): [{"per_s": 1.0, "lost": 0}, {"per_s": 1.0, "lost": 1}]}

    missed = [bar.what for bar in bars.bars(results) if bar.verdict == "MISS"]

    assert missed == ["effects lost, all runs"]
