"""Who wrote a message, by the participant that the log names. Read only."""

from typing import NamedTuple

from history.db import Driver
from history.times import participant_id

AUTHORS = "SELECT id, role, person_id, name FROM participant WHERE chat_pk IN_LIST"


class Author(NamedTuple):
    role: str
    person_id: str
    name: str


NOBODY = Author("system", "", "")


def authors_in(driver: Driver, chats: list[int]) -> dict[str, Author]:
    """Participant → author, of those who joined these chats."""
    return {id: Author(*who) for id, *who in driver.rows(AUTHORS, driver.list_param(chats))} if chats else {}


def author_of_note(driver: Driver, chat_id: str, participant: str) -> Author:
    """The agent who wrote a note in a chat that they never joined: such a participant has no row."""
    agents = driver.rows("SELECT id, name FROM agent")
    found = (Author("agent", id, name) for id, name in agents if participant_id(chat_id, id) == participant)
    return next(found, NOBODY)
