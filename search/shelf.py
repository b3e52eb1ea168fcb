"""Two places for an index: one is searched, in the other a new one is made beside it. Which is which stands in SQL, so
one commit turns all servers to the new index, together with the marks that belong to it.

To everybody who searches it is an engine like others; the indexer alone sees both places.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from history.db import Store
from history.errors import Busy
from search.engine import Ask, Document, Edition, Engine, Hits, Key, NoIndex, Scope
from search.marks import State, read_state
from search.query import Query

PLACES = ("a", "b")


class Shelf:
    """The index of `store`; `make` makes the engine of a place, when it is wanted first."""

    def __init__(self, store: Store, make: Callable[[str], Engine]) -> None:
        self.store = store
        self.make = make
        self.engines: dict[str, Engine] = {}
        self.claimed = False
        self.searched = ""
        """The place that was searched last."""
        self.lock = threading.Lock()

    def state(self) -> State:
        with self.store.reading() as driver:
            return read_state(driver)

    @property
    def living(self) -> Engine:
        """The index that is searched."""
        return self.at(self.state().place)

    def at(self, place: str) -> Engine:
        with self.lock:
            if place not in self.engines:
                self.engines[place] = self.make(place)
            return self.engines[place]

    def leave(self, place: str) -> None:
        """Empties the place of an index that was turned away from; whoever searches it at this moment finds less."""
        self.at(place).reset()

    @property
    def doubt(self) -> bool:
        return self.living.doubt

    def claim(self) -> bool:
        """Where another process is making a new index, this one cannot have the old one either."""
        place = self.state().place
        if not self.at(place).claim():
            return False
        self.claimed = self.state().place == place
        if not self.claimed:
            self.engines.pop(place).close()  # it was turned away from meanwhile
        return self.claimed

    def check(self) -> Edition | None:
        return self.living.check()

    def reset(self) -> Edition:
        return self.living.reset()

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        return self.living.commit(added, deleted)

    def cut(self, heads: Mapping[tuple[int, int], int]) -> Edition:
        return self.living.cut(heads)

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        """Raises NoIndex, besides what engines raise, while there is none that has all of the log."""
        state = self.state()
        if not state.whole:
            raise NoIndex
        engine = self.at(state.place)
        self._let_go(state.place)
        try:
            return engine.search(query, scope, ask)
        except Busy as error:
            if engine.doubt:
                raise NoIndex from error
            raise

    def _let_go(self, place: str) -> None:
        """Frees the memory of an index that another process has turned away from."""
        before, self.searched = self.searched, place
        if before not in ("", place) and not self.claimed:
            with self.lock:
                left = self.engines.pop(before, None)
            if left:
                left.close()

    def frequencies(self, terms: Collection[str]) -> Mapping[str, int]:
        return self.living.frequencies(terms)

    def near_words(self, word: str, near: int) -> list[str]:
        return self.living.near_words(word, near)

    def count(self) -> int:
        return self.living.count()

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()
        self.engines.clear()
