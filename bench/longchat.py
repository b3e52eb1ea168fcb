"""A chat of many years: what a new device waits for when it enters a chat of 100,000 events, and one of 10.

Both get the newest events in one welcome, so the time must hardly grow with what lies behind them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.comeback import one_by_one, start
from bench.crowd import Crowd
from bench.machine import percentile
from bench.people import Customer, Memory, Writer
from bench.scale import Scale
from bench.service import StartedChat, serving
from bench.table import Row

SHORT_EVENTS = 10
TIMES_GOAL = 3.0
WELCOME_BYTES = 64 * 1024
WRITE_S = 600.0


class Newcomer(Customer):
    """A device that has nothing of the chat yet."""

    def __init__(self, chat: StartedChat) -> None:
        super().__init__(Memory(chat))
        self.welcome_bytes = 0

    def heard(self, payload: bytes) -> None:
        self.welcome_bytes = self.welcome_bytes or len(payload)
        super().heard(payload)


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The rows of a long chat. The two chats take turns, so that both meet the machine in the same mood."""
    with serving(folder) as service:
        short, long = start(service, 2)
        with Crowd(service.port) as crowd:
            writers = [Writer(short, SHORT_EVENTS - short.have), Writer(long, scale.long_events - long.have)]
            crowd.gather(writers, WRITE_S)
        service.wait_for_index()
        people = [Newcomer(memory.chat) for _ in range(scale.long_resumes) for memory in (short, long)]
        times = one_by_one(service.port, people)
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        yield time_row(scale, name, percentile(times[0::2], share), percentile(times[1::2], share))
    yield welcome_row(people[1::2])


def time_row(scale: Scale, name: str, short_ms: float, long_ms: float) -> Row:
    return Row(
        f"new device, chat of {scale.long_events:,} events: {name}",
        f"{long_ms:.1f} ms",
        f"chat of {SHORT_EVENTS} events: {short_ms:.1f} ms",
        long_ms / short_ms,
        f"<= {TIMES_GOAL:.0f} times",
        long_ms <= TIMES_GOAL * short_ms,
    )


def welcome_row(people: Sequence[Newcomer]) -> Row:
    largest = max(person.welcome_bytes for person in people)
    return Row(
        "new device, long chat: largest welcome",
        f"{largest:,} B",
        goal=f"<= {WELCOME_BYTES:,} B",
        ok=largest <= WELCOME_BYTES,
        is_correctness=True,
    )
