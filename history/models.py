"""The tables of the record. Times are integer milliseconds since 1970, UTC (`times.py`).

Rows are read and written by `journal.py` and `chats.py` (the hot path, in driver SQL over these tables) and by
ordinary SQLModel code elsewhere. Table classes do not validate: the doors do. Those of mail are in `mail/tables.py`.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

PUBLIC, INTERNAL = 0, 1
"""The streams of a chat, as numbers in `Event.stream`."""

STREAM_NAMES = ("public", "internal")

GENESIS_HASH = "0" * 16
"""The hash of a stream before its first event."""

RATED = "score IS NOT NULL"
"""The condition on a thread that the customer rated it."""

# SQLite only makes an INTEGER primary key an alias of the row's own number.
BigKey = BigInteger().with_variant(Integer, "sqlite")


def big_key() -> Column[int]:
    return Column(BigKey, primary_key=True, autoincrement=True)


class Customer(SQLModel, table=True):
    id: str = Field(primary_key=True)
    name: str = ""
    email: str | None = None
    email_proof: str = "typed"
    """How we know that the address is theirs: typed < confirmed (a code or a mail's link was used) < signed (by the
    host site)."""
    network: str = ""
    """The network from which the customer first came, such as 203.0.113.0/24: what it may send to strangers is
    limited."""
    locale: str = "en"
    time_zone: str = "UTC"
    created_ms: int = Field(sa_type=BigInteger)


class Agent(SQLModel, table=True):
    id: str = Field(primary_key=True)
    name: str
    email: str = Field(unique=True)
    created_ms: int = Field(sa_type=BigInteger)
    disabled_ms: int | None = Field(default=None, sa_type=BigInteger)
    online_until_ms: int = Field(default=0, sa_type=BigInteger)
    """Presence by age: an agent is online until this moment, and each sign of life moves it."""


class AgentCredential(SQLModel, table=True):
    """What proves an agent: a one-time sign-in, a browser's cookie, or an API key."""

    __tablename__ = "agent_credential"
    id: str = Field(primary_key=True)
    agent_id: str = Field(foreign_key="agent.id", index=True)
    kind: str
    """signin, browser or key"""
    secret_hash: str = Field(unique=True)
    created_ms: int = Field(sa_type=BigInteger)
    expires_ms: int | None = Field(default=None, sa_type=BigInteger)
    used_ms: int | None = Field(default=None, sa_type=BigInteger)
    revoked_ms: int | None = Field(default=None, sa_type=BigInteger)


