"""A long poll as values (protocol 4.6): checks the request, knows what it asks for, and tells when what has come for it
is worth an answer. Pure: no socket, no clock, no database; `poll_connection.py` has those.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from history.errors import Invalid, TooBig
from resume.live.frames import read_hello

MOST_FRAMES = 50
FRAME_BYTES = 64 * 1024
MOST_WAIT_MS = 25_000

ASKS = ("send", "act", "get", "watch")
ANSWERS = ("ack", "nack", "page", "resume")


@dataclass(frozen=True, slots=True)
class Poll:
    """A request: its hello and what it says behind it, as JSON texts, and what it is to be told."""

    hello: str
    frames: tuple[str, ...]
    asked: tuple[str | None, ...]
    """What each frame that is answered is about."""
    revs: Mapping[str, object]
    """The state that the client knows of each chat."""
    wait_s: float


def check_poll(body: Mapping[str, Any]) -> Poll:
    """The body of a request. Raises Invalid or TooBig."""
    wait_ms, frames = body.get("wait_ms"), body.get("frames")
    if isinstance(wait_ms, bool) or not isinstance(wait_ms, int) or not 0 <= wait_ms <= MOST_WAIT_MS:
        raise Invalid(f"`wait_ms` must be a whole number from 0 to {MOST_WAIT_MS}")
    if not isinstance(frames, list) or not 1 <= len(frames) <= MOST_FRAMES:
        raise Invalid(f"`frames` must be a list of 1 to {MOST_FRAMES} frames")
    hello, *texts = [check_frame(frame) for frame in frames]
    if frames[0]["type"] != "hello":
        raise Invalid("The first frame must be hello")
    read_hello(frames[0])
    revs = {chat["chat"]: chat.get("rev") for chat in frames[0].get("chats") or []}
    return Poll(hello, tuple(texts), tuple(map(subject, filter(is_asking, frames))), revs, wait_ms / 1000)


def check_frame(frame: Any) -> str:
    """A frame as JSON text. Raises Invalid or TooBig."""
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Invalid("A frame must be a JSON object with a `type`")
    text = orjson.dumps(frame)
    if len(text) > FRAME_BYTES:
        raise TooBig(f"A frame may have at most {FRAME_BYTES} bytes")
    return text.decode()


def is_asking(frame: Mapping[str, Any]) -> bool:
    """Whether an answer is sure to come. A watch of no chats has none."""
    return frame["type"] in ASKS and (frame["type"] != "watch" or frame.get("chats") != [])


def subject(frame: Mapping[str, Any]) -> str | None:
    """What a frame and its answer have in common: the id of a message or an act, or else the chat."""
    if frame["type"] in ("watch", "resume"):
        return None  # the chats that one may not see have no resume, so that they cannot be waited for
    texts = (value for value in (frame.get("id"), frame.get("chat")) if isinstance(value, str))
    return next(texts, None)


class Gathered:
    """What has come for a poll so far, in order."""

    def __init__(self, poll: Poll) -> None:
        self.texts: list[bytes] = []
        self.bytes = 0
        self.welcomed = False
        self.has_news = False
        """Whether there is something that the client does not know, so that it should not wait much longer."""
        self.asked = list(poll.asked)
        self.revs = poll.revs
        self.me: dict[str, str] = {}
        """Who the client is in each chat."""
        self.states: dict[str, Any] = {}

    @property
    def is_complete(self) -> bool:
        """Whether everything is here that is owed to the client."""
        return self.welcomed and not self.asked

    def add(self, text: bytes) -> None:
        """One more frame, as JSON text."""
        frame = orjson.loads(text)
        if frame["type"] == "ping" or (frame["type"] == "state" and not self._is_new_state(frame["state"])):
            return
        self.texts.append(text)
        self.bytes += len(text)
        if frame["type"] == "welcome":
            self.welcomed = True
            for resume in frame["chats"]:
                self.has_news |= self._is_news(resume)
            return
        self.has_news = True
        if frame["type"] in ANSWERS and (about := subject(frame)) in self.asked:
            self.asked.remove(about)

    def _is_news(self, resume: Mapping[str, Any]) -> bool:
        """Whether a chat in the welcome has something that the client did not tell to have."""
        state = resume["state"]
        self.me[resume["chat"]] = resume["me"]
        self._is_new_state(state)
        known = self.revs.get(resume["chat"], 0)
        return bool(resume["events"] or resume["gap"] or resume["reset"]) or known not in (None, state["rev"])

    def _is_new_state(self, state: Mapping[str, Any]) -> bool:
        """Whether a state differs from the one before in more than what the client's own coming changes."""
        me = self.me.get(state["chat"])
        people = [
            {**person, "last_seen": None, "online": person["online"] or person["id"] == me}
            for person in state["participants"]
        ]
        told = {**state, "head": None, "hash": None, "participants": people}
        before, self.states[state["chat"]] = self.states.get(state["chat"]), told
        return before != told
