"""Wrong eyes: a chat that is not one's own looks like one that is not there, at every door and in every word."""

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.device import SUBPROTOCOL
from tests.dump import everything, read_dump
from tests.people import Agent, Customer, Person
from tests.record import Record
from tests.servers import Server, run_command
from tests.web import Answer, ask

SHOP = "https://shop.example"
MESSAGE_ID = "m" * 20
SECRET = "Between us: a difficult customer"
LAST_SEQ = 2**53 - 1

Two = tuple[Server, Server]

FRAMES: list[dict[str, Any]] = [
    {"type": "send", "id": MESSAGE_ID, "prev": None, "data": {"text": "Hi"}},
    {"type": "send", "id": MESSAGE_ID, "prev": None, "data": {"text": "Hi"}, "reopen": True},
    {"type": "send", "id": MESSAGE_ID, "prev": None, "data": {"text": "Hi"}, "stream": "internal"},
    {"type": "send", "id": MESSAGE_ID, "prev": "p" * 20, "data": {"text": "Hi"}},
    {"type": "get", "after": 0, "limit": 200},
    {"type": "get", "before": LAST_SEQ},
    {"type": "get", "after": 0, "stream": "internal"},
    {"type": "read", "seq": 1},
    {"type": "typing", "on": True},
    *(
        {"type": "act", "id": MESSAGE_ID, "action": action, "data": {"score": 5}}
        for action in ("close", "reopen", "rate", "accept", "release", "explode")
    ),
    {"type": "act", "id": MESSAGE_ID, "action": "close", "expect_rev": 1},
]

REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/events", None),
    ("GET", "/events?after=0&limit=200", None),
    ("GET", f"/events?before={LAST_SEQ}", None),
    ("GET", "/events?stream=internal", None),
    ("GET", "/transcript", None),
    ("GET", "/transcript?format=json&thread=1", None),
    ("GET", "/customer", None),
    ("POST", "/messages", {"id": MESSAGE_ID, "data": {"text": "Hi"}}),
    ("POST", "/messages", {"id": MESSAGE_ID, "data": {"text": "Hi"}, "stream": "internal"}),
    *(
        ("POST", "/actions", {"id": MESSAGE_ID, "action": action})
        for action in ("close", "reopen", "accept", "release", "explode")
    ),
]


@pytest.fixture
def strangers(doors: Two, record: Record) -> tuple[Customer, Customer]:
    """Ann, and Ben with a chat that she must not know of; an agent has written a note in each."""
    here, there = doors
    ann, ben = (Customer(record, name).starts(there, f"I am {name}") for name in ("Ann", "Ben"))
    robin = Agent(record, "Robin").signs_in(here)
    for customer in (ann, ben):
        robin.accepts(customer.chat)
        robin.notes(SECRET)
        robin.says("What can I do for you?")
        customer.sees("What can I do for you?")
    ann.comes_back(here)
    return ann, ben


def nacked(person: Person, frame: dict[str, Any], chat: str) -> str:
    """What a frame for a chat is answered, without the chat's name."""
    person.nacks.clear()
    person.tells(chat=chat, **frame)
    person.until(lambda: bool(person.nacks), f"an answer to {frame}")
    return json.dumps(person.nacks[0]).replace(chat, "CHAT")


def turned_away(person: Person, chat: str) -> str:
    """How a hello for a chat ends, without the chat's name."""
    person.dials(person.server, {})
    person.tells(type="hello", token=person.token, chats=[{"chat": chat, "have": 3, "hash": "f" * 16}])
    person.is_shut_out(4304)
    return json.dumps(person.bye).replace(chat, "CHAT")


