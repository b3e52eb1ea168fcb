"""Drivers with verbs: customers and agents, each on one device, over real sockets and HTTP.

    ann = Customer(record, "Ann").starts(server, "Where is my parcel?")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.says("On its way"); ann.sees("On its way")

What waits for something fails after a while, and says for what it waited.
"""

from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any, Self

from history.times import new_id
from tests.copies import Copy, Frame
from tests.device import PATIENCE_S, Device
from tests.record import Record
from tests.servers import Door
from tests.web import Answer, ask

HIDDEN = 3001


class Refused(AssertionError):
    """The server said no; `nack` is its answer."""

    def __init__(self, nack: Frame) -> None:
        super().__init__(nack)
        self.nack = nack


class Person(Device):
    """What customers and agents have in common. Verbs without a chat mean the one that was last entered."""

    server: Door
    token: str
    chat: str = ""

    def asks(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """HTTP, as this person."""
        return ask(self.server.port, method, f"/api/v1{path}", body, self.token, **headers)

    @property
    def copy(self) -> Copy:
        return self.copies[self.chat]

    @property
    def me(self) -> str:
        """This person's participant id in the chat."""
        return self.copy.me

    # Writing

    def writes(self, text: str, **more: Any) -> str:
        """Composes a message, which goes out while this person waits for something. Returns its id."""
        message_id = new_id()
        self.composes(self.chat, {"text": text}, message_id, **more)
        self.flushes()
        return message_id

    def says(self, text: str, **more: Any) -> Frame:
        """Writes, and waits until the server has it. Returns the ack; raises Refused."""
        return self.answer_to(self.writes(text, **more))

    def answer_to(self, message_id: str) -> Frame:
        self.until(lambda: message_id in self.answers, f"an answer to {message_id}")
        answer = self.answers[message_id]
        if answer["type"] == "nack":
            raise Refused(answer)
        self.until(self._has_own, "the event that was acked")
        return answer

    def _has_own(self) -> bool:
        return all(copy.high >= copy.acked for copy in self.copies.values())

    def settles(self) -> None:
        """Waits until the server has all that this person wrote, and it has come back as events."""
        self.until(lambda: not self.outbox and self._has_own(), "the outbox to be empty")

    def does(self, action: str, *, message_id: str = "", **more: Any) -> Frame:
        """An action on the chat. Returns the ack; raises Refused."""
        act = {"chat": self.chat, "id": message_id or new_id(), "action": action, **more}
        self.note("compose", chat=self.chat, id=act["id"], stream="act", by=self.me, prev=None, data={})
        self.tells(type="act", **act)
        return self.answer_to(act["id"])

    def closes(self) -> Frame:
        return self.does("close")

    def reopens(self) -> Frame:
        return self.does("reopen")

    def reads(self, seq: int = 0) -> None:
        """Has everything on screen, or everything up to `seq`."""
        self.tells(type="read", chat=self.chat, seq=seq or self.copy.high)

    def confirms(self) -> None:
        """Tells how far this device has got, as it does after many events."""
        self.on_ping({"n": 0})

    def types(self, on: bool = True) -> None:
        self.tells(type="typing", chat=self.chat, on=on)

    # Seeing

    def sees(self, text: str) -> Frame:
        """Waits for a message that says `text`; returns its event."""

        def find() -> Frame | None:
            return next((one for one in self.copy.events.values() if one["data"].get("text") == text), None)

        self.until(lambda: find() is not None, f"the message {text!r}")
        found = find()
        assert found is not None
        return found

    def sees_note(self, text: str) -> None:
        self.until(
            lambda: any(one["data"].get("text") == text for one in self.copy.notes.values()),
            f"the note {text!r}",
        )

    def sees_status(self, *statuses: str, thread: int | None = None) -> None:
        def fits() -> bool:
            state = self.copy.state
            return state["status"] in statuses and thread in (None, state["thread"])

        self.until(fits, f"a chat that is {' or '.join(statuses)}, thread {thread}")

    def sees_typing(self, other: "Person", on: bool = True) -> None:
        what = f"{other.actor} {'typing' if on else 'pausing'}"
        self.until(lambda: self.copy.typing.get(other.me) is on, what)

    def sees_read(self, other: "Person", seq: int) -> None:
        """Sees that the other has read up to `seq`."""
        what = f"{other.actor}'s reading mark at {seq}"
        self.until(lambda: self.copy.marks.get(other.me, (0, 0))[0] >= seq, what)

    def sees_online(self, other: "Person", online: bool) -> None:
        def fits() -> bool:
            people = self.copy.state["participants"]
            return any(one["id"] == other.me and one["online"] is online for one in people)

        self.until(fits, f"{other.actor} {'here' if online else 'away'}", patience_s=4 * PATIENCE_S)

    def catches_up(self, head: int) -> None:
        """Waits until this device has everything up to `head`, without a hole."""
        self.until(lambda: self.copy.high >= head and not self.copy.hole, f"everything up to {head}")

    def texts(self) -> list[str]:
        """What was said, in the order of the chat."""
        events = (self.copy.events[seq] for seq in sorted(self.copy.events))
        return [event["data"]["text"] for event in events if event["kind"] == "message"]

    def sees_here(self, other: "Person") -> None:
        """Waits until the other is shown as being there."""

        def is_here() -> bool:
            people = self.copy.state.get("participants", [])
            return any(person["id"] == other.me and person["online"] for person in people)

        self.until(is_here, f"{other.actor} to be here")

    # Going

    def leaves(self) -> None:
        """Closes the page."""
        if self.socket is not None:
            self.socket.close(HIDDEN)
        self.hangs_up()

    def vanishes(self) -> None:
        """Loses the network: the socket ends without a word."""
        assert self.socket is not None, "only who is there can vanish"
        with suppress(OSError):  # the other side was quicker
            self.socket.socket.shutdown(SHUT_RDWR)
        self.hangs_up()


class Customer(Person):
    def __init__(self, record: Record, actor: str) -> None:
        super().__init__(record, actor, "customer")

    def starts(self, server: Door, text: str | None = None, **more: Any) -> Self:
        """Starts a chat, perhaps with a first message, and opens the live connection."""
        self.server = server
        message_id = new_id()
        first = {"message": {"id": message_id, "data": {"text": text}}} if text else {}
        answer = ask(server.port, "POST", "/api/v1/chats", {"name": self.actor, **first, **more})
        assert answer.status == 201, answer
        self.token, self.chat = answer.json["token"], answer.json["chat"]
        self.copies[self.chat] = Copy(me=answer.json["me"])
        if text:
            self.keeps({"chat": self.chat, "id": message_id, "prev": None, "data": {"text": text}})
        return self.comes_back()

    def comes_back(self, server: Door | None = None) -> Self:
        """Opens a new socket, on this or another server, and says how far the copies reach."""
        self.server = server or self.server
        self.dials(self.server, {})
        self.greets(self.token, self.positions())
        return self

    def looks_at_link(self, link: str, method: str = "GET") -> Answer:
        """Whoever has this customer's mail opens its page. `link` is what stands behind the #."""
        self.record.link("get", self.chat, link)
        return ask(self.server.port, method, "/link")

    def redeems(self, link: str, nonce: str, server: Door | None = None) -> Answer:
        """Whoever has this customer's mail presses the button on the page of the link."""
        answer = ask((server or self.server).port, "POST", "/api/v1/links/redeem", {"link": link, "nonce": nonce})
        if answer.status == 200:
            self.record.link("redeemed", self.chat, link)
        return answer

    def on_another_device(self, token: str | None = None) -> "Customer":
        """The same person with another device, which has nothing yet; `token` is the device's own."""
        other = Customer(self.record, self.actor)
        other.server, other.token, other.chat = self.server, token or self.token, self.chat
        other.dials(self.server, {})
        other.greets(other.token, [])
        return other


class Agent(Person):
    def __init__(self, record: Record, actor: str) -> None:
        super().__init__(record, actor, "agent")

    def signs_in(self, server: Door) -> Self:
        """Comes to the desk with an API key, and asks for the queue."""
        self.token = server.key_of(self.actor)
        return self.comes_back(server)

    def comes_back(self, server: Door | None = None) -> Self:
        if server is not None:
            self.server = server
        self.dials(self.server, {"Authorization": f"Bearer {self.token}"})
        self.greets(None, self.positions())
        self.tells(type="queue")
        return self

    def enters(self, chat: str) -> Self:
        """Watches the chat from now on."""
        self.chat = chat
        self.tells(type="watch", chats=[{"chat": chat, "have": 0}])
        self.until(lambda: chat in self.copies, "the chat")
        return self

    def sees_waiting(self, chat: str, waiting: bool = True) -> Frame:
        """Waits until the chat is, or is no more, in the queue; returns its entry."""

        def entries() -> Iterator[Frame]:
            return (one for one in self.queue.get("waiting", []) if one["chat"] == chat)

        what = f"the chat {'in' if waiting else 'out of'} the queue"
        self.until(lambda: bool(self.queue) and any(entries()) is waiting, what)
        return next(entries(), {})

    def accepts(self, chat: str = "") -> Frame:
        if chat:
            self.enters(chat)
        return self.does("accept")

    def notes(self, text: str) -> Frame:
        """Writes a note that only agents see."""
        return self.says(text, stream="internal")
