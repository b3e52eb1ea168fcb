"""What a search engine can do, and the values that go in and out. The indexer feeds it, the routes ask it.

An engine is a cache of the log: it can be thrown away at any time and be made again. It never decides who
may see what: that is a `Scope`, which it applies before it counts or orders anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from history.errors import Busy
from history.models import INTERNAL, PUBLIC
from search.query import Query, Sort

EXPANSIONS = 256
"""How many words a beginning or a spelling stands for at most; the most frequent ones are taken."""

EXACT_HITS = 100_000
"""Up to so many hits are counted exactly."""

SEARCH_SECONDS = 0.3
"""How long a search may take before it answers with what it has."""

KNOWN_CHATS = 5
"""Words in fewer chats are never suggested: they may be somebody's secret."""


class NoIndex(Busy):
    """There is no index that can be trusted: it is missing, damaged, or being made."""

    title = "The search index is being made"


def being_made_again() -> Busy:
    """For a search that found its index damaged, or gone."""
    return Busy("The search index is being made again; please try later", after_ms=5000)


class Key(NamedTuple):
    """The place of a message in the log."""

    chat_pk: int
    stream: int
    seq: int


class Document(NamedTuple):
    """A message or note as it is indexed."""

    key: Key
    at_ms: int
    customer_id: str
    """Whose chat it is."""
    tags: frozenset[str]
    """What is known of it besides (`facts.py`)."""
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What the asker may see. Each part narrows; null narrows nothing, an empty collection is nothing at all."""

    chats: frozenset[int] | None = None
    customer_id: str | None = None
    streams: frozenset[int] = frozenset({PUBLIC, INTERNAL})

    def is_empty(self) -> bool:
        return not self.streams or (self.chats is not None and not self.chats)


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of what was found is wanted, and how."""

    sort: Sort = "new"
    cursor: str | None = None
    limit: int = 20
    collapse: bool = False
    """Only the first hit of each chat."""
    facets: bool = False

    @property
    def counts_chats(self) -> bool:
        """The first page of what is collapsed says how many chats there are; no other page shows it."""
        return self.collapse and self.cursor is None


class Hit(NamedTuple):
    key: Key
    at_ms: int
    score: float
    """How well it fits; comparable within one search, 0 unless sorted by it."""
    in_chat: int = 1
    """How many hits of its chat it stands for, if only one of each chat is shown."""


@dataclass(frozen=True, slots=True)
class Facets:
    """How many hits there are of each kind, on all pages."""

    by_chat: Mapping[int, int]
    by_month: Mapping[str, int]
    """A month is written as 2026-03, in UTC."""
    by_tag: Mapping[str, int]
    """Only of `facts.SHOWN_TAGS`."""
    estimated: bool = False
    """There were too many hits: some of it is what a part of them lets expect."""


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits. Newest first means by (at_ms, key), oldest first the other way round; best first means by score,
    then newest first.
    """

    total: int
    """All messages that were found, on every page."""
    items: tuple[Hit, ...]
    chats: int | None = None
    """How many chats they are in; null unless `Ask.counts_chats`, and for more than EXACT_HITS. Estimated where facets
    are.
    """
    next: str | None = None
    """The cursor of the next page."""
    partial: bool = False
    """The search took too long or was too wide; there may be more than it found."""
    facets: Facets | None = None


def nothing(ask: Ask) -> Hits:
    """What is found where nothing may be seen."""
    return Hits(0, (), 0 if ask.counts_chats else None, facets=Facets({}, {}, {}) if ask.facets else None)


class Edition(NamedTuple):
    """Which index this is. Each commit has the next number; a new index has another identity."""

    identity: int
    commits: int


class Engine(Protocol):
    """An index on disk. One thread of one process writes, after `claim`; any thread searches."""

    @property
    def doubt(self) -> bool:
        """Something was wrong with the index in a search: it wants to be checked."""

    def claim(self) -> bool:
        """Becomes the one process that writes this index, until `close`. False while another one is."""

    def check(self) -> Edition | None:
        """Verifies all of the index. None if it is missing, damaged, or not to be trusted."""

    def reset(self) -> Edition:
        """Throws all of it away and begins a new one."""

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        """Deletes, then adds; durable and visible when it returns. Keys that are not there are no error."""

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        """Deletes what lies beyond the heads: (chat_pk, stream) → last seq to keep."""

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        """What was found in the scope. Raises Invalid for a wrong cursor, Busy if the index cannot be used.

        The query has no `ChatIs` any more. All engines find the same messages and count the same; only scores differ.
        """

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        """How many documents each term is in, of those that are in any; some of them may have been deleted since."""

    def near_words(self, word: str, near: int) -> list[str]:
        """Words of the index that differ from `word` in at most `near` letters (`spelling.py`), in at least
        KNOWN_CHATS chats, most frequent first, `word` itself left out.
        """

    def count(self) -> int:
        """How many documents there are."""

    def close(self) -> None: ...
