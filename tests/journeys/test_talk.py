"""The main job without accidents: a customer and an agent talk, end, and talk on."""

from tests.checker import check
from tests.dump import read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server


def test_a_whole_talk_is_seen_by_both_as_the_log_has_it(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Where is my parcel?", email="ann@example.com")
    robin = Agent(record, "Robin").signs_in(server)
    assert robin.sees_waiting(ann.chat)["customer"]["name"] == "Ann"

    robin.accepts(ann.chat)
    robin.sees_waiting(ann.chat, waiting=False)
    ann.sees_status("active")
    assert ann.copy.state["agent"] == {"id": robin.me, "name": "Robin"}

    ann.sees_here(robin)
    robin.sees_here(ann)

    ann.types()
    robin.sees_typing(ann)
    ann.types(on=False)
    robin.sees_typing(ann, on=False)

    robin.says("It left us this morning")
    ann.sees("It left us this morning")
    ann.says("Thank you")
    seq = robin.sees("Thank you")["seq"]
    robin.reads()
    ann.sees_read(robin, seq)

    robin.closes()
    ann.sees_status("closed")
    ann.says("It is still not here", reopen=True)
    robin.sees("It is still not here")
    robin.sees_status("open", "waiting", thread=2)
    assert robin.sees_waiting(ann.chat)["last"]["text"] == "It is still not here"
    robin.accepts()
    robin.says("I will ask the carrier")
    ann.sees("I will ask the carrier")
    ann.sees_status("active", thread=2)

    assert (
        ann.texts()
        == robin.texts()
        == [
            "Where is my parcel?",
            "It left us this morning",
            "Thank you",
            "It is still not here",
            "I will ask the carrier",
        ]
    )
    assert check(record.lines, read_dump(server.database_url)) == []
