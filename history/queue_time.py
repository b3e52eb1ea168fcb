"""How long a waiting chat may still wait, from how long others waited of late. Pure; used by `state.py`.

A place in the queue is the unit: somebody who came as the fourth and waited eight minutes waited two a place. So the
estimate follows how many agents there are and how quick they are, without knowing either.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil
from statistics import quantiles
from typing import NamedTuple

from history.times import SECOND_MS

FEWEST = 5
"""From fewer threads nothing is said."""


class Pace(NamedTuple):
    """How long one place in the queue took, in milliseconds: for a quarter of the threads less than `quick_ms`, for a
    quarter more than `slow_ms`."""

    quick_ms: float
    slow_ms: float


def pace_of(waits: Sequence[tuple[int, int]]) -> Pace | None:
    """The pace of a queue in which threads waited (from, until), each for some time; null when they are too few."""
    if len(waits) < FEWEST:
        return None
    came, went = sorted(start for start, _ in waits), sorted(end for _, end in waits)
    times = [(end - start) / (bisect_right(came, start) - bisect_right(went, start)) for start, end in waits]
    quick_ms, _, slow_ms = quantiles(times, n=4, method="inclusive")
    return Pace(quick_ms, slow_ms)


def eta_s(pace: Pace | None, position: int) -> list[int] | None:
    """Between how many and how many seconds a chat at this position, from 1, may still wait; null without a pace."""
    return pace and [ceil(position * time_ms / SECOND_MS) for time_ms in pace]
