"""Days, months and years as people write them in a search. Days are those of UTC. Pure; used by `parser.py`."""

import re
from datetime import UTC, datetime, timedelta

from history.errors import Invalid
from history.times import DAY_MS

FORMS = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_800_000
"""The end of the year 9999."""


def span(name: str, value: str, now_ms: int) -> tuple[int, int]:
    """From when until before when a day, a month, a year or the last days were; 1970 at the earliest.

    Raises Invalid, with the operator's name.
    """
    found = relative_span(value.lower(), now_ms) or calendar_span(value)
    if found is None:
        raise Invalid(f"Please write a day after {name}:, such as 2026-03-31, 2026-03, today, yesterday or 7d")
    return max(0, found[0]), max(0, found[1])


def relative_span(value: str, now_ms: int) -> tuple[int, int] | None:
    today_ms = now_ms - now_ms % DAY_MS
    if value == "today":
        return today_ms, today_ms + DAY_MS
    if value == "yesterday":
        return today_ms - DAY_MS, today_ms
    if re.fullmatch(r"[0-9]{1,4}d", value):
        return now_ms - int(value[:-1]) * DAY_MS, now_ms
    return None


def calendar_span(value: str) -> tuple[int, int] | None:
    form = FORMS.get(len(value))
    if form is None or not value.isascii():
        return None
    try:
        begin = datetime.strptime(value, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment_ms(begin), end_ms(begin, form)


def end_ms(begin: datetime, form: str) -> int:
    if form == "%Y-%m-%d":
        return moment_ms(begin) + DAY_MS
    year, month = (begin.year + 1, 1) if form == "%Y" or begin.month == 12 else (begin.year, begin.month + 1)
    return moment_ms(begin.replace(year=year, month=month)) if year < 10_000 else LAST_MS


def moment_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
