"""Agents who are away for longer than the grace lose their chats, which wait again at their old places.

Started and stopped by `app.py`; every server looks, and the chat's lock leaves one winner. This only finds whom it
may concern; the rule is in `chats.py`, and is decided under the lock.
"""

import logging
import threading

from history.access import places_left
from history.batch import Requeue
from history.db import Store
from history.errors import Busy
from history.times import SECOND_MS, now_ms
from history.writer import Writer

LOOK_SECONDS = 5.0
"""How often it looks, at most."""

log = logging.getLogger("stillhere.away")


class AwayWatch:
    """`grace_s` is how long an agent may be away."""

    def __init__(self, store: Store, writer: Writer, grace_s: float) -> None:
        self.store = store
        self.writer = writer
        self.grace_s = grace_s
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="stillhere-away", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self, patience_s: float = 10) -> None:
        self.stopping.set()
        self.thread.join(patience_s)

    def _run(self) -> None:
        """Where nothing served, or the store was away, no agent could be seen: they get the whole grace to return."""
        pause_s = self.grace_s
        while not self.stopping.wait(pause_s):
            try:
                self.look()
                pause_s = min(LOOK_SECONDS, self.grace_s)
            except Busy as error:
                log.warning("nobody is looked for: %s", error)
                pause_s = self.grace_s
            except Exception:  # the next look may go well
                log.exception("agents who are away could not be looked for")
                pause_s = self.grace_s

    def look(self) -> None:
        """Puts back what the agents who are away now had in hand."""
        before_ms = now_ms() - int(self.grace_s * SECOND_MS)
        with self.store.reading() as driver:
            places = places_left(driver, before_ms)
        for place in places:
            self.writer.append(Requeue(place, before_ms))
