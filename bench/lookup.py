"""Import, index and search: messages per second into the log and into the index, then the time of a query
over HTTP.

Import stands beside raw sqlite3 inserts, the index and the queries beside SQLite's own full text index
(FTS5) over the same messages, asked in this process and so without the way over HTTP.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from bench import corpus
from bench.corpus import Dialogue
from bench.machine import percentile
from bench.references.disk import Disk
from bench.references.fts import FullText
from bench.scale import Scale
from bench.service import Service, new_agent_key, run, serving
from bench.table import Row


def measure(scale: Scale, folder: Path, disk: Disk, talks: Sequence[Dialogue]) -> Iterator[Row]:
    """The rows of import, index and search."""
    texts = list(corpus.texts(talks))
    key = new_agent_key(folder)
    import_s = import_seconds(folder, talks)
    with serving(folder) as service:
        index_s = service.wait_for_index()
        reference = FullText(folder / "fts.sqlite", texts)
        yield from rate_rows(len(texts), import_s, index_s, disk, reference)
        kinds = corpus.queries(talks, scale.queries_of_a_kind)
        yield from search_rows(service, key, reference, kinds)


def import_seconds(folder: Path, talks: Sequence[Dialogue]) -> float:
    """How long the `stillhere import` command takes, from its start to its end."""
    path = folder / "dialogues.jsonl"
    corpus.write(path, talks)
    begin = time.perf_counter()
    run(folder, "import", str(path))
    return time.perf_counter() - begin


def rate_rows(messages: int, import_s: float, index_s: float, disk: Disk, reference: FullText) -> Iterator[Row]:
    imported, indexed = messages / import_s, messages / index_s
    yield Row(
        f"import of {messages:,} messages",
        f"{imported:,.0f}/s",
        f"raw sqlite3, one transaction: {disk.bulk_rate:,.0f}/s",
        imported / disk.bulk_rate,
    )
    yield Row(
        "import",
        f"{imported:,.0f}/s",
        f"raw sqlite3, a transaction each: {disk.single_rate:,.0f}/s",
        imported / disk.single_rate,
    )
    yield Row("index", f"{indexed:,.0f}/s", f"SQLite FTS5: {reference.rate:,.0f}/s", indexed / reference.rate)


def search_rows(service: Service, key: str, reference: FullText, kinds: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    with service.door(key) as door:
        for kind, queries in kinds.items():
            ours = [_ms(partial(door.get, f"/api/v1/search?q={quote(query)}")) for query in queries]
            theirs = [_ms(partial(reference.find, query)) for query in queries]
            yield from _kind_rows(kind, ours, theirs)


def _ms(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return (time.perf_counter() - begin) * 1000


def _kind_rows(kind: str, ours: Sequence[float], theirs: Sequence[float]) -> Iterator[Row]:
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        mine, bare = percentile(ours, share), percentile(theirs, share)
        yield Row(f"search, {kind}: {name}", f"{mine:.2f} ms", f"SQLite FTS5: {bare:.2f} ms", mine / bare)
