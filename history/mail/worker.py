"""The mail worker: one thread that takes due items from the outbox, one at a time, and sends them.

    claim -> render (once) -> fence -> send -> record

Started and stopped by `app.py`; several workers may run on one database. It never sends again what may have
been taken: an item whose outcome is unknown stays `uncertain`.
"""

import logging
import random
import threading
from collections.abc import Callable
from functools import partial

from history import outbox
from history.db import Store, Transaction
from history.errors import Busy, Invalid
from history.mail.compose import ascii_address, compose
from history.mail.letter import Letter
from history.mail.send import Mail, MailSettings, send
from history.outbox import Claim, Result
from history.times import new_id, now_ms
from history.transcript import load_transcript
from history.writer import Writer

LOOK_SECONDS = 1.0
"""How often the worker looks for due items when nobody wakes it."""

MakeLink = Callable[[Transaction, str, str], str]
"""(transaction, chat id, customer id) -> the URL that opens the chat on any device."""

log = logging.getLogger("stillhere.mail")


class MailWorker:
    """`link_life_ms` is how long a link of `make_link` is good for; the mail says so."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        settings: MailSettings,
        brand: str,
        make_link: MakeLink,
        link_life_ms: int,
    ) -> None:
        self.store = store
        self.writer = writer
        self.settings = settings
        self.brand = brand
        self.make_link = make_link
        self.link_life_ms = link_life_ms
        self.owner = new_id()
        self.stopping = False
        self.alarm = threading.Event()
        self.thread = threading.Thread(target=self._run, name="stillhere-mail", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def wake(self) -> None:
        """There may be something to do now."""
        self.alarm.set()

    def stop(self, patience_s: float = 10) -> None:
        """Ends after the mail in hand. One that takes longer is left to its lease."""
        self.stopping = True
        self.wake()
        self.thread.join(patience_s)

    def _run(self) -> None:
        while not self.stopping:
            try:
                worked = self.work()
            except Busy as error:
                log.warning("mail waits: %s", error)
                worked = False
            except Exception:  # one mail may not stop the others; its lease brings it back
                log.exception("the mail worker could not work")
                worked = False
            if not worked:
                self.alarm.wait(LOOK_SECONDS)
                self.alarm.clear()

    def work(self) -> bool:
        """Deals with one due item; False when there was none."""
        with self.store.reading() as driver:
            due_ms = outbox.next_due_ms(driver)
        if due_ms is None or due_ms > now_ms():
            return False
        claims = self.writer.write(self._claim)
        for claim in claims:
            self.deliver(claim)
        return bool(claims)

    def _claim(self, transaction: Transaction) -> list[Claim]:
        """One item at a time, so that no lease grows old behind a slow server."""
        outbox.recover(transaction, transaction.now_ms)
        return outbox.claim(transaction, self.owner, transaction.now_ms, limit=1)

    def deliver(self, claim: Claim) -> None:
        result = self._try(claim)
        if result is None:
            self.writer.write(lambda transaction: outbox.give_back(transaction, claim, transaction.now_ms))
        else:
            self._record(claim, result)

    def _try(self, claim: Claim) -> Result | None:
        """How far the mail came; None when the fence held it back."""
        body = claim.body
        if body is None:
            letter = self._letter(claim)
            try:
                body = compose(letter)
            except Invalid as error:
                return Result("render", None, error.detail)
            except Exception as error:  # composing is pure: what fails now fails always
                log.exception("mail %s cannot be composed", claim.id)
                return Result("render", None, type(error).__name__)
            self.writer.write(partial(outbox.keep_body, claim=claim, body=body, rendered_rev=letter.transcript.head))
        mail = Mail(claim.id, self.settings.from_address, ascii_address(claim.recipient), body)
        return send(mail, self.settings, lambda: self.writer.write(lambda t: outbox.start(t, claim, t.now_ms)))

    def _letter(self, claim: Claim) -> Letter:
        """The chat as it is now, and a fresh link; composed later, so that no transaction waits for it."""
        with self.store.reading() as driver:
            transcript = load_transcript(driver, claim.chat_pk)
            (customer_id,) = driver.row("SELECT customer_id FROM chat WHERE pk = ?", claim.chat_pk) or ("",)
        at_ms = now_ms()
        return Letter(
            transcript=transcript,
            recipient=claim.recipient,
            resume_url=self.writer.write(lambda t: self.make_link(t, transcript.chat_id, customer_id)),
            link_until_ms=at_ms + self.link_life_ms,
            brand=self.brand,
            from_address=self.settings.from_address,
            message_id=claim.message_id,
            locale=claim.locale,
            time_zone=claim.time_zone,
            now_ms=at_ms,
        )

    def _record(self, claim: Claim, result: Result) -> None:
        """Keeps at it while the store is busy: an outcome that is not recorded would be an uncertain one."""
        jitter = random.uniform(-1, 1)  # noqa: S311  (spreads retries, guards nothing)
        while True:
            try:
                self.writer.write(lambda t: outbox.settle(t, claim, result, t.now_ms, jitter))
                return
            except Busy:
                if self.stopping:
                    raise
                self.alarm.wait(LOOK_SECONDS)
