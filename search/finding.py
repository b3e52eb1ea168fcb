"""A search from question to answer: who asks decides the scope, the engine finds places, and the log says what stands
there. Called by the HTTP route.

A hit is looked at again in SQL when its text is fetched: what the asker may not see, or what was redacted or erased
since it was indexed, is left out, and the page goes on behind it. While there is no index that could be trusted, the
newest messages of the log are searched (`recent.py`), and the answer says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from history.access import Viewer
from history.db import Driver, Store
from history.errors import Invalid
from history.models import INTERNAL, PUBLIC, STREAM_NAMES
from history.times import rfc3339
from search.conditions import resolve
from search.context import Message, neighbours, read_messages
from search.engine import Ask, Engine, Hit, Hits, NoIndex, Scope
from search.facets import FACETS, facets_of
from search.parser import SORTS, parse
from search.query import Chip, Query, Sort, words_in
from search.recent import Recent
from search.snippets import snippet
from search.suggesting import suggestion

PAGE_HITS = 20
PAGES_LOOKED_AT = 10
"""How many pages of hits may turn out to be gone before an answer comes with what there is, and where it goes on."""


Search = Callable[[Query, Scope, Ask], Hits]
"""An engine's `search`, or what stands in for it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for, read and checked."""

    text: str
    query: Query
    sort: Sort
    cursor: str | None
    collapse: bool
    context: bool
    facets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits that the asker may see, with what the log says, and the counts of all pages."""

    shown: tuple[tuple[Hit, Message], ...]
    total: int
    next: str | None
    all: Hits


def find(store: Store, engine: Engine, viewer: Viewer, asked: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """The answer to GET /search as JSON. `asked` has `q`, and may have `sort`, `cursor`, `facets` (all, or some names),
    `collapse` (chat: one hit of each) and `context` (messages: those around each hit).

    Raises Invalid for a question that makes no sense, Busy while too many ask.
    """
    question = read_question(asked, viewer, now_ms)
    with store.reading() as driver:
        scope = scope_of(driver, viewer)
        query, cut = resolve(driver, viewer, question.query)
    try:
        found = answer(store, engine.search, viewer, question, query, scope)
    except NoIndex:
        return {**answer(store, Recent(store).search, viewer, question, query, scope), "degraded": True}
    if cut:
        found["partial"] = True
    if not (found["total"] or question.cursor or found.get("partial")):
        found["suggestion"] = suggestion(engine, question.text, query, scope)
    return found


def read_question(asked: Mapping[str, str], viewer: Viewer, now_ms: int) -> Question:
    text = asked.get("q", "")
    query = parse(text, now_ms, viewer.person_id)
    return Question(
        text,
        query,
        order_of(query, query.sort or SORTS[check_choice(asked, "sort", tuple(SORTS)) or "new"]),
        asked.get("cursor") or None,
        check_choice(asked, "collapse", ("chat",)) is not None,
        check_choice(asked, "context", ("messages",)) is not None,
        check_facets(asked.get("facets", "")),
    )


def order_of(query: Query, sort: Sort) -> Sort:
    """Without words all hits fit equally well, and the best ones are the newest."""
    return "new" if sort == "best" and not query.words else sort


def check_choice(asked: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    value = asked.get(name) or None
    if value is None or value in choices:
        return value
    raise Invalid(f"`{name}` is {' or '.join(choices)}")


def check_facets(value: str) -> tuple[str, ...]:
    names = FACETS if value == "all" else tuple(name for name in value.split(",") if name)
    if set(names) <= set(FACETS):
        return names
    raise Invalid(f"`facets` is all, or some of {', '.join(FACETS)}, separated by commas")


def scope_of(driver: Driver, viewer: Viewer) -> Scope:
    """Agents find everything; customers what is public in their own chats, or in their session's one chat."""
    if viewer.role == "agent":
        return Scope()
    chats = None
    if viewer.only_chat is not None:
        chats = frozenset(pk for (pk,) in driver.rows("SELECT pk FROM chat WHERE id = ?", viewer.only_chat))
    return Scope(chats, viewer.person_id, frozenset({PUBLIC}))


def answer(
    store: Store, search: Search, viewer: Viewer, question: Question, query: Query, scope: Scope
) -> dict[str, Any]:
    """Raises Busy when the index cannot be used."""
    found = look(store, search, viewer, question, query, scope)
    hits = found.all
    with store.reading() as driver:
        items = [item(hit, message, query) for hit, message in found.shown]
        if question.context:
            for each, (hit, message) in zip(items, found.shown, strict=True):
                each.update(neighbours(driver, hit.key, message))
        facets = facets_of(driver, hits.facets, question.facets) if hits.facets else {}
    if question.collapse:
        for each, (hit, _) in zip(items, found.shown, strict=True):
            each["count"] = hit.in_chat
    told: dict[str, Any] = {
        "items": items,
        "total": found.total,
        "chats": hits.chats,
        "facets": facets,
        "suggestion": None,
        "next": found.next,
        "chips": [{"text": chip.text, "condition": is_condition(chip)} for chip in query.chips],
    }
    if query.hints:
        told["hint"] = " ".join(query.hints)
    if hits.partial:
        told["partial"] = True
    if hits.facets and hits.facets.estimated:
        told["estimated"] = True
    return told


def look(store: Store, search: Search, viewer: Viewer, question: Question, query: Query, scope: Scope) -> Found:
    """A page of what is still there to be seen; over several pages of hits, if many have gone."""
    shown: list[tuple[Hit, Message]] = []
    ask = Ask(question.sort, question.cursor, PAGE_HITS, question.collapse, bool(question.facets))
    first = hits = search(query, scope, ask)
    gone = 0
    for _ in range(PAGES_LOOKED_AT):
        with store.reading() as driver:
            messages = read_messages(driver, viewer, [hit.key for hit in hits.items])
        shown += [(hit, messages[hit.key]) for hit in hits.items if hit.key in messages]
        gone += len(hits.items) - len(messages)
        if hits.next is None or len(shown) == PAGE_HITS:
            break
        ask = replace(ask, cursor=hits.next, limit=PAGE_HITS - len(shown), facets=False)
        hits = search(query, scope, ask)
    return Found(tuple(shown), first.total - gone, hits.next, first)


def item(hit: Hit, message: Message, query: Query) -> dict[str, Any]:
    found = {
        "chat": message.chat_id,
        "seq": hit.key.seq,
        "at": rfc3339(message.at_ms),
        "by": message.by,
        "role": message.role,
        "name": message.name,
        "thread": message.thread,
        "customer": {"id": message.customer_id, "name": message.customer_name},
        "subject": message.subject,
        "status": message.status,
        "snippet": snippet(message.text or "", query.words),
    }
    return found if hit.key.stream == PUBLIC else {**found, "stream": STREAM_NAMES[INTERNAL]}


def is_condition(chip: Chip) -> bool:
    """Whether a part of the search says something else than words."""
    return chip.clause is None or not words_in(chip.clause)
