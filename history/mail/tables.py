"""The tables of mail: what is to go out and how that went, how answers find their chat, what came in, and to whom and
when nothing is sent. Times are integer milliseconds since 1970, UTC.

Written by `outbox.py` and the modules beside this one; table classes do not validate.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from history.models import big_key


class OutboxItem(SQLModel, table=True):
    """A durable thing to do, put in by the transaction that causes it. One row is one mail to one recipient."""

    __tablename__ = "outbox_item"
    __table_args__ = (
        Index("outbox_due", "state", "due_ms"),
        Index("outbox_sent_to", "recipient_hash", "created_ms"),
        Index("outbox_sent_from", "network", "created_ms"),
    )
    id: str = Field(primary_key=True)
    kind: str
    """transcript, away, copy (a transcript that somebody asked for), confirm (asks the owner of an address whether a
    copy may be sent there), or code (which opens the chat where its link does not any more)"""
    chat_pk: int = Field(sa_type=BigInteger, foreign_key="chat.pk", index=True)
    thread: int
    from_seq: int | None = Field(default=None, sa_type=BigInteger)
    """away: the first message that the customer had not read; transcript: the first of a former away mail."""
    upto_seq: int | None = Field(default=None, sa_type=BigInteger)
    """away: the last message that the mail is about; once it is read, the mail is not sent."""
    dedup_key: str = Field(unique=True)
    """Makes a second row for the same cause impossible."""
    recipient: str
    recipient_hash: str = ""
    """`recipient_hash(recipient)`, by which mails to one address are counted and suppressed."""
    domain: str = ""
    """The recipient's domain, lower case."""
    proof: str = "typed"
    """How we knew the address when the row was made: typed < confirmed < signed, as in `Customer.email_proof`."""
    network: str = ""
    """The network of whoever caused the mail, as in `Customer.network`."""
    locale: str
    time_zone: str
    message_id: str = Field(unique=True)
    bounce_token: str = Field(unique=True)
    """In the envelope's sender and its ENVID (RFC 3461), so that a bounce finds this row."""
    secret_hash: str | None = Field(default=None, unique=True)
    """Of the link's secret that turns a held copy loose (confirm), or mutes mails about the chat (away)."""
    state: str = "ready"
    """ready, leased, started, sent; held until the address is confirmed; or cancelled, uncertain, failed, dead"""
    reason: str = ""
    created_ms: int = Field(sa_type=BigInteger)
    due_ms: int = Field(sa_type=BigInteger)
    """Not before this moment; moved on by each failure that may pass."""
    expires_ms: int | None = Field(default=None, sa_type=BigInteger)
    """After this moment nobody wants it any more."""
    attempts: int = 0
    lease_owner: str | None = None
    lease_until_ms: int | None = Field(default=None, sa_type=BigInteger)
    rendered_rev: int | None = None
    """The chat's head when `body` was rendered."""
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The mail's bytes, rendered once; a retry sends the same bytes."""
    digest: str | None = None
    """SHA-256 of `body`, kept when the body is not."""
    resends: int = 0
    """How often it was sent again while its outcome was unknown."""
    started_ms: int | None = Field(default=None, sa_type=BigInteger)
    """When its body last went out; kept when that failed, as `mail/restored.py` goes by it."""
    done_ms: int | None = Field(default=None, sa_type=BigInteger)


class Attempt(SQLModel, table=True):
    """One try to deliver an outbox item; rows are only ever added."""

    item_id: str = Field(primary_key=True, foreign_key="outbox_item.id")
    number: int = Field(primary_key=True)
    at_ms: int = Field(sa_type=BigInteger)
    phase: str
    """How far it came: render, disk (where mails are files), connect, tls, auth, mail, rcpt, data, body, dot, done."""
    code: int | None = None
    answer: str = ""


class MailEvent(SQLModel, table=True):
    """What was heard of a mail after its last attempt; rows are only ever added."""

    __tablename__ = "mail_event"
    pk: int | None = Field(default=None, sa_column=big_key())
    item_id: str = Field(foreign_key="outbox_item.id", index=True)
    kind: str
    """bounce, delay, success (a report or another proof that it was taken), complaint, or manual (somebody at the desk
    decided)"""
    at_ms: int = Field(sa_type=BigInteger)
    status: str = ""
    """The enhanced status code (RFC 3463), such as 5.1.1; of a complaint its feedback type."""
    detail: str = ""


class ReplyToken(SQLModel, table=True):
    """The reply address of one mail, by the hash of its token. It names a chat and to whom the mail went, and is good
    for any number of answers, as long as the chat lives."""

    __tablename__ = "mail_reply_token"
    hash: str = Field(primary_key=True)
    chat_pk: int = Field(sa_type=BigInteger, index=True)
    """A foreign key would lock the chat while the worker holds its mails."""
    item_id: str = Field(foreign_key="outbox_item.id", index=True)
    recipient_hash: str
    created_ms: int = Field(sa_type=BigInteger)
    revoked_ms: int | None = Field(default=None, sa_type=BigInteger)


class InboundMail(SQLModel, table=True):
    """A mail that came in, and what was made of it."""

    __tablename__ = "mail_inbound"
    id: str = Field(primary_key=True)
    dedup_key: str = Field(unique=True)
    """SHA-256 over token, Message-ID and body: one mail is taken once, by whatever ways it comes."""
    chat_pk: int | None = Field(default=None, sa_type=BigInteger, foreign_key="chat.pk", index=True)
    item_id: str | None = Field(default=None, foreign_key="outbox_item.id")
    """The mail that is answered, or that the bounce or complaint is about."""
    verdict: str
    """What it was taken for: answer, quarantined, auto (reply of a machine), bounce, delay, success or complaint"""
    reason: str = ""
    event_seq: int | None = Field(default=None, sa_type=BigInteger)
    """The message in the chat's public stream that was made of it."""
    sender: str = ""
    message_id: str = ""
    received_ms: int = Field(sa_type=BigInteger)
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The mail as it came, for "show original"; wiped after `raw_until_ms`."""
    raw_until_ms: int | None = Field(default=None, sa_type=BigInteger, index=True)


class Suppression(SQLModel, table=True):
    """To whom nothing is sent, and why."""

    __tablename__ = "mail_suppression"
    recipient_hash: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    """all, or away:{chat's pk} for the away mails of one chat"""
    reason: str
    since_ms: int = Field(sa_type=BigInteger)
    until_ms: int | None = Field(default=None, sa_type=BigInteger)
    """Null: for ever."""


class MailPause(SQLModel, table=True):
    """A domain that gets no mail for a while. The empty domain stands for all: our own server refuses us."""

    __tablename__ = "mail_pause"
    domain: str = Field(primary_key=True)
    until_ms: int = Field(sa_type=BigInteger)
    failures: int = 0
    """How often in a row; each pause is longer than the one before."""
    reason: str = ""
