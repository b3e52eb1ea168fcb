"""One connection's state machine: frames in, effects out; events in, frames out. No socket, clock or database: the hub
carries the effects out and brings the answers back.

    hello --(the door knows who it is)--> opening --opened--> open --(end)--> ended
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from history.access import Place, Viewer
from history.bus import Hint
from history.chats import Act, Send
from history.errors import Erased, Forbidden, Invalid, RateLimited, StillhereError
from history.journal import Mark
from history.models import INTERNAL, PUBLIC
from resume.live.frames import (
    WATCH_CHATS,
    ActFrame,
    BadFrame,
    ChatFrame,
    Frame,
    Get,
    Hello,
    Ping,
    Pong,
    Position,
    QueueFrame,
    ReadFrame,
    Refused,
    SendFrame,
    TypingFrame,
    Unwatch,
    Watch,
    dump,
    nack_frame,
    parse,
)

BAD_FRAME, RATE = 4000, 4129


@dataclass(frozen=True, slots=True)
class TalkLimits:
    """How much a connection may say, and how its heart beats. Seconds and counts a second."""

    messages_per_second: float = 5
    messages_burst: int = 20
    frames_per_second: float = 20
    frames_burst: int = 100
    heartbeat_s: float = 20
    grace_s: float = 45


@dataclass(slots=True)
class Bucket:
    """A token bucket over a monotonic clock, in seconds."""

    rate: float
    burst: float
    level: float
    at: float

    def take(self, now: float) -> float:
        """Takes one; returns 0, or the seconds until there is one again."""
        level = self.level + (now - self.at) * self.rate
        self.level = level if level < self.burst else self.burst
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.rate


def free(_now: float) -> float:
    """For whom there is no limit."""
    return 0.0


def too_quick(wait_s: float) -> RateLimited:
    """What somebody is told who may write again in `wait_s` seconds."""
    return RateLimited("Too many messages; they will be taken in a moment", after_ms=int(wait_s * 1000) + 1)


class Say(NamedTuple):
    """This frame goes to this client."""

    frame: str


@dataclass(frozen=True, slots=True)
class Open:
    """Find out who says hello, and bring the chats."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Bring:
    """Bring more chats of somebody who is known."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """Look up the viewer's place in a chat that was not brought, then `found` or `not_found`."""

    chat: str


class Submit(NamedTuple):
    """A command for the log. `id` is what the client waits for; null for marks, which are not answered."""

    command: Send | Act | Mark
    id: str | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """A page of a chat."""

    place: Place
    get: Get


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that is never stored, for whoever follows the chat."""

    hint: Hint


@dataclass(frozen=True, slots=True)
class Leave:
    """These chats are followed no more."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class FollowQueue:
    """The agent wants the waiting list from now on."""


@dataclass(frozen=True, slots=True)
class End:
    """Say bye and close with this code."""

    code: int
    detail: str
    retry_ms: int | None = None


Effect = Say | Open | Bring | Find | Submit | Fetch | Tell | Leave | FollowQueue | End
Stage = Literal["hello", "opening", "open", "ended"]


@dataclass(slots=True)
class Cursor:
    """A followed chat: who the viewer is in it, how far each stream was sent, and which revision of the state."""

    place: Place
    sent: int
    internal_sent: int
    rev: int = 0


@dataclass(slots=True)
class Line:
    """An event on its way out: its place in the log, and its frame, encoded once for all who get it."""

    stream: int
    seq: int
    frame: bytes


