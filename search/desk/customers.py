"""What agents may know of a customer: who it is, and all of its chats. Read only; called by the desk's routes."""

from typing import Any

from history.access import LIVES, Place
from history.db import Driver
from history.errors import NotFound
from history.state import chat_state
from history.times import rfc3339

CHATS_LIMIT = 50

CUSTOMER = "SELECT id, name, email, locale, time_zone, created_ms FROM customer WHERE id = ?"
CUSTOMER_OF = "SELECT customer_id FROM chat WHERE pk = ?"
CHATS = (
    f"SELECT pk, page, updated_ms FROM chat WHERE customer_id = ? AND {LIVES} "  # noqa: S608
    "ORDER BY updated_ms DESC, pk DESC LIMIT ?"
)


def customer_of(driver: Driver, place: Place) -> str:
    """The id of the customer whose chat this is."""
    row = driver.row(CUSTOMER_OF, place.chat_pk)
    assert row is not None, "the caller has looked the chat up"
    return str(row[0])


def customer_card(driver: Driver, customer_id: str, now_ms: int) -> dict[str, Any]:
    """A customer with the newest chats, each as its state, with the page it began on and when it last changed.

    Raises NotFound.
    """
    row = driver.row(CUSTOMER, customer_id)
    if row is None:
        raise NotFound("There is no such customer")
    id, name, email, locale, time_zone, created_ms = row
    return {
        "id": id,
        "name": name,
        "email": email,
        "locale": locale,
        "time_zone": time_zone,
        "since": rfc3339(created_ms),
        "chats": [
            {**chat_state(driver, pk, "agent", now_ms), "page": page, "updated_at": rfc3339(updated_ms)}
            for pk, page, updated_ms in driver.rows(CHATS, id, CHATS_LIMIT)
        ],
    }