def plain(answer: Answer, chat: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without what differs from moment to moment, and without the chat's name."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "Date")
    return answer.status, headers, answer.body.replace(chat.encode(), b"CHAT")


def test_no_frame_tells_a_foreign_chat_from_none(
    doors: Two, strangers: tuple[Customer, Customer], record: Record
) -> None:
    url, (ann, ben) = doors[0].database_url, strangers
    before = everything(url)
    for frame in FRAMES:
        assert nacked(ann, frame, ben.chat) == nacked(ann, frame, new_id()), frame
    assert everything(url) == before
    assert turned_away(ann, ben.chat) == turned_away(ann, new_id())
    ann.comes_back()
    for person in (ann, ben):
        person.catches_up(read_dump(url).head(person.chat))
    assert check(record.lines, read_dump(url)) == []


def test_no_request_tells_a_foreign_chat_from_none(doors: Two, strangers: tuple[Customer, Customer]) -> None:
    url, (ann, ben) = doors[0].database_url, strangers
    before = everything(url)
    for method, path, body in REQUESTS:
        absent = new_id()
        foreign = plain(ann.asks(method, f"/chats/{ben.chat}{path}", body), ben.chat)
        assert foreign == plain(ann.asks(method, f"/chats/{absent}{path}", body), absent), path
        assert foreign[0] in (404, 422), path
    assert everything(url) == before


def test_a_hello_for_ones_own_and_a_foreign_chat_brings_the_own_one(strangers: tuple[Customer, Customer]) -> None:
    ann, ben = strangers
    for other in (ben.chat, new_id()):
        ann.dials(ann.server, {})
        ann.greets(ann.token, [{"chat": chat, "have": 0} for chat in (other, ann.chat)])
        assert [resume["chat"] for resume in ann.welcome["chats"]] == [ann.chat]


class Overheard(Customer):
    """A customer's device that keeps every word that reaches it."""

    heard = ""

    def takes(self, text: str | bytes) -> None:
        self.heard += text if isinstance(text, str) else text.decode()
        super().takes(text)


def test_a_customer_never_hears_of_notes(doors: Two, record: Record) -> None:
    here, there = doors
    ann = Overheard(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    robin.notes(SECRET)
    robin.says("One moment")
    robin.notes(f"{SECRET}!")
    ann.sees("One moment")
    for bounds in ({"after": 0}, {"before": LAST_SEQ}, {"after": LAST_SEQ}, {"before": 0}, {"after": 2, "limit": 0}):
        ann.tells(type="get", chat=ann.chat, **bounds)
        ann.pings()
    ann.vanishes()
    robin.notes(f"{SECRET}!!")
    robin.sees_note(f"{SECRET}!!")
    ann.comes_back(there)
    ann.says("Are you there?")
    assert SECRET not in ann.heard and "internal" not in ann.heard

    pages = ["", "/events", "/events?after=0", "/events?before=100", "/transcript"]
    pages += [f"/transcript?format={form}" for form in ("html", "json")]
    for answer in [ann.asks("GET", "/chats"), *(ann.asks("GET", f"/chats/{ann.chat}{page}") for page in pages)]:
        assert answer.status == 200
        assert SECRET not in answer.body.decode()
    assert robin.asks("GET", f"/chats/{ann.chat}/events?stream=internal").json["head"] == 3
    dump = read_dump(here.database_url)
    for person in (ann, robin):
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, dump) == []


@pytest.fixture
def cookie(serve: Serve) -> tuple[Server, str]:
    """A server whose widget a shop may frame, and the cookie of an agent at its desk."""
    server = serve(ALLOWED_ORIGINS=json.dumps([SHOP]))
    for command in (("agent", "add", "Mira", "mira@example.com"), ("agent", "sign-in", "mira@example.com")):
        done = run_command(server.folder, *command, DATABASE_URL=server.database_url)
        assert done.returncode == 0, done.stderr
    secret = done.stdout.strip().partition("#")[2]
    answer = ask(server.port, "POST", "/desk/sign-in", {"secret": secret}, Origin=f"http://127.0.0.1:{server.port}")
    assert answer.status == 200, answer
    return server, answer.headers["Set-Cookie"].partition(";")[0]


def test_a_foreign_page_can_do_nothing_with_an_agents_cookie(cookie: tuple[Server, str], record: Record) -> None:
    server, value = cookie
    ann = Customer(record, "Ann").starts(server, "Hello")
    before = everything(server.database_url)
    ours = f"http://127.0.0.1:{server.port}"
    body = {"id": MESSAGE_ID, "data": {"text": "I am the agent"}}
    for origin in ("https://evil.example", "null", SHOP, f"{ours}.evil.example", None):
        from_there = {"Origin": origin} if origin else {}
        with pytest.raises(InvalidStatus) as refused:
            dial(server, Cookie=value, **from_there)
        assert refused.value.response.status_code == 403
        posted = ask(server.port, "POST", f"/api/v1/chats/{ann.chat}/messages", body, Cookie=value, **from_there)
        assert (posted.status, posted.json["code"]) == (403, "forbidden")
        seen = ask(server.port, "GET", "/api/v1/queue", Cookie=value, **from_there)
        assert "Access-Control-Allow-Origin" not in seen.headers
    assert everything(server.database_url) == before
    dial(server, Cookie=value, Origin=ours)
    dial(server, Origin=SHOP)
    assert ask(server.port, "POST", f"/api/v1/chats/{ann.chat}/messages", body, Cookie=value, Origin=ours).status == 201


def dial(server: Server, **headers: str) -> None:
    """Opens a socket and closes it. Raises InvalidStatus when the handshake is refused."""
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    with connect(url, subprotocols=[SUBPROTOCOL], additional_headers=headers, proxy=None):  # type: ignore[list-item]
        pass
