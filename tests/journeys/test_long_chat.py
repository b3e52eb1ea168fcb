"""Ten years later: 100,000 events, a token whose key was retired twice, a new device. It is a chat like any other."""

import json
from itertools import cycle, pairwise

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.log_writer import Said, append
from tests.people import Agent, Customer, Person
from tests.record import Record
from tests.servers import Server

EVENTS = 100_000
PAGE = 200
FILL_PATIENCE_S = 60
RESUME_EVENTS = 50
WELCOME_BYTES = 64 * 1024
KEYS = [f"key-of-year-{year}-".ljust(32, "x") for year in (10, 5, 0)]


def test_after_ten_years_the_whole_chat_is_there_and_goes_on(serve: Serve, record: Record) -> None:
    server = serve(SECRET_KEYS=json.dumps(KEYS[2:]))
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    for person in (ann, robin):
        person.leaves()
    years_pass(server, record, ann, robin)

    server.stop()
    server.settings["SECRET_KEYS"] = json.dumps(KEYS)
    server.start()
    phone = ann.on_another_device()
    resume = phone.copy.resume
    assert phone.welcome_bytes <= WELCOME_BYTES
    assert resume["head"] == EVENTS
    assert resume["gap"] == {"from": 1, "to": EVENTS - RESUME_EVENTS}
    assert [event["seq"] for event in resume["events"]] == list(range(EVENTS - RESUME_EVENTS + 1, EVENTS + 1))

    phone.until(lambda: len(phone.copy.events) == EVENTS, "the whole chat", FILL_PATIENCE_S)
    pages = [line["seq"] for line in record.lines if line["ev"] == "apply" and line["how"] == "page"]
    firsts = pages[::PAGE]
    assert len(pages) == EVENTS - RESUME_EVENTS
    assert all(later == earlier - PAGE for earlier, later in pairwise(firsts[:-1])), "older pages came first"

    phone.closes()
    phone.sees_status("closed", thread=1)
    ack = phone.says("It is I, ten years later", reopen=True)
    assert ack["seq"] == EVENTS + 3
    phone.sees_status("open", "waiting", thread=2)
    phone.catches_up(EVENTS + 3)
    assert check(record.lines, read_dump(server.database_url)) == []


def years_pass(server: Server, record: Record, *people: Person) -> None:
    """The people of a chat say something each day, until it has all its events."""
    ann = people[0]
    words: list[Said] = []
    for day, person in zip(range(ann.copy.high + 2, EVENTS), cycle(people), strict=False):
        words.append(("message", person.me, new_id(), {"text": f"Day {day}"}))
        _, by, id, data = words[-1]
        told = {"chat": ann.chat, "stream": "public", "by": by, "id": id, "prev": None, "data": data}
        record.add("compose", person.actor, f"old tab of {person.actor}", **told)
    append(server.database_url, ann.chat, words)
