"""The engine for one big machine: an index of tantivy on disk (`engine.py` says what an engine does). Needs the extra
`tantivy`, and is imported only where it was chosen.

Any thread searches at any time, as tantivy's searchers are snapshots. One writer lives as long as this process has
the index; its merges go on beside the searches.
"""

import logging
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import tantivy

from history.errors import Busy
from search.engine import SEARCH_SECONDS, Ask, Document, Edition, Hits, Key, Scope, being_made_again, nothing
from search.folder import Ownership, make_private, sync
from search.places import PLACE_FORM, read_cursor
from search.query import Query
from search.tantivy_documents import (
    EDITION_QUERY,
    edition_document,
    indexed,
    key_query,
    open_index,
    read_edition,
)
from search.tantivy_files import META_FILE, check_files, wipe
from search.tantivy_page import Found, count_of, page_of, places_of
from search.tantivy_query import Wording, everything, term
from search.tantivy_vocabulary import known_count, words_near

WRITER_BYTES = 128_000_000
"""How much of a commit tantivy gathers in memory."""

AT_ONCE = 500
"""So many messages are made ready, then handed to tantivy: a processor does many things of one kind in less time than
two kinds by turns.
"""

LOOKING_SHARE = 0.5
"""After so much of its time a search does not look at what was found again: a look cannot be broken off."""

IDENTITY_BITS = 62
"""An identity fits into a signed number of eight bytes."""

log = logging.getLogger("stillhere.search")

Stamp = tuple[int, int, int]


class TantivyEngine:
    """An index in `folder`. `search_seconds` is what a search may take before it answers with what it has.

    Raises PermissionError if the folder is somebody else's.
    """

    def __init__(self, folder: Path, search_seconds: float = SEARCH_SECONDS) -> None:
        self.folder = folder
        self.search_seconds = search_seconds
        if not make_private(folder):
            wipe(folder)
        self.ownership = Ownership(folder)
        self.doubt = False
        self.turn = threading.Lock()
        """Whoever opens what a commit brought."""
        self.index: tantivy.Index | None = None
        self.stamp: Stamp | None = None
        """Of the table of contents that the index was opened with."""
        self.writer: tantivy.IndexWriter | None = None

    def claim(self) -> bool:
        return self.ownership.acquire()

    def check(self) -> Edition | None:
        self._forget()
        self.doubt = False
        try:
            check_files(self.folder)
            searcher = self._searcher()
            edition = edition_in(searcher)
            if count_of(searcher, everything()) + 1 != searcher.num_docs:
                raise ValueError("it has not as many messages as it says")
        except FileNotFoundError:
            return None
        except BaseException as error:
            raise_ours(error)
            log.warning("the search index cannot be used: %r", error)
            self._forget()
            return None
        return edition

    def reset(self) -> Edition:
        self.end_merges()
        self._forget()
        wipe(self.folder)
        open_index(self.folder)
        return self._write(Edition(secrets.randbits(IDENTITY_BITS), 0), (), ())

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        edition = edition_in(self._searcher())
        return self._write(edition._replace(commits=edition.commits + 1), added, deleted)

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        searcher = self._searcher()
        hits = searcher.search(everything(), max(1, searcher.num_docs), count=False).hits
        keys = (Key(*PLACE_FORM.unpack(place)[1:]) for place in places_of(searcher, [address for _, address in hits]))
        return self.commit((), [key for key in keys if key.seq > heads.get((key.chat_pk, key.stream), 0)])

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        if ask.cursor:
            read_cursor(ask.cursor)
        if scope.is_empty():
            return nothing(ask)
        until = time.monotonic() + self.search_seconds * LOOKING_SHARE
        with self._reading() as searcher:
            wording = Wording(searcher)
            found = Found(searcher, wording.query(query, scope), until)
            return page_of(found, ask, wording.cut)

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        with self._reading() as searcher:
            counts = {name: count_of(searcher, term(name)) for name in terms}
        return {name: count for name, count in counts.items() if count}

    def near_words(self, word: str, near: int) -> list[str]:
        with self._reading() as searcher:
            counts = {other: known_count(searcher, other) for other in words_near(searcher, word, near) - {word}}
        return sorted((other for other in counts if counts[other]), key=lambda other: (-counts[other], other))

    def count(self) -> int:
        with self._reading() as searcher:
            return count_of(searcher, everything())

    def close(self) -> None:
        self.end_merges()
        self._forget()
        self.ownership.release()

    def _write(self, edition: Edition, added: Iterable[Document], deleted: Collection[Key]) -> Edition:
        """One commit, with its edition. Raises Busy if the disk does not take it, else it is a message's fault."""
        if self.writer is None:
            self.writer = open_index(self.folder).writer(WRITER_BYTES, 1)
        try:
            for key in deleted:
                self.writer.delete_documents_by_query(key_query(key))
            coming, add = map(indexed, added), self.writer.add_json
            while texts := list(islice(coming, AT_ONCE)):
                for text in texts:
                    add(text)
            self.writer.delete_documents_by_query(EDITION_QUERY)
            self.writer.add_json(edition_document(edition))
            commit(self.writer)
            sync(self.folder)  # tantivy leaves out that its table of contents has another name now
        except BaseException:
            self.writer = None  # with all that it was given
            raise
        return edition

    def end_merges(self) -> None:
        """Waits for the merges that go on, and closes the writer, which the next commit opens again."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.wait_merging_threads()

    @contextmanager
    def _reading(self) -> Iterator[tantivy.Searcher]:
        """A snapshot of the index. Raises Busy; any error puts the index in doubt."""
        try:
            yield self._searcher()
        except BaseException as error:  # a damaged file may raise anything, tantivy's panics among it
            raise_ours(error)
            log.exception("the index could not be read")
            self.doubt = True
            raise being_made_again() from error

    def _searcher(self) -> tantivy.Searcher:
        """The newest commit. Raises FileNotFoundError if there is no index."""
        with self.turn:
            found = (self.folder / META_FILE).stat()
            stamp = found.st_ino, found.st_mtime_ns, found.st_size
            if self.index is None:
                self.index = open_index(self.folder)
            elif stamp != self.stamp:
                self.index.reload()
            self.stamp = stamp
            return self.index.searcher()

    def _forget(self) -> None:
        with self.turn:
            self.index, self.stamp = None, None


def commit(writer: tantivy.IndexWriter) -> None:
    try:
        writer.commit()
    except BaseException as error:
        raise_ours(error)
        raise Busy("The search index cannot be written") from error


def raise_ours(error: BaseException) -> None:
    """tantivy's panics are no `Exception`s. What ends a program is left alone."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error


def edition_in(searcher: tantivy.Searcher) -> Edition:
    """Raises LookupError if there is none, ValueError if it is of another format."""
    [(_, address)] = searcher.search(EDITION_QUERY, 2).hits
    return read_edition(searcher.doc(address))
