"""Which engine searches: chosen by a setting, or else by the database. Called by `app.py`, and by the doctor.

An engine that needs an extra is imported only where it is used.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from history.db import Store
from search.engine import Engine

EngineName = Literal["whoosh", "postgres", "tantivy"]
Choice = Literal["auto", "whoosh", "postgres", "tantivy"]

PACKAGES = {"postgres": "psycopg", "tantivy": "tantivy"}
"""What an engine needs; the extra has the engine's name."""

FOLDERS = {"whoosh": "index", "tantivy": "tantivy"}
"""Where in the instance's folder an engine with files has its indexes, each in the folder of its place."""

INDEX_BYTES = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN_LIST AND c.relkind = 'r'"
)


def engine_name(choice: Choice, is_sqlite: bool) -> EngineName:
    if choice != "auto":
        return choice
    return "whoosh" if is_sqlite else "postgres"


def reason_against(name: EngineName, is_sqlite: bool) -> str | None:
    """Why this engine cannot be used here; null if it can."""
    if name == "postgres" and is_sqlite:
        return "the engine postgres searches in PostgreSQL, and STILLHERE_DATABASE_URL names none"
    package = PACKAGES.get(name)
    if package and find_spec(package) is None:
        return f"the engine {name} is not installed: pip install 'stillhere[{name}]'"
    return None


def engine_maker(name: EngineName, store: Store, instance: Path) -> Callable[[str], Engine]:
    """A function that makes the engine of a place for an index."""
    if name == "postgres":
        from search.postgres_engine import PostgresEngine

        return lambda place: PostgresEngine(store, place)
    folder = instance / FOLDERS[name]
    if name == "tantivy":
        from search.tantivy_engine import TantivyEngine

        return lambda place: TantivyEngine(folder / place)
    from search.whoosh_engine import WhooshEngine

    return lambda place: WhooshEngine(folder / place)


def index_bytes(name: EngineName, store: Store, instance: Path) -> int:
    """What the engine's indexes take on disk."""
    if name == "postgres":
        with store.reading() as driver:
            row = driver.row(INDEX_BYTES, driver.list_param(["search_a", "search_b"]))
        return int(row[0]) if row else 0
    files = (instance / FOLDERS[name]).rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
