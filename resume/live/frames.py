"""The wire protocol as values (protocol 4.1, 4.2): parses what clients send, or refuses it by name, and writes what the
server sends. Pure: no socket, no clock, no database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from history.content import (
    check_action,
    check_message,
    check_message_id,
    check_optional_id,
    check_seq,
    check_stream,
)
from history.errors import Invalid, StillhereError
from history.events import EventRow, event_json
from history.journal import PAGE_LIMIT, Ack
from history.models import INTERNAL, STREAM_NAMES
from history.times import rfc3339

HELLO_CHATS = 50
WATCH_CHATS = 100
TOKEN_LETTERS = 2048
TAB_LETTERS = 16


class BadFrame(Exception):
    """Not a frame of this protocol at all: the connection ends with 4000."""


class Refused(Exception):
    """A frame with a field that cannot be: answered by a nack, the connection goes on."""

    def __init__(self, chat: str | None, id: str | None, error: StillhereError) -> None:
        super().__init__(error.detail)
        self.chat, self.id, self.error = chat, id, error


@dataclass(frozen=True, slots=True)
class Position:
    """How far a client's copy of a chat reaches."""

    chat: str
    have: int
    hash: str | None


@dataclass(frozen=True, slots=True)
class Hello:
    token: str | None
    positions: tuple[Position, ...]
    tab: str | None


class SendFrame(NamedTuple):
    chat: str
    id: str
    prev: str | None
    data: str
    stream: int
    reopen: bool


@dataclass(frozen=True, slots=True)
class ActFrame:
    chat: str
    id: str
    action: str
    data: dict[str, Any]
    expect_rev: int | None


@dataclass(frozen=True, slots=True)
class Get:
    chat: str
    stream: int
    after: int | None
    before: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class ReadFrame:
    chat: str
    seq: int


@dataclass(frozen=True, slots=True)
class TypingFrame:
    chat: str
    on: bool


@dataclass(frozen=True, slots=True)
class Watch:
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Unwatch:
    chats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueFrame:
    """The agent wants the waiting list from now on."""


@dataclass(frozen=True, slots=True)
class Ping:
    n: int


@dataclass(frozen=True, slots=True)
class Pong:
    have: dict[str, int]


ChatFrame = SendFrame | ActFrame | Get | ReadFrame | TypingFrame
Frame = Hello | ChatFrame | Watch | Unwatch | QueueFrame | Ping | Pong


def parse(text: str | bytes) -> Frame | None:
    """What the client says; None for a type that we do not know. Raises BadFrame or Refused."""
    try:
        frame = orjson.loads(text)
    except ValueError as error:
        raise BadFrame("A frame must be one JSON object") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrame("A frame must be a JSON object with a `type`")
    read = READERS.get(frame["type"])
    if read is None:
        return None
    try:
        return read(frame)
    except StillhereError as error:
        chat, id = frame.get("chat"), frame.get("id")
        raise Refused(chat if isinstance(chat, str) else None, id if isinstance(id, str) else None, error) from error


def read_hello(frame: Mapping[str, Any]) -> Hello:
    token, tab = frame.get("token"), frame.get("tab")
    if token is not None and (not isinstance(token, str) or len(token) > TOKEN_LETTERS):
        raise Invalid("`token` must be a resume token")
    if tab is not None and (not isinstance(tab, str) or len(tab) != TAB_LETTERS):
        raise Invalid(f"`tab` must be a name of {TAB_LETTERS} characters")
    return Hello(token, read_positions(frame.get("chats") or [], HELLO_CHATS), tab)


def read_send(frame: Mapping[str, Any]) -> SendFrame:
    stream = check_stream(frame.get("stream"))
    return SendFrame(
        check_chat(frame.get("chat")),
        check_message_id(frame.get("id")),
        check_optional_id(frame.get("prev")),
        check_message(frame.get("data"), note=stream == INTERNAL),
        stream,
        frame.get("reopen") is True,
    )


def read_act(frame: Mapping[str, Any]) -> ActFrame:
    return ActFrame(check_chat(frame.get("chat")), *check_action(frame))


def read_get(frame: Mapping[str, Any]) -> Get:
    after, before, limit = frame.get("after"), frame.get("before"), frame.get("limit", PAGE_LIMIT)
    if (after is None) == (before is None):
        raise Invalid("`get` needs one of `after` and `before`")
    return Get(
        check_chat(frame.get("chat")),
        check_stream(frame.get("stream")),
        None if after is None else check_seq(after, "after"),
        None if before is None else check_seq(before, "before"),
        max(1, min(check_seq(limit, "limit"), PAGE_LIMIT)),
    )


