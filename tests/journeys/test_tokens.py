"""Stolen, forged, old and busy tokens: the wrong ones open nothing and get one answer, a right one always opens."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from itsdangerous import URLSafeSerializer

from history.times import new_id
from resume.tokens import Claim, Tokens
from tests.checker import check
from tests.conftest import Serve
from tests.dump import everything, read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.resume.peer import Peer, text_frame
from tests.servers import Server

OLDEST, OLD, NEW, FOREIGN = (f"{name}-key-".ljust(32, "x") for name in ("oldest", "old", "new", "foreign"))
LIVE = "/api/v1/live"
PARALLEL = 20
NOT_VALID = {"type": "bye", "code": 4201, "detail": "The token is not valid"}

Two = tuple[Server, Server]


def restarted_with(server: Server, *keys: str) -> Server:
    server.stop()
    server.settings["SECRET_KEYS"] = json.dumps(keys)
    server.start()
    return server


def test_twenty_tabs_with_one_token_are_all_let_in_and_none_is_put_out(doors: Two, record: Record) -> None:
    ann = Customer(record, "Ann").starts(doors[0], "Hello")
    robin = Agent(record, "Robin").signs_in(doors[1])
    robin.accepts(ann.chat)
    tabs = [Customer(record, "Ann") for _ in range(PARALLEL)]

    def open_tab(number: int) -> None:
        tab = tabs[number]
        tab.token, tab.chat = ann.token, ann.chat
        tab.comes_back(doors[number % 2])

    with ThreadPoolExecutor(PARALLEL) as threads:
        list(threads.map(open_tab, range(PARALLEL)))
    robin.says("There are many of you")
    for tab in (ann, *tabs):
        tab.sees("There are many of you")
        assert "token" not in tab.welcome, "no right has changed"
    tabs[0].says("We are one")
    for tab in (ann, *tabs):
        tab.sees("We are one")
        tab.catches_up(robin.copy.high)
    robin.sees("We are one")
    assert check(record.lines, read_dump(doors[0].database_url)) == []


def test_a_welcome_that_is_lost_again_and_again_costs_nothing(doors: Two, record: Record) -> None:
    ann = Customer(record, "Ann").starts(doors[0], "Hello")
    ann.leaves()
    hello = json.dumps({"type": "hello", "token": ann.token, "chats": ann.positions(), "tab": ann.tab})
    for number in range(PARALLEL):
        address = ("127.0.0.1", doors[number % 2].port)
        Peer.connects(address, behind=text_frame(hello), path=LIVE).vanishes()
    for door in doors:
        ann.comes_back(door)
        ann.says(f"I am still I, at {door.port}")
    assert check(record.lines, read_dump(doors[0].database_url)) == []


FORGERIES: dict[str, Callable[[str, Claim, Claim], str]] = {
    "a made-up secret under the right key, which was stolen": lambda _token, claim, _other: sealed(
        NEW, Claim(claim.session_id, "s" * 43, claim.generation)
    ),
    "the right secret under another key": lambda _token, claim, _other: sealed(FOREIGN, claim),
    "one's own secret for somebody else's session": lambda _token, claim, other: sealed(
        NEW, Claim(other.session_id, claim.secret, claim.generation)
    ),
    "a session that is not there": lambda _token, claim, _other: sealed(NEW, Claim(new_id(), claim.secret, 1)),
    "a seal that was made for something else": lambda _token, claim, _other: str(
        URLSafeSerializer(NEW, salt="stillhere.other").dumps([claim.session_id, claim.secret, 1])
    ),
    "no seal": lambda token, _claim, _other: token.rpartition(".")[0],
    "another letter in it": lambda token, _claim, _other: f"{token[:20]}{'A' if token[20] != 'A' else 'B'}{token[21:]}",
    "its end cut off": lambda token, _claim, _other: token[:-1],
    "numbers in the place of texts": lambda _token, _claim, _other: str(
        URLSafeSerializer(NEW, salt="stillhere.resume").dumps([1, 2, 3])
    ),
}


def sealed(key: str, claim: Claim) -> str:
    return Tokens([key]).seal(claim)


@pytest.fixture
def locked_door(serve: Serve) -> Server:
    return serve(SECRET_KEYS=json.dumps([NEW, OLD, OLDEST]))


def test_every_forgery_gets_the_same_answer_and_opens_nothing(locked_door: Server, record: Record) -> None:
    ann, ben = (Customer(record, name).starts(locked_door, "Hello") for name in ("Ann", "Ben"))
    claims = [Tokens([NEW]).open(person.token) for person in (ann, ben)]
    before = everything(locked_door.database_url)
    for what, forge in FORGERIES.items():
        thief = Customer(Record(), "Thief")
        thief.server, thief.token = locked_door, forge(ann.token, claims[0], claims[1])
        thief.dials(locked_door, {})
        thief.tells(type="hello", token=thief.token, chats=[{"chat": ann.chat, "have": 0}])
        thief.is_shut_out(4201)
        assert thief.bye == NOT_VALID, what
        answer = thief.asks("GET", f"/chats/{ann.chat}")
        assert (answer.status, answer.json["code"], answer.json["detail"]) == (401, "unauthorized", NOT_VALID["detail"])
    assert everything(locked_door.database_url) == before
    ann.pings()
    assert check(record.lines, read_dump(locked_door.database_url)) == []


def test_a_key_that_was_retired_strands_nobody(locked_door: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(locked_door, "Hello")
    ann.leaves()
    claim = Tokens([NEW]).open(ann.token)
    for key in (OLD, OLDEST):
        ann.on_another_device(sealed(key, claim)).leaves()

    restarted_with(locked_door, FOREIGN)
    record.revoked(ann.actor, ann.tab)
    ann.dials(locked_door, {})
    ann.tells(type="hello", token=ann.token)
    ann.is_shut_out(4201)
    restarted_with(locked_door, FOREIGN, NEW)
    ann.comes_back()
    ann.says("The key was only mislaid")
    assert check(record.lines, read_dump(locked_door.database_url)) == []
