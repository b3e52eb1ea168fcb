"""Reference server: Flask-SocketIO doing J1 with the durability of Stillhere, written as its guide shows.

Threading mode on gunicorn's threaded worker; a handler stores the message in a SQLite commit of its own
(WAL, synchronous FULL), sends it to the chat's room, and its return value is the ack. SQLITE_PATH names
the file.
"""

import os
import sqlite3
import threading
import time

from flask import Flask
from flask_socketio import SocketIO, emit, join_room

SCHEMA = """
    CREATE TABLE message (
        pk INTEGER PRIMARY KEY, chat TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
        at_ms INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (chat, seq), UNIQUE (id, chat)
    )
"""

app = Flask(__name__)
socketio = SocketIO(app, async_mode="threading")
db = sqlite3.connect(os.environ["SQLITE_PATH"], check_same_thread=False, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute(SCHEMA)
db_lock = threading.Lock()


@socketio.on("join")  # type: ignore[untyped-decorator]
def join(chat: str) -> bool:
    join_room(chat)
    return True


@socketio.on("send")  # type: ignore[untyped-decorator]
def send(message: dict[str, str]) -> dict[str, object]:
    stored = store(message["chat"], message["id"], message["text"])
    emit("event", stored, to=message["chat"])
    return {"id": stored["id"], "seq": stored["seq"]}


def store(chat: str, id: str, text: str) -> dict[str, object]:
    """Commit one message with the next number of its chat."""
    at_ms = time.time_ns() // 1_000_000
    with db_lock:
        db.execute("BEGIN IMMEDIATE")
        (head,) = db.execute("SELECT coalesce(max(seq), 0) FROM message WHERE chat = ?", (chat,)).fetchone()
        db.execute(
            "INSERT INTO message (chat, seq, id, at_ms, text) VALUES (?, ?, ?, ?, ?)",
            (chat, head + 1, id, at_ms, text),
        )
        db.execute("COMMIT")
    return {"chat": chat, "seq": head + 1, "id": id, "at": at_ms, "text": text}
