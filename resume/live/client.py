"""One socket and its conversation: hands frames in, carries the effects out, brings the answers back. Lives on the
loop's thread; whatever takes long goes to the hub's reader threads or to the writer.
"""

import time
from functools import partial
from random import uniform
from typing import TYPE_CHECKING, Any

from history.access import Place, Viewer, is_erased, place_in
from history.chats import Act, Send
from history.db import Driver
from history.errors import Busy, Conflict, Erased, NotFound, Revoked, StillhereError, Unauthorized
from history.events import EventRow
from history.journal import Ack, Mark, read_after, read_before
from history.models import INTERNAL, PUBLIC
from history.state import chat_state
from history.times import new_id, now_ms, rfc3339
from resume.live.admission import RETRY_MS
from resume.live.connection import Connection
from resume.live.conversation import (
    Bring,
    Conversation,
    Cursor,
    Effect,
    End,
    Fetch,
    Find,
    FollowQueue,
    Leave,
    Line,
    Open,
    Say,
    Submit,
    Tell,
    take_next,
)
from resume.live.frames import Get, Hello, Position, ack_frame, bye_frame, dump, nack_frame, page_frame
from resume.live.opening import Brought, bring
from resume.live.plain_frames import encode_text

if TYPE_CHECKING:
    from resume.live.hub import Hub
    from resume.live.poll_connection import PollConnection

HELLO_SECONDS = 5.0

HELLO_LATE, HEARTBEAT = 4008, 4009
RESTART = 1012
ADMISSION, MAINTENANCE = 4101, 4150
UNKNOWN_TOKEN, REVOKED, NO_SUCH_CHAT, ERASED = 4201, 4202, 4304, 4310
INTERNAL_ERROR = 1011
BUSY_RETRY_MS = 2000


