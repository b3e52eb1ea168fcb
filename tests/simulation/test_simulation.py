"""The rules hold in 2,000 runs full of imagined accidents, and where a rule is broken the accidents show it.

`make simulation` plays 10,000. A failure names its seed: with TEST_SEED=N that run is played alone, and
`python -m tests.simulation --seed N --verbose` shows it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broken import BREAKS, broken
from tests.simulation.broken_tabs import BROKEN_TABS
from tests.simulation.people import SimulatedTab
from tests.simulation.run import Run, run

ROOT = Path(__file__).parents[2]
RUNS = 2000
BITES_WITHIN = 5000
"""Even the rule whose breaking is seldom seen is seen in one run of a hundred."""


def test_no_accident_breaks_a_promise() -> None:
    seed = os.environ.get("TEST_SEED")
    runs = 1 if seed else RUNS
    what = ("--seed", seed) if seed else ("--runs", str(RUNS))
    command = [sys.executable, "-W", "error", "-m", "tests.simulation", *what]
    played = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert f"{runs} of {runs} runs kept every promise" in played.stdout, played.stdout


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
