"""A chat's first moment: customer, chat, first thread, the customer's place, and perhaps a first message, all in the
caller's transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from email_validator import EmailNotValidError, validate_email

from history import journal
from history.access import Place
from history.chats import Send
from history.content import (
    NAME_LETTERS,
    PAGE_LETTERS,
    SUBJECT_LETTERS,
    check_line,
    check_message,
    check_message_id,
)
from history.db import Transaction
from history.errors import IdConflict, Invalid, StillhereError
from history.journal import Ack, Join
from history.models import Chat, Customer, Thread
from history.outbox import MailPolicy
from history.times import new_id, participant_id

DEFAULT_NAME = "Customer"

CLAIM = "INSERT INTO beginning (message_id, chat_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
CLAIMED = "SELECT chat_id FROM beginning WHERE message_id = ?"
RENEW = "UPDATE customer SET name = ?, email = ?, locale = ?, time_zone = ? WHERE id = ? AND name = ''"
UNANSWERED = (
    "SELECT c.pk, c.id, p.id, u.name, u.id FROM chat c JOIN customer u ON u.id = c.customer_id "
    "JOIN participant p ON p.chat_pk = c.pk AND p.person_id = u.id AND p.last_seen_ms IS NULL "
    'JOIN event e ON e.chat_pk = c.pk AND e.id = ? AND e."by" = p.id AND e.data = ? WHERE c.id = ? '
    'AND NOT EXISTS (SELECT 1 FROM event l WHERE l.chat_pk = c.pk AND l."by" = p.id AND l.seq > e.seq)'
)
"""A chat of whose customer no more is known than the message with which it began."""


@dataclass(frozen=True, slots=True)
class NewChat:
    """What a customer says of themselves when a chat starts; all of it may be empty."""

    name: str
    email: str | None
    locale: str
    time_zone: str
    subject: str | None
    page: str | None
    message: tuple[str, str] | None
    """id and canonical data of the first message"""
    network: str = ""
    """As in `Customer.network`."""


def check_new_chat(body: Mapping[str, Any], network: str = "", *, international: bool = False) -> NewChat:
    """The body of POST /chats as a value. Raises Invalid or TooBig, naming the field."""
    message = body.get("message")
    if message is not None and not isinstance(message, Mapping):
        raise Invalid("`message` must be an object with `id` and `data`")
    return NewChat(
        name=check_line(body.get("name"), "name", NAME_LETTERS) or DEFAULT_NAME,
        email=check_email(body.get("email"), international),
        locale=check_locale(body.get("locale")),
        time_zone=check_time_zone(body.get("time_zone")),
        subject=check_line(body.get("subject"), "subject", SUBJECT_LETTERS) or None,
        page=check_line(body.get("page"), "page", PAGE_LETTERS) or None,
        message=None if message is None else check_first(message),
        network=network,
    )


def check_first(message: Mapping[str, Any]) -> tuple[str, str]:
    return check_message_id(message.get("id")), check_message(message.get("data"))


def check_email(value: Any, international: bool = False) -> str | None:
    """An address that a mail can be sent to, in its normal form; null and empty are no address. Raises Invalid.

    `international`: whether our server takes letters beyond ASCII before the @ (RFC 6531).
    """
    if value is None or value == "":
        return None
    try:
        return validate_email(value, check_deliverability=False, allow_smtputf8=international, strict=True).normalized
    except (EmailNotValidError, TypeError) as error:
        raise Invalid(f"`email` is not an address that we can write to: {error}") from error


def check_locale(value: Any) -> str:
    """A language tag such as `de` or `pt-BR`; what we do not know is English."""
    try:
        return str(Locale.parse(str(value), sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError, TypeError):
        return "en"


def check_time_zone(value: Any) -> str:
    """An IANA time zone; what we do not know is UTC."""
    return value if isinstance(value, str) and value in available_timezones() else "UTC"


def new_customer(transaction: Transaction, new: NewChat) -> str:
    """Stores the customer and returns its id."""
    id = new_id()
    transaction.db.add(
        Customer(
            id=id,
            name=new.name,
            email=new.email,
            network=new.network,
            locale=new.locale,
            time_zone=new.time_zone,
            created_ms=transaction.now_ms,
        )
    )
    transaction.db.flush()
    return id


def renew_customer(transaction: Transaction, customer_id: str, new: NewChat) -> str:
    """A customer of whom nothing was left after an erasure says anew who they are. Returns the name."""
    transaction.driver.run(RENEW, new.name, new.email, new.locale, new.time_zone, customer_id)
    return new.name


def claim_beginning(transaction: Transaction, new: NewChat, chat_id: str) -> str:
    """Claims the first message for the chat that will have `chat_id`. Returns the id of the chat that begins with it,
    which is another one if the same was asked before, on whatever server.
    """
    if not new.message or transaction.driver.run(CLAIM, new.message[0], chat_id):
        return chat_id
    row = transaction.driver.row(CLAIMED, new.message[0])
    assert row is not None, "whoever could not claim it has waited for the one who has"
    return str(row[0])


def unanswered_place(transaction: Transaction, new: NewChat, chat_id: str) -> Place:
    """The place of a new customer in the chat that began with the same message, and whose answer was lost on its way.
    Raises IdConflict if it did arrive, as the customer was there since, or if other words came with the message's id.
    """
    assert new.message is not None, "only a message is found again"
    row = transaction.driver.row(UNANSWERED, *new.message, chat_id)
    if row is None:
        raise IdConflict("A chat began with this message and has gone on; come back to it with its token")
    pk, id, participant, name, customer_id = row
    return Place(pk, id, participant, "customer", name, customer_id)


def start_chat(
    transaction: Transaction, policy: MailPolicy, customer_id: str, name: str, new: NewChat, id: str = ""
) -> tuple[Place, Ack | None]:
    """Starts a chat of the customer, perhaps with an `id` that was claimed. Returns the customer's place in it, and the
    ack of the first message.
    """
    now_ms = transaction.now_ms
    chat = Chat(
        id=id or new_id(),
        customer_id=customer_id,
        subject=new.subject,
        page=new.page,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    transaction.db.add(chat)
    transaction.db.flush()
    assert chat.pk is not None, "the database has numbered it"
    transaction.db.add(Thread(chat_pk=chat.pk, number=1, opened_ms=now_ms, opened_by="start", first_seq=1))
    transaction.db.flush()
    me = participant_id(chat.id, customer_id)
    place = Place(chat.pk, chat.id, me, "customer", name, customer_id)
    commands: list[journal.Command] = [Join(place)]
    if new.message:
        commands.append(Send(place, new.message[0], None, new.message[1]))
    outcome = journal.apply(policy, transaction, commands)[-1]
    if isinstance(outcome, StillhereError):
        raise outcome
    return place, outcome
