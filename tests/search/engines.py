"""The engines that are judged, each opened empty in a folder. Another engine is one more line in `ENGINES`."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from history.db import Store
from search.engine import Document, Edition, Engine, Key
from search.postgres_engine import PostgresEngine
from search.tantivy_engine import TantivyEngine
from search.whoosh_engine import WhooshEngine
from tests.history.scene import wait_until

PATIENCE_SECONDS = 60.0


@contextmanager
def whoosh(folder: Path) -> Iterator[WhooshEngine]:
    with closing(WhooshEngine(folder, PATIENCE_SECONDS)) as engine:
        assert engine.claim()
        engine.reset()
        yield engine


class Settled(TantivyEngine):
    """Its merges end with each commit: in the middle of a search, they move the scores of the pages to come."""

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        edition = super().commit(added, deleted)
        self.end_merges()
        return edition


@contextmanager
def tantivy(folder: Path) -> Iterator[TantivyEngine]:
    with closing(Settled(folder, PATIENCE_SECONDS)) as engine:
        assert engine.claim()
        engine.reset()
        yield engine


@contextmanager
def postgres(url: str) -> Iterator[PostgresEngine]:
    """In the database at `url`."""
    store = Store(url)
    with closing(store), closing(PostgresEngine(store, "a", PATIENCE_SECONDS)) as engine:
        wait_until(engine.claim)  # PostgreSQL may not have noticed yet that the one before has gone
        engine.reset()
        yield engine


ENGINES: dict[str, Callable[[Path], AbstractContextManager[Engine]]] = {"whoosh": whoosh, "tantivy": tantivy}
