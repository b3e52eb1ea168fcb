"""The rules hold in thousands of imagined accidents, and where a rule is broken the accidents show it.

A failure names its seed: `python -m tests.simulation --seed N --verbose` plays it again.
"""

import time

import pytest

from tests.broken import BREAKS, broken
from tests.simulation.broken_tabs import BROKEN_TABS
from tests.simulation.people import SimulatedTab
from tests.simulation.run import Run, run

RUNS = 10_000
PATIENCE_S = 50
"""A slow machine plays as many runs as it can in this time."""

BITES_WITHIN = 500


def test_no_accident_breaks_a_promise() -> None:
    until = time.monotonic() + PATIENCE_S
    for seed in range(RUNS):
        assert (seed, run(seed).violations) == (seed, [])
        if time.monotonic() > until:
            break


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
