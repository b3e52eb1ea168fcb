"""Mails as they go out: from the outbox to a mail server on this machine, beside smtplib that has nothing to remember;
how long a claim takes when very many mails are due; and what queueing a transcript adds to the end of a chat.
"""

import smtplib
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.scale import Scale
from bench.table import Row
from history import journal, outbox
from history.db import Store, Transaction
from history.mail.causes import put_transcript
from history.mail.prepare import House
from history.mail.smtp import Connection, MailSettings
from history.mail.worker import MailWorker
from history.times import DAY_MS, now_ms
from history.writer import Writer, only_answer
from tests.soak_mail.run import POLICY, agent_of, begin_chat, close_chats
from tests.soak_mail.sink import running_sink
from tests.soak_mail.worker import ADDRESSES, DOMAIN, link

DUE = 50_000
CLAIMS, CLAIM_LIMIT = 20, 20
ENDS = 200
GOAL_PER_SECOND, GOAL_CLAIM_MS, GOAL_END_MS = 120, 20.0, 1.0
LOOK_S = 0.01
LATER_MS = 10 * DAY_MS

TIMES_OVER = (
    "INSERT INTO outbox_item (id, kind, chat_pk, thread, dedup_key, recipient, recipient_hash, domain, proof, network, "
    "locale, time_zone, message_id, bounce_token, state, reason, created_ms, due_ms, attempts, resends) "
    "SELECT ? || id, kind, chat_pk, thread, ? || dedup_key, recipient, recipient_hash, domain, proof, network, "
    "locale, time_zone, ? || message_id, ? || bounce_token, 'ready', '', created_ms, due_ms, 0, 0 "
    "FROM outbox_item WHERE state = 'sent' AND length(id) = 36"
)


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows, on a SQLite database in `folder` with its commits as shipped (synchronous FULL)."""
    store = Store(f"sqlite:///{folder / 'post.db'}")
    store.migrate()
    writer = Writer(store, partial(journal.apply, POLICY), only_answer)
    writer.start()
    try:
        yield end_row(writer)
        yield speed_row(store, writer, folder, scale.mails)
        yield claim_row(writer, scale.mails)
    finally:
        writer.stop()
        store.close()


def speed_row(store: Store, writer: Writer, folder: Path, mails: int) -> Row:
    with running_sink(folder, 1, 0.0, 0.0) as (port, log):
        close_chats(writer, mails)
        ours = from_outbox(store, writer, port, mails)
        bodies = [str(number).encode() * 2000 for number in range(mails)]  # about as long as a short transcript
        bare = with_smtplib(port, bodies)
        log.read()
    taken = sum(count for token, count in log.taken.items() if token != "?")
    return Row(
        "outbox to a mail server, short transcripts",
        f"{ours:.0f}/s, {taken} of {mails} taken",
        f"smtplib, one connection: {bare:.0f}/s",
        ours / bare,
        f">= {GOAL_PER_SECOND}/s",
        ours >= GOAL_PER_SECOND,
    )


def from_outbox(store: Store, writer: Writer, port: int, mails: int) -> float:
    """Mails a second, from the first look to the last record."""
    house = House("Bench", DOMAIN, f"https://{DOMAIN}", ADDRESSES, link, DAY_MS)
    settings = MailSettings(f"bench.{DOMAIN}", "127.0.0.1", port, tls="none")
    worker = MailWorker(store, writer, house, partial(Connection, settings))
    began = time.monotonic()
    worker.start()
    while True:
        with store.reading() as driver:
            row = driver.row("SELECT COUNT(*) FROM outbox_item WHERE state = 'sent'")
        if row is not None and row[0] >= mails:
            break
        time.sleep(LOOK_S)
    seconds = time.monotonic() - began
    worker.stop()
    return mails / seconds


def with_smtplib(port: int, bodies: list[bytes]) -> float:
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, f"bench.{DOMAIN}") as smtp:
        for body in bodies:
            smtp.sendmail(f"chat@{DOMAIN}", [f"alex@{DOMAIN}"], body)
    return len(bodies) / (time.monotonic() - began)


def claim_row(writer: Writer, mails: int) -> Row:
    times = -(-DUE // mails)
    for number in range(times):
        writer.write(partial(double, f"{number}-"))
    took_ms = [writer.write(timed_claim) for _ in range(CLAIMS)]
    ours = statistics.median(took_ms)
    what = f"a claim of {CLAIM_LIMIT} of {times * mails:,} due mails"
    return Row(what, f"{ours:.1f} ms", "", None, f"<= {GOAL_CLAIM_MS:.0f} ms", ours <= GOAL_CLAIM_MS)


def double(mark: str, transaction: Transaction) -> None:
    """The mails that were sent are due once more."""
    transaction.driver.run(TIMES_OVER, *[mark] * 4)


def timed_claim(transaction: Transaction) -> float:
    began = time.perf_counter()
    claims = outbox.claim(transaction, "bench", now_ms() + LATER_MS, CLAIM_LIMIT)
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
