"""Keeps the index up with the log: one thread, safe to kill at any moment and to start again.

Hints of the bus say which chats to look at; a sweep over all chats finds what a hint has missed. A batch is
committed to the index first, and then the marks in SQL are moved. So after a crash the index is at most one
commit ahead, which is cut off; in any other doubt, the index is thrown away and made again from the log.
"""

import logging
import queue
import threading
import time
from functools import partial

from history.bus import Hint, MemoryBus
from history.db import Store
from history.errors import Busy
from history.writer import Writer
from search.engine import Edition
from search.followed import BATCH_EVENTS, lagging_chats, read_news
from search.marks import (
    Mark,
    Misfit,
    State,
    become_whole,
    count_behind,
    count_events,
    forget_marks,
    read_edition,
    read_marks,
    read_state,
    save_marks,
    tell_progress,
    turn_to,
)
from search.patience import Patience
from search.rebuilding import Rebuild
from search.shelf import PLACES, Shelf

SWEEP_SECONDS = 30.0
STAND_BY_SECONDS = 5.0
"""How often a process looks whether the one that indexes is gone."""

GATHER_SECONDS = 0.05
"""How long news is gathered for one commit."""

RUSH_HINTS = 300
"""So many hints a second mean that people write more than can be indexed beside them: indexing gives way then, as all
threads of a process share one core (Python's global lock), and nobody waits for the index while many wait for acks."""

RUSH_EVENTS = 100
RUSH_PAUSES = 30
"""In a rush batches are small, and each is followed by a pause so many times as long."""

PAUSE_SECONDS = 3.0
RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.1
"""How often `caught_up` looks."""

WISH_SECONDS = 1.0
"""How often it is looked whether a new index is wanted."""

TELL_SECONDS = 0.5
"""How often it is told how far a new index is."""

NO_EDITION = Edition(0, 0)

log = logging.getLogger("stillhere.search")


