"""The embedded engine: an index of Whoosh 2.7.4 on disk (`engine.py` says what an engine does).

Of Whoosh it has the writer, the lock, the table of contents and the files; what is in a segment is laid out by
ourselves (`whoosh_segment.py`). One thread at a time searches: Python would not run two at once anyway. Never used:
Whoosh's query parser, AsyncWriter, BufferedWriter.
"""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from whoosh.index import TOC, FileIndex

from history.errors import Busy
from search.engine import (
    KNOWN_CHATS,
    SEARCH_SECONDS,
    Ask,
    Document,
    Edition,
    Hits,
    Key,
    Scope,
    being_made_again,
    nothing,
)
from search.folder import Ownership
from search.places import read_cursor
from search.query import Query
from search.whoosh_matching import Budget
from search.whoosh_page import collect, page_of
from search.whoosh_segment import Leaf
from search.whoosh_storage import INDEX_NAME, newest_generation, open_folder, toc_name
from search.whoosh_writer import FILE_ENDING, SCHEMA, FlatSegment, Writer, chat_tag, merge_equals

TURN_SECONDS = 3.0
"""How long a search waits for those before it."""

FINDING_SHARE = 0.8
"""How much of a search's time is for finding; the rest is for counting and ordering what was found."""

OPENINGS = 5
"""How often a reader tries to open an index while another process commits to it."""

log = logging.getLogger("stillhere.search")


class WhooshEngine:
    """An index in `folder`. `search_seconds` is what a search may take before it answers with what it has.

    Raises PermissionError if the folder is somebody else's.
    """

    def __init__(self, folder: Path, search_seconds: float = SEARCH_SECONDS) -> None:
        self.search_seconds = search_seconds
        self.storage = open_folder(folder)
        self.ownership = Ownership(folder)
        self.doubt = False
        self.turn = threading.Lock()
        self.opened: tuple[int, float] | None = None
        """Number and time of the table of contents that the leaves are from."""
        self.leaves: dict[str, Leaf] = {}

    def claim(self) -> bool:
        return self.ownership.acquire()

    def check(self) -> Edition | None:
        with self.turn:
            self._close_leaves()
            self.doubt = False
            return self.storage.verify()

    def reset(self) -> Edition:
        with self.turn:
            self._close_leaves()
            self.storage.wipe()
            FileIndex.create(self.storage, SCHEMA, INDEX_NAME)
        return self._edition()

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        with self._writing() as writer:
            self._delete(writer, self._find(deleted))
            writer.add(added)
        return self._edition()

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        with self._writing() as writer:
            self._delete(writer, self._beyond(heads))
        return self._edition()

    def count(self) -> int:
        with self._reading() as leaves:
            return sum(map(len, leaves))

    def close(self) -> None:
        with self.turn:
            self._close_leaves()
        self.ownership.release()

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        if ask.cursor:
            read_cursor(ask.cursor)
        if scope.is_empty():
            return nothing(ask)
        with self._reading() as leaves:
            budget = Budget(time.monotonic() + self.search_seconds * FINDING_SHARE)
            found = collect(leaves, query, scope, ask, budget)
        return page_of(found, ask, budget.cut)

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        with self._reading() as leaves:
            counts = {term: sum(len(leaf.docs(term)) for leaf in leaves) for term in terms}
        return {term: count for term, count in counts.items() if count}

    def near_words(self, word: str, near: int) -> list[str]:
        chats: dict[str, set[int]] = defaultdict(set)
        counts: Counter[str] = Counter()
        with self._reading() as leaves:
            for leaf in leaves:
                for other in leaf.near(word, near):
                    ids = leaf.docs(other)
                    chats[other].update(map(leaf.chat.__getitem__, ids))
                    counts[other] += len(ids)
        known = [other for other in counts if other != word and len(chats[other]) >= KNOWN_CHATS]
        return sorted(known, key=lambda other: (-counts[other], other))

    def _edition(self) -> Edition:
        return Edition(self.storage.identity, newest_generation(self.storage.path))

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        """A writer; its commit is the end of the block."""
        with self._reading():
            leaves = dict(self.leaves)
        writer = Writer(FileIndex(self.storage, SCHEMA, INDEX_NAME), leaves)
        try:
            yield writer
            writer.commit(mergetype=merge_equals)
        except BaseException:
            if not writer.is_closed:
                writer.cancel()
            raise

    @contextmanager
    def _reading(self) -> Iterator[list[Leaf]]:
        """The open segments, for this thread alone. Raises Busy; any error puts the index in doubt."""
        if not self.turn.acquire(timeout=TURN_SECONDS):
            raise Busy("Too many searches are waiting", after_ms=1000)
        try:
            self._open_leaves()
            yield list(self.leaves.values())
        except Exception as error:  # a damaged file may raise anything
            log.exception("the index could not be read")
            self.doubt = True
            raise being_made_again() from error
        finally:
            self.turn.release()

    def _open_leaves(self) -> None:
        """Opens what the newest commit brought, and keeps what it left alone."""
        for attempt in range(OPENINGS):
            try:
                generation = newest_generation(self.storage.path)
                newest = generation, self.storage.file_modified(toc_name(generation))
                if newest == self.opened:
                    return
                toc = TOC.read(self.storage, INDEX_NAME, gen=generation, schema=SCHEMA)
                leaves = {name: self._leaf(name) for name in map(FlatSegment.segment_id, toc.segments)}
            except FileNotFoundError:  # a commit has replaced it meanwhile
                if attempt == OPENINGS - 1:
                    raise
                continue
            self.leaves, self.opened = leaves, newest
            return

    def _leaf(self, name: str) -> Leaf:
        """What is in a segment never changes."""
        return self.leaves.get(name) or Leaf(name, (self.storage.path / f"{name}{FILE_ENDING}").read_bytes())

    def _close_leaves(self) -> None:
        self.leaves, self.opened = {}, None

    def _find(self, keys: Collection[Key]) -> list[tuple[str, int]]:
        """(segment, document number) of the documents with these keys."""
        if not keys:
            return []
        with self._reading() as leaves:
            return [
                (leaf.name, id)
                for leaf in leaves
                for chat_pk, wanted in groupby(sorted(keys), key=lambda key: key.chat_pk)
                for id in at_keys(leaf, chat_pk, set(wanted))
            ]

    def _beyond(self, heads: Mapping[tuple[int, int], int]) -> list[tuple[str, int]]:
        with self._reading() as leaves:
            return [
                (leaf.name, id)
                for leaf in leaves
                for id in range(len(leaf))
                if leaf.seq[id] > heads.get((leaf.chat[id], leaf.stream[id]), 0)
            ]

    def _delete(self, writer: Any, documents: list[tuple[str, int]]) -> None:
        segments = {segment.segment_id(): segment for segment in writer.segments}
        for name, id in documents:
            segments[name].delete_document(id)


def at_keys(leaf: Leaf, chat_pk: int, keys: set[Key]) -> Iterator[int]:
    """The documents of a chat that have one of the keys."""
    for id in leaf.tagged(chat_tag(chat_pk)):
        if Key(leaf.chat[id], leaf.stream[id], leaf.seq[id]) in keys:
            yield id