class Client:
    """See the module. Made by the hub for each socket that came through the door."""

    __slots__ = ("connection", "conversation", "heartbeat", "hub", "pinged")

    def __init__(self, hub: "Hub", connection: "Connection | PollConnection", signed_in: Viewer | None) -> None:
        self.hub = hub
        self.connection = connection
        self.conversation = Conversation(hub.limits, signed_in, time.monotonic())
        self.pinged = 0
        self.heartbeat = hub.loop.call_later(HELLO_SECONDS, self._hello_late)

    def received(self, text: str) -> None:
        self.carry_out(self.conversation.receive(text, time.monotonic()))

    def closed(self, code: int, reason: str) -> None:
        self.conversation.stage = "ended"
        self.heartbeat.cancel()
        self.hub.forget(self)

    def say(self, frame: str) -> None:
        self.connection.write(encode_text(frame))

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Submit(command, id):
                    self._submit(command, id)
                case Say(frame):
                    self.say(frame)
                case Fetch(place, get):
                    self.hub.read(partial(read_page, place, get), partial(self._paged, place.chat_id))
                case Tell(hint):
                    self.hub.tell(self, hint)
                case Find(chat):
                    viewer = self.conversation.viewer
                    assert viewer is not None, "an open conversation knows who it is with"
                    self.hub.read(partial(place_of, viewer, chat), partial(self._found, chat))
                case Open(hello):
                    self._open(hello)
                case Bring(positions):
                    viewer = self.conversation.viewer
                    assert viewer is not None, "an open conversation knows who it is with"
                    watch = self.hub.following.watch()
                    self.hub.read(
                        partial(bring_now, self.hub, viewer, positions),
                        partial(self._brought, watch),
                    )
                case Leave(places):
                    self.hub.following.unfollow(self, places)
                case FollowQueue():
                    self.hub.waiting.show_to(self)
                case End(code, detail, retry_ms):
                    self.end(code, detail, retry_ms)

    def end(self, code: int, detail: str, retry_ms: int | None = None) -> None:
        """Says bye and closes."""
        self.conversation.stage = "ended"
        self.say(bye_frame(code, detail, retry_ms))
        self.connection.close(code, detail)

    def drain(self, after_ms: int) -> None:
        """The server restarts: says when the client is to come back."""
        self.say(dump({"type": "drain", "after_ms": after_ms}))
        self.end(RESTART, "The server restarts; please come back")

    def farewell(self, code: int, reason: str) -> bytes:
        """The last frame before a close that the connection itself finds necessary."""
        return encode_text(bye_frame(code, reason))

    def _submit(self, command: Send | Act | Mark, id: str | None) -> None:
        self.hub.submit(command, partial(self._answered, command, id))

    def _answered(self, command: Send | Act | Mark, id: str | None, outcome: Any) -> None:
        if id is None:
            return
        if isinstance(outcome, Ack):
            self.say(ack_frame(outcome))
        elif isinstance(outcome, Conflict):
            self.hub.read(
                partial(read_state, command.place), partial(self._refused, command.place.chat_id, id, outcome)
            )
        else:
            self.say(nack_frame(command.place.chat_id, id, outcome))

    def _refused(self, chat: str, id: str, refusal: StillhereError, state: Any) -> None:
        """A conflict is answered with how things are now."""
        known = None if isinstance(state, StillhereError) else state
        self.say(nack_frame(chat, id, refusal, known))

    def _paged(self, chat: str, page: Any) -> None:
        self.say(nack_frame(chat, None, page) if isinstance(page, StillhereError) else page)

    def _found(self, chat: str, place: Any) -> None:
        if isinstance(place, StillhereError):
            self.carry_out(self.conversation.not_found(chat, place))
        else:
            self.carry_out(self.conversation.found(place))

    def _open(self, hello: Hello) -> None:
        if wait := self.hub.admission.hello(time.monotonic()):
            self.end(ADMISSION, "Many are coming in; please try again in a moment", wait)
            return
        watch = self.hub.following.watch()
        look_up = partial(read_hello, self.hub, hello, self.conversation.signed_in)
        self.hub.read(look_up, partial(self._opened, hello.tab, watch))

    def _opened(self, tab: str | None, watch: int, brought: Any) -> None:
        if self.conversation.stage != "opening":
            return
        if isinstance(brought, StillhereError):
            self.end(*close_code(brought))
            return
        if not self.hub.enter(self, brought.viewer, tab):
            self.end(ADMISSION, "This device has too many connections", RETRY_MS)
            return
        self.conversation.opened(brought.viewer, brought.cursors, partial(self.hub.pace.take, brought.viewer))
        self.say(self._welcome(brought))
        self.hub.arrived(self, brought.viewer)
        self.hub.following.follow(self, brought, watch)
        self.heartbeat.cancel()
        self._beat_later()
        self._leave_erased(brought)

    def _welcome(self, brought: Brought) -> str:
        limits = self.hub.limits
        head = dump(
            {
                "type": "welcome",
                "connection": new_id(),
                "now": rfc3339(now_ms()),
                "heartbeat": {"every_s": limits.heartbeat_s, "grace_s": limits.grace_s},
                "limits": {
                    "text_bytes": 16384,
                    "frame_bytes": 65536,
                    "messages_per_second": limits.messages_per_second,
                    "burst": limits.messages_burst,
                },
            }
        )
        return f'{head[:-1]},"chats":[{",".join(brought.resumes)}]}}'

    def _brought(self, watch: int, brought: Any) -> None:
        if isinstance(brought, StillhereError):
            self.say(nack_frame(None, None, brought))
            return
        if self.conversation.stage == "ended":
            return
        self.conversation.follow(brought.cursors)
        for resume in brought.resumes:
            self.say(f'{{"type":"resume",{resume[1:]}')
        self.hub.following.follow(self, brought, watch)
        self._leave_erased(brought)

    def look_again(self, place: Place) -> None:
        """The chat is no more what it was: it is left, and the client told what has become of it."""
        self.conversation.leave(place)
        self.hub.following.unfollow(self, [place])
        self.carry_out([Bring((Position(place.chat_id, 0, None),))])

    def _leave_erased(self, brought: Brought) -> None:
        """Who knows now that a chat was erased has nothing to do in it. A customer without another one may go."""
        for place in brought.erased:
            self.conversation.leave(place)
        if brought.erased and brought.viewer.role == "customer" and not self.conversation.cursors:
            self.end(ERASED, Erased.title)

    def deliver(self, cursor: Cursor, lines: list[Line]) -> bool:
        """Sends what is next for this client; tells whether something before it is missing."""
        frames, missing = take_next(cursor, lines)
        if frames:
            self.connection.write(*frames)
        return missing

    def _beat_later(self) -> None:
        every = self.hub.limits.heartbeat_s
        self.heartbeat = self.hub.loop.call_later(uniform(0.8, 1.2) * every, self._beat)  # noqa: S311

    def _beat(self) -> None:
        if time.monotonic() - self.connection.last_received > self.hub.limits.grace_s:
            self.end(HEARTBEAT, "Nothing was heard for too long")
            return
        self.pinged += 1
        heads = {chat: cursor.sent for chat, cursor in self.conversation.cursors.items()}
        self.say(dump({"type": "ping", "n": self.pinged, "heads": heads}))
        self._beat_later()

    def _hello_late(self) -> None:
        if self.conversation.stage == "hello":
            self.end(HELLO_LATE, "No hello came")


