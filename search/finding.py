"""A search from question to answer: who asks decides the scope, the engine finds places, and the log says
what stands there. Called by the HTTP route and the desk.

A hit is looked at again in SQL when its text is fetched: what the asker may not see, or what was redacted
or erased since it was indexed, is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from history.access import Viewer, may_see
from history.db import Driver, Store
from history.errors import Invalid
from history.models import INTERNAL, PUBLIC, STREAM_NAMES
from history.times import rfc3339
from search.engine import Ask, Engine, Hit, Scope
from search.parser import SORTS, parse
from search.query import ChatIs, Query, Sort, leaves_of
from search.snippets import snippet

PAGE_HITS = 20

MESSAGES = (
    "SELECT e.chat_pk, e.stream, e.seq, "
    'c.id, c.customer_id, cu.name, e."by", p.role, p.name, e.thread, e.at_ms, e.data '
    "FROM event e JOIN chat c ON c.pk = e.chat_pk JOIN customer cu ON cu.id = c.customer_id "
    'LEFT JOIN participant p ON p.id = e."by" '
    "WHERE e.chat_pk IN_LIST AND e.seq IN_LIST AND (e.stream = 1 OR e.seq > c.floor)"
)


@dataclass(frozen=True, slots=True)
class Message:
    """What the log says about a hit."""

    chat_id: str
    customer_id: str
    customer_name: str
    by: str
    role: str | None
    name: str | None
    thread: int
    at_ms: int
    data: str


def find(store: Store, engine: Engine, viewer: Viewer, asked: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """The answer to GET /search as JSON. `asked` has `q`, and may have `sort` and `cursor`.

    Raises Invalid for a question that makes no sense, Busy while the index cannot be used.
    """
    query = parse(asked.get("q", ""), now_ms, viewer.person_id)
    sort = query.sort or check_sort(asked.get("sort", "new"))
    if any(isinstance(clause, ChatIs) for clause in leaves_of(query.where)):
        raise Invalid("Conditions on chats (is:, customer:, agent:, chat:, lang:) cannot be searched for")
    with store.reading() as driver:
        scope = scope_of(driver, viewer)
    hits = engine.search(query, scope, Ask(sort, asked.get("cursor"), PAGE_HITS))
    with store.reading() as driver:
        messages = read_messages(driver, hits.items)
    items = [
        item(hit, message, query)
        for hit in hits.items
        if (message := messages.get(hit.key)) is not None and shows(viewer, hit, message)
    ]
    answer: dict[str, Any] = {
        "items": items,
        "total": hits.total - (len(hits.items) - len(items)),
        "facets": {},
        "suggestion": None,
        "next": hits.next,
    }
    if query.hints:
        answer["hint"] = " ".join(query.hints)
    if hits.partial:
        answer["partial"] = True
    return answer


def check_sort(value: str) -> Sort:
    if value in SORTS:
        return SORTS[value]
    raise Invalid("`sort` is new, old or best")


def scope_of(driver: Driver, viewer: Viewer) -> Scope:
    """Agents find everything; customers what is public in their own chats, or in their session's one chat."""
    if viewer.role == "agent":
        return Scope()
    chats = None
    if viewer.only_chat is not None:
        chats = frozenset(pk for (pk,) in driver.rows("SELECT pk FROM chat WHERE id = ?", viewer.only_chat))
    return Scope(chats, viewer.person_id, frozenset({PUBLIC}))


def read_messages(driver: Driver, hits: tuple[Hit, ...]) -> dict[tuple[int, int, int], Message]:
    """(chat_pk, stream, seq) → message, for the hits and perhaps their neighbours."""
    if not hits:
        return {}
    chats = driver.list_param(sorted({hit.key.chat_pk for hit in hits}))
    seqs = driver.list_param(sorted({hit.key.seq for hit in hits}))
    return {
        (chat_pk, stream, seq): Message(*columns)
        for chat_pk, stream, seq, *columns in driver.rows(MESSAGES, chats, seqs)
    }


def shows(viewer: Viewer, hit: Hit, message: Message) -> bool:
    """Whether the viewer may see the message, and there is still something to see."""
    if hit.key.stream == INTERNAL and viewer.role != "agent":
        return False
    return may_see(viewer, message.chat_id, message.customer_id) and "text" in orjson.loads(message.data)


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
        "snippet": snippet(orjson.loads(message.data)["text"], query.words),
    }
    return found if hit.key.stream == PUBLIC else {**found, "stream": STREAM_NAMES[INTERNAL]}
