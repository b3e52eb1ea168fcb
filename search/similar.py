"""Solved chats that are like a present one: the words that tell it from others are searched for in closed chats, and
the chats that share the most of them come first, with these words as the reason. Called by the desk, for agents
only.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from history.access import Place, Viewer
from history.db import Driver, Store
from history.errors import Busy
from history.models import PUBLIC
from history.times import rfc3339
from search.conditions import resolve
from search.context import shortened
from search.engine import Ask, Engine, Hit, Scope
from search.query import AllOf, AnyOf, ChatIs, InChats, Not, Query, Words
from search.words import tokens

WORDS_READ = 40
"""The newest messages of the present chat that are read."""

TELLING_WORDS = 12
CHATS_LOOKED_AT = 30
CHATS_SHOWN = 5
AROUND_MESSAGES = 30
"""So many messages before and after the best one of a chat that may be alike are read."""

WORD_LETTERS = range(3, 40)
SHARED_WORDS = 2
"""One word in common is chance."""

COMMON_SHARE = 0.03
COMMON_MESSAGES = 10
"""A word in more than this share of all messages tells nothing, unless it is only in so few."""

SAID = (
    "SELECT e.seq, e.data FROM event e JOIN chat c ON c.pk = e.chat_pk "
    "WHERE e.chat_pk = ? AND e.stream = 0 AND e.kind = 'message' AND e.seq > c.floor"
)
NEWEST_SAID = f"{SAID} ORDER BY e.seq DESC LIMIT ?"
SAID_AROUND = f"{SAID} AND e.seq BETWEEN ? AND ?"
ABOUT = (
    "SELECT c.pk, c.id, c.subject, c.updated_ms, u.id, u.name, (SELECT t.score FROM thread t WHERE t.chat_pk = c.pk "
    "AND t.score IS NOT NULL ORDER BY t.number DESC LIMIT 1) "
    "FROM chat c JOIN customer u ON u.id = c.customer_id WHERE c.status = 'closed' AND c.pk IN_LIST"
)


def similar_chats(store: Store, engine: Engine, viewer: Viewer, place: Place) -> list[dict[str, Any]]:
    """Closed chats that share telling words with the chat at `place`, the most alike first. Empty without an index."""
    try:
        with store.reading() as driver:
            weights = telling_words(engine, own_words(driver, place.chat_pk))
            if len(weights) < SHARED_WORDS:
                return []
            query, _ = resolve(driver, viewer, query_for(place, weights))
        hits = engine.search(
            query, Scope(streams=frozenset({PUBLIC})), Ask("best", limit=CHATS_LOOKED_AT, collapse=True)
        )
    except Busy:
        return []
    with store.reading() as driver:
        return ranked(driver, hits.items, weights)


def own_words(driver: Driver, chat_pk: int) -> Counter[str]:
    """The words of the present chat, each as often as it was said."""
    words: Counter[str] = Counter()
    for _, data in driver.rows(NEWEST_SAID, chat_pk, WORDS_READ):
        words.update(words_of(data))
    return words


def words_of(data: str) -> set[str]:
    """The words that a message says; none if it was redacted."""
    text = orjson.loads(data).get("text") or ""
    return {token.text for token in tokens(text) if token.spine and is_word(token.text)}


def is_word(word: str) -> bool:
    """Numbers tell one order from another, and not what is wrong with it."""
    return word.isalpha() and (len(word) in WORD_LETTERS or not word.isascii())


def telling_words(engine: Engine, words: Mapping[str, int]) -> dict[str, float]:
    """The words that say most of what the chat is about, with their weights (frequency here, rareness elsewhere)."""
    documents = max(1, engine.count())
    known = engine.frequencies(list(words))
    weights = {
        word: (1 + math.log(words[word])) * math.log(documents / count)
        for word, count in known.items()
        if 1 < count <= max(COMMON_MESSAGES, documents * COMMON_SHARE)
    }
    best = sorted(weights, key=lambda word: (-weights[word], word))[:TELLING_WORDS]
    return {word: weights[word] for word in best}


def query_for(place: Place, weights: Mapping[str, float]) -> Query:
    anything = AnyOf(tuple(Words((word,)) for word in weights))
    return Query(AllOf((anything, ChatIs("is", "closed"), Not(InChats(frozenset({place.chat_pk}))))))


def ranked(driver: Driver, hits: Iterable[Hit], weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """The chats of the hits by the weight of all words that they share, each with the message that shares most."""
    seqs = {hit.key.chat_pk: hit.key.seq for hit in hits}
    shared: dict[int, set[str]] = {pk: set() for pk in seqs}
    texts: dict[int, str] = {}
    for pk, best in seqs.items():
        for seq, data in driver.rows(SAID_AROUND, pk, best - AROUND_MESSAGES, best + AROUND_MESSAGES):
            shared[pk] |= words_of(data) & weights.keys()
            if seq == best:
                texts[pk] = orjson.loads(data).get("text") or ""
    about = {row[0]: row for row in driver.rows(ABOUT, driver.list_param(list(seqs)))}
    alike = [pk for pk in about if texts.get(pk) and len(shared[pk]) >= SHARED_WORDS]
    alike.sort(key=lambda pk: (-sum(weights[word] for word in shared[pk]), -pk))
    return [shown(about[pk], seqs[pk], texts[pk], shared[pk], weights) for pk in alike[:CHATS_SHOWN]]


def shown(row: Any, seq: int, text: str, shared: set[str], weights: Mapping[str, float]) -> dict[str, Any]:
    _, id, subject, updated_ms, customer_id, name, score = row
    return {
        "chat": id,
        "seq": seq,
        "at": rfc3339(updated_ms),
        "subject": subject,
        "customer": {"id": customer_id, "name": name},
        "score": score,
        "text": shortened(text),
        "words": sorted(shared, key=lambda word: -weights[word]),
    }
