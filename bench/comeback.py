"""Coming back: one customer who missed 100 of 1,100 messages, and 2,000 customers at once who missed 50
each.

The customers come with resume token, last number and hash, as a device does after a restart. Beside them
stands the bare echo: connect and one round trip. What arrives is checked: all that was missed, in order,
without a hole.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.crowd import Crowd, Peer
from bench.machine import percentile
from bench.people import PAGE, Customer, Memory, Writer
from bench.references.servers import echo_server
from bench.scale import Scale
from bench.service import Service, serving
from bench.table import Row

WRITE_S, ANSWER_S = 120.0, 60.0
WRITERS = 50
"""How many customers write at once while chats are being filled."""

RESUME_CHATS = 20
RESUME_SEEN, RESUME_MISSED = 1_000, 100
MASS_SEEN, MASS_MISSED = 10, 50
MASS_GOAL_S = 2.0
SMALL_ECHO = b"x" * 200


class Returner(Customer):
    """A customer who comes back and asks for what the welcome left out."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.events: list[dict[str, Any]] = []

    def welcomed(self) -> None:
        assert self.resume is not None
        self.events = self.resume["events"]
        gap = self.resume["gap"]
        if gap:
            self.tell("get", chat=self.chat.id, before=gap["to"] + 1, limit=gap["to"] - gap["from"] + 1)
        else:
            self.satisfy()

    def told(self, payload: bytes) -> None:
        if PAGE in payload:
            self.events = orjson.loads(payload)["events"] + self.events
            self.satisfy()

    def holes(self, missed: int) -> int:
        """How many of the `missed` events did not come, or not in their place."""
        expected = range(self.memory.have + 1, self.memory.have + missed + 1)
        came: list[int] = [event["seq"] for event in self.events]
        return abs(len(came) - missed) + sum(seq != place for seq, place in zip(came, expected, strict=False))


class Echoed(Peer):
    """A client of the reference: connects and waits for one message to come back."""

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self.payload = payload

    def opened(self) -> None:
        self.say(self.payload)

    def received(self, payload: bytes) -> None:
        self.satisfy()


def measure_resume(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows of one customer's return."""
    with serving(folder) as service:
        seen = write(service, start(service, RESUME_CHATS), RESUME_SEEN)
        write(service, seen, RESUME_SEEN + RESUME_MISSED)
        service.wait_for_index()
        people = [Returner(seen[number % RESUME_CHATS]) for number in range(scale.resumes)]
        ours = one_by_one(service.port, people)
    with echo_server(folder) as server:
        theirs = one_by_one(server.port, [Echoed(SMALL_ECHO) for _ in range(scale.resumes)])
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        mine, bare = percentile(ours, share), percentile(theirs, share)
        yield Row(
            f"resume, {RESUME_MISSED} of {RESUME_SEEN + RESUME_MISSED:,} missed: {name}",
            f"{mine:.1f} ms",
            f"connect + one bare echo: {bare:.1f} ms",
            mine / bare,
        )
    yield holes_row("resume", people, RESUME_MISSED)


def measure_mass(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows of everybody's return at once."""
    with serving(folder) as service:
        seen = write(service, start(service, scale.mass_sockets), MASS_SEEN)
        write(service, seen, MASS_SEEN + MASS_MISSED)
        service.wait_for_index()
        people = [Returner(memory) for memory in seen]
        ours = all_at_once(service.port, people)
    payload = b"x" * (sum(len(orjson.dumps(person.resume)) for person in people) // len(people))
    with echo_server(folder) as server:
        theirs = all_at_once(server.port, [Echoed(payload) for _ in people])
    yield Row(
        f"{len(people):,} sockets at once, {MASS_MISSED} missed each",
        f"{ours:.2f} s",
        f"as many bare echoes of {len(payload):,} B: {theirs:.2f} s",
        ours / theirs,
        f"<= {MASS_GOAL_S:.0f} s",
        ours <= MASS_GOAL_S,
    )
    yield holes_row("mass return", people, MASS_MISSED)


def start(service: Service, count: int) -> list[Memory]:
    """New chats, as the devices remember them."""
    return [Memory(chat, chat.head) for chat in service.start_chats(count)]


def write(service: Service, chats: Sequence[Memory], up_to: int) -> list[Memory]:
    """Let the customers write until every chat has `up_to` events; gives what a device remembers then."""
    memories = []
    for begin in range(0, len(chats), WRITERS):
        with Crowd(service.port) as crowd:
            writers = [Writer(memory, up_to - memory.have) for memory in chats[begin : begin + WRITERS]]
            crowd.gather(writers, WRITE_S)
        memories += [writer.memory for writer in writers]
    return memories


def one_by_one(port: int, people: Sequence[Peer]) -> list[float]:
    """Each connects, gets everything and leaves before the next comes; the times in ms."""
    times = []
    with Crowd(port) as crowd:
        for person in people:
            begin = time.perf_counter()
            crowd.gather([person], ANSWER_S)
            times.append((time.perf_counter() - begin) * 1000)
            person.leave()
    return times


def all_at_once(port: int, people: Sequence[Returner | Echoed]) -> float:
    """Seconds from the first connect until the last has everything."""
    with Crowd(port) as crowd:
        begin = time.perf_counter()
        crowd.gather(people, ANSWER_S)
        return time.perf_counter() - begin


def holes_row(what: str, people: Sequence[Returner], missed: int) -> Row:
    holes = sum(person.holes(missed) for person in people)
    return Row(
        f"{what}: events missing or out of place",
        f"{holes} of {len(people) * missed:,}",
        goal="0",
        ok=not holes,
        is_correctness=True,
    )
