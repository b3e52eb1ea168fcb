"""What a search engine can do, and the values that go in and out. The indexer feeds it, the routes ask it.

An engine is a cache of the log: it can be thrown away at any time and be made again. It never decides who
may see what: that is a `Scope`, which it applies before it counts or orders anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from history.models import INTERNAL, PUBLIC
from search.query import Query

Sort = Literal["new", "best"]


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
    role: str
    person_id: str
    name: str
    """Who wrote it."""
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What the asker may see. Each part narrows; null narrows nothing, an empty collection is nothing at all."""

    chats: frozenset[int] | None = None
    customer_id: str | None = None
    streams: frozenset[int] = frozenset({PUBLIC, INTERNAL})

    def is_empty(self) -> bool:
        return not self.streams or (self.chats is not None and not self.chats)


class Hit(NamedTuple):
    key: Key
    at_ms: int
    score: float
    """How well it fits; comparable within one search, 0 unless sorted by it."""


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits."""

    total: int
    """All that was found, on every page."""
    items: tuple[Hit, ...]
    next: str | None = None
    """The cursor of the next page."""
    partial: bool = False
    """The search took too long or was too wide; there may be more than it found."""


class Edition(NamedTuple):
    """Which index this is. Each commit has the next number; a new index has another identity."""

    identity: int
    commits: int


class Engine(Protocol):
    """An index on disk. One thread of one process writes, after `claim`; any thread searches."""

    doubt: bool
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

    def search(
        self, query: Query, scope: Scope, sort: Sort = "new", cursor: str | None = None, limit: int = 20
    ) -> Hits:
        """A page of what was found. Raises Invalid for a wrong cursor, Busy if the index cannot be used."""

    def count(self) -> int:
        """How many documents there are."""

    def close(self) -> None: ...
