"""Times and identifiers. Every time in the tables and in the code is an integer: milliseconds since 1970, UTC.

Nothing here reads a clock by itself but `now_ms`, so that everybody else can be handed the time.
"""

import base64
import hashlib
import time
from datetime import UTC, datetime
from functools import lru_cache

from uuid_utils import uuid7

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def now_ms() -> int:
    """The server's clock, in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=4096)
def rfc3339(at_ms: int) -> str:
    """`at_ms` as RFC 3339 text in UTC with milliseconds, as the protocol writes times."""
    # the events of one commit share their time, and its formatting costs more than all the rest of an event
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}"


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562): ordered by time, so unique indexes over it stay cheap."""
    return str(uuid7())


def participant_id(chat_id: str, person_id: str) -> str:
    """A person's place in a chat: the same for ever, and telling nothing about the person elsewhere."""
    digest = hashlib.sha256(f"{chat_id}:{person_id}".encode()).digest()
    return "p_" + base64.b32encode(digest[:10]).decode().lower()
