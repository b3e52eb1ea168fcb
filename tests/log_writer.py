"""Writes events into a chat's log as another server would: plain SQL, and hashes after the words of protocol 3.3.

For logs that nobody could write through the doors: of many years, and of servers yet to come. Nothing of the product's.
"""

import secrets
import time
from collections.abc import Iterable

from sqlalchemy import text

from tests.checker import CANONICAL, hash_after
from tests.dump import connected, rows
from tests.record import Line

ADD = """
    INSERT INTO event (chat_pk, stream, seq, kind, "by", id, prev, thread, at_ms, data, digest, salt, hash) VALUES
    (:chat_pk, 0, :seq, :kind, :by, :id, NULL, :thread, :at_ms, :data, NULL, :salt, :hash)
"""
LOCK = "UPDATE chat SET updated_ms = :now WHERE id = :chat"
READ = "SELECT pk, head, hash, thread FROM chat WHERE id = '{}'"
MOVE = "UPDATE chat SET head = :seq, hash = :hash WHERE pk = :chat_pk"

Said = tuple[str, str, str, Line]
"""kind, participant, id and data of an event"""


def append(database_url: str, chat: str, events: Iterable[Said]) -> None:
    """Adds public events behind the last one, in one transaction."""
    now = int(time.time() * 1000)
    with connected(database_url) as database:
        database.execute(text(LOCK), {"now": now, "chat": chat})
        (row,) = rows(database, READ.format(chat))
        last = {"seq": row["head"], "hash": row["hash"]}
        new = []
        for kind, by, id, data in events:
            event = {"seq": last["seq"] + 1, "kind": kind, "by": by, "id": id, "digest": None}
            event |= {"data": CANONICAL.encode(data), "salt": secrets.token_hex(8)}
            event["hash"] = hash_after(last["hash"], event)
            new.append(event | {"chat_pk": row["pk"], "thread": row["thread"], "at_ms": now})
            last = event
        database.execute(text(ADD), new)
        database.execute(text(MOVE), last | {"chat_pk": row["pk"]})
        database.commit()
