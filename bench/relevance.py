"""How good the best hits are: over a hundred questions, as people type them, to small dialogues of our own in which it
is known what answers them (`judged/`), lying among other dialogues. Judged by nDCG@10 of chats (Järvelin and
Kekäläinen, 2002), with 2 for a chat that answers and 1 for one that helps; beside the same hits newest first.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from bench import corpus
from bench.corpus import Dialogue
from bench.engines import ENGINES
from bench.questions import NOW_MS, documents
from bench.table import Row
from history.models import PUBLIC
from search.engine import Ask, Document, Engine, Key, Scope
from search.followed import BATCH_EVENTS
from search.parser import parse
from search.query import Sort

JUDGED = Path(__file__).parent / "judged"
HITS = 10
OTHER_MESSAGES = 20_000
FIRST_CHAT = 10_000_000
"""The judged chats are numbered from here, so that they are none of the others."""


class Judged(NamedTuple):
    """A question, and how well which dialogues answer it."""

    text: str
    wanted: Mapping[str, int]


def measure(folder: Path, talks: Sequence[Dialogue], names: Sequence[str]) -> Iterator[Row]:
    """A row for each of these engines."""
    known = corpus.read(JUDGED / "dialogues.jsonl")
    asked = read_questions()
    stock = [*documents(talks, OTHER_MESSAGES), *judged_documents(known)]
    ids = {FIRST_CHAT + number: talk.id for number, talk in enumerate(known)}
    for name in names:
        with ENGINES[name](folder / name) as engine:
            yield row(name, engine, stock, ids, asked)


def read_questions() -> list[Judged]:
    lines = (orjson.loads(line) for line in (JUDGED / "questions.jsonl").read_bytes().splitlines())
    return [Judged(line["q"], line["wanted"]) for line in lines]


def judged_documents(known: Sequence[Dialogue]) -> Iterator[Document]:
    """The judged dialogues, spread over the same year as the others."""
    for document in documents(known, sum(len(talk.turns) for talk in known)):
        chat = FIRST_CHAT + document.key.chat_pk - 1
        yield document._replace(key=Key(chat, PUBLIC, document.key.seq))


def row(name: str, engine: Engine, stock: Sequence[Document], ids: Mapping[int, str], asked: Sequence[Judged]) -> Row:
    assert engine.claim()
    engine.reset()
    for begin in range(0, len(stock), BATCH_EVENTS):
        engine.commit(stock[begin : begin + BATCH_EVENTS])
    best, newest = (mean(engine, ids, asked, sort) for sort in ("best", "new"))
    return Row(
        f"{name}, nDCG@{HITS} over {len(asked)} questions among {len(stock):,} messages",
        f"{best:.3f}",
        f"newest first: {newest:.3f}",
        best / newest,
    )


def mean(engine: Engine, ids: Mapping[int, str], asked: Sequence[Judged], sort: Sort) -> float:
    return sum(ndcg(engine, ids, question, sort) for question in asked) / len(asked)


def ndcg(engine: Engine, ids: Mapping[int, str], question: Judged, sort: Sort) -> float:
    found = engine.search(parse(question.text, NOW_MS, ""), Scope(), Ask(sort, limit=HITS, collapse=True))
    gains = [question.wanted.get(ids.get(hit.key.chat_pk, ""), 0) for hit in found.items]
    return discounted(gains) / discounted(sorted(question.wanted.values(), reverse=True)[:HITS])


def discounted(gains: Sequence[int]) -> float:
    return sum((2.0**gain - 1) / math.log2(place + 1) for place, gain in enumerate(gains, 1))
