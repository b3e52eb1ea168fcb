"""An event as a value: its JSON, its canonical data, its place in the hash chain. Pure.

The chain (protocol 3.3): `hash(n)` is the first 16 hex digits of SHA-256 over these lines, joined by a newline:
`hash(n-1)`, seq, kind, by, id, SHA-256 of the canonical data in hex, salt. Canonical data is JSON with sorted
keys, no blanks, UTF-8 (RFC 8785 for what we store: objects, lists, texts, whole numbers, true, false, null).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from history.models import STREAM_NAMES
from history.times import rfc3339


class EventRow(NamedTuple):
    """A row of the event table, in the order in which the driver hands it out. `data` is canonical JSON text."""

    chat_pk: int
    stream: int
    seq: int
    kind: str
    by: str
    id: str
    prev: str | None
    thread: int
    at_ms: int
    data: str
    digest: str | None
    salt: str
    hash: str


EVENT_COLUMNS = ", ".join(f'"{name}"' for name in EventRow._fields)

SHOWN_COLUMNS = 'seq, hash, kind, "by", id, thread, at_ms, data'
"""What clients get of an event, in the order of the arguments of `event_fields`."""


def canonical(data: Mapping[str, Any]) -> str:
    """Canonical JSON text of an event's data."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()


def digest_of(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()


def chain(previous: str, seq: int, kind: str, by: str, id: str, digest: str, salt: str) -> str:
    """The hash of event `seq`, given the hash of the event before it."""
    text = f"{previous}\n{seq}\n{kind}\n{by}\n{id}\n{digest}\n{salt}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def event_fields(seq: int, hash: str, kind: str, by: str, id: str, thread: int, at_ms: int, data: str) -> str:
    """The members of an event object (protocol 3.2) as JSON text without the braces around them."""
    return (
        f'"seq":{seq},"hash":"{hash}","kind":"{kind}","by":"{by}","id":"{id}",'
        f'"thread":{thread},"at":"{rfc3339(at_ms)}","data":{data}'
    )


def shown(event: EventRow) -> tuple[int, str, str, str, str, int, int, str]:
    """The part of a row that clients get."""
    return event.seq, event.hash, event.kind, event.by, event.id, event.thread, event.at_ms, event.data


def event_json(event: EventRow) -> str:
    """An event object (protocol 3.2) as JSON text."""
    return "{" + event_fields(*shown(event)) + "}"


def event_frame(chat_id: str, event: EventRow) -> str:
    """The `event` frame (protocol 4.2) as JSON text."""
    stream = STREAM_NAMES[event.stream]
    return f'{{"type":"event","chat":"{chat_id}","stream":"{stream}",{event_fields(*shown(event))}}}'
