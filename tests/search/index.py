"""Messages for an engine, and what it finds."""

from collections.abc import Callable
from pathlib import Path

from history.models import PUBLIC
from search.engine import Ask, Document, Engine, Key, Scope
from search.facts import tags_of
from search.parser import parse

EVERYTHING = Scope()
FIRST_PAGE = Ask()
START_MS = 1_700_000_000_000


def message(seq: int, text: str, *, chat: int = 1, stream: int = PUBLIC, customer: str = "c1", at: int = 0) -> Document:
    tags = tags_of(stream, "customer", customer, "Alice Smith", text, {})
    return Document(Key(chat, stream, seq), START_MS + at, customer, tags, text)


def find(engine: Engine, q: str, scope: Scope = EVERYTHING, ask: Ask = FIRST_PAGE) -> list[int]:
    """The seqs of what is found, newest first."""
    return [hit.key.seq for hit in engine.search(parse(q, START_MS, "c1"), scope, ask).items]


def check_damage_is_noticed(engine: Engine, files: list[Path], damage: Callable[[bytes], tuple[bytes, ...]]) -> None:
    """Each file of the index is damaged, emptied, taken away, and put back; the engine doubts it meanwhile."""
    for file in files:
        whole = file.read_bytes()
        for broken in (*damage(whole), b"", None):
            file.unlink()
            if broken is not None:
                file.write_bytes(broken)
            assert engine.check() is None
            file.write_bytes(whole)
    assert engine.check() is not None