def read_read(frame: Mapping[str, Any]) -> ReadFrame:
    return ReadFrame(check_chat(frame.get("chat")), check_seq(frame.get("seq"), "seq"))


def read_typing(frame: Mapping[str, Any]) -> TypingFrame:
    return TypingFrame(check_chat(frame.get("chat")), frame.get("on") is True)


def read_watch(frame: Mapping[str, Any]) -> Watch:
    return Watch(read_positions(frame.get("chats"), WATCH_CHATS))


def read_unwatch(frame: Mapping[str, Any]) -> Unwatch:
    chats = frame.get("chats")
    if not isinstance(chats, list):
        raise Invalid("`chats` must be a list of chat ids")
    return Unwatch(tuple(check_chat(chat) for chat in chats[:WATCH_CHATS]))


def read_queue(_frame: Mapping[str, Any]) -> QueueFrame:
    return QueueFrame()


def read_ping(frame: Mapping[str, Any]) -> Ping:
    return Ping(check_seq(frame.get("n", 0), "n"))


def read_pong(frame: Mapping[str, Any]) -> Pong:
    have = frame.get("have") or {}
    if not isinstance(have, dict) or len(have) > WATCH_CHATS:
        raise Invalid("`have` must tell how far each chat was applied")
    return Pong({chat: check_seq(seq, "have") for chat, seq in have.items()})


READERS: dict[str, Callable[[Mapping[str, Any]], Frame]] = {
    "hello": read_hello,
    "send": read_send,
    "act": read_act,
    "get": read_get,
    "read": read_read,
    "typing": read_typing,
    "watch": read_watch,
    "unwatch": read_unwatch,
    "queue": read_queue,
    "ping": read_ping,
    "pong": read_pong,
}


def read_positions(value: Any, limit: int) -> tuple[Position, ...]:
    if not isinstance(value, list) or len(value) > limit:
        raise Invalid(f"`chats` must be a list of at most {limit} chats")
    return tuple(read_position(item) for item in value)


def read_position(item: Any) -> Position:
    if not isinstance(item, dict):
        raise Invalid("`chats` must hold objects with `chat` and `have`")
    hash = item.get("hash")
    return Position(
        check_chat(item.get("chat")),
        check_seq(item.get("have", 0), "have"),
        hash if isinstance(hash, str) else None,
    )


def check_chat(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise Invalid("`chat` must be the id of a chat")
    return value


def dump(frame: Mapping[str, Any]) -> str:
    return orjson.dumps(frame).decode()


def ack_frame(ack: Ack) -> str:
    return (
        f'{{"type":"ack","chat":"{ack.chat_id}","id":"{ack.id}","seq":{ack.seq},"hash":"{ack.hash}",'
        f'"at":"{rfc3339(ack.at_ms)}","duplicate":{"true" if ack.duplicate else "false"}}}'
    )


def nack_frame(chat: str | None, id: str | None, error: StillhereError, state: Any = None) -> str:
    frame = {
        "type": "nack",
        "chat": chat,
        "id": id,
        "code": error.code,
        "retry": error.retry,
        "detail": error.detail,
    }
    frame |= {key: error.extra[key] for key in ("after_ms", "need") if key in error.extra}
    if state is not None:
        frame["state"] = state
    return dump(frame)


def page_frame(chat: str, stream: int, events: list[EventRow], more: bool, floor: int) -> str:
    return (
        f'{{"type":"page","chat":"{chat}","stream":"{STREAM_NAMES[stream]}",'
        f'"events":[{",".join(map(event_json, events))}],"more":{"true" if more else "false"},"floor":{floor}}}'
    )


def state_frame(state: Mapping[str, Any]) -> str:
    return dump({"type": "state", "chat": state["chat"], "state": state})


def read_frame(chat: str, participant: str, read: int, delivered: int) -> str:
    return dump({"type": "read", "chat": chat, "participant": participant, "read": read, "delivered": delivered})


def typing_frame(chat: str, participant: str, on: bool, ttl_ms: int) -> str:
    return dump({"type": "typing", "chat": chat, "participant": participant, "on": on, "ttl_ms": ttl_ms})


def bye_frame(code: int, detail: str, retry_ms: int | None = None) -> str:
    frame: dict[str, Any] = {"type": "bye", "code": code, "detail": detail}
    if retry_ms is not None:
        frame["retry_ms"] = retry_ms
    return dump(frame)
