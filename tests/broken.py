"""Servers broken on purpose: each breaks one rule of the product, and the checker must catch every one of them.

`broken(NAME)` breaks this process for a `with` block; the simulation uses it. `main` with the arguments NAME and
`serve` is `stillhere serve` with the rule broken, for the journeys.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import app
from history import journal, writer
from history.access import Place
from history.batch import Batch
from history.chats import Send
from history.db import Driver, Transaction
from history.events import EventRow, event_json
from history.models import INTERNAL, PUBLIC
from resume.live import client, following, opening
from resume.live.conversation import Cursor, Line
from resume.live.frames import Position

Broken = tuple[Any, str, Callable[..., Any]]
"""A module or class, a name in it, and what it is there instead."""

NEVER_S = 3600.0
"""Longer than any test, so that chance mends nothing that is broken: the server is killed before it commits what it has
acked, and does not look for what no hint has told.
"""


class Process:
    """Stands for the memory of a process; a simulation has several in one."""


ONLY = Process()
process: ContextVar[Process] = ContextVar("process", default=ONLY)
memories: WeakKeyDictionary[Process, dict[Any, EventRow]] = WeakKeyDictionary()

remember = Batch.remember
work = writer.Writer._work
whole_resume = opening.resume


def remember_here(self: Batch, event: EventRow) -> None:
    memories.setdefault(process.get(), {})[event.id, event.chat_pk, event.by] = event
    remember(self, event)


def know_from_memory(self: Batch, _commands: Sequence[Any]) -> None:
    self.known = dict(memories.get(process.get(), {}))


def check_nothing(*_: object) -> None:
    """Lets everything pass."""


def take_all(cursor: Cursor, lines: Iterable[Line]) -> tuple[list[bytes], bool]:
    """What was just committed goes out at once, whatever came before it."""
    out = []
    for line in lines:
        if line.stream == INTERNAL and cursor.place.role != "agent":
            continue
        sent = cursor.sent if line.stream == PUBLIC else cursor.internal_sent
        if line.seq > sent:
            out.append(line.frame)
            if line.stream == PUBLIC:
                cursor.sent = line.seq
            else:
                cursor.internal_sent = line.seq
    return out, False


def resume_with_oldest(
    driver: Driver, place: Place, position: Position, state: dict[str, Any], room: int
) -> tuple[str, Cursor]:
    text, cursor = whole_resume(driver, place, position, state, room)
    frame = json.loads(text)
    if frame["gap"]:
        have = frame["gap"]["from"] - 1
        events = journal.read_after(driver, place.chat_pk, PUBLIC, have, opening.RESUME_EVENTS)
        frame |= {"gap": None, "events": [json.loads(event_json(event)) for event in events]}
    return json.dumps(frame), cursor


def compare_numbers(_driver: Driver, _place: Place, position: Position, head: int) -> str | None:
    return "diverged" if position.have > head else None


def work_and_tell(self: writer.Writer, transaction: Transaction, waiting: list[Any]) -> list[Any]:
    """Everybody on a socket is told before the commit, and then once more."""
    outcomes = work(self, transaction, waiting)
    answers = zip(waiting, outcomes, strict=True)
    told = [(item, outcome) for item, outcome in answers if isinstance(item, writer.Entry)]
    self.committed(transaction.commits, told)
    if process.get() is ONLY and any(isinstance(item.command, Send) for item, _ in told):
        time.sleep(NEVER_S)
    return outcomes


BREAKS: dict[str, tuple[Broken, ...]] = {
    "dedup per process": ((Batch, "_read_known", know_from_memory), (Batch, "remember", remember_here)),
    "no prev": ((journal, "check_previous", check_nothing),),
    "push without the log": ((client, "take_next", take_all),),
    "oldest first": ((opening, "resume", resume_with_oldest),),
    "no prefix check": ((opening, "check_copy", compare_numbers),),
    "ack before commit": ((writer.Writer, "_work", work_and_tell),),
}


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Breaks a rule in this process, for a while."""
    whole = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in BREAKS[name]]
    break_rule(name)
    try:
        yield
    finally:
        for owner, attribute, value in whole:
            setattr(owner, attribute, value)


def break_rule(name: str) -> None:
    for owner, attribute, wrong in BREAKS[name]:
        setattr(owner, attribute, wrong)


def main() -> None:
    """Does what `stillhere` does, with the rule broken that the first argument names."""
    break_rule(sys.argv.pop(1))
    following.SAFETY_POLL_S = NEVER_S
    app.main()
