"""Writes down what has become of mails: whatever has ended at the same moment in one commit, while whoever sent it goes
on with the next. Used by the worker.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from history import outbox
from history.db import Transaction
from history.errors import Busy
from history.mail.results import Result
from history.outbox import Claim
from history.writer import Writer

AGAIN_SECONDS = 1.0
"""How soon a busy store is asked again."""

log = logging.getLogger("stillhere.mail")


class Try(NamedTuple):
    """How far a claimed item came."""

    claim: Claim
    result: Result


class Recorder:
    """`recorded` is told of each try of which no more is to be written."""

    def __init__(self, writer: Writer, recorded: Callable[[Try], None]) -> None:
        self.writer = writer
        self.recorded = recorded
        self.stopping = False
        self.waiting: queue.SimpleQueue[Try | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="stillhere-mail-record", daemon=True)

    def put(self, claim: Claim, result: Result) -> None:
        self.waiting.put(Try(claim, result))

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """The thread ends after what has been put. If the store is busy then, that is left to the leases."""
        self.stopping = True
        self.waiting.put(None)

    def _run(self) -> None:
        going = True
        while going:
            tries = [self.waiting.get()]
            while not self.waiting.empty():
                tries.append(self.waiting.get())
            going = None not in tries
            self._record([each for each in tries if each is not None])

    def _record(self, tries: list[Try]) -> None:
        for each in tries:
            if each.result.is_alarm:
                told = str(each.result.code or ""), each.result.answer
                log.error("all mail waits: %s", " ".join(filter(None, told)))
        self._write(tries)
        for each in tries:
            self.recorded(each)

    def _write(self, tries: list[Try]) -> None:
        """An outcome that is not recorded would be an uncertain one."""
        if not tries:
            return
        try:
            self.insist(lambda t: settle(t, tries))
        except Busy as error:
            log.warning("%d mails are left to their leases: %s", len(tries), error)
        except Exception:
            if len(tries) == 1:
                log.exception("what became of mail %s could not be recorded", tries[0].claim.id)
                return
            for each in tries:  # one of them is to blame, and may not stop the others
                self._write([each])

    def insist(self, work: Callable[[Transaction], object]) -> None:
        """Keeps at it while the store is busy, until the end."""
        while True:
            try:
                self.writer.write(work, is_sure=True)
                return
            except Busy:
                if self.stopping:
                    raise
                time.sleep(AGAIN_SECONDS)


def settle(transaction: Transaction, tries: Sequence[Try]) -> None:
    now_ms = transaction.now_ms
    plain = [each for each in tries if each.result.fate == "sent" and not each.claim.after_pause]
    outbox.settle_sent(transaction, plain, now_ms)
    for claim, result in tries:
        if result.fate != "sent" or claim.after_pause:
            jitter = random.uniform(-1, 1)  # noqa: S311  (spreads retries, guards nothing)
            outbox.settle(transaction, claim, result, now_ms, jitter)