class Indexer:
    """The indexing thread of this process. Where several share an index folder, one of them indexes and the
    others stand by. Stop it before the writer that it writes its marks with.
    """

    def __init__(self, store: Store, writer: Writer, bus: MemoryBus, shelf: Shelf) -> None:
        self.store = store
        self.writer = writer
        self.shelf = shelf
        self.ready = False
        """The marks tell the truth about the index."""
        self.edition = NO_EDITION
        self.patience = Patience()
        self.hinted: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.progress = threading.Condition()
        self.next_sweep = 0.0
        self.heard = 0
        self.counted = (time.monotonic(), 0)
        self.rush = False
        self.thread = threading.Thread(target=self._run, name="stillhere-indexer", daemon=True)
        bus.subscribe(self._hear)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Ends after the batch at hand."""
        self.stopping.set()
        self.wake.set()
        self.thread.join()

    def behind(self) -> int:
        """How many events of the log are not in the index yet."""
        with self.store.reading() as driver:
            return count_behind(driver)

    def caught_up(self, timeout_seconds: float) -> bool:
        """Waits until the index has all that was committed so far, and is the one that was asked for last. False if
        that takes longer."""
        until = time.monotonic() + timeout_seconds
        while not self._is_up_to_date():
            if time.monotonic() > until:
                return False
            self.next_sweep = 0.0
            self.wake.set()
            with self.progress:
                self.progress.wait(LOOK_SECONDS)
        return True

    def _is_up_to_date(self) -> bool:
        if not self.ready or self.shelf.doubt:
            return False
        with self.store.reading() as driver:
            state = read_state(driver)
            return state.whole and state.made == state.wanted and count_behind(driver) == 0

    def _hear(self, hints: list[Hint]) -> None:
        chats = [hint.chat_pk for hint in hints if hint.typing is None]
        if chats:
            self.heard += len(chats)
            self.hinted.put(chats)
            self.wake.set()

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                if self._prepare():
                    self._follow()
                else:
                    self.stopping.wait(STAND_BY_SECONDS)
            except Busy as error:
                log.warning("indexing waits: %s", error)
                self.stopping.wait(RETRY_SECONDS)
            except Exception:  # a full disk: it may pass
                log.exception("indexing stopped, and is tried again")
                self.stopping.wait(RETRY_SECONDS)
            finally:
                self.ready = False

    def _prepare(self) -> bool:
        """Makes index and marks agree. False while another process has the index."""
        if not self.shelf.claim():
            return False
        found = self.shelf.check()
        with self.store.reading() as driver:
            known, marks = read_edition(driver), read_marks(driver)
        if found is None or known is None or found not in (known, known._replace(commits=known.commits + 1)):
            if known is not None:
                log.warning("the search index is made again from the log")
            self.edition = self.shelf.reset()
            self.writer.write(partial(forget_marks, edition=self.edition))
        elif found == known:
            self.edition = found
        else:
            self.edition = self.shelf.cut(marks)
            self.writer.write(partial(save_marks, marks=[], edition=self.edition))
        self.ready = True
        return True

    def _follow(self) -> None:
        """Indexes what comes while index and marks can be trusted. What was hinted at goes before the sweep, and both
        before a new index that somebody asked for."""
        self.next_sweep = 0.0
        while not (self.stopping.is_set() or self.shelf.doubt):
            self._index_hinted()
            if time.monotonic() >= self.next_sweep and not self._index(None):
                self._swept()
            if self.next_sweep and self._is_wanted_anew():
                self._rebuild()
            if self.wake.wait(min(WISH_SECONDS, max(0.0, self.next_sweep - time.monotonic()))):
                self.stopping.wait(GATHER_SECONDS)
                self.wake.clear()

    def _swept(self) -> None:
        """All that was in the log is in the index."""
        if not self.shelf.state().whole:
            self.writer.write(become_whole)
        self.next_sweep = time.monotonic() + SWEEP_SECONDS
        with self.progress:
            self.progress.notify_all()

    def _index_hinted(self) -> None:
        hinted: set[int] = set()
        while not self.hinted.empty():
            hinted.update(self.hinted.get())
        while hinted and not self.stopping.is_set() and self._index(sorted(hinted)):
            pass

    def _index(self, chats: list[int] | None) -> bool:
        """One batch of news of these chats, or of all. False if there was none."""
        self._look_for_rush()
        began = time.monotonic()
        with self.store.reading() as driver:
            news = read_news(driver, lagging_chats(driver, chats), RUSH_EVENTS if self.rush else BATCH_EVENTS)
        if not news.marks:
            return False
        misfits: list[Misfit] = []
        if news.added or news.deleted:
            self.edition = self.patience.commit(self.shelf, news.added, news.deleted, misfits)
        self.writer.write(partial(save_marks, marks=news.marks, edition=self.edition, misfits=misfits))
        if self.rush:
            self.stopping.wait(min(PAUSE_SECONDS, RUSH_PAUSES * (time.monotonic() - began)))
        return True

    def _is_wanted_anew(self) -> bool:
        state = self.shelf.state()
        return state.wanted > state.made

    def _rebuild(self) -> None:
        """Makes a new index in the other place, while the old one is searched and followed; then turns to it."""
        old = self.shelf.state()
        place = next(place for place in PLACES if place != old.place)
        engine = self.shelf.at(place)
        if not engine.claim():
            log.warning("another process has the place for a new index")
            self.stopping.wait(RETRY_SECONDS)
            return
        rebuild = Rebuild(engine, engine.reset())
        next_told = 0.0
        while not (self.stopping.is_set() or self.shelf.doubt):
            with self.store.reading() as driver:
                step, total = rebuild.read(driver), count_events(driver)
                marks = rebuild.marks_that_differ(driver) if step.is_last else []
            if step.is_last:
                self._turn(rebuild, place, marks, old)
                return
            rebuild.take(step)
            if time.monotonic() >= next_told:
                self.writer.write(partial(tell_progress, done=rebuild.done, total=total))
                next_told = time.monotonic() + TELL_SECONDS
            self._index_hinted()
            if self.rush:
                self.stopping.wait(PAUSE_SECONDS)

    def _turn(self, rebuild: Rebuild, place: str, marks: list[Mark], old: State) -> None:
        """One commit in SQL, and all servers search the new index."""
        self.edition = rebuild.edition
        turn = partial(turn_to, place=place, marks=marks, edition=self.edition, misfits=rebuild.misfits)
        self.writer.write(partial(turn, made=old.wanted))
        self.shelf.leave(old.place)

    def _look_for_rush(self) -> None:
        """Counts the hints of the last moment."""
        since, heard = self.counted
        seconds = time.monotonic() - since
        if seconds > LOOK_SECONDS:
            self.rush = (self.heard - heard) / seconds > RUSH_HINTS
            self.counted = (time.monotonic(), self.heard)
