"""How soon a message is found in another process: two servers on one PostgreSQL, people who write at the one, and an
agent who searches at the other for a word that was just said, again and again until it is found.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from uuid_utils import uuid7

from bench.crowd import Crowd
from bench.machine import percentile
from bench.people import Customer, Memory, send_frame
from bench.scale import Scale
from bench.service import LIFTED_LIMITS, Service, StartedChat, new_agent_key, serving
from bench.table import Row
from tests.postgres import running_cluster

CUSTOMERS, MESSAGES_A_SECOND = 20, 100
JOIN_S = 30.0
SEARCHERS = 4
LOOK_S, GIVE_UP_S = 0.01, 10.0
GOAL_MS = 600.0

Said = tuple[str, float]
"""A word that nobody else says, and when it was sent."""


class Speaker(Customer):
    """A customer who writes when told to."""

    def __init__(self, chat: StartedChat) -> None:
        super().__init__(Memory(chat))
        self.previous: str | None = None

    def write(self, word: str) -> None:
        id = str(uuid7())
        self.say(send_frame(self.chat.id, id, self.previous, f"Where is the {word} that I asked for?"))
        self.previous = id


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """The row of messages that are found elsewhere."""
    with running_cluster() as cluster:
        settings = {**LIFTED_LIMITS, "STILLHERE_DATABASE_URL": cluster.create()}
        key = new_agent_key(folder, settings)
        with serving(folder, settings) as here, serving(folder, settings) as there:
            waits = found_after(scale, here, there, key)
    missing = sum(wait is None for wait in waits)
    times = [wait for wait in waits if wait is not None]
    p95 = percentile(times, 0.95)
    yield Row(
        f"message to found in another process, at {MESSAGES_A_SECOND} messages/s: p95 (p50)",
        f"{p95:.0f} ms ({percentile(times, 0.5):.0f}), at most {max(times):.0f}, of {len(times)}",
        "",
        None,
        f"<= {GOAL_MS:.0f} ms",
        p95 <= GOAL_MS,
    )
    yield Row("messages that were not found", str(missing), "", None, "0", missing == 0, is_correctness=True)


def found_after(scale: Scale, here: Service, there: Service, key: str) -> list[float | None]:
    """How long each search lasted, in ms."""
    said: queue.Queue[Said | None] = queue.Queue(SEARCHERS)
    waits: list[float | None] = []
    searchers = [threading.Thread(target=search_for, args=(there, key, said, waits)) for _ in range(SEARCHERS)]
    for searcher in searchers:
        searcher.start()
    try:
        speakers = [Speaker(chat) for chat in here.start_chats(CUSTOMERS)]
        with Crowd(here.port) as crowd:
            crowd.gather(speakers, JOIN_S)
            speak(crowd, speakers, said, scale.talk_s)
    finally:
        for _ in searchers:
            said.put(None)
        for searcher in searchers:
            searcher.join()
    return waits


def speak(crowd: Crowd, speakers: Sequence[Speaker], said: "queue.Queue[Said | None]", seconds: float) -> None:
    """At an even pace; whenever a searcher is free, it is told what was just said."""
    begin = time.perf_counter()
    for number in range(int(seconds * MESSAGES_A_SECOND)):
        crowd.run_for(max(0.0, begin + number / MESSAGES_A_SECOND - time.perf_counter()))
        word = f"word{number}x{int(begin)}"
        if not said.full():
            said.put((word, time.perf_counter()))
        speakers[number % len(speakers)].write(word)
    crowd.run_for(1.0)


def search_for(service: Service, key: str, said: "queue.Queue[Said | None]", waits: list[float | None]) -> None:
    with service.door(key) as door:
        while (told := said.get()) is not None:
            word, sent = told
            while not (found := door.get(f"/api/v1/search?q={word}")["total"]):
                if time.perf_counter() > sent + GIVE_UP_S:
                    break
                time.sleep(LOOK_S)
            waits.append((time.perf_counter() - sent) * 1000 if found else None)
