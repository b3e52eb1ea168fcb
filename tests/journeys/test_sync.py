"""Without WebSocket all of it works by long polls, and whoever changes between the two loses nothing."""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from select import select
from typing import Any

import pytest

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.copies import GENESIS_HASH, Frame
from tests.dump import everything, read_dump
from tests.people import Agent, Customer
from tests.polling import PATH, PollingAgent, PollingCustomer, begin_poll, end_poll, poll
from tests.record import Record
from tests.servers import Server
from tests.web import ask

Two = tuple[Server, Server]
PATIENCE_S = 15


def hello(person: Customer) -> Frame:
    return {"type": "hello", "token": person.token, "chats": person.positions()}


def types(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def test_a_whole_talk_by_polls_alone(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Where is my parcel?")
    robin = PollingAgent(record, "Robin").signs_in(server)
    robin.sees_waiting(ann.chat)
    robin.accepts(ann.chat)
    ann.sees_status("active")
    robin.says("It left us this morning")
    ann.sees("It left us this morning")
    ann.says("Thank you")
    seq = robin.sees("Thank you")["seq"]
    robin.reads()
    robin.pings()  # so that a poll goes out with the mark
    ann.sees_read(robin, seq)
    robin.notes("A patient one")
    robin.closes()
    ann.sees_status("closed")
    ann.says("It is still not here", reopen=True)
    robin.sees("It is still not here")
    robin.sees_status("open", "waiting", thread=2)
    for person in (ann, robin):
        person.catches_up(read_dump(server.database_url).head(ann.chat))
    assert ann.texts() == robin.texts()
    assert check(record.lines, read_dump(server.database_url)) == []


def test_each_poll_may_go_to_another_server(two_servers: Two, record: Record) -> None:
    ann = PollingCustomer(record, "Ann")
    ann.fleet = two_servers
    ann.starts(two_servers[0], "Hello")
    robin = Agent(record, "Robin").signs_in(two_servers[1])
    robin.accepts(ann.chat)
    for number in range(10):
        robin.writes(f"Robin {number}")
        ann.says(f"Ann {number}")
    robin.settles()
    ann.sees("Robin 9")
    robin.sees("Ann 9")
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert ann.texts() == robin.texts()
    assert check(record.lines, read_dump(two_servers[0].database_url)) == []


def test_changing_between_socket_and_polls_in_the_midst_of_sending_loses_nothing(
    server: Server, record: Record
) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    words = []
    for number in range(6):
        words += [f"Word {number}.{part}" for part in range(3)]
        for word in words[-3:]:
            ann.writes(word)
        robin.writes(f"Answer {number}")
        if ann.by_polls:
            ann.vanishes()
        ann.by_polls = not ann.by_polls
        ann.comes_back()
    ann.settles()
    robin.settles()
    ann.sees("Answer 5")
    robin.sees(words[-1])
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert [text for text in ann.texts() if text.startswith("Word")] == words
    assert check(record.lines, read_dump(server.database_url)) == []


def test_what_was_sent_in_a_poll_that_got_no_response_is_sent_again_and_once_there(
    server: Server, record: Record
) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    message_id = new_id()
    ann.composes(ann.chat, {"text": "Did this arrive?"}, message_id)
    cut = begin_poll(server.port, [hello(ann), ann.composed[message_id].frame])
    robin.sees("Did this arrive?")
    cut.close()
    assert ann.answer_to(message_id)["duplicate"]
    assert read_dump(server.database_url).said(ann.chat) == ["Hello", "Did this arrive?"]
    assert check(record.lines, read_dump(server.database_url)) == []


def test_a_poll_waits_for_news_and_not_for_what_is_known(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    assert types(poll(server.port, [hello(ann)], 1500).json["frames"]) == ["welcome"]
    waiting = begin_poll(server.port, [hello(ann)])
    ann.asks("POST", f"/chats/{ann.chat}/messages", {"id": new_id(), "data": {"text": "By another way"}})
    welcome, *news = end_poll(waiting)
    texts = [event["data"].get("text") for event in [*welcome["chats"][0]["events"], *news] if "data" in event]
    assert texts == ["By another way"]


def test_a_new_device_is_told_at_once_what_there_is(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    frames = end_poll(begin_poll(server.port, [{"type": "hello", "token": ann.token}]))
    assert [event["data"].get("text") for event in frames[0]["chats"][0]["events"]][-1] == "Hello"


def test_all_that_was_asked_is_answered_in_order_and_a_welcome_comes_first(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    ids = [new_id() for _ in range(3)]
    sends = [
        {"type": "send", "chat": ann.chat, "id": id, "prev": prev, "data": {"text": id}}
        for id, prev in zip(ids, [None, *ids], strict=False)
    ]
    bad = {"type": "send", "chat": ann.chat, "id": "bad"}
    get = {"type": "get", "chat": ann.chat, "after": 0, "limit": 1}
    frames = poll(server.port, [hello(ann), *sends, bad, get]).json["frames"]
    assert types(frames)[0] == "welcome"
    assert [frame["id"] for frame in frames if frame["type"] == "ack"] == ids
    assert [frame["id"] for frame in frames if frame["type"] == "nack"] == ["bad"]
    assert [len(frame["events"]) for frame in frames if frame["type"] == "page"] == [1]


GREETING = {"type": "hello", "token": "TOKEN", "chats": []}

BAD: list[tuple[str, Any, int, str]] = [
    ("not JSON", b"{", 422, "JSON"),
    ("a list", [], 422, "object"),
    ("no frames", {"wait_ms": 0}, 422, "frames"),
    ("frames that are no list", {"frames": {}, "wait_ms": 0}, 422, "frames"),
    ("an empty list of frames", {"frames": [], "wait_ms": 0}, 422, "frames"),
    ("too many frames", {"frames": [GREETING, *[{"type": "ping"}] * 50], "wait_ms": 0}, 422, "frames"),
    ("no wait_ms", {"frames": [GREETING]}, 422, "wait_ms"),
    ("a wait_ms that is a text", {"frames": [GREETING], "wait_ms": "0"}, 422, "wait_ms"),
    ("a wait_ms that is true", {"frames": [GREETING], "wait_ms": True}, 422, "wait_ms"),
    ("a negative wait_ms", {"frames": [GREETING], "wait_ms": -1}, 422, "wait_ms"),
    ("a wait_ms over the limit", {"frames": [GREETING], "wait_ms": 25_001}, 422, "wait_ms"),
    ("no hello", {"frames": [{"type": "ping"}], "wait_ms": 0}, 422, "hello"),
    ("a hello with bad chats", {"frames": [GREETING | {"chats": [1]}], "wait_ms": 0}, 422, "chats"),
    ("a frame that is a text", {"frames": [GREETING, "ping"], "wait_ms": 0}, 422, "type"),
    ("a frame without a type", {"frames": [GREETING, {}], "wait_ms": 0}, 422, "type"),
    ("a frame over 64 KiB", {"frames": [GREETING, {"type": "x", "y": "z" * 65536}], "wait_ms": 0}, 413, "frame"),
    ("a body over 128 KiB", {"frames": [GREETING, {"type": "x", "y": "z" * 131072}], "wait_ms": 0}, 413, ""),
]


@pytest.mark.parametrize(("body", "status", "word"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_request_is_refused_by_name_and_changes_nothing(
    server: Server, record: Record, body: Any, status: int, word: str
) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    send = {"type": "send", "chat": ann.chat, "id": new_id(), "prev": None, "data": {"text": "Never"}}
    if isinstance(body, dict) and isinstance(body.get("frames"), list):
        frames = [hello(ann) | frame | {"token": ann.token} if frame == GREETING else frame for frame in body["frames"]]
        body = body | {"frames": [*frames, send] if 0 < len(frames) < 50 else frames}
    before = everything(server.database_url)
    answer = ask(server.port, "POST", PATH, body)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json["code"] == ("too_big" if status == 413 else "invalid")
    assert word in answer.json["detail"]
    assert everything(server.database_url) == before


def test_other_methods_other_types_and_other_peoples_pages_are_refused(server: Server) -> None:
    body = {"frames": [{"type": "hello", "token": "x"}], "wait_ms": 0}
    assert ask(server.port, "GET", PATH).status == 405
    assert ask(server.port, "POST", PATH, body, Content_Type="text/plain").status == 415
    assert ask(server.port, "POST", PATH, body, Origin="https://evil.example").status == 403


def test_whoever_cannot_come_in_is_told_as_on_a_socket(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    send = {"type": "send", "chat": ann.chat, "id": new_id(), "prev": None, "data": {"text": "Never"}}
    before = everything(server.database_url)
    for token, code in (("no such token", 4201), (None, 4201)):
        answer = poll(server.port, [{"type": "hello", "token": token}, send], 25_000)
        assert answer.status == 200
        assert [(frame["type"], frame["code"]) for frame in answer.json["frames"]] == [("bye", code)]
    elsewhere = {"type": "hello", "token": ann.token, "chats": [{"chat": new_id(), "have": 0, "hash": GENESIS_HASH}]}
    assert [frame["code"] for frame in poll(server.port, [elsewhere]).json["frames"]] == [4304]
    assert everything(server.database_url) == before


def test_a_conversation_that_breaks_the_rules_ends_in_the_response(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    welcome, bye = poll(server.port, [hello(ann), hello(ann)], 25_000).json["frames"]
    assert (welcome["type"], bye["type"], bye["code"]) == ("welcome", "bye", 4000)


def test_waiting_polls_hold_no_request_thread(serve: Serve, record: Record) -> None:
    server = serve(THREADS="2")
    people = [PollingCustomer(record, f"Customer {number}").starts(server, "Hello") for number in range(50)]
    polls = [begin_poll(server.port, [hello(one)]) for one in people]
    for one in people:
        one.asks("POST", f"/chats/{one.chat}/messages", {"id": new_id(), "data": {"text": "All the same"}})
    for waiting in polls:
        assert "All the same" in json.dumps(end_poll(waiting))


def test_a_peer_that_goes_away_makes_room(serve: Serve, record: Record) -> None:
    server = serve(MAX_CONNECTIONS="12")
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")

    polls: list[HTTPConnection] = []

    def is_full() -> bool:
        polls.append(begin_poll(server.port, [hello(ann)]))
        if not select([polls[-1].sock], [], [], 0.1)[0]:
            return False
        with polls[-1].getresponse() as response:
            return response.status == 503

    try:
        wait_until(is_full)
    finally:
        for waiting in polls:
            waiting.close()
    wait_until(lambda: poll(server.port, [hello(ann)]).status == 200)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin_seen_poll(ann: PollingCustomer, greeting: Frame) -> HTTPConnection:
    """A poll that waits, and is known to: an agent has seen what it brought."""
    robin = Agent(ann.record, "Robin").signs_in(ann.server)
    robin.enters(ann.chat)
    waiting = begin_poll(ann.server.port, [greeting, {"type": "typing", "chat": ann.chat, "on": True}])
    robin.sees_typing(ann)
    return waiting


def test_a_new_poll_of_a_tab_takes_the_place_of_the_one_that_waits(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    greeting = hello(ann) | {"tab": ann.tab}
    waiting = begin_seen_poll(ann, greeting)
    assert types(poll(server.port, [greeting]).json["frames"]) == ["welcome"]
    welcome, bye = end_poll(waiting)
    assert (welcome["type"], bye["type"], bye["code"]) == ("welcome", "bye", 4002)


def test_a_server_that_stops_says_so_in_the_response(serve: Serve, record: Record) -> None:
    server = serve()
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    waiting = begin_seen_poll(ann, hello(ann))
    server.stop()
    frames = end_poll(waiting)
    assert frames[-1]["type"] == "bye"
    assert frames[-1]["code"] == 1012


def test_a_customer_who_polls_is_here_between_polls(server: Server, record: Record) -> None:
    ann = PollingCustomer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    ann.catches_up(robin.copy.high)
    robin.sees_online(ann, True)
