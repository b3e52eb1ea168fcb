"""Search engines without the way over HTTP: how fast they index, how long each kind of search takes at the given number
of messages, and the costly ones; beside SQLite FTS5 with the same messages in the same run.
"""

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.corpus import Dialogue
from bench.machine import percentile
from bench.questions import COSTLY, NOW_MS, Question, documents, questions
from bench.references.fts import FullText
from bench.scale import Scale
from bench.table import Row
from history.db import Store
from history.errors import Invalid
from search.engine import Ask, Document, Engine, Key, Scope
from search.followed import BATCH_EVENTS
from search.parser import parse
from search.postgres_engine import PostgresEngine
from search.tantivy_engine import TantivyEngine
from search.whoosh_engine import WhooshEngine
from tests.postgres import running_cluster

GOAL_MS = 50.0
GOAL_RATES = {"Whoosh": 10_000, "tantivy": 50_000}
COSTLY_MS = 300.0
SINGLE_COMMITS = 200
DEEP_PAGES = 50

SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
"""How PostgreSQL is set up otherwise than for tests: as on a small server of its own."""


@contextmanager
def whoosh(folder: Path) -> Iterator[Engine]:
    with closing(WhooshEngine(folder)) as engine:
        yield engine


@contextmanager
def tantivy(folder: Path) -> Iterator[Engine]:
    with closing(TantivyEngine(folder)) as engine:
        yield engine


@contextmanager
def postgres(_folder: Path) -> Iterator[Engine]:
    with (
        running_cluster(SERVER) as cluster,
        closing(Store(cluster.create())) as store,
        closing(PostgresEngine(store, "a")) as engine,
    ):
        yield engine


ENGINES: dict[str, Callable[[Path], AbstractContextManager[Engine]]] = {
    "Whoosh": whoosh,
    "PostgreSQL": postgres,
    "tantivy": tantivy,
}


def measure(scale: Scale, folder: Path, talks: Sequence[Dialogue], names: Sequence[str]) -> Iterator[Row]:
    """The rows of the engines that are named."""
    stock = list(documents(talks, scale.indexed_messages))
    kinds = questions(stock, scale.queries_of_a_kind)
    reference = FullText(folder / "fts.sqlite", [document.text for document in sorted(stock, key=age)])
    theirs = {kind: [ms(ask_fts, reference, q) for q in asked if q.fts] for kind, asked in kinds.items()}
    gc.enable()  # as it runs
    for name in names:
        with ENGINES[name](folder / name) as engine:
            yield from rate_rows(name, engine, stock, reference)
            for kind, asked in kinds.items():
                ours = [ms(search, engine, q) for q in asked]
                yield kind_row(name, kind, ours, theirs[kind])
            yield from other_rows(name, engine, stock, kinds)
    gc.disable()


def age(document: Document) -> tuple[int, Key]:
    return document.at_ms, document.key


def search(engine: Engine, question: Question) -> object:
    return engine.search(parse(question.text, NOW_MS, ""), question.scope, question.ask)


def ask_fts(reference: FullText, question: Question) -> object:
    return reference.find(question.fts or "", question.ask.sort == "best")


def ms(act: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    act(*arguments)
    return (time.perf_counter() - begin) * 1000


def rate_rows(name: str, engine: Engine, stock: Sequence[Document], reference: FullText) -> Iterator[Row]:
    assert engine.claim()
    engine.reset()
    batches = (stock[begin : begin + BATCH_EVENTS] for begin in range(0, len(stock), BATCH_EVENTS))
    begin = time.thread_time()
    rate = len(stock) / sum(ms(engine.commit, batch) for batch in batches) * 1000
    alone = len(stock) / (time.thread_time() - begin)
    goal = GOAL_RATES.get(name)
    yield Row(
        f"{name}, {len(stock):,} messages: index",
        f"{rate:,.0f}/s ({alone:,.0f}/s by its thread's own time)",
        f"SQLite FTS5: {reference.rate:,.0f}/s",
        rate / reference.rate,
        f">= {goal:,}/s" if goal else "",
        rate >= goal if goal else None,
    )


def kind_row(name: str, kind: str, ours: Sequence[float], theirs: Sequence[float]) -> Row:
    mine = percentile(ours, 0.95)
    bare = percentile(theirs, 0.95) if theirs else None
    return Row(
        f"{name}, {kind}: p95 (p50)",
        f"{mine:.2f} ms ({percentile(ours, 0.5):.2f})",
        f"SQLite FTS5: {bare:.2f} ms ({percentile(theirs, 0.5):.2f})" if bare else "",
        mine / bare if bare else None,
        f"< {GOAL_MS:.0f} ms",
        mine < GOAL_MS,
    )


def other_rows(name: str, engine: Engine, stock: Sequence[Document], kinds: dict[str, list[Question]]) -> Iterator[Row]:
    """Deep pages, suggestions, costly searches, small commits."""
    common = kinds["common word, best"][0].text
    for ask in (Ask("new"), Ask("best")):
        pages = list(itertools.islice(page_times(engine, common, ask), DEEP_PAGES))
        yield kind_row(name, f"pages 1 to {len(pages)} of a common word, {ask.sort}", pages, ())
    mistyped = [question.text.rstrip("~") for question in kinds["a letter wrong"]]
    yield kind_row(name, "did you mean", [ms(engine.near_words, w, 1) for w in mistyped], ())
    worst = max(ms(ask_costly, engine, q) for q in COSTLY)
    yield Row(f"{name}, costly searches: the longest", f"{worst:.0f} ms", "", None, "<= 300 ms", worst <= COSTLY_MS)
    news = [document._replace(key=document.key._replace(seq=10**6)) for document in stock[-SINGLE_COMMITS:]]
    commits = [ms(engine.commit, [document]) for document in news]
    figure = f"{percentile(commits, 0.95):.1f} ms ({percentile(commits, 0.5):.1f}), at most {max(commits):.0f}"
    yield Row(f"{name}, commit of one message: p95 (p50)", figure)


def page_times(engine: Engine, text: str, ask: Ask) -> Iterator[float]:
    query = parse(text, NOW_MS, "")
    while True:
        begin = time.perf_counter()
        page = engine.search(query, Scope(), ask)
        yield (time.perf_counter() - begin) * 1000
        if page.next is None:
            return
        ask = replace(ask, cursor=page.next)


def ask_costly(engine: Engine, text: str) -> object:
    try:
        return engine.search(parse(text, NOW_MS, ""), Scope(), Ask(collapse=True, facets=True))
    except Invalid as refusal:
        return refusal
