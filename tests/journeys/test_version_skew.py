"""Clients and servers of different days talk: what one does not know it ignores, and nobody loses their place by it."""

from pathlib import Path
from typing import Any

from history.times import new_id
from tests.checker import check
from tests.dump import everything, read_dump
from tests.log_writer import Said, append
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server, run_command

Two = tuple[Server, Server]

UNKNOWN: list[dict[str, Any]] = [
    {"type": "dance", "chat": "CHAT", "id": "d" * 20, "steps": 3},
    {"type": "Send", "chat": "CHAT", "id": "d" * 20, "data": {"text": "Not a send"}},
    {"type": ""},
    {"type": "welcome"},
    {"type": "ack", "chat": "CHAT", "id": "d" * 20, "seq": 1},
    {"type": "toString"},
    {"type": "__class__", "__proto__": {}},
]


def pair(doors: Two, record: Record) -> tuple[Customer, Agent]:
    """Ann and Robin in an active chat, each at another server."""
    ann = Customer(record, "Ann").starts(doors[0], "Hello")
    robin = Agent(record, "Robin").signs_in(doors[1])
    robin.accepts(ann.chat)
    ann.sees_status("active")
    return ann, robin


def test_frames_of_unknown_types_are_ignored(doors: Two, record: Record) -> None:
    ann, robin = pair(doors, record)
    before = everything(doors[0].database_url)
    for person in (ann, robin):
        for frame in UNKNOWN:
            person.tells(**{key: ann.chat if value == "CHAT" else value for key, value in frame.items()})
        person.pings()
        assert (person.nacks, person.bye) == ([], {})
    assert everything(doors[0].database_url) == before
    ann.says("And on we talk")
    robin.sees("And on we talk")
    assert check(record.lines, read_dump(doors[0].database_url)) == []


def test_unknown_keys_in_known_frames_are_ignored(doors: Two, record: Record) -> None:
    ann, robin = pair(doors, record)
    later: dict[str, Any] = {"mood": "glad", "version": 2, "extra": {"deep": [1, None]}}
    ann.welcome = {}
    ann.dials(ann.server, {})
    ann.tells(type="hello", token=ann.token, chats=[position | later for position in ann.positions()], **later)
    ann.until(lambda: bool(ann.welcome), "a welcome")
    ann.says("From a later client", **later)
    robin.sees("From a later client")
    ann.tells(type="read", chat=ann.chat, seq=ann.copy.high, **later)
    robin.sees_read(ann, ann.copy.high)
    ann.tells(type="typing", chat=ann.chat, on=True, **later)
    robin.sees_typing(ann)
    robin.tells(type="pong", n=0, have={robin.chat: 1}, **later)
    robin.does("close", **later)
    ann.sees_status("closed")
    assert (ann.nacks, robin.nacks) == ([], [])
    assert check(record.lines, read_dump(doors[0].database_url)) == []


def stickers(by: str, count: int) -> list[Said]:
    """Events of a kind that no server knows yet."""
    return [("sticker", by, new_id(), {"name": f"cat {number}"}) for number in range(count)]


def test_events_of_unknown_kinds_are_kept_and_take_their_numbers(doors: Two, record: Record, tmp_path: Path) -> None:
    ann, robin = pair(doors, record)
    url = doors[0].database_url
    head = ann.copy.high
    append(url, ann.chat, stickers(robin.me, 3))
    for person in (ann, robin):
        person.catches_up(head + 3)
        assert [person.copy.events[head + 1 + n]["kind"] for n in range(3)] == ["sticker"] * 3
    assert ann.says("I see nothing")["seq"] == head + 4
    ann.vanishes()
    append(url, ann.chat, stickers(robin.me, 60))
    ann.comes_back(doors[1])
    ann.says("Still nothing")
    tablet = ann.on_another_device()
    for person in (ann, robin, tablet):
        person.catches_up(head + 65)
        assert person.texts() == ["Hello", "I see nothing", "Still nothing"]

    assert ann.asks("GET", f"/chats/{ann.chat}/transcript").status == 200
    file = tmp_path / "transcript.json"
    file.write_bytes(ann.asks("GET", f"/chats/{ann.chat}/transcript?format=json").body)
    verified = run_command(tmp_path, "verify", str(file))
    assert verified.returncode == 0, verified.stdout
    assert check(record.lines, read_dump(url)) == []
