"""An engine on a folder, messages for it, and what it finds."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from history.models import PUBLIC
from search.engine import Document, Key, Scope
from search.query import parse
from search.whoosh_engine import WhooshEngine

EVERYTHING = Scope()
PATIENCE_SECONDS = 60.0
START_MS = 1_700_000_000_000


@contextmanager
def an_engine(folder: Path) -> Iterator[WhooshEngine]:
    with closing(WhooshEngine(folder, PATIENCE_SECONDS)) as engine:
        assert engine.claim()
        engine.reset()
        yield engine


def message(seq: int, text: str, *, chat: int = 1, stream: int = PUBLIC, customer: str = "c1", at: int = 0) -> Document:
    return Document(Key(chat, stream, seq), START_MS + at, customer, "customer", customer, "Alice Smith", text)


def find(engine: WhooshEngine, q: str, scope: Scope = EVERYTHING) -> list[int]:
    """The seqs of what is found, newest first."""
    return [hit.key.seq for hit in engine.search(parse(q, START_MS, "c1"), scope).items]
