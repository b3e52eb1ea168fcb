"""The embedded engine: an index of Whoosh 2.7.4 on disk (`engine.py` says what an engine does).

One thread at a time reads: Whoosh's readers are not safe to share, each takes about the size of the index
in memory, and Python would not run two searches at once anyway. Never used: Whoosh's query parser,
AsyncWriter, BufferedWriter.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whoosh.index import TOC, FileIndex
from whoosh.reading import SegmentReader
from whoosh.writing import SegmentWriter

from history.errors import Busy
from search.engine import KNOWN_CHATS, SEARCH_SECONDS, Ask, Document, Edition, Facets, Hits, Key, Scope
from search.places import PLACE_FORM, chat_of, hit_at, read_cursor
from search.query import Query
from search.spelling import near_words
from search.whoosh_documents import PLACE, SCHEMA, TAGS, TEXT, chat_tag, fields_of, merge_equals
from search.whoosh_matching import Budget, ids_of
from search.whoosh_page import Leaf, collect, page_of
from search.whoosh_storage import INDEX_NAME, newest_generation, open_folder, toc_name

TURN_SECONDS = 3.0
"""How long a search waits for those before it."""

OPENINGS = 5
"""How often a reader tries to open an index while another process commits to it."""

POOL_MB = 64
"""How much of a commit Whoosh sorts in memory."""

log = logging.getLogger("stillhere.search")


class WhooshEngine:
    """An index in `folder`. `search_seconds` is what a search may take before it answers with what it has.

    Raises PermissionError if the folder is somebody else's.
    """

    def __init__(self, folder: Path, search_seconds: float = SEARCH_SECONDS) -> None:
        self.search_seconds = search_seconds
        self.storage = open_folder(folder)
        self.lock = self.storage.lock("owner.lock")
        self.claimed = False
        self.doubt = False
        self.turn = threading.Lock()
        self.opened: tuple[int, float] | None = None
        """Number and time of the table of contents that the leaves are from."""
        self.leaves: dict[tuple[str, int], Leaf] = {}

    def claim(self) -> bool:
        self.claimed = self.claimed or bool(self.lock.acquire(blocking=False))
        return self.claimed

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
            for document in added:
                writer.add_document(**fields_of(document))
        return self._edition()

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        with self._writing() as writer:
            self._delete(writer, self._beyond(heads))
        return self._edition()

    def count(self) -> int:
        with self._reading() as leaves:
            return sum(leaf.reader.doc_count() for leaf in leaves)

    def close(self) -> None:
        with self.turn:
            self._close_leaves()
        if self.claimed:
            self.lock.release()
            self.claimed = False

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        if ask.cursor:
            read_cursor(ask.cursor)
        if scope.is_empty():
            return Hits(0, 0, (), facets=Facets({}, {}, {}) if ask.facets else None)
        with self._reading() as leaves:
            budget = Budget(time.monotonic() + self.search_seconds)
            found = collect(leaves, query, scope, ask, budget)
        return page_of(found, ask, budget.cut)

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        with self._reading() as leaves:
            counts = {term: sum(leaf.reader.doc_frequency(TEXT, term) for leaf in leaves) for term in terms}
        return {term: count for term, count in counts.items() if count}

    def near_words(self, word: str, near: int) -> list[str]:
        chats: dict[str, set[int]] = defaultdict(set)
        counts: dict[str, int] = defaultdict(int)
        with self._reading() as leaves:
            for leaf in leaves:
                for other in near_words(word, near, leaf.reader.field_terms(TEXT)):
                    ids = list(leaf.reader.postings(TEXT, other).all_ids())
                    chats[other].update(chat_of(leaf.places[id]) for id in ids)
                    counts[other] += len(ids)
        known = [other for other in counts if other != word and len(chats[other]) >= KNOWN_CHATS]
        return sorted(known, key=lambda other: (-counts[other], other))

    def _edition(self) -> Edition:
        return Edition(self.storage.identity, newest_generation(self.storage.path))

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A Whoosh writer; its commit is the end of the block."""
        writer = SegmentWriter(FileIndex(self.storage, SCHEMA, INDEX_NAME), limitmb=POOL_MB)
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
            raise Busy("The search index is being made again; please try later", after_ms=5000) from error
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
                leaves = {leaf_key(segment): self._leaf(segment) for segment in toc.segments}
            except FileNotFoundError:  # a commit has replaced it meanwhile
                if attempt == OPENINGS - 1:
                    raise
                continue
            for gone in self.leaves.keys() - leaves.keys():
                self.leaves[gone].reader.close()
            self.leaves, self.opened = leaves, newest
            return

    def _leaf(self, segment: Any) -> Leaf:
        known = self.leaves.get(leaf_key(segment))
        if known:
            return known
        reader = SegmentReader(self.storage, SCHEMA, segment)
        return Leaf(reader, reader.column_reader(PLACE, translate=False))

    def _close_leaves(self) -> None:
        for leaf in self.leaves.values():
            leaf.reader.close()
        self.leaves, self.opened = {}, None

    def _find(self, keys: Collection[Key]) -> list[tuple[str, int]]:
        """(segment, document number) of the documents with these keys."""
        if not keys:
            return []
        wanted = defaultdict(set)
        for key in keys:
            wanted[key.chat_pk].add(key)
        with self._reading() as leaves:
            return [
                (leaf.name, id)
                for leaf in leaves
                for chat_pk, places in wanted.items()
                if (TAGS, chat_tag(chat_pk)) in leaf.reader
                for id in ids_of(leaf.reader.postings(TAGS, chat_tag(chat_pk)))
                if hit_at(leaf.places[id]).key in places
            ]

    def _beyond(self, heads: Mapping[tuple[int, int], int]) -> list[tuple[str, int]]:
        with self._reading() as leaves:
            return [
                (leaf.name, id)
                for leaf in leaves
                for id in leaf.reader.all_doc_ids()
                for _, chat_pk, stream, seq in [PLACE_FORM.unpack(leaf.places[id])]
                if seq > heads.get((chat_pk, stream), 0)
            ]

    def _delete(self, writer: Any, documents: list[tuple[str, int]]) -> None:
        segments = {segment.segment_id(): segment for segment in writer.segments}
        for name, id in documents:
            segments[name].delete_document(id)


def leaf_key(segment: Any) -> tuple[str, int]:
    """Segments never change but in what was deleted from them."""
    return segment.segment_id(), segment.deleted_count()
