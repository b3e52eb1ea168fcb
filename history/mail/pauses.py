"""Pauses: a domain that has had enough of us, or our own mail server, gets nothing for a while, each time longer.

Called by `outbox.py` with every result, in the caller's transaction; the worker asks who rests.
"""

from history.db import Driver, Transaction
from history.mail.results import Result
from history.times import HOUR_MS, MINUTE_MS, SECOND_MS

EVERYTHING = ""
"""Stands for all domains: nothing goes out."""

DOMAIN_DELAYS_MS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS)
SERVER_DELAYS_MS = (15 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS)
"""Our own server is asked again soon: nobody gets mail meanwhile."""

LONGEST_PAUSE_MS = 24 * HOUR_MS
JITTER_PART = 0.2

REMEMBERED = "SELECT domain FROM mail_pause"
BEFORE = "SELECT failures, until_ms FROM mail_pause WHERE domain = ?"
PAUSE = (
    "INSERT INTO mail_pause (domain, until_ms, failures, reason) VALUES (?, ?, 1, ?) "
    "ON CONFLICT (domain) DO UPDATE SET until_ms = excluded.until_ms, failures = ?, reason = excluded.reason"
)
END = (
    "DELETE FROM mail_pause WHERE domain IN (SELECT domain FROM mail_pause WHERE domain IN (?, ?) FOR_UPDATE_SKIPPING)"
)


def follow(transaction: Transaction, domain: str, result: Result, now_ms: int, jitter: float) -> None:
    """Begins or ends a pause as a try to reach `domain` says. `jitter` is a random number from -1 to 1."""
    resting = who_rests(domain, result)
    if result.fate == "sent":
        transaction.driver.run(END, EVERYTHING, domain)
    elif resting == EVERYTHING:
        pause(transaction, EVERYTHING, result.answer, SERVER_DELAYS_MS, now_ms, jitter)
    elif resting is not None:
        delays_ms = DOMAIN_DELAYS_MS if result.code == 421 else DOMAIN_DELAYS_MS[1:]  # greylisting takes five minutes
        pause(transaction, resting, result.answer, delays_ms, now_ms, jitter)


def who_rests(domain: str, result: Result) -> str | None:
    """For whom a try to reach `domain` means a pause, if for anybody."""
    if result.fate == "wait":
        return EVERYTHING
    return domain if result.fate != "sent" and result.is_policy else None


def pause(
    transaction: Transaction, domain: str, reason: str, delays_ms: tuple[int, ...], now_ms: int, jitter: float
) -> None:
    """Begins a pause. What was on its way when one began tells nothing new, and prolongs it not."""
    failures, until_ms = transaction.driver.row(BEFORE, domain) or (0, now_ms)
    if until_ms > now_ms:
        return
    beyond_ms = delays_ms[-1] << max(0, failures + 1 - len(delays_ms))
    delay_ms = delays_ms[failures] if failures < len(delays_ms) else beyond_ms
    longest_ms = delays_ms[-1] if domain == EVERYTHING else LONGEST_PAUSE_MS
    until_ms = now_ms + int(min(delay_ms, longest_ms) * (1 + JITTER_PART * jitter))
    transaction.driver.run(PAUSE, domain, until_ms, reason, failures + 1)


def remembered(driver: Driver) -> set[str]:
    """The domains whose pauses no success has ended yet, whether they are over or not."""
    return {domain for (domain,) in driver.rows(REMEMBERED)}


def paused(driver: Driver, now_ms: int, domain: str = EVERYTHING) -> str | None:
    """Why the domain gets nothing now; None if it may."""
    row = driver.row("SELECT reason FROM mail_pause WHERE domain = ? AND until_ms > ?", domain, now_ms)
    return row and row[0]
