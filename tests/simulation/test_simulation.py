"""The rules hold in 10,000 runs full of imagined accidents, and where a rule is broken the accidents show it.

A failure names its seed: with TEST_SEED=N that run is played alone, and `python -m tests.simulation --seed N --verbose`
shows it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.broken import BREAKS, broken
from tests.simulation.broken_tabs import BROKEN_TABS
from tests.simulation.people import SimulatedTab
from tests.simulation.run import Run, run

ROOT = Path(__file__).parents[2]
RUNS = 10_000
SHARE = 5000
"""So many of the runs are played by one process, while others play the rest."""

BITES_WITHIN = 5000
"""Even the rule whose breaking is seldom seen is seen in one run of a hundred."""


def test_no_accident_breaks_a_promise() -> None:
    if seed := os.environ.get("TEST_SEED"):
        shares, each = [("--seed", seed)], 1
    else:
        shares, each = [("--first", str(first), "--runs", str(SHARE)) for first in range(0, RUNS, SHARE)], SHARE
    with ExitStack() as stack:
        processes = [stack.enter_context(simulation(*share)) for share in shares]
        told = [process.communicate()[0] for process in processes]
    for text in told:
        assert f"{each} of {each} runs kept every promise" in text, text


@contextmanager
def simulation(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that plays runs, and tells what became of them; it does not outlive the test."""
    command = [sys.executable, "-W", "error", "-m", "tests.simulation", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_server_is_caught(name: str) -> None:
    with broken(name):
        assert any(run(seed, unique=name != "dedup per process").violations for seed in range(BITES_WITHIN))


@pytest.mark.parametrize("make_tab", BROKEN_TABS)
def test_a_broken_client_is_caught(make_tab: type[SimulatedTab]) -> None:
    assert any(run(seed, make_tab).violations for seed in range(BITES_WITHIN))


def test_a_seed_plays_the_same_run_again() -> None:
    for seed in range(50):
        assert course(run(seed)) == course(run(seed))


def course(played: Run) -> list[tuple[object, ...]]:
    """What happened, but for ids and hashes, which are drawn anew."""
    return [
        (line["at"], line["ev"], line["actor"], line["tab"], line.get("seq"), line.get("rev"), line.get("code"))
        for line in played.record
    ]
