"""The idle rule: an active chat in which an agent had the last word is warned when it stays quiet, and then closed.

Wired by `app.py` where it is wanted; every server looks, and the chat's lock leaves one winner. This finds whom the
rule may concern, and says what is next. It is asked again under the lock, and `chats.py` does what it says. Whoever
waits for an agent is owed an answer: such a chat is never closed by a rule.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import orjson

from history.access import Place, service_place
from history.chats import IDLE_WARNING
from history.db import Driver, Store
from history.sentences import language_of
from history.times import SECOND_MS, now_ms
from history.watch import LOOK_SECONDS, Watch
from history.writer import Writer

QUIET = (
    "SELECT c.pk, c.id, c.updated_ms, u.locale, last.kind, last.data "
    "FROM chat c JOIN customer u ON u.id = c.customer_id "
    "JOIN event last ON last.chat_pk = c.pk AND last.stream = 0 AND last.seq = c.head "
    "WHERE c.status = 'active' AND c.updated_ms <= ? AND EXISTS ("
    "SELECT 1 FROM participant p WHERE p.role = 'agent' AND p.id = ("
    'SELECT e."by" FROM event e WHERE e.chat_pk = c.pk AND e.stream = 0 AND e.thread = c.thread '
    "AND e.kind = 'message' ORDER BY e.seq DESC LIMIT 1))"
)
"""Active chats without an event since a moment, in whose thread the last word is an agent's. Few chats are active."""

Step = Literal["warn", "close"]


@dataclass(frozen=True, slots=True)
class IdleRule:
    """After how much quiet a chat is warned, and after how much more it is closed; milliseconds."""

    warn_ms: int
    close_ms: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """A chat in which nothing has happened since `since_ms`; `warned` if a warning was the last that did."""

    place: Place
    since_ms: int
    warned: bool
    locale: str

    @property
    def warning(self) -> str:
        """The words of the warning, for the customer."""
        return language_of(self.locale).say("idle")


class Idle(NamedTuple):
    """The command to follow the rule in a chat, in the service's name."""

    place: Place
    rule: IdleRule


def idle_watch(store: Store, writer: Writer, warn_s: float, close_s: float) -> Watch:
    """The watch over the rule; times in seconds."""
    rule = IdleRule(int(warn_s * SECOND_MS), int(close_s * SECOND_MS))
    every_s = min(LOOK_SECONDS, warn_s, close_s)
    return Watch("idle", partial(look, store, writer, rule), every_s, every_s)


def look(store: Store, writer: Writer, rule: IdleRule) -> None:
    """Warns or closes whatever has been quiet for long enough."""
    now = now_ms()
    with store.reading() as driver:
        found = read_quiet(driver, now - min(rule.warn_ms, rule.close_ms))
    for quiet in found:
        if next_step(quiet, rule, now):
            writer.append(Idle(quiet.place, rule))


def read_quiet(driver: Driver, before_ms: int, chat_pk: int | None = None) -> list[Quiet]:
    """What has been quiet since `before_ms` after an agent's word; of all chats, or of this one."""
    only, params = ("", ()) if chat_pk is None else (" AND c.pk = ?", (chat_pk,))
    return [
        Quiet(service_place(pk, id), since_ms, is_warning(kind, data), locale)
        for pk, id, since_ms, locale, kind, data in driver.rows(QUIET + only, before_ms, *params)
    ]


def is_warning(kind: str, data: str) -> bool:
    return kind == "notice" and orjson.loads(data).get("code") == IDLE_WARNING


def next_step(quiet: Quiet, rule: IdleRule, now_ms: int) -> Step | None:
    """What the rule wants at this moment."""
    waited_ms = now_ms - quiet.since_ms
    if quiet.warned:
        return "close" if waited_ms >= rule.close_ms else None
    return "warn" if waited_ms >= rule.warn_ms else None
