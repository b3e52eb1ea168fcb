"""Catching up with much that was missed, while more comes and the link breaks again and again: no hole remains."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

from tests.checker import check
from tests.dump import read_dump
from tests.fault_proxy import DOWN, ProxyTo, comes_back_somehow
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server

MISSED = 1500
REOPENS = 10
SLOW_S = 0.01
"""What each frame takes, so that pages and what is new are under way together."""


def test_what_comes_while_catching_up_leaves_no_hole(
    here_and_there: tuple[Server, Server], proxy_to: ProxyTo, record: Record, chance: Random
) -> None:
    here, there = here_and_there
    link = proxy_to(here)
    ann = Customer(record, "Ann").starts(link, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    ann.leaves()
    words = [f"Missed {number}" for number in range(MISSED)]
    for word in words:
        robin.writes(word)
    robin.settles()
    link.delays(DOWN, SLOW_S)
    enough_said = Event()

    def goes_on() -> None:
        while not enough_said.is_set():
            words.append(f"Live {len(words)}")
            robin.says(words[-1])

    def reopens_and_reopens() -> None:
        for _ in range(REOPENS):
            comes_back_somehow(ann, link)
            enough = len(ann.copy.events) + chance.randint(1, 200)
            ann.until(lambda enough=enough: len(ann.copy.events) >= enough, "some of it")  # type: ignore[misc]
            chance.choice((ann.vanishes, ann.leaves))()

    with ThreadPoolExecutor(1) as threads:
        talk = threads.submit(goes_on)
        try:
            reopens_and_reopens()
        finally:
            enough_said.set()
        talk.result()
    ann.comes_back()
    tablet = ann.on_another_device()
    for device in (ann, tablet, robin):
        device.catches_up(read_dump(here.database_url).head(ann.chat))
    assert ann.texts() == tablet.texts() == robin.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(here.database_url)) == []
