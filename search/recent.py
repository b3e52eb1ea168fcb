"""Search without an index: the newest messages of the log are read, one after the other. It stands in for an engine
while there is none that could be trusted, with the same rights and the same meaning of a query, but not over all
that was said. Called by `finding.py`.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from history.db import Driver, Store
from search.engine import SEARCH_SECONDS, Ask, Document, Hit, Hits, Key, Scope
from search.facts import tags_of
from search.query import AllOf, AnyOf, Clause, InChats, Not, Query, Tagged, Words
from search.snippets import places_of, spans_of

NEWEST_MESSAGES = 3_000

NARROW_CHATS = 500
"""A search in no more chats than this reads the newest messages of these."""

MESSAGES = (
    "SELECT e.chat_pk, e.stream, e.seq, e.at_ms, c.customer_id, e.data, p.role, p.person_id, p.name "
    'FROM event e JOIN chat c ON c.pk = e.chat_pk LEFT JOIN participant p ON p.id = e."by" '
    "WHERE e.kind IN ('message', 'note') AND (e.stream = 1 OR e.seq > c.floor)"
)
NEWEST = f"{MESSAGES} ORDER BY e.pk DESC LIMIT ?"
NEWEST_IN_CHATS = f"{MESSAGES} AND e.chat_pk IN_LIST ORDER BY e.pk DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest messages of a store, to be searched like an index, but never for longer than `seconds`."""

    store: Store
    seconds: float = SEARCH_SECONDS

    def search(self, query: Query, scope: Scope, ask: Ask) -> Hits:
        """Always newest first, on one page, and never sure that there is no more."""
        until = time.monotonic() + self.seconds
        found: list[Hit] = []
        with self.store.reading() as driver:
            for document in newest(driver, scope, query):
                if time.monotonic() > until:
                    break
                if allows(scope, document) and fits(query, document):
                    found.append(Hit(document.key, document.at_ms, 0.0))
        found.sort(key=lambda hit: (hit.at_ms, hit.key), reverse=True)
        in_chat = Counter(hit.key.chat_pk for hit in found)
        shown = list(first_of_each(found, in_chat)) if ask.collapse else found
        return Hits(len(found), tuple(shown[: ask.limit]), len(in_chat) if ask.counts_chats else None, partial=True)


def newest(driver: Driver, scope: Scope, query: Query) -> Iterator[Document]:
    """The newest messages among those that may be meant."""
    if scope.is_empty():
        return
    chats = chats_meant(driver, scope, query)
    if chats is None:
        rows = driver.rows(NEWEST, NEWEST_MESSAGES)
    else:
        rows = driver.rows(NEWEST_IN_CHATS, driver.list_param(sorted(chats)), NEWEST_MESSAGES)
    for chat_pk, stream, seq, at_ms, customer_id, data, role, person_id, name in rows:
        content: dict[str, Any] = orjson.loads(data)
        text = content.get("text")
        if text:  # else it was redacted
            tags = tags_of(stream, role or "", person_id or "", name or "", text, content)
            yield Document(Key(chat_pk, stream, seq), at_ms, customer_id, tags, text)


def chats_meant(driver: Driver, scope: Scope, query: Query) -> frozenset[int] | None:
    """The chats to look into; null for all of them."""
    meant = [clause.chats for clause in query.where.clauses if isinstance(clause, InChats)]
    if scope.chats is not None:
        meant.append(scope.chats)
    if scope.customer_id is not None:
        own = driver.rows("SELECT pk FROM chat WHERE customer_id = ?", scope.customer_id)
        meant.append(frozenset(pk for (pk,) in own))
    chats = frozenset.intersection(*meant) if meant else None
    return chats if chats is not None and len(chats) <= NARROW_CHATS else None


def allows(scope: Scope, document: Document) -> bool:
    return (
        document.key.stream in scope.streams
        and scope.customer_id in (None, document.customer_id)
        and (scope.chats is None or document.key.chat_pk in scope.chats)
    )


def fits(query: Query, document: Document) -> bool:
    """Whether a search finds a message, told from the message alone."""
    if document.at_ms < (query.after_ms or 0):
        return False
    if query.before_ms is not None and document.at_ms >= query.before_ms:
        return False
    places = places_of(document.text)

    def holds(clause: Clause) -> bool:
        match clause:
            case Words():
                return any(True for _ in spans_of(places, clause))
            case Tagged(tag):
                return tag in document.tags
            case InChats(chats):
                return document.key.chat_pk in chats
            case Not(inner):
                return not holds(inner)
            case AnyOf(clauses):
                return any(map(holds, clauses))
            case AllOf(clauses):
                return all(map(holds, clauses))
        raise AssertionError("conditions on chats were looked up before")

    return holds(query.where)


def first_of_each(hits: list[Hit], in_chat: Counter[int]) -> Iterator[Hit]:
    """The first hit of each chat."""
    shown: set[int] = set()
    for hit in hits:
        chat_pk = hit.key.chat_pk
        if chat_pk not in shown:
            shown.add(chat_pk)
            yield hit._replace(in_chat=in_chat[chat_pk])
