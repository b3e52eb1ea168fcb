"""One tab of one person: a socket, a copy of each chat and an outbox, after the rules for a client (protocol 4.4).

The drivers of `tests/people.py` are devices with verbs. A device runs on the thread of its test: it hears frames only
while it waits for something. Whatever it sees goes into the record; it never judges.
"""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.copies import Copy, Frame, Message
from tests.record import Record
from tests.servers import Server

SUBPROTOCOL = "stillhere.v1"
IN_FLIGHT = 8
PATIENCE_S = 15


class Gone(AssertionError):
    """The socket has closed while something was waited for."""


class Device:
    """See the module. `actor` is the person, who may have several devices."""

    def __init__(self, record: Record, actor: str, role: str) -> None:
        self.record, self.actor, self.role = record, actor, role
        self.tab = record.new_tab()
        record.drivers.append(self)
        self.connections = 0
        self.stack = ExitStack()
        self.socket: ClientConnection | None = None
        self.copies: dict[str, Copy] = {}
        self.composed: dict[str, Message] = {}
        self.outbox: list[Message] = []
        self.answers: dict[str, Frame] = {}
        self.nacks: list[Frame] = []
        self.pongs = 0
        self.welcome: Frame = {}
        self.welcome_bytes = 0
        self.queue: Frame = {}
        self.bye: Frame = {}
        self.drained: Frame = {}
        self.close_code = 0
        self.window = IN_FLIGHT
        self.hold_until = 0.0

    def note(self, ev: str, **more: Any) -> None:
        self.record.add(ev, self.actor, self.tab, conn=self.connections, role=self.role, **more)

    # The socket

    def dials(self, server: Server, headers: dict[str, str]) -> None:
        """A new socket, whatever became of the old one."""
        self.hangs_up()
        self.connections += 1
        self.socket = self.stack.enter_context(
            connect(
                f"ws://127.0.0.1:{server.port}/api/v1/live",
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
                additional_headers=headers,
                ping_interval=None,
                close_timeout=3,
                max_size=None,
                proxy=None,
            )
        )
        self.close_code, self.bye = 0, {}

    def hangs_up(self) -> None:
        """Closes the socket, if there is one."""
        if self.socket is not None:
            self.stack.close()
            self._closed(1000)

    def greets(self, token: str | None, chats: list[Frame]) -> None:
        """Says hello and waits for the welcome, or for the end of the connection."""
        self.welcome = {}
        hello: Frame = {"type": "hello", "chats": chats, "tab": self.tab}
        self.tells(**hello | ({"token": token} if token else {}))
        self.until(lambda: bool(self.welcome), "a welcome")

    def tells(self, **frame: Any) -> None:
        self.tells_raw(json.dumps(frame))

    def tells_raw(self, text: str | bytes) -> None:
        if self.socket is None:
            raise Gone(f"{self.actor} has no connection")
        with suppress(ConnectionClosed):  # what came before the end is still to be heard
            self.socket.send(text)

    def hears(self, patience_s: float) -> bool:
        """Takes one frame, if one comes in time."""
        if self.socket is None:
            raise Gone(f"{self.actor} has no connection")
        try:
            text = self.socket.recv(timeout=patience_s)
        except TimeoutError:
            return False
        except ConnectionClosed as gone:
            self._lost(gone)
            return False
        frame = json.loads(text)
        if frame["type"] == "welcome":
            self.welcome_bytes = len(text.encode() if isinstance(text, str) else text)
        handle = getattr(self, f"on_{frame['type']}", None)
        if handle:
            handle(frame)
        return True

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Hears, and sends what may be sent, until the condition holds."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if self.socket is None:
                raise Gone(f"{self.actor} waited for {what}; closed with {self.close_code} {self.bye}")
            assert time.monotonic() < deadline, f"{self.actor} waited in vain for {what}"
            self.flushes()
            self.hears(0.1)

    def pings(self) -> None:
        """Is answered: the connection lives."""
        before = self.pongs
        self.tells(type="ping", n=before)
        self.until(lambda: self.pongs > before, "a pong")

    def is_shut_out(self, code: int) -> None:
        """Waits until the server closes the connection, with this code."""
        with suppress(Gone):
            self.until(lambda: False, f"the end with {code}")
        assert (self.socket, self.close_code) == (None, code)

    def _lost(self, gone: ConnectionClosed) -> None:
        self.stack.close()
        self._closed(gone.rcvd.code if gone.rcvd else 1006)

    def _closed(self, code: int) -> None:
        self.socket = None
        self.close_code = code
        self.window = IN_FLIGHT
        for message in self.outbox:
            message.in_flight = False
        self.note("close", code=code)

    # What comes in

    def on_welcome(self, frame: Frame) -> None:
        self.welcome = frame
        self.note("open")
        for resume in frame["chats"]:
            self.on_resume(resume)

    def on_resume(self, resume: Frame) -> None:
        chat, head = resume["chat"], resume["head"]
        if resume["reset"] or chat not in self.copies:
            self.copies[chat] = Copy()
        copy = self.copies[chat]
        copy.me, copy.resume = resume["me"], resume
        self.note(
            "resume",
            chat=chat,
            me=copy.me,
            seq=head,
            hash=resume["hash"],
            have=copy.high,
            floor=resume["floor"],
            reset=resume["reset"],
        )
        for event in resume["events"]:
            self._apply(chat, event, "public", "resume")
        copy.high = head
        self._take_state(chat, resume["state"])
        if resume["reset"] == "diverged":
            self._offer_again(chat)
        self._fill(chat)

    def _offer_again(self, chat: str) -> None:
        """The server may have lost what it had acknowledged: the sender has it still."""
        kept = [message for message in self.composed.values() if message.frame["chat"] == chat]
        for message in kept:
            message.in_flight = False
        self.outbox = kept + [message for message in self.outbox if message not in kept]

    def _fill(self, chat: str) -> None:
        hole = self.copies[chat].hole
        if hole:
            self.tells(type="get", chat=chat, before=hole + 1, limit=200)

    def on_page(self, page: Frame) -> None:
        copy = self.copies.get(page["chat"])
        if copy is None or page["stream"] != "public":
            return
        new = [event for event in page["events"] if event["seq"] not in copy.events]
        for event in new:
            ahead = event["seq"] == copy.high + 1
            if ahead or event["seq"] <= copy.high:
                self._apply(page["chat"], event, "public", "live" if ahead else "page")
                copy.high = max(copy.high, event["seq"])
        if new:
            self._fill(page["chat"])

    def on_event(self, event: Frame) -> None:
        chat, stream = event["chat"], event["stream"]
        if stream != "public":
            self._apply(chat, event, stream, "live")
            return
        high = self.copies[chat].high
        if event["seq"] == high + 1:
            self._apply(chat, event, stream, "live")
            self.copies[chat].high = event["seq"]
        elif event["seq"] > high:
            self.tells(type="get", chat=chat, after=high, limit=200)

    def _apply(self, chat: str, event: Frame, stream: str, how: str) -> None:
        copy = self.copies.setdefault(chat, Copy())
        (copy.events if stream == "public" else copy.notes)[event["seq"]] = event
        told = {name: event[name] for name in ("seq", "hash", "kind", "by", "id", "data")}
        self.note("apply", chat=chat, stream=stream, how=how, **told)

    def on_state(self, frame: Frame) -> None:
        self._take_state(frame["chat"], frame["state"])

    def _take_state(self, chat: str, state: Frame) -> None:
        self.copies[chat].state = state
        told = {name: state[name] for name in ("status", "thread", "rev")}
        self.note("state", chat=chat, seq=state["head"], **told)
        for person in state["participants"]:
            self._take_marks(chat, person["id"], person["read"], person["delivered"])

    def on_read(self, frame: Frame) -> None:
        self._take_marks(frame["chat"], frame["participant"], frame["read"], frame["delivered"])

    def _take_marks(self, chat: str, participant: str, read: int, delivered: int) -> None:
        self.copies[chat].marks[participant] = (read, delivered)
        self.note("read", chat=chat, participant=participant, read=read, delivered=delivered)

    def on_typing(self, frame: Frame) -> None:
        self.copies[frame["chat"]].typing[frame["participant"]] = frame["on"]

    def on_queue(self, frame: Frame) -> None:
        self.queue = frame

    def on_bye(self, frame: Frame) -> None:
        self.bye = frame

    def on_drain(self, frame: Frame) -> None:
        self.drained = frame

    def on_ping(self, frame: Frame) -> None:
        self.tells(type="pong", n=frame["n"], have={chat: copy.high for chat, copy in self.copies.items()})

    def on_ack(self, ack: Frame) -> None:
        told = {name: ack[name] for name in ("chat", "id", "seq", "hash", "duplicate")}
        self.note("ack", by=self.copies[ack["chat"]].me, **told)
        self.answers[ack["id"]] = ack
        message = self.composed.get(ack["id"])
        if message is None or "stream" not in message.frame:
            self.copies[ack["chat"]].acked = max(self.copies[ack["chat"]].acked, ack["seq"])
        self.outbox = [one for one in self.outbox if one is not message]
        if not any(one.refused for one in self.outbox):
            self.window = IN_FLIGHT

    def on_pong(self, _pong: Frame) -> None:
        self.pongs += 1

    def on_nack(self, nack: Frame) -> None:
        self.nacks.append(nack)
        self.note("nack", chat=nack["chat"], id=nack["id"], code=nack["code"], retry=nack["retry"])
        message = next((one for one in self.outbox if one.frame["id"] == nack["id"]), None)
        if message is None or not nack["retry"]:
            self.answers[nack["id"]] = nack
            self._gives_up(nack["id"])
            return
        message.in_flight, message.refused = False, True
        self.window = 1
        self.hold_until = max(self.hold_until, time.monotonic() + nack.get("after_ms", 0) / 1000)
        lost = self.composed.get(nack.get("need", ""))
        if lost and lost not in self.outbox:
            lost.in_flight = False
            self.outbox.insert(0, lost)

    def _gives_up(self, message_id: str) -> None:
        """A message that was refused for good: the one behind it now follows the one before it."""
        message = self.composed.pop(message_id, None)
        if message is None:
            return
        self.outbox = [one for one in self.outbox if one is not message]
        for later in self.composed.values():
            if later.frame["prev"] == message_id:
                later.frame["prev"] = message.frame["prev"]

    # What goes out

    def composes(self, chat: str, data: Frame, message_id: str, **more: Any) -> None:
        """Puts a message into the outbox, behind those composed before in this tab."""
        earlier = [one for one in self.composed.values() if one.frame["chat"] == chat]
        prev = earlier[-1].frame["id"] if earlier else None
        self.keeps({"chat": chat, "id": message_id, "prev": prev, "data": data, **more})
        self.outbox.append(self.composed[message_id])

    def keeps(self, frame: Frame) -> None:
        self.composed[frame["id"]] = Message({"type": "send", **frame})
        told = {name: frame[name] for name in ("chat", "id", "prev", "data")}
        self.note("compose", stream=frame.get("stream", "public"), by=self.copies[frame["chat"]].me, **told)

    def flushes(self) -> None:
        """Sends the oldest messages that are not under way, as many as may be."""
        if self.socket is None or not self.welcome or time.monotonic() < self.hold_until:
            return
        for message in self.outbox[: self.window]:
            if not message.in_flight:
                message.in_flight = True
                self.note("tx", chat=message.frame["chat"], id=message.frame["id"])
                self.tells(**message.frame)
