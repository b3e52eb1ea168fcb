"""A new index, made from the whole log beside the one that is searched. Step by step, so that the indexer can follow
what is said meanwhile; nothing but the last step is seen by anybody. Called by the indexer.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from history.db import Driver
from history.models import INTERNAL, PUBLIC
from search.engine import Document, Edition, Engine, Key
from search.followed import BATCH_CHATS, Lagging, read_news
from search.marks import Mark, Misfit, read_marks
from search.patience import commit_apart

STEP_EVENTS = 20_000
"""Nobody waits for these, and each commit costs."""

CHATS_AFTER = "SELECT pk, id, customer_id, head, internal_head FROM chat WHERE pk > ? ORDER BY pk LIMIT ?"
HEADS = "SELECT pk, id, customer_id, head, internal_head FROM chat ORDER BY pk"


class Step(NamedTuple):
    """Some of the log, on its way into the new index."""

    added: list[Document]
    deleted: list[Key]
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

    def read(self, driver: Driver) -> Step:
        """The next step, from the log as it is now."""
        if not self.through:
            rows = driver.rows(CHATS_AFTER, self.at, BATCH_CHATS)
            self.through = not rows
        if self.through:
            rows = driver.rows(HEADS)
        lagging = list(self._lagging(rows))
        news = read_news(driver, lagging, STEP_EVENTS)
        heads = {chat.pk: (chat.head, chat.internal_head) for chat in lagging}
        for pk, *mark in news.marks:
            before = self.marks.get(pk, (0, 0))
            self.marks[pk] = (mark[0], mark[1])
            self.done += sum(mark) - sum(before)
        if not self.through:
            unfinished = (pk for pk, head in heads.items() if self.marks.get(pk, (0, 0)) != head)
            self.at = next(unfinished, rows[-1][0] + 1) - 1
        return Step(news.added, news.deleted, self.through and not news.marks)

    def _lagging(self, rows: Iterable[tuple[int, str, str, int, int]]) -> Iterator[Lagging]:
        for pk, id, customer_id, head, internal_head in rows:
            mark = self.marks.get(pk, (0, 0))
            if mark != (head, internal_head):
                yield Lagging(pk, id, customer_id, head, internal_head, *mark)

    def take(self, step: Step) -> None:
        """Puts a step into the new index."""
        if step.added or step.deleted:
            self.edition = commit_apart(self.engine, step.added, step.deleted, self.misfits)

    def marks_that_differ(self, driver: Driver) -> list[Mark]:
        """From those in SQL, which belong to the old index."""
        known = read_marks(driver)
        return [
            (pk, *mark)
            for pk, mark in self.marks.items()
            if mark != (known.get((pk, PUBLIC), 0), known.get((pk, INTERNAL), 0))
        ]
