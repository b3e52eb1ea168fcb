"""What a client gets when it says hello or watches more chats: who it is, and each chat from where its copy ends.

Reads one snapshot on a reader thread, so head, events and state belong together; never runs on the loop.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from history.access import Place, Viewer, is_erased, newest_chat, place_left_in
from history.db import Driver
from history.errors import NotFound
from history.events import EventRow
from history.journal import hash_at, read_after, shown_before
from history.state import Places, chat_state
from resume.live.conversation import Cursor
from resume.live.frames import Position

RESUME_EVENTS = 50
"""How many events a resume carries at most; what is older is a gap."""

WELCOME_BYTES = 60 * 1024
"""Room for the chats in a welcome, of the 64 KiB that it may have."""

UTF8_BYTES = 4
"""The most bytes of one character."""

INTERNAL_HEAD = "SELECT internal_head FROM chat WHERE pk = ?"


@dataclass(frozen=True, slots=True)
class Brought:
    """Chats on their way to a client: `resumes` as JSON texts, and where the client stands then."""

    viewer: Viewer
    resumes: tuple[str, ...]
    cursors: tuple[Cursor, ...]
    waiting: tuple[int, ...]
    """Which of the chats wait in the queue."""
    erased: tuple[Place, ...]
    """Which were erased, and have no cursor."""


def bring(driver: Driver, viewer: Viewer, positions: tuple[Position, ...], queue: Places, now_ms: int) -> Brought:
    """The chats at `positions`; with none, a customer's newest chat. Raises NotFound when none may be seen."""
    if not positions and viewer.role == "customer" and (newest := newest_chat(driver, viewer)):
        positions = (Position(newest, 0, None),)
    places = [(place, position) for position in positions if (place := find(driver, viewer, position.chat))]
    if positions and not places:
        raise NotFound("There is no such chat")
    resumes, cursors, waiting, erased, room = [], [], [], [], WELCOME_BYTES
    for place, position in places:
        state = chat_state(driver, place.chat_pk, place.role, now_ms, queue)
        text, cursor = resume(driver, place, position, state, room // 2 if len(places) > 1 else room)
        room -= size(text)
        resumes.append(text)
        if is_erased(state["head"], state["floor"]):
            erased.append(place)
            continue
        cursors.append(cursor)
        if state["queue"]:
            waiting.append(place.chat_pk)
    return Brought(viewer, tuple(resumes), tuple(cursors), tuple(waiting), tuple(erased))


def find(driver: Driver, viewer: Viewer, chat: str) -> Place | None:
    try:
        return place_left_in(driver, viewer, chat)[0]
    except NotFound:
        return None


def resume(driver: Driver, place: Place, position: Position, state: dict[str, Any], room: int) -> tuple[str, Cursor]:
    """A resume object (protocol 4.2, 4.3) as JSON text of at most `room` bytes, and the client's place after it."""
    head, floor = state["head"], state["floor"]
    reset = "erased" if is_erased(head, floor) else check_copy(driver, place, position, head)
    have = floor if reset else max(position.have, floor)
    events = shown_before(driver, place.chat_pk, head + 1, min(head - have, RESUME_EVENTS))
    empty = {
        "chat": place.chat_id,
        "me": place.participant,
        "state": state,
        "head": head,
        "hash": state.pop("hash"),
        "floor": floor,
        "reset": reset,
    }
    start = orjson.dumps(empty).decode()
    texts = newest_that_fit(events, room - size(start))
    first = head - len(texts) + 1
    gap = f'{{"from":{have + 1},"to":{first - 1}}}' if first > have + 1 else "null"
    row = driver.row(INTERNAL_HEAD, place.chat_pk) if place.role == "agent" else None
    return (
        f'{start[:-1]},"gap":{gap},"events":[{",".join(texts)}]}}',
        Cursor(place, head, row[0] if row else 0, state["rev"]),
    )


def check_copy(driver: Driver, place: Place, position: Position, head: int) -> str | None:
    """Whether the log that the client remembers is ours: null, or "diverged"."""
    if position.have > head:
        return "diverged"
    if position.have == 0 or position.hash is None:
        return None
    return None if hash_at(driver, place.chat_pk, position.have) == position.hash else "diverged"


def newest_that_fit(texts: list[str], room: int) -> list[str]:
    """As many of the last `texts` as have `room` bytes."""
    if (
        UTF8_BYTES * sum(map(len, texts)) + len(texts) < room
    ):  # so it nearly always is, and counting one by one takes its time
        return texts
    taken = len(texts)
    for text in reversed(texts):
        room -= size(text) + 1
        if room < 0:
            break
        taken -= 1
    return texts[taken:]


def size(text: str) -> int:
    """How many bytes the text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


@dataclass(frozen=True, slots=True)
class News:
    """What happened in a chat beyond the places of those who follow it, and its state for each role among them."""

    events: tuple[EventRow, ...]
    states: dict[str, dict[str, Any]]
    more: bool

    @property
    def erased(self) -> bool:
        return any(is_erased(state["head"], state["floor"]) for state in self.states.values())


NEWS_LIMIT = 200


def read_news(driver: Driver, chat_pk: int, after: dict[int, int], roles: frozenset[str], now_ms: int) -> News:
    """Events after seq `after[stream]` of each stream, and the states."""
    found = [read_after(driver, chat_pk, stream, seq, NEWS_LIMIT) for stream, seq in after.items()]
    states = {role: chat_state(driver, chat_pk, "agent" if role == "agent" else "customer", now_ms) for role in roles}
    more = any(len(events) == NEWS_LIMIT for events in found)
    return News(tuple(event for events in found for event in events), states, more)
