"""One tab of one person after the rules for a client (protocol 4.4): frames in, frames out, copies and an outbox kept.

Pure but for its record: it never opens a socket and never waits. `tests/device.py` puts it on a real socket, the
simulation on an imagined one, the soak on many at once. Whatever a tab sees goes into the record; it never judges.
"""

import json
from typing import Any

import orjson

from tests.copies import Copy, Frame, Message
from tests.record import Record

IN_FLIGHT = 8
OF_FOLLOWED = {"event", "state", "read", "typing", "page"}


class Tab:
    """See the module. `actor` is the person, who may have several tabs. Whoever carries its frames says in
    `tells_raw` how, and calls `takes` for each frame that comes and `lost` when the connection has ended.
    """

    page_limit = 200

    def __init__(self, record: Record, actor: str, role: str) -> None:
        self.record, self.actor, self.role = record, actor, role
        self.tab = record.new_tab()
        self.connections = 0
        self.is_connected = False
        self.copies: dict[str, Copy] = {}
        self.composed: dict[str, Message] = {}
        self.outbox: list[Message] = []
        self.answers: dict[str, Frame] = {}
        self.nacks: list[Frame] = []
        self.pongs = 0
        self.welcome: Frame = {}
        self.queue: Frame = {}
        self.bye: Frame = {}
        self.drained: Frame = {}
        self.close_code = 0
        self.window = IN_FLIGHT
        self.hold_until = 0.0

    def note(self, ev: str, **more: Any) -> None:
        self.record.add(ev, self.actor, self.tab, conn=self.connections, role=self.role, **more)

    def tells_raw(self, text: str | bytes) -> None:
        """Puts a frame on its way."""
        raise NotImplementedError

    def tells(self, **frame: Any) -> None:
        self.tells_raw(json.dumps(frame))

    # Coming and going

    def connected(self) -> None:
        """A new connection is there, and nothing was said on it yet."""
        self.connections += 1
        self.is_connected = True
        self.close_code, self.bye = 0, {}

    def says_hello(self, token: str | None, chats: list[Frame]) -> None:
        self.welcome = {}
        self.note("hello")
        hello: Frame = {"type": "hello", "chats": chats, "tab": self.tab}
        self.tells(**hello | ({"token": token} if token else {}))

    def positions(self) -> list[Frame]:
        """How far this tab's copies reach, for `hello`."""
        return [
            {"chat": chat, "have": copy.high, "hash": copy.hash, "rev": copy.state.get("rev", 0)}
            for chat, copy in self.copies.items()
        ]

    def lost(self, code: int) -> None:
        """The connection has ended; what was under way may have arrived or not."""
        self.is_connected = False
        self.close_code = code
        self.window = IN_FLIGHT
        for message in self.outbox:
            message.in_flight = False
        self.note("close", code=code)

    # What comes in

    def takes(self, text: str | bytes) -> None:
        """One frame of the server; unknown types are ignored, and what is told of chats that are not followed."""
        frame = orjson.loads(text)
        handle = getattr(self, f"on_{frame['type']}", None)
        if handle and (frame["type"] not in OF_FOLLOWED or frame["chat"] in self.copies):
            handle(frame)

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
            gap=resume["gap"],
            brings=[event["seq"] for event in resume["events"]],
        )
        for event in resume["events"]:
            self._apply(chat, event, "public", "resume")
        copy.high = head
        self._take_state(chat, resume["state"])
        if resume["reset"] == "erased":
            self.forgets_own(chat)
            return
        self._offer_again(chat)
        self._fill(chat)

    def forgets_own(self, chat: str) -> None:
        """Keeps nothing of what was written in a chat, and sends no more of it."""
        self.outbox = [one for one in self.outbox if one.frame["chat"] != chat]
        for message_id in [id for id, message in self.composed.items() if message.frame["chat"] == chat]:
            del self.composed[message_id]
            self.answers.pop(message_id, None)

    def _offer_again(self, chat: str) -> None:
        """The server may have lost what it had acknowledged: the sender has it still. Whatever is not in the copy is
        offered, for an ack may have come without its event, and then the place of the copy tells nothing of it.
        """
        copy = self.copies[chat]
        known = {event["id"] for event in (*copy.events.values(), *copy.notes.values())}
        own = [one for one in self.composed.values() if one.frame["chat"] == chat]
        waiting = [one for one in own if one in self.outbox or one.frame["id"] not in known]
        self.outbox = waiting + [one for one in self.outbox if one.frame["chat"] != chat]

    def _fill(self, chat: str) -> None:
        hole = self.copies[chat].hole
        if hole:
            self.tells(type="get", chat=chat, before=hole + 1, limit=self.page_limit)

    def on_page(self, page: Frame) -> None:
        copy = self.copies[page["chat"]]
        if page["stream"] != "public":
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
            self.note("skip", chat=chat, stream=stream, seq=event["seq"], have=high)
            self.tells(type="get", chat=chat, after=high, limit=self.page_limit)

    def _apply(self, chat: str, event: Frame, stream: str, how: str) -> None:
        copy = self.copies.setdefault(chat, Copy())
        copy.put(event, stream)
        told = {name: event[name] for name in ("seq", "hash", "kind", "by", "id", "data")}
        self.note("apply", chat=chat, stream=stream, how=how, **told)

    def on_state(self, frame: Frame) -> None:
        self._take_state(frame["chat"], frame["state"])

    def _take_state(self, chat: str, state: Frame) -> None:
        self.copies[chat].state = state
        told = {name: state[name] for name in ("status", "thread", "rev")}
        agent = state["agent"]["id"] if state["agent"] else None
        self.note("state", chat=chat, seq=state["head"], agent=agent, **told)
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
        if message is not None:
            message.in_flight = message.refused = False
        self.outbox = [one for one in self.outbox if one is not message]
        if not any(one.refused for one in self.outbox):
            self.window = IN_FLIGHT

    def on_pong(self, _pong: Frame) -> None:
        self.pongs += 1

    def on_nack(self, nack: Frame) -> None:
        self.nacks.append(nack)
        self.note("nack", chat=nack["chat"], id=nack["id"], code=nack["code"], retry=nack["retry"])
        if nack["id"] is None and nack["retry"] and nack["chat"] in self.copies:
            self._fill(nack["chat"])
            return
        message = next((one for one in self.outbox if one.frame["id"] == nack["id"]), None)
        if message is None or not nack["retry"]:
            self.answers[nack["id"]] = nack
            self._gives_up(nack["id"])
            return
        message.in_flight, message.refused = False, True
        self.window = 1
        self.hold_until = max(self.hold_until, self.record.clock() + nack.get("after_ms", 0) / 1000)
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
        if not self.is_connected or not self.welcome or self.record.clock() < self.hold_until:
            return
        for message in self.outbox[: self.window]:
            if not message.in_flight:
                message.in_flight = True
                self.note("tx", chat=message.frame["chat"], id=message.frame["id"])
                self.tells(**message.frame)
