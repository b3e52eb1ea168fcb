"""The messages in the log that hits stand for, and those said just before and after them. Called by `finding.py`.

What the viewer may not see, and what was redacted or erased since it was indexed, is not among them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from history.access import Viewer, may_see
from history.db import Driver
from history.models import INTERNAL, PUBLIC
from history.times import rfc3339
from search.authors import author_of_note
from search.engine import Key

NEIGHBOURS = 2
"""So many messages before, and after, a hit."""

NEIGHBOUR_LETTERS = 200

MESSAGES = (
    "SELECT e.chat_pk, e.stream, e.seq, "
    'c.id, c.customer_id, cu.name, c.subject, c.status, e."by", p.role, p.name, e.thread, e.at_ms, e.data '
    "FROM event e JOIN chat c ON c.pk = e.chat_pk JOIN customer cu ON cu.id = c.customer_id "
    'LEFT JOIN participant p ON p.id = e."by" '
    "WHERE e.chat_pk IN_LIST AND e.seq IN_LIST AND (e.stream = 1 OR e.seq > c.floor)"
)
AROUND = (
    'SELECT e.seq, e."by", p.role, p.name, e.at_ms, e.data FROM event e JOIN chat c ON c.pk = e.chat_pk '
    'LEFT JOIN participant p ON p.id = e."by" '
    "WHERE e.chat_pk = ? AND e.stream = 0 AND e.kind = 'message' AND e.seq > c.floor AND "
)
BEFORE = f"{AROUND} e.seq <= ? ORDER BY e.seq DESC LIMIT ?"
AFTER = f"{AROUND} e.seq > ? ORDER BY e.seq LIMIT ?"


@dataclass(frozen=True, slots=True)
class Message:
    """What the log says about a hit."""

    chat_id: str
    customer_id: str
    customer_name: str
    subject: str | None
    status: str
    by: str
    role: str | None
    name: str | None
    thread: int
    at_ms: int
    data: str

    @property
    def text(self) -> str | None:
        """Null when it was redacted."""
        return text_of(self.data)

    @property
    def stands_behind(self) -> int | None:
        """Of a note: the public message that it was written behind; null if nobody said."""
        after = orjson.loads(self.data).get("after")
        return after if isinstance(after, int) else None


def read_messages(driver: Driver, viewer: Viewer, keys: Iterable[Key]) -> dict[Key, Message]:
    """The messages at these places that the viewer may see and that still say something."""
    wanted = set(keys)
    if not wanted:
        return {}
    chats = driver.list_param(sorted({key.chat_pk for key in wanted}))
    seqs = driver.list_param(sorted({key.seq for key in wanted}))
    read = {
        Key(chat_pk, stream, seq): Message(*columns)
        for chat_pk, stream, seq, *columns in driver.rows(MESSAGES, chats, seqs)
    }
    return {
        key: message if message.role else with_author(driver, message)
        for key, message in read.items()
        if key in wanted and shows(viewer, key, message)
    }


def with_author(driver: Driver, message: Message) -> Message:
    """A note of an agent who never joined the chat."""
    role, _, name = author_of_note(driver, message.chat_id, message.by)
    return replace(message, role=role, name=name or None)


def shows(viewer: Viewer, key: Key, message: Message) -> bool:
    if key.stream == INTERNAL and viewer.role != "agent":
        return False
    return message.text is not None and may_see(viewer, message.chat_id, message.customer_id)


def neighbours(driver: Driver, key: Key, message: Message) -> dict[str, list[dict[str, Any]]]:
    """What was said before and after a message that the viewer may see; around a note, in public."""
    if key.stream == PUBLIC:
        last, first = key.seq - 1, key.seq
    elif (behind := message.stands_behind) is not None:
        last = first = behind
    else:
        return {"before": [], "after": []}
    before = driver.rows(BEFORE, key.chat_pk, last, NEIGHBOURS)
    return {"before": said(before[::-1]), "after": said(driver.rows(AFTER, key.chat_pk, first, NEIGHBOURS))}


def said(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The rows as the answer has them, without what was redacted."""
    return [
        {"seq": seq, "by": by, "role": role, "name": name, "at": rfc3339(at_ms), "text": shortened(text)}
        for seq, by, role, name, at_ms, data in rows
        if (text := text_of(data)) is not None
    ]


def shortened(text: str) -> str:
    return text if len(text) <= NEIGHBOUR_LETTERS else f"{text[:NEIGHBOUR_LETTERS].rstrip()}…"


def text_of(data: str) -> str | None:
    text = orjson.loads(data).get("text")
    return None if text is None else str(text)
