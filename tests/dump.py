"""The database as it is, read with plain SQL and nothing of the product's: what the checker believes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine, inspect, make_url, text

from tests.record import Line

STREAMS = ("public", "internal")
MOVING = {"online_until_ms", "last_seen_ms"}
"""Columns that change by themselves: presence."""

FOLLOWING = ("index_", "search_")
"""Tables of whoever follows the log begin so; they change later than the log does."""

CHATS = "SELECT c.id, status, thread, head, hash, internal_head, internal_hash, floor, rev FROM chat c"
EVENTS = (
    "SELECT c.id AS chat, e.stream, e.seq, e.kind, e.by, e.id, e.prev, e.thread, e.data, e.digest, e.salt, e.hash "
    "FROM event e JOIN chat c ON c.pk = e.chat_pk"
)
IN_ORDER = " ORDER BY e.pk"
PARTICIPANTS = (
    "SELECT c.id AS chat, p.id, p.role, p.read, p.delivered FROM participant p JOIN chat c ON c.pk = p.chat_pk"
)
LINKS = "SELECT c.id AS chat, secret_hash, used_ms IS NOT NULL AS used FROM link l JOIN chat c ON c.id = l.chat_id"
OF_ONE_CHAT = " WHERE c.id = :chat"


@dataclass
class Dump:
    """`events` stand in the order of their commit, with `stream` by name. All values are JSON."""

    chats: dict[str, Line]
    events: list[Line]
    participants: list[Line]
    links: list[Line]

    def of(self, chats: set[str]) -> "Dump":
        """The part that belongs to these chats."""
        return Dump(
            {id: chat for id, chat in self.chats.items() if id in chats},
            [event for event in self.events if event["chat"] in chats],
            [person for person in self.participants if person["chat"] in chats],
            [link for link in self.links if link["chat"] in chats],
        )

    def head(self, chat: str) -> int:
        return int(self.chats[chat]["head"])

    def said(self, chat: str) -> list[str]:
        """The texts of a chat's messages, in order."""
        own = (event for event in self.events if event["chat"] == chat and event["kind"] == "message")
        return [json.loads(event["data"])["text"] for event in own]


def read_dump(database_url: str, chat: str = "") -> Dump:
    """All of the database, or what it has of one chat."""
    where = OF_ONE_CHAT if chat else ""
    with connected(database_url) as connection:
        queries = (CHATS + where, EVENTS + where + IN_ORDER, PARTICIPANTS + where, LINKS + where)
        return dump_of(*(rows(connection, sql, chat=chat) for sql in queries))


def dump_of(chats: list[Line], events: list[Line], participants: list[Line], links: list[Line]) -> Dump:
    """What the four queries found, as a dump."""
    for event in events:
        event["stream"] = STREAMS[event["stream"]]
    return Dump({chat["id"]: chat for chat in chats}, events, participants, links)


def everything(database_url: str) -> dict[str, list[str]]:
    """All rows of all tables as text, sorted: equal before and after whatever changed nothing."""
    with connected(database_url) as connection:
        return {
            table: sorted(
                json.dumps({name: value for name, value in row.items() if name not in MOVING}, default=str)
                for row in rows(connection, f'SELECT * FROM "{table}"')
            )
            for table in inspect(connection).get_table_names()
            if not table.startswith(FOLLOWING)
        }


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    url = make_url(database_url)
    driver = "postgresql+psycopg" if url.get_backend_name() == "postgresql" else url.drivername
    engine = create_engine(url.set(drivername=driver), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def rows(connection: Connection, sql: str, **values: str) -> list[Line]:
    found = connection.execute(text(sql), {name: value for name, value in values.items() if f":{name}" in sql})
    return [dict(row) for row in found.mappings()]
