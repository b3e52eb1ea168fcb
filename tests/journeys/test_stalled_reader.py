"""A device stops reading while much is written in its chat: it is dropped in time, nobody else notices, and when it
comes back it has all of it.
"""

import json

from tests.checker import check
from tests.conftest import Serve
from tests.copies import Copy
from tests.dump import read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.resume.peer import Peer, text_frame

LIVE = "/api/v1/live"
FLOOD = 500
TEXT = "x" * 15_000
"""So many of these are more than the system keeps for somebody who does not read."""

SLOW_READER = 4001


def test_whoever_does_not_read_is_dropped_and_loses_nothing(serve: Serve, record: Record) -> None:
    server = serve(CONNECTIONS_PER_SESSION="2")
    ann = Customer(record, "Ann").starts(server, "Hello")
    ben = Customer(record, "Ben").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ben.chat)
    stalled = record.new_tab()
    hello = json.dumps({"type": "hello", "token": ann.token, "chats": [], "tab": stalled})
    peer = Peer.connects(("127.0.0.1", server.port), behind=text_frame(hello), path=LIVE)
    assert "welcome" in peer.hears()

    for number in range(FLOOD):
        ann.writes(f"{number} {TEXT}")
        if number % 50 == 0:
            robin.says(f"Calm {number}")
            ben.sees(f"Calm {number}")
    ann.settles()
    record.stalled(ann.actor, stalled)
    ann.until(lambda: comes_in(ann), "room for one more device")
    record.add("close", ann.actor, stalled, code=SLOW_READER)
    peer.vanishes()

    tablet = Customer(record, "Ann")
    tablet.server, tablet.token, tablet.chat = server, ann.token, ann.chat
    tablet.copies[ann.chat] = Copy(me=ann.me)
    tablet.comes_back()
    head = read_dump(server.database_url).head(ann.chat)
    for device in (ann, tablet):
        device.catches_up(head)
    assert tablet.texts() == ann.texts()
    ben.catches_up(robin.copy.high)
    assert check(record.lines, read_dump(server.database_url)) == []


def comes_in(ann: Customer) -> bool:
    """Whether one more device of Ann's gets in; it leaves again."""
    other = Customer(Record(), ann.actor)
    other.dials(ann.server, {})
    other.tells(type="hello", token=ann.token)
    other.until(lambda: bool(other.welcome or other.bye), "an answer")
    other.leaves()
    return bool(other.welcome)
