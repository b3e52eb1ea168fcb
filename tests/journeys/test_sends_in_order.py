"""Messages refused in the middle, or sent by two tabs at once: the log has them once, in the order of composing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from time import sleep

from tests.checker import check
from tests.conftest import Serve
from tests.device import PATIENCE_S
from tests.dump import read_dump
from tests.fault_proxy import DOWN, UP, ProxyTo
from tests.people import Customer
from tests.record import Record
from tests.servers import Server

BURST = 2
REFILL_S = 0.5
"""After this time one more message is let in."""

PENDING = 60


def compose(ann: Customer, count: int) -> list[str]:
    words = [f"Word {len(ann.composed) + number}" for number in range(count)]
    for word in words:
        ann.writes(word)
    return words


def with_the_same_outbox(ann: Customer, server: Server) -> Customer:
    """Another tab of the same browser, which has loaded what waits to be sent; both believe that it is theirs."""
    other = ann.on_another_device()
    other.comes_back(server)
    other.composed = {id: replace(message, in_flight=False) for id, message in ann.composed.items()}
    other.outbox = [other.composed[message.frame["id"]] for message in ann.outbox]
    return other


def test_what_is_refused_in_the_middle_comes_later_and_in_order(
    serve: Serve, proxy_to: ProxyTo, record: Record
) -> None:
    """The third of eight is refused. When the rest arrives, which was sent before the refusal was heard, the server
    would take messages again, but not out of order.
    """
    server = serve(MESSAGES_BURST=str(BURST), MESSAGES_PER_SECOND=str(1 / REFILL_S))
    link = proxy_to(server)
    ann = Customer(record, "Ann").starts(link, "Hello")
    way, refusal = link.holds(UP), link.holds(DOWN, "nack")
    words = compose(ann, BURST + 1)
    link.lifts(way)
    assert refusal.has_struck.wait(PATIENCE_S)
    sleep(REFILL_S)
    words += compose(ann, 8 - len(words))
    refused, next_one = ann.outbox[BURST].frame["id"], ann.outbox[BURST + 1].frame["id"]
    link.lifts(refusal)
    ann.settles()
    first, second = ann.nacks[:2]
    assert (first["id"], first["code"]) == (refused, "rate")
    assert (second["id"], second["code"], second["need"]) == (next_one, "prev_missing", refused)
    assert all(nack["retry"] for nack in ann.nacks)
    assert {nack["code"] for nack in ann.nacks} == {"rate", "prev_missing"}
    assert ann.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(server.database_url)) == []


def test_two_tabs_that_send_the_same_outbox_send_it_once(
    here_and_there: tuple[Server, Server], record: Record, chance: Random
) -> None:
    here, there = here_and_there
    ann = Customer(record, "Ann").starts(here, "Hello")
    ann.leaves()
    words = compose(ann, PENDING)
    twin = with_the_same_outbox(ann, there)
    enough = chance.randint(1, PENDING - 1)
    ann.comes_back()

    def closes_in_the_middle() -> None:
        ann.until(lambda: len(ann.answers) >= enough, f"{enough} answers")
        ann.leaves()

    with ThreadPoolExecutor(2) as threads:
        for work in [threads.submit(closes_in_the_middle), threads.submit(twin.settles)]:
            work.result()
    twin.catches_up(read_dump(here.database_url).head(ann.chat))
    assert twin.texts() == ["Hello", *words]
    ann.comes_back()
    ann.settles()
    assert ann.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(here.database_url)) == []


def test_a_frozen_tab_that_thaws_adds_nothing_to_what_another_has_sent(
    here_and_there: tuple[Server, Server], proxy_to: ProxyTo, record: Record
) -> None:
    here, there = here_and_there
    link = proxy_to(here)
    ann = Customer(record, "Ann").starts(link, "Hello")
    way = link.holds(UP, "send")
    words = compose(ann, PENDING)
    assert sum(message.in_flight for message in ann.outbox) < PENDING, "some are not even under way"
    twin = with_the_same_outbox(ann, there)
    twin.settles()
    link.lifts(way)
    ann.settles()
    assert all(answer["duplicate"] for answer in ann.answers.values())
    assert ann.texts() == twin.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(here.database_url)) == []