def close_code(error: StillhereError) -> tuple[int, str, int | None]:
    """The close code for somebody who cannot be let in (protocol 4.5)."""
    if isinstance(error, Revoked):
        return REVOKED, error.detail, None
    if isinstance(error, Unauthorized):
        return UNKNOWN_TOKEN, error.detail, None
    if isinstance(error, NotFound):
        return NO_SUCH_CHAT, error.detail, None
    if isinstance(error, Busy):
        return MAINTENANCE, error.detail, BUSY_RETRY_MS
    return INTERNAL_ERROR, error.detail, None


def read_hello(hub: "Hub", hello: Hello, signed_in: Viewer | None, driver: Driver) -> Brought:
    """Who says hello, and the chats asked for. Raises Unauthorized or NotFound."""
    now = now_ms()
    if hello.token is not None:
        viewer = hub.sessions.viewer_of(driver, hello.token, now)
    elif signed_in is not None:
        viewer = signed_in
    else:
        raise Unauthorized("Say hello with a token")
    return bring(driver, viewer, hello.positions, hub.places, now)


def bring_now(hub: "Hub", viewer: Viewer, positions: Any, driver: Driver) -> Brought:
    return bring(driver, viewer, positions, hub.places, now_ms())


def place_of(viewer: Viewer, chat: str, driver: Driver) -> Place:
    return place_in(driver, viewer, chat)


def read_state(place: Place, driver: Driver) -> dict[str, Any]:
    return chat_state(driver, place.chat_pk, place.role, now_ms())


def read_page(place: Place, get: Get, driver: Driver) -> str:
    """The page frame for a `get`. Raises Erased."""
    events: list[EventRow]
    if get.after is not None:
        events = read_after(driver, place.chat_pk, get.stream, get.after, get.limit)
    else:
        events = read_before(driver, place.chat_pk, get.stream, get.before or 0, get.limit)
    row = driver.row("SELECT head, internal_head, floor FROM chat WHERE pk = ?", place.chat_pk)
    assert row is not None, "chats are not deleted"
    head, internal_head, floor = row
    if is_erased(head, floor):
        raise Erased
    last = internal_head if get.stream == INTERNAL else head
    first = floor + 1 if get.stream == PUBLIC else 1
    seqs = [event.seq for event in events]
    more = bool(seqs) and (seqs[-1] < last if get.after is not None else seqs[0] > first)
    return page_frame(place.chat_id, get.stream, events, more, floor)
