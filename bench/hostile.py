"""Clients that mean no good: one that stops reading while its chat is flooded, and one that floods the server with
frames. What counts is that they are dropped, and that the server's memory stays as it was.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import wire
from bench.comeback import start
from bench.crowd import HOST, READ_BYTES, Crowd
from bench.machine import memory_bytes
from bench.people import LIVE, SUBPROTOCOL, Customer, Memory, Writer
from bench.scale import Scale
from bench.service import Service, StartedChat, serving
from bench.table import Row

DROP_GOAL_S, MEMORY_GOAL_MB = 10.0, 10.0
FLOOD_S, WARM_EVENTS, WARM_FRAMES = 600.0, 500, 200
LOOK_S = 0.1
TEXT_LETTERS = 1_000
STALLED_BYTES = 16 * 1024
FRAME_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
ESTABLISHED = "01"


@dataclass
class Watch:
    """The most memory that the server had since the watch was made, looked at now and then."""

    pid: int
    next_look: float = 0.0

    def __post_init__(self) -> None:
        self.before = self.peak = memory_bytes(self.pid)

    def look(self) -> bool:
        """Whether it was time to look."""
        if time.perf_counter() < self.next_look:
            return False
        self.peak = max(self.peak, memory_bytes(self.pid))
        self.next_look = time.perf_counter() + LOOK_S
        return True

    @property
    def growth_mb(self) -> float:
        return (self.peak - self.before) / 1e6


class Flooder(Writer):
    """Writes long messages."""

    def words(self) -> str:
        return "x" * TEXT_LETTERS


class Stalled(Customer):
    """Reads its welcome and nothing more."""

    receive_bytes = STALLED_BYTES

    def welcomed(self) -> None:
        self.satisfy()
        self.crowd.forget(self)


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows of all hostile clients."""
    reading, stalled = folder / "reading", folder / "frames"
    for own in (reading, stalled):
        own.mkdir()
    yield from measure_stalled(scale, reading)
    yield from measure_frames(scale, stalled)


def measure_stalled(scale: Scale, folder: Path) -> Iterator[Row]:
    """A reader that stands still, beside the same flood with nobody but the writer."""
    with serving(folder) as service:
        warm, calm, flooded = start(service, 3)
        flood(service, warm, WARM_EVENTS)
        alone_mb, _ = flood(service, calm, scale.stalled_events)
        beside_mb, dropped_s = flood(service, flooded, scale.stalled_events, Stalled(flooded))
    what = f"stalled reader, {scale.stalled_events:,} events"
    yield Row(
        f"{what}: dropped after",
        "never" if dropped_s is None else f"{dropped_s:.1f} s",
        goal=f"<= {DROP_GOAL_S:.0f} s",
        ok=dropped_s is not None and dropped_s <= DROP_GOAL_S,
    )
    yield Row(
        f"{what}: memory grows by",
        f"{beside_mb:.1f} MB",
        f"without the reader: {alone_mb:.1f} MB",
        goal=f"<= {MEMORY_GOAL_MB:.0f} MB more",
        ok=beside_mb <= alone_mb + MEMORY_GOAL_MB,
    )


def flood(service: Service, chat: Memory, events: int, stalled: Stalled | None = None) -> tuple[float, float | None]:
    """Fills a chat. Gives the growth of the server's memory in MB, and after how many seconds `stalled` was dropped."""
    service.wait_for_index()
    with Crowd(service.port) as crowd:
        if stalled:
            crowd.gather([stalled], FLOOD_S)
        writer = Flooder(chat, events)
        crowd.join(writer)
        watch, begin, dropped_s = Watch(service.pid), time.perf_counter(), None
        end = begin + DROP_GOAL_S + 5

        def is_over() -> bool:
            nonlocal dropped_s
            if watch.look() and stalled and dropped_s is None and not has_socket(service.port, stalled.socket):
                dropped_s = time.perf_counter() - begin
            is_waiting = stalled is not None and dropped_s is None and time.perf_counter() < end
            return writer.is_satisfied and not is_waiting

        crowd.run(is_over, FLOOD_S)
    if stalled:
        stalled.socket.close()
    return watch.growth_mb, dropped_s


def has_socket(port: int, peer: socket.socket) -> bool:
    """Whether the server on `port` still has its end of the peer's connection: the peer itself cannot see it."""
    peer_port = peer.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        ports = tuple(int(address.rpartition(":")[2], 16) for address in (local, remote))
        if ports == (port, peer_port):
            return state == ESTABLISHED
    return False


def measure_frames(scale: Scale, folder: Path) -> Iterator[Row]:
    """Floods of frames against the limits that are shipped."""
    with serving(folder, {}) as service:
        (chat,) = service.start_chats(1)
        bombard(service, chat, ping(FRAME_BYTES), WARM_FRAMES)
        for count, size in ((scale.big_frames, FRAME_BYTES), (scale.tiny_frames, 0)):
            payload = ping(size)
            watch, connections = bombard(service, chat, payload, count)
            with service.door(chat.token) as door:
                door.get(f"/api/v1/chats/{chat.id}")
            yield Row(
                f"{count:,} frames of {len(payload):,} B from one client: memory grows by",
                f"{watch.growth_mb:.1f} MB",
                f"{connections:,} connections",
                goal=f"<= {MEMORY_GOAL_MB:.0f} MB",
                ok=watch.growth_mb <= MEMORY_GOAL_MB,
            )


def ping(size: int) -> bytes:
    """A `ping`, with so much beside it that it has at least `size` bytes."""
    empty = orjson.dumps({"type": "ping", "n": 1, "pad": ""})
    return orjson.dumps({"type": "ping", "n": 1, "pad": "x" * (size - len(empty))}) if size else empty


def bombard(service: Service, chat: StartedChat, payload: bytes, count: int) -> tuple[Watch, int]:
    """Sends the frame `count` times, as fast as the server's machine takes it, and comes back whenever it is dropped.

    Gives what its memory did, and how many connections it took.
    """
    frame = wire.frame(payload)
    chunk = frame * max(1, CHUNK_BYTES // len(frame))
    watch, left, connections = Watch(service.pid), count * len(frame), 0
    while left > 0:
        connections += 1
        with contextlib.suppress(OSError), greeted(service, chat) as sock:
            while left > 0:
                left -= sock.send(chunk)
                watch.look()
        watch.look()
    return watch, connections


@contextlib.contextmanager
def greeted(service: Service, chat: StartedChat) -> Iterator[socket.socket]:
    """A blocking connection that has said hello and has heard an answer, whatever it was."""
    hello = {"type": "hello", "token": chat.token, "chats": []}
    with socket.create_connection((HOST, service.port), FLOOD_S) as sock:
        sock.sendall(wire.handshake(f"{HOST}:{service.port}", LIVE, [SUBPROTOCOL]))
        sock.recv(READ_BYTES)
        sock.sendall(wire.frame(orjson.dumps(hello)))
        sock.recv(READ_BYTES)
        yield sock
