"""A new index, made from the whole log beside the one that is searched. Step by step, so that the indexer can follow
what is said meanwhile; nothing but the last step is seen by anybody. Called by the indexer.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from history.db import Driver
from history.models import INTERNAL, PUBLIC
from search.engine import Document, Edition, Engine, Key
from search.followed import BATCH_CHATS, Lagging, read_news
from search.marks import Mark, Misfit, read_marks
from search.patience import commit_apart

STEP_SECONDS = 1.0
"""How long a step may take: what is said meanwhile waits for its end."""

LEAST_SECONDS = 0.001
"""As far as clocks can be trusted."""

LEAST_EVENTS, MOST_EVENTS = 5_000, 50_000
"""How many events a step has: each commit costs, and so does memory."""

CHATS_AFTER = "SELECT pk, id, customer_id, head, internal_head FROM chat WHERE pk > ? ORDER BY pk LIMIT ?"
ChatRow = tuple[int, str, str, int, int]
"""pk, id, customer_id, head, internal_head"""

HEADS = "SELECT pk, id, customer_id, head, internal_head FROM chat ORDER BY pk"


def step_events(events: int, seconds: float) -> int:
    """How many events the next step has, after one of so many took so long."""
    return max(LEAST_EVENTS, min(MOST_EVENTS, int(events * STEP_SECONDS / max(seconds, LEAST_SECONDS))))


class Step(NamedTuple):
    """Some of the log, on its way into the new index."""

    added: list[Document]
    deleted: list[Key]
    events: int
    """How many of the log it is made from."""
    is_last: bool
    """Nothing was left when it was read."""


class Rebuild:
    """A new index in `engine`, which is empty. `read` and `take` in turn, until a step is the last."""

    def __init__(self, engine: Engine, edition: Edition) -> None:
        self.engine = engine
        self.edition = edition
        self.misfits: list[Misfit] = []
        self.done = 0
        """How many events of the log it has."""
        self.marks: dict[int, tuple[int, int]] = {}
        self.at = 0
        """All chats up to this one were read; behind the last, those that have grown are read again."""
        self.through = False
        self.events = LEAST_EVENTS
        """How many the next step has."""
        self.began = 0.0

    def read(self, driver: Driver) -> Step:
        """The next step, from the log as it is now."""
        self.began = time.monotonic()
        rows: Sequence[ChatRow] = () if self.through else self._next_chats(driver)
        if not rows:
            self.through, rows = True, driver.rows(HEADS)
        lagging = list(self._lagging(rows))
        news = read_news(driver, lagging, self.events)
        heads = {chat.pk: (chat.head, chat.internal_head) for chat in lagging}
        events = 0
        for pk, *mark in news.marks:
            events += sum(mark) - sum(self.marks.get(pk, (0, 0)))
            self.marks[pk] = (mark[0], mark[1])
        self.done += events
        if not self.through:
            unfinished = (pk for pk, head in heads.items() if self.marks.get(pk, (0, 0)) != head)
            self.at = next(unfinished, rows[-1][0] + 1) - 1
        return Step(news.added, news.deleted, events, self.through and not news.marks)

    def _next_chats(self, driver: Driver) -> list[ChatRow]:
        """Those behind the last, until they have as many events as a step."""
        rows: list[ChatRow] = []
        after, room = self.at, self.events
        while room > 0 and (more := driver.rows(CHATS_AFTER, after, BATCH_CHATS)):
            rows += more
            after = more[-1][0]
            room -= sum(head + internal_head for _, _, _, head, internal_head in more)
        return rows

    def _lagging(self, rows: Iterable[ChatRow]) -> Iterator[Lagging]:
        for pk, id, customer_id, head, internal_head in rows:
            mark = self.marks.get(pk, (0, 0))
            if mark != (head, internal_head):
                yield Lagging(pk, id, customer_id, head, internal_head, *mark)

    def take(self, step: Step) -> None:
        """Puts a step into the new index."""
        if step.added or step.deleted:
            self.edition = commit_apart(self.engine, step.added, step.deleted, self.misfits)
            self.events = step_events(step.events, time.monotonic() - self.began)

    def marks_that_differ(self, driver: Driver) -> list[Mark]:
        """From those in SQL, which belong to the old index."""
        known = read_marks(driver)
        return [
            (pk, *mark)
            for pk, mark in self.marks.items()
            if mark != (known.get((pk, PUBLIC), 0), known.get((pk, INTERNAL), 0))
        ]
