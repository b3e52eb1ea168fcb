"""Journey J1: 50 pairs, each message acked after a durable commit and delivered to the other side.

Stillhere's rate stands beside one fdatasync, raw sqlite3, a bare echo and Flask-SocketIO with one fsynced
commit a message; afterwards every acked message is looked up in what the customer can read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.crowd import Crowd, Peer
from bench.machine import percentile
from bench.pairs import TEXT, Pair, Talk, talk_for
from bench.people import ACK, Agent, Customer, Memory, send_frame
from bench.references.disk import Disk
from bench.references.servers import echo_server, socketio_server
from bench.references.socketio_people import EVENT, SEND_ACK, SocketIoPerson
from bench.scale import Scale
from bench.service import Service, StartedChat, new_agent_key, serving
from bench.table import Row

JOIN_S = 30.0
MESSAGE_KIND = b'"kind":"message"'

RATIO_GOAL, RATE_GOAL, SLOW_DISK_MS = 10.0, 4000.0, 4.0


@dataclass(frozen=True)
class Faults:
    """Acked messages that cannot be read, messages there more than once, and holes in the numbering."""

    lost: int
    double: int
    gaps: int


class Speaker(Customer):
    """The customer of a pair."""

    def __init__(self, chat: StartedChat, talk: Talk) -> None:
        super().__init__(Memory(chat))
        self.pair = Pair(talk, chat.id, self.send_message)

    def send_message(self, id: str, previous: str | None) -> None:
        self.say(send_frame(self.chat.id, id, previous, TEXT))

    def told(self, payload: bytes) -> None:
        if ACK in payload:
            self.pair.ack(payload)


class Listener(Agent):
    """The agent of a pair."""

    def __init__(self, key: str, chat: StartedChat, pair: Pair) -> None:
        super().__init__(key, chat)
        self.pair = pair

    def saw(self, payload: bytes) -> None:
        if MESSAGE_KIND in payload:
            self.pair.delivery(payload)


class SocketIoSpeaker(SocketIoPerson):
    """The customer of a pair of the reference."""

    def __init__(self, chat: str, talk: Talk) -> None:
        super().__init__(chat)
        self.pair = Pair(talk, chat, lambda id, _previous: self.send_message(id, TEXT))

    def heard(self, payload: bytes) -> None:
        if payload.startswith(SEND_ACK):
            self.pair.ack(payload)


class SocketIoListener(SocketIoPerson):
    """The agent of a pair of the reference."""

    def __init__(self, chat: str, pair: Pair) -> None:
        super().__init__(chat)
        self.pair = pair

    def heard(self, payload: bytes) -> None:
        if payload.startswith(EVENT):
            self.pair.delivery(payload)


class EchoSpeaker(Peer):
    """A pair of the bare echo: the echo is ack and delivery in one."""

    def __init__(self, name: str, talk: Talk) -> None:
        super().__init__()
        self.pair = Pair(talk, name, lambda id, previous: self.say(send_frame(name, id, previous, TEXT)))

    def opened(self) -> None:
        self.satisfy()

    def received(self, payload: bytes) -> None:
        self.pair.ack(payload)
        self.pair.delivery(payload)


def measure(scale: Scale, folder: Path, disk: Disk) -> Iterator[Row]:
    """The rows of J1."""
    echo = echo_talk(scale, folder)
    reference = socketio_talk(scale, folder)
    key = new_agent_key(folder)
    with serving(folder) as service:
        chats = service.start_chats(scale.pairs)
        talk = stillhere_talk(scale, service, key, chats)
        faults = find_faults(service, chats, talk)
    yield from rows(talk, reference, echo, disk, faults)


def echo_talk(scale: Scale, folder: Path) -> Talk:
    """The same messages against the bare echo."""
    talk = Talk(scale.talk_s)
    speakers = [EchoSpeaker(f"echo-{number}", talk) for number in range(scale.pairs)]
    with echo_server(folder) as server:
        converse(server.port, talk, speakers, [speaker.pair for speaker in speakers])
    return talk


def socketio_talk(scale: Scale, folder: Path) -> Talk:
    """The same journey against Flask-SocketIO."""
    talk = Talk(scale.talk_s)
    speakers = [SocketIoSpeaker(f"chat-{number}", talk) for number in range(scale.pairs)]
    listeners = [SocketIoListener(speaker.chat, speaker.pair) for speaker in speakers]
    with socketio_server(folder) as server:
        converse(server.port, talk, [*speakers, *listeners], [speaker.pair for speaker in speakers])
    return talk


def stillhere_talk(scale: Scale, service: Service, key: str, chats: Sequence[StartedChat]) -> Talk:
    """The journey against Stillhere."""
    talk = Talk(scale.talk_s)
    speakers = [Speaker(chat, talk) for chat in chats]
    listeners = [Listener(key, speaker.chat, speaker.pair) for speaker in speakers]
    converse(service.port, talk, [*speakers, *listeners], [speaker.pair for speaker in speakers])
    return talk


def converse(port: int, talk: Talk, people: Sequence[Peer], pairs: Sequence[Pair]) -> None:
    """Bring everybody in, then let the pairs talk."""
    with Crowd(port) as crowd:
        crowd.gather(people, JOIN_S)
        talk_for(crowd, talk, pairs)


def find_faults(service: Service, chats: Sequence[StartedChat], talk: Talk) -> Faults:
    """Compare what was acked with what the customers can read."""
    lost = double = gaps = 0
    for chat in chats:
        events = list(service.events(chat))
        times = Counter(event["id"] for event in events if event["kind"] == "message")
        lost += sum(times[id] == 0 for id in talk.acked[chat.id])
        double += sum(count - 1 for count in times.values())
        gaps += sum(event["seq"] != seq for seq, event in enumerate(events, start=1))
    return Faults(lost, double + talk.doubles, gaps)


def rows(talk: Talk, reference: Talk, echo: Talk, disk: Disk, faults: Faults) -> Iterator[Row]:
    ratio = talk.rate / reference.rate
    yield Row(
        "J1, 50 pairs: messages",
        f"{talk.rate:,.0f}/s",
        f"Flask-SocketIO, a commit each: {reference.rate:,.0f}/s",
        ratio,
        f">= {RATIO_GOAL:.0f} times",
        ratio >= RATIO_GOAL,
    )
    yield Row(
        "J1: messages",
        f"{talk.rate:,.0f}/s",
        f"raw sqlite3, a commit each: {disk.single_rate:,.0f}/s",
        talk.rate / disk.single_rate,
        f">= {RATE_GOAL:,.0f}/s where fdatasync < {SLOW_DISK_MS:.0f} ms",
        talk.rate >= RATE_GOAL if disk.fdatasync_ms < SLOW_DISK_MS else None,
    )
    yield Row("J1: messages", f"{talk.rate:,.0f}/s", f"bare echo: {echo.rate:,.0f}/s", talk.rate / echo.rate)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        ours, theirs = percentile(talk.ack_ms, share), percentile(reference.ack_ms, share)
        yield Row(f"J1: ack {name}", f"{ours:.2f} ms", f"Flask-SocketIO: {theirs:.2f} ms", ours / theirs)
    yield Row(
        "J1: lost, double, gaps",
        f"{faults.lost}, {faults.double}, {faults.gaps} of {sum(map(len, talk.acked.values())):,}",
        goal="0, 0, 0",
        ok=faults == Faults(0, 0, 0),
        is_correctness=True,
    )
