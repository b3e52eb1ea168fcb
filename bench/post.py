"""Mails as they go out: from the outbox to a mail server; how long a claim takes when very many mails are due; and what
queueing a transcript adds to the end of a chat.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from bench import sending
from bench.scale import Scale
from bench.sending import writing
from bench.table import Row
from history import outbox
from history.db import Store, Transaction
from history.mail.causes import put_transcript
from history.outbox import Room
from history.times import DAY_MS, now_ms
from history.writer import Writer
from tests.soak_mail.run import POLICY, agent_of, begin_chat

DUE = 50_000
CLAIMS, CLAIM_LIMIT = 20, 20
ENDS = 200
GOAL_CLAIM_MS, GOAL_END_MS = 20.0, 1.0
LATER_MS = 10 * DAY_MS

TIMES_OVER = (
    "INSERT INTO outbox_item (id, kind, chat_pk, thread, dedup_key, recipient, recipient_hash, domain, proof, network, "
    "locale, time_zone, message_id, bounce_token, state, reason, created_ms, due_ms, attempts, resends) "
    "SELECT ? || id, kind, chat_pk, thread, ? || dedup_key, recipient, recipient_hash, domain, proof, network, "
    "locale, time_zone, ? || message_id, ? || bounce_token, 'ready', '', created_ms, due_ms, 0, 0 "
    "FROM outbox_item WHERE state = 'cancelled' AND length(id) = 36"
)


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows, on a SQLite database in `folder` with its commits as shipped (FULL); then those of sending."""
    with closing(Store(f"sqlite:///{folder / 'post.db'}")) as store:
        store.migrate()
        with writing(store) as writer:
            yield end_row(writer)
            yield claim_row(writer)
    yield from sending.measure(scale, folder)


def claim_row(writer: Writer) -> Row:
    times = DUE // ENDS
    for number in range(times):
        writer.write(partial(double, f"{number}-"))
    took_ms = [writer.write(timed_claim) for _ in range(CLAIMS)]
    ours = statistics.median(took_ms)
    what = f"a claim of {CLAIM_LIMIT} of {DUE:,} due mails"
    return Row(what, f"{ours:.1f} ms", "", None, f"<= {GOAL_CLAIM_MS:.0f} ms", ours <= GOAL_CLAIM_MS)


def double(mark: str, transaction: Transaction) -> None:
    """The mails that ends have caused are due once more."""
    transaction.driver.run(TIMES_OVER, *[mark] * 4)


def timed_claim(transaction: Transaction) -> float:
    began = time.perf_counter()
    claims = outbox.claim(transaction, "bench", now_ms() + LATER_MS, Room(CLAIM_LIMIT, CLAIM_LIMIT))
    assert len(claims) == CLAIM_LIMIT, "they are due"
    return (time.perf_counter() - began) * 1000


def end_row(writer: Writer) -> Row:
    """What a chat's end costs with and without a mail, in the same transaction as in life."""

    def ends(transaction: Transaction) -> list[float]:
        took_ms = []
        for number in range(ENDS):
            place = begin_chat(transaction, number)
            began = time.perf_counter()
            put_transcript(transaction, POLICY, agent_of(place).chat_pk, 1)
            took_ms.append((time.perf_counter() - began) * 1000)
        transaction.driver.run("UPDATE outbox_item SET state = 'cancelled'")
        return took_ms

    added = statistics.median(writer.write(ends))
    goal = f"<= {GOAL_END_MS:.0f} ms"
    return Row("queueing a transcript adds to a chat's end", f"{added:.2f} ms", "", None, goal, added <= GOAL_END_MS)
