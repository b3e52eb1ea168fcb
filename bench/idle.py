"""Idle customers: what a silent connection costs in memory, and whether 2,000 of them slow HTTP down.

Beside them stand idle connections of the `websockets` library, and the same requests without the crowd.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.crowd import Crowd, Peer
from bench.machine import memory_bytes, percentile
from bench.people import Customer, Memory
from bench.references.servers import echo_server
from bench.scale import Scale
from bench.service import Service, StartedChat, serving
from bench.table import Row

JOIN_S = 60.0
SETTLE_S = 5.0
"""After so long newcomers are idle: the news that they are there has gone round."""

WARM_SOCKETS, WARM_REQUESTS = 20, 50
"""The first ones wake what is made once; they are not counted."""

MEMORY_GOAL_KB = 20.0
SAME_P95 = 1.2
"""Up to this ratio two p95 count as the same: runs on one machine differ by as much."""


class Silent(Peer):
    """A client of the reference that never says a word."""

    def opened(self) -> None:
        self.satisfy()


def measure_memory(scale: Scale, folder: Path) -> Iterator[Row]:
    """The row of memory."""
    count = scale.memory_sockets
    with serving(folder) as service:
        customers = [Customer(Memory(chat)) for chat in service.start_chats(WARM_SOCKETS + count)]
        ours = kb_a_socket(service.port, service.pid, customers)
    with echo_server(folder) as server:
        theirs = kb_a_socket(server.port, server.pid, [Silent() for _ in range(WARM_SOCKETS + count)])
    yield Row(
        f"memory of {count:,} idle sockets",
        f"{ours:.1f} kB each",
        f"websockets library: {theirs:.1f} kB each",
        ours / theirs,
        f"<= {MEMORY_GOAL_KB:.0f} kB",
        ours <= MEMORY_GOAL_KB,
    )


def kb_a_socket(port: int, pid: int, peers: Sequence[Peer]) -> float:
    """Memory of the server for one more connection, in kB of 1,000 bytes."""
    with Crowd(port) as crowd:
        crowd.gather(peers[:WARM_SOCKETS], JOIN_S)
        before = memory_bytes(pid)
        crowd.gather(peers[WARM_SOCKETS:], JOIN_S)
        return (memory_bytes(pid) - before) / (len(peers) - WARM_SOCKETS) / 1000


def measure_http(scale: Scale, folder: Path) -> Iterator[Row]:
    """The row of HTTP beside idle sockets."""
    with serving(folder) as service:
        chats = service.start_chats(scale.idle_sockets)
        service.wait_for_index()
        alone = request_ms(service, chats[0], scale.http_requests)
        with Crowd(service.port) as crowd:
            crowd.gather([Customer(Memory(chat)) for chat in chats], JOIN_S)
            crowd.run_for(SETTLE_S)
            crowded = request_ms(service, chats[0], scale.http_requests)
            crowd.run_for(0.1)
    before, beside = percentile(alone, 0.95), percentile(crowded, 0.95)
    yield Row(
        f"HTTP p95 beside {len(chats):,} idle sockets",
        f"{beside:.2f} ms",
        f"without them: {before:.2f} ms",
        beside / before,
        f"unchanged (<= {SAME_P95} times)",
        beside <= before * SAME_P95,
    )


def request_ms(service: Service, chat: StartedChat, count: int) -> list[float]:
    """Times of asking for a chat's state over one connection, one after the other."""
    times = []
    with service.door(chat.token) as door:
        for _ in range(WARM_REQUESTS + count):
            begin = time.perf_counter()
            door.get(f"/api/v1/chats/{chat.id}")
            times.append((time.perf_counter() - begin) * 1000)
    return times[WARM_REQUESTS:]