class Chat(SQLModel, table=True):
    """The lasting bond of one customer with the team. `head` and `hash` are those of the public stream."""

    __table_args__ = (Index("chat_waiting", "status", "waiting_since_ms"),)
    pk: int | None = Field(default=None, sa_column=big_key())
    id: str = Field(unique=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    subject: str | None = None
    page: str | None = None
    status: str = "open"
    """open, waiting, active or closed"""
    thread: int = 1
    head: int = Field(default=0, sa_type=BigInteger)
    hash: str = GENESIS_HASH
    internal_head: int = Field(default=0, sa_type=BigInteger)
    internal_hash: str = GENESIS_HASH
    floor: int = Field(default=0, sa_type=BigInteger)
    """Events up to this seq were erased; if none follows, the chat was."""
    rev: int = 1
    agent_id: str | None = None
    """The agent in charge; null while nobody is."""
    last_agent_id: str | None = None
    """Who was in charge last, preferred after a reopen."""
    waiting_since_ms: int | None = Field(default=None, sa_type=BigInteger)
    """The thread's place in the queue: since when it waits for an agent, or waited until one took it. Null while it
    has none, and when it is closed."""
    created_ms: int = Field(sa_type=BigInteger)
    updated_ms: int = Field(sa_type=BigInteger)
    """When the last event was committed."""


class Beginning(SQLModel, table=True):
    """The message with which a chat began: sent again because its answer was lost, it must not begin another one."""

    message_id: str = Field(primary_key=True)
    chat_id: str


class Thread(SQLModel, table=True):
    """One sitting inside a chat, from start or reopen to close."""

    __table_args__ = (
        Index("thread_ratings", "score", "chat_pk", sqlite_where=text(RATED), postgresql_where=text(RATED)),
    )

    chat_pk: int = Field(sa_type=BigInteger, primary_key=True, foreign_key="chat.pk")
    number: int = Field(primary_key=True)
    opened_ms: int = Field(sa_type=BigInteger)
    opened_by: str
    """start, customer, agent or email"""
    first_seq: int = Field(sa_type=BigInteger)
    accepted_ms: int | None = Field(default=None, sa_type=BigInteger, index=True)
    """When the first agent took charge."""
    agent_id: str | None = None
    closed_ms: int | None = Field(default=None, sa_type=BigInteger)
    close_reason: str | None = None
    score: int | None = None
    comment: str | None = None


class Participant(SQLModel, table=True):
    """A person's place in one chat. `id` is made from chat and person, so it is known before the row is there."""

    __table_args__ = (Index("participant_in_chats", "role", "person_id", "chat_pk"),)
    id: str = Field(primary_key=True)
    chat_pk: int = Field(sa_type=BigInteger, foreign_key="chat.pk", index=True)
    role: str
    person_id: str
    """the customer's or the agent's id"""
    name: str
    read: int = Field(default=0, sa_type=BigInteger)
    delivered: int = Field(default=0, sa_type=BigInteger)
    joined_ms: int = Field(sa_type=BigInteger)
    left_ms: int | None = Field(default=None, sa_type=BigInteger)
    online_until_ms: int = Field(default=0, sa_type=BigInteger)
    last_seen_ms: int | None = Field(default=None, sa_type=BigInteger)


class Event(SQLModel, table=True):
    """One durable entry of a chat. Rows are appended in commit order; `data` is canonical JSON text."""

    __table_args__ = (
        UniqueConstraint("chat_pk", "stream", "seq", name="event_place"),
        UniqueConstraint("id", "chat_pk", "by", name="event_once"),
    )
    pk: int | None = Field(default=None, sa_column=big_key())
    chat_pk: int = Field(sa_type=BigInteger)
    """The chat's row is locked by whoever inserts, so a foreign key would only cost."""
    stream: int
    seq: int = Field(sa_type=BigInteger)
    kind: str
    by: str
    id: str
    prev: str | None
    thread: int
    at_ms: int = Field(sa_type=BigInteger)
    data: str
    digest: str | None
    """SHA-256 of the data before a redaction; null while the data are whole."""
    salt: str
    hash: str


class Session(SQLModel, table=True):
    """One device's right to enter. The row is the authority; the resume token only names and proves it."""

    id: str = Field(primary_key=True)
    secret_hash: str
    customer_id: str = Field(foreign_key="customer.id", index=True)
    chat_id: str | None = None
    """The only chat that it may see; null for all chats of the customer."""
    generation: int = 1
    device: str = ""
    verified_by: str = "none"
    """none, link, code or identity"""
    created_ms: int = Field(sa_type=BigInteger)
    last_seen_ms: int = Field(sa_type=BigInteger)
    revoked_ms: int | None = Field(default=None, sa_type=BigInteger)


class Link(SQLModel, table=True):
    """A one-time way to get a session on another device."""

    id: str = Field(primary_key=True)
    secret_hash: str = Field(unique=True)
    chat_id: str = Field(index=True)
    customer_id: str = Field(foreign_key="customer.id")
    purpose: str
    """mail, code (mailed to who has a link that opens no more) or device"""
    created_ms: int = Field(sa_type=BigInteger)
    expires_ms: int = Field(sa_type=BigInteger)
    used_ms: int | None = Field(default=None, sa_type=BigInteger)
    nonce_hash: str | None = None
    session_id: str | None = None


class IndexState(SQLModel, table=True):
    """Which search index is searched, and what was asked of the indexer. One row."""

    __tablename__ = "index_state"
    id: int = Field(default=1, primary_key=True)
    place: str = "a"
    """Of two, so that a new index can be made in the other."""
    whole: bool = False
    """It had all of the log once since it was begun."""
    wanted: int = 0
    """How often a new index was asked for."""
    made: int = 0
    """Which of these wishes was fulfilled last."""
    done: int = Field(default=0, sa_type=BigInteger)
    total: int = Field(default=0, sa_type=BigInteger)
    """How many events the index being made has, of how many; 0 while none is made."""


class IndexSetAside(SQLModel, table=True):
    """A message that could not be indexed, however often it was tried."""

    __tablename__ = "index_set_aside"
    chat_pk: int = Field(sa_type=BigInteger, primary_key=True)
    stream: int = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    at_ms: int = Field(sa_type=BigInteger)
    reason: str


class IndexMark(SQLModel, table=True):
    """How far the search index has followed a chat."""

    __tablename__ = "index_mark"
    chat_pk: int = Field(sa_type=BigInteger, primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)
    internal_seq: int = Field(default=0, sa_type=BigInteger)