class Conversation:
    """See the module. `signed_in` is an agent whom the door knows by cookie or key. Times are monotonic seconds."""

    __slots__ = (
        "cursors",
        "finding",
        "frames",
        "limits",
        "places",
        "signed_in",
        "stage",
        "take_message",
        "viewer",
    )

    def __init__(self, limits: TalkLimits, signed_in: Viewer | None, now: float) -> None:
        self.limits = limits
        self.signed_in = signed_in
        self.viewer: Viewer | None = None
        self.stage: Stage = "hello"
        self.places: dict[str, Place] = {}
        self.cursors: dict[str, Cursor] = {}
        self.finding: dict[str, list[ChatFrame]] = {}
        self.take_message: Callable[[float], float] = free
        self.frames = Bucket(limits.frames_per_second, limits.frames_burst, limits.frames_burst, now)

    def receive(self, text: str, now: float) -> list[Effect]:
        """What is to be done for a frame of the client."""
        if self.stage == "ended":
            return []
        if wait := self.frames.take(now):
            return [self.end(RATE, "Too many frames", int(wait * 1000) + 1000)]
        try:
            frame = parse(text)
        except BadFrame as error:
            return [self.end(BAD_FRAME, str(error))]
        except Refused as error:
            if self.stage == "hello":
                return [self.end(BAD_FRAME, error.error.detail)]
            return [Say(nack_frame(error.chat, error.id, error.error))]
        return [] if frame is None else self._react(frame, now)

    def end(self, code: int, detail: str, retry_ms: int | None = None) -> End:
        self.stage = "ended"
        return End(code, detail, retry_ms)

    def _react(self, frame: Frame, now: float) -> list[Effect]:
        if self.stage == "hello":
            if not isinstance(frame, Hello):
                return [self.end(BAD_FRAME, "The first frame must be hello")]
            self.stage = "opening"
            return [Open(frame)]
        if self.stage == "opening" and not isinstance(frame, Ping | Pong):
            return [self.end(BAD_FRAME, "Wait for welcome before the next frame")]
        match frame:
            case Ping(n):
                return [Say(dump({"type": "pong", "n": n}))]
            case Pong(have):
                return self._delivered(have)
            case Hello():
                return [self.end(BAD_FRAME, "There is one hello a connection")]
            case Watch() | Unwatch() | QueueFrame():
                return self._react_to_agent(frame)
            case SendFrame() if wait := self.take_message(now):
                return [Say(nack_frame(frame.chat, frame.id, too_quick(wait)))]
            case _:
                return self._react_in_chat(frame)

    def _react_to_agent(self, frame: Watch | Unwatch | QueueFrame) -> list[Effect]:
        assert self.viewer is not None, "an open conversation knows who it is with"
        if self.viewer.role != "agent":
            return [Say(nack_frame(None, None, Forbidden("Only agents may do this")))]
        match frame:
            case Watch(positions) if len(self.cursors.keys() | {one.chat for one in positions}) > WATCH_CHATS:
                return [Say(nack_frame(None, None, Invalid(f"A connection may watch {WATCH_CHATS} chats at most")))]
            case Watch(positions):
                return [Bring(positions)]
            case Unwatch(chats):
                gone = tuple(self.cursors.pop(chat).place for chat in chats if chat in self.cursors)
                return [Leave(gone)]
            case QueueFrame():
                return [FollowQueue()]

    def _react_in_chat(self, frame: ChatFrame) -> list[Effect]:
        place = self.places.get(frame.chat)
        if place is not None:
            return self._command(place, frame)
        if frame.chat in self.finding:
            self.finding[frame.chat].append(frame)
            return []
        self.finding[frame.chat] = [frame]
        return [Find(frame.chat)]

    def found(self, place: Place) -> list[Effect]:
        """The place of a chat that was not brought; what waited for it goes on, in order."""
        self.places[place.chat_id] = place
        waiting = self.finding.pop(place.chat_id, [])
        return [effect for frame in waiting for effect in self._command(place, frame)]

    def not_found(self, chat: str, error: StillhereError) -> list[Effect]:
        """There is no such chat for this viewer: one answer, whether it exists or not; or theirs was erased."""
        refusal = error if error.retry or isinstance(error, Erased) else Forbidden("There is no such chat for you")
        return [Say(nack_frame(chat, getattr(frame, "id", None), refusal)) for frame in self.finding.pop(chat, [])]

    def _command(self, place: Place, frame: ChatFrame) -> list[Effect]:
        match frame:
            case SendFrame(_, id, prev, data, stream, reopen):
                return [Submit(Send(place, id, prev, data, stream, reopen), id)]
            case ActFrame(_, id, action, data, expect_rev):
                return [Submit(Act(place, id, action, data, expect_rev), id)]
            case ReadFrame(_, seq):
                return [Submit(Mark(place, read=seq), None)]
            case TypingFrame(_, on):
                return [Tell(Hint(place.chat_pk, (place.participant, on)))]
            case Get():
                if frame.stream == INTERNAL and place.role != "agent":
                    return [Say(nack_frame(place.chat_id, None, Forbidden("Only agents read notes")))]
                return [Fetch(place, frame)]

    def _delivered(self, have: dict[str, int]) -> list[Effect]:
        return [
            Submit(Mark(self.cursors[chat].place, delivered=seq), None)
            for chat, seq in have.items()
            if chat in self.cursors
        ]

    def opened(self, viewer: Viewer, cursors: Iterable[Cursor], take_message: Callable[[float], float]) -> None:
        """The door has found out who it is, and the welcome is on its way. `take_message` tells, at a moment, how many
        seconds the device has to wait before it may send one more message, and counts it if that is none.
        """
        self.viewer = viewer
        self.take_message = take_message
        self.stage = "open"
        self.follow(cursors)

    def follow(self, cursors: Iterable[Cursor]) -> None:
        for cursor in cursors:
            self.cursors[cursor.place.chat_id] = cursor
            self.places[cursor.place.chat_id] = cursor.place

    def leave(self, place: Place) -> None:
        """The chat is followed no more, and is looked up anew if something is said in it."""
        self.cursors.pop(place.chat_id, None)
        self.places.pop(place.chat_id, None)


def take_next(cursor: Cursor, lines: Iterable[Line]) -> tuple[list[bytes], bool]:
    """The frames that are next behind a cursor, which moves on, and whether some are missing before others.

    Reading from where the client stands, whatever the cause, is what leaves no room between backlog and live.
    """
    out: list[bytes] = []
    missing = False
    for line in lines:
        if line.stream == INTERNAL and cursor.place.role != "agent":
            continue
        sent = cursor.sent if line.stream == PUBLIC else cursor.internal_sent
        if line.seq == sent + 1:
            out.append(line.frame)
            if line.stream == PUBLIC:
                cursor.sent = line.seq
            else:
                cursor.internal_sent = line.seq
        elif line.seq > sent:
            missing = True
    return out, missing
