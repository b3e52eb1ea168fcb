"""Where a hit stands, as bytes that sort like it, and the cursors of pages. Pure; used by all engines.

A hit's rank is (score, place), so pages go on behind a rank and not behind a number of hits; the cursor is the rank
of the last hit shown.
"""

import base64
import math
import struct
from datetime import UTC, datetime
from functools import lru_cache

from history.errors import Invalid
from history.times import DAY_MS
from search.engine import Hit, Key

PLACE_FORM = struct.Struct(">QQBQ")
"""at_ms, chat_pk, stream, seq: bytes that sort by time."""

LAST_PLACE = b"\xff" * PLACE_FORM.size

CURSOR_FORM = struct.Struct(f">d{PLACE_FORM.size}s")

FRESH_SINCE_MS = 1_767_225_600_000
"""The beginning of 2026."""

HALF_LIFE_MS = 730 * DAY_MS
MOST_HALVES = 60

WRONG_CURSOR = "`cursor` is not one that a search handed out"

Rank = tuple[float, bytes]


def hit_at(place: bytes, score: float = 0.0, count: int = 1) -> Hit:
    at_ms, *key = PLACE_FORM.unpack(place)
    return Hit(Key(*key), at_ms, score, count)


def chat_of(place: bytes) -> int:
    return int(PLACE_FORM.unpack(place)[1])


def month_of(place: bytes) -> str:
    """In UTC, as 2026-03."""
    return month_at(PLACE_FORM.unpack(place)[0])


def month_at(at_ms: int) -> str:
    return month_of_day(at_ms // DAY_MS)


@lru_cache(4096)
def month_of_day(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m}"


def write_cursor(rank: Rank) -> str:
    return base64.urlsafe_b64encode(CURSOR_FORM.pack(*rank)).decode()


def read_cursor(cursor: str) -> Rank:
    """The rank behind which the next page begins. Raises Invalid."""
    try:
        score, place = CURSOR_FORM.unpack(base64.urlsafe_b64decode(cursor))
    except (ValueError, struct.error) as error:
        raise Invalid(WRONG_CURSOR) from error
    if not math.isfinite(score):
        raise Invalid(WRONG_CURSOR)
    return score, place


def freshness(at_ms: int) -> float:
    """How much more a message of that time is worth than an equally fitting one of HALF_LIFE_MS before. Relative to a
    fixed time, so that it can be kept.
    """
    halves = (at_ms - FRESH_SINCE_MS) / HALF_LIFE_MS
    return float(2.0 ** max(-MOST_HALVES, min(MOST_HALVES, halves)))
