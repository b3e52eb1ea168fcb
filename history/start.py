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
from history.errors import Invalid, StillhereError
from history.journal import Ack, Join
from history.models import Chat, Customer, Thread
from history.outbox import MailPolicy
from history.times import new_id, participant_id

DEFAULT_NAME = "Customer"


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


def check_new_chat(body: Mapping[str, Any]) -> NewChat:
    """The body of POST /chats as a value. Raises Invalid or TooBig, naming the field."""
    message = body.get("message")
    if message is not None and not isinstance(message, Mapping):
        raise Invalid("`message` must be an object with `id` and `data`")
    return NewChat(
        name=check_line(body.get("name"), "name", NAME_LETTERS) or DEFAULT_NAME,
        email=check_email(body.get("email")),
        locale=check_locale(body.get("locale")),
        time_zone=check_time_zone(body.get("time_zone")),
        subject=check_line(body.get("subject"), "subject", SUBJECT_LETTERS) or None,
        page=check_line(body.get("page"), "page", PAGE_LETTERS) or None,
        message=None if message is None else check_first(message),
    )


def check_first(message: Mapping[str, Any]) -> tuple[str, str]:
    return check_message_id(message.get("id")), check_message(message.get("data"))


def check_email(value: Any) -> str | None:
    """An address that a mail can be sent to, in its normal form; null and empty are no address. Raises Invalid."""
    if value is None or value == "":
        return None
    try:
        return validate_email(value, check_deliverability=False).normalized
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
            locale=new.locale,
            time_zone=new.time_zone,
            created_ms=transaction.now_ms,
        )
    )
    transaction.db.flush()
    return id


def start_chat(
    transaction: Transaction, policy: MailPolicy, customer_id: str, name: str, new: NewChat
) -> tuple[Place, Ack | None]:
    """Starts a chat of the customer. Returns the customer's place in it, and the ack of the first message."""
    now_ms = transaction.now_ms
    chat = Chat(
        id=new_id(),
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
