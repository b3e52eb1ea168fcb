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
from typing import NamedTuple

from bench import machine
from bench.corpus import Dialogue
from bench.machine import percentile
from bench.questions import COSTLY, NOW_MS, Question, documents, questions
from bench.references.fts import FullText
from bench.scale import Scale
from bench.table import Row
from history.db import Store
from history.errors import Invalid
from history.serving import COLLECT_AFTER
from search.engine import Ask, Document, Engine, Hits, Key, Scope
from search.parser import parse
from search.postgres_engine import PostgresEngine
from search.rebuilding import LEAST_EVENTS, step_events
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
    theirs = {kind: [took(ask_fts, reference, q) for q in asked if q.fts] for kind, asked in kinds.items()}
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()  # as a server runs
    for name in names:
        with machine.on_all_cores(), ENGINES[name](folder / name) as engine:
            stock = stock or list(documents(talks, scale.indexed_messages))
            yield from rate_rows(name, engine, stock, reference)
            latest = stock[-SINGLE_COMMITS:]
            stock = []  # a server has not all messages in its memory, which makes searches slower
            for kind, asked in kinds.items():
                ours = [took(search, engine, q) for q in asked]
                yield kind_row(name, kind, ours, theirs[kind])
            yield from other_rows(name, engine, latest, kinds)
    gc.disable()
    gc.unfreeze()


def age(document: Document) -> tuple[int, Key]:
    return document.at_ms, document.key


def search(engine: Engine, question: Question) -> object:
    return engine.search(parse(question.text, NOW_MS, ""), question.scope, question.ask)


def ask_fts(reference: FullText, question: Question) -> object:
    return reference.find(question.fts or "", question.ask.sort == "best")


class Took(NamedTuple):
    """How long something took, in ms: by the clock, and of it by this thread itself, which a busy machine does not
    lengthen as much."""

    ms: float
    own_ms: float


def took(act: Callable[..., object], *arguments: object) -> Took:
    begin, own = time.perf_counter(), time.thread_time()
    act(*arguments)
    return Took((time.perf_counter() - begin) * 1000, (time.thread_time() - own) * 1000)


def figure(times: Sequence[Took]) -> str:
    p50, p95 = (percentile([each.ms for each in times], share) for share in (0.5, 0.95))
    return f"{p95:.2f} ms ({p50:.2f}; {percentile([each.own_ms for each in times], 0.95):.2f})"


def rate_rows(name: str, engine: Engine, stock: Sequence[Document], reference: FullText) -> Iterator[Row]:
    """By steps as a rebuild makes them."""
    assert engine.claim()
    engine.reset()
    at, ms, own_ms, events = 0, 0.0, 0.0, LEAST_EVENTS
    while batch := stock[at : at + events]:
        step = took(engine.commit, batch)
        at, ms, own_ms = at + len(batch), ms + step.ms, own_ms + step.own_ms
        events = step_events(len(batch), step.ms / 1000)
    rate, alone = len(stock) / ms * 1000, len(stock) / own_ms * 1000
    goal = GOAL_RATES.get(name)
    yield Row(
        f"{name}, {len(stock):,} messages: index",
        f"{rate:,.0f}/s ({alone:,.0f}/s by its thread's own time)",
        f"SQLite FTS5: {reference.rate:,.0f}/s",
        rate / reference.rate,
        f">= {goal:,}/s" if goal else "",
        rate >= goal if goal else None,
    )


def kind_row(name: str, kind: str, ours: Sequence[Took], theirs: Sequence[Took]) -> Row:
    mine = percentile([each.ms for each in ours], 0.95)
    bare = percentile([each.ms for each in theirs], 0.95) if theirs else None
    return Row(
        f"{name}, {kind}: p95 (p50; own p95)",
        figure(ours),
        f"SQLite FTS5: {figure(theirs)}" if theirs else "",
        mine / bare if bare else None,
        f"< {GOAL_MS:.0f} ms",
        mine < GOAL_MS,
    )


def other_rows(
    name: str, engine: Engine, latest: Sequence[Document], kinds: dict[str, list[Question]]
) -> Iterator[Row]:
    """Deep pages, suggestions, costly searches, small commits."""
    common = kinds["common word, best"][0].text
    for ask in (Ask("new"), Ask("best")):
        pages = list(itertools.islice(page_times(engine, common, ask), DEEP_PAGES))
        yield kind_row(name, f"pages 1 to {len(pages)} of a common word, {ask.sort}", pages, ())
    mistyped = [question.text.rstrip("~") for question in kinds["a letter wrong"]]
    yield kind_row(name, "did you mean", [took(engine.near_words, w, 1) for w in mistyped], ())
    worst = max(took(ask_costly, engine, q).ms for q in COSTLY)
    yield Row(f"{name}, costly searches: the longest", f"{worst:.0f} ms", "", None, "<= 300 ms", worst <= COSTLY_MS)
    news = [document._replace(key=document.key._replace(seq=10**6)) for document in latest]
    commits = [took(engine.commit, [document]) for document in news]
    longest = max(each.ms for each in commits)
    yield Row(
        f"{name}, commit of one message: p95 (p50; own p95)",
        f"{figure(commits)}, at most {longest:.0f}",
    )


def page_times(engine: Engine, text: str, ask: Ask) -> Iterator[Took]:
    query = parse(text, NOW_MS, "")
    while True:
        pages: list[Hits] = []
        yield took(lambda ask=ask, pages=pages: pages.append(engine.search(query, Scope(), ask)))
        if pages[0].next is None:
            return
        ask = replace(ask, cursor=pages[0].next)


def ask_costly(engine: Engine, text: str) -> object:
    try:
        return engine.search(parse(text, NOW_MS, ""), Scope(), Ask(collapse=True, facets=True))
    except Invalid as refusal:
        return refusal
