"""Bad input at every door: each gets a clear answer with the promised code, and changes nothing in the database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import text
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from history.times import new_id
from tests.checker import check
from tests.dump import connected, everything, read_dump
from tests.people import Agent, Customer, Refused
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

BIG_TEXT = "ü" * (8 * 1024 + 1)
BIG_BODY = b'{"id": "' + b"x" * (200 * 1024) + b'"}'
NEW_ID = "x" * 20
MEMBERS = {"type", "title", "status", "detail", "code"}


@dataclass
class Stage:
    """Ann's closed chat, Ben's chat that is none of hers, and Robin at the desk. Refusals leave it as it is."""

    server: Server
    ann: Customer
    ben: Customer
    robin: Agent
    first_id: str

    def fill(self, value: Any) -> Any:
        """`value` with the names of chats and messages in the place of MINE, FOREIGN and FIRST."""
        text = json.dumps(value)
        names = {"MINE": self.ann.chat, "FOREIGN": self.ben.chat, "FIRST": self.first_id}
        for name, real in names.items():
            text = text.replace(name, real)
        return json.loads(text)


@pytest.fixture(scope="module")
def stage(server: Server) -> Iterator[Stage]:
    record = Record()
    ann = Customer(record, "Ann").starts(server, "Hello")
    ben = Customer(record, "Ben").starts(server, "Hello, I am another")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.closes()
    ann.sees_status("closed")
    yield Stage(server, ann, ben, robin, next(iter(ann.composed)))
    for driver in record.drivers:
        driver.hangs_up()


@contextmanager
def nothing_changes(server: Server) -> Iterator[None]:
    before = everything(server.database_url)
    yield
    assert everything(server.database_url) == before


def frame(type: str, **fields: Any) -> dict[str, Any]:
    """A frame of this type for Ann's chat; a field that is None is left out."""
    usual = {"chat": "MINE", "id": new_id()} if type in ("send", "act") else {"chat": "MINE"}
    return {name: value for name, value in ({"type": type} | usual | fields).items() if value is not None}


def send(text: Any = "Hi", **fields: Any) -> dict[str, Any]:
    return frame("send", **({"prev": None, "data": {"text": text}} | fields))


NACKED: list[tuple[str, dict[str, Any], str]] = [
    ("no id", send(id=None) | {"id": None}, "invalid"),
    ("a short id", send(id="short"), "invalid"),
    ("an id with other characters", send(id="ä" * 20), "invalid"),
    ("a long id", send(id="x" * 37), "invalid"),
    ("no data", frame("send"), "invalid"),
    ("data that is a text", send(data="Hi"), "invalid"),
    ("a blank text", send(" \n\t "), "invalid"),
    ("a text that is a number", send(7), "invalid"),
    ("a text over the limit", send(BIG_TEXT), "too_big"),
    ("an unknown stream", send(stream="secret"), "invalid"),
    ("a prev that is a number", send(prev=7), "invalid"),
    ("a reply to nothing", send(data={"text": "Hi", "reply_to": -1}), "invalid"),
    ("files that are not there", send(data={"text": "Hi", "attachments": [{"id": "x"}]}), "invalid"),
    ("a message without the one before", send(prev="y" * 20, reopen=True), "prev_missing"),
    ("a message in a closed chat", send(), "closed"),
    ("other words under a known id", send("Other words", id="FIRST"), "id_conflict"),
    ("a message in a foreign chat", send(chat="FOREIGN"), "forbidden"),
    ("a message in no chat", send(chat="no-such-chat"), "forbidden"),
    ("a chat that is a number", send(chat=7), "invalid"),
    ("a note by a customer", send(stream="internal"), "forbidden"),
    ("a get without a bound", frame("get"), "invalid"),
    ("a get with both bounds", frame("get", after=1, before=2), "invalid"),
    ("a get with a text as limit", frame("get", after=0, limit="all"), "invalid"),
    ("a get of a foreign chat", frame("get", chat="FOREIGN", after=0), "forbidden"),
    ("a get of notes by a customer", frame("get", stream="internal", after=0), "forbidden"),
    ("a mark that is a text", frame("read", seq="all"), "invalid"),
    ("a mark below nothing", frame("read", seq=-1), "invalid"),
    ("a mark in a foreign chat", frame("read", chat="FOREIGN", seq=1), "forbidden"),
    ("typing in a foreign chat", frame("typing", chat="FOREIGN", on=True), "forbidden"),
    ("an act without an action", frame("act"), "invalid"),
    ("an unknown action", frame("act", action="explode"), "invalid"),
    ("an acceptance by a customer", frame("act", action="accept"), "forbidden"),
    ("a release by a customer", frame("act", action="release"), "forbidden"),
    ("a close in a foreign chat", frame("act", action="close", chat="FOREIGN"), "forbidden"),
    ("a score over five", frame("act", action="rate", data={"score": 6}), "invalid"),
    ("a score that is a text", frame("act", action="rate", data={"score": "good"}), "invalid"),
    ("a view that is old", frame("act", action="reopen", expect_rev=1), "conflict"),
    ("a watch by a customer", {"type": "watch", "chats": [{"chat": "FOREIGN", "have": 0}]}, "forbidden"),
    ("the queue for a customer", {"type": "queue"}, "forbidden"),
]


@pytest.mark.parametrize(("sent", "code"), [pytest.param(sent, code, id=what) for what, sent, code in NACKED])
def test_a_bad_frame_gets_a_nack_and_the_connection_lives(stage: Stage, sent: Any, code: str) -> None:
    ann = stage.ann
    with nothing_changes(stage.server):
        ann.nacks.clear()
        ann.tells(**stage.fill(sent))
        ann.until(lambda: bool(ann.nacks), "a nack")
    nack = ann.nacks[0]
    assert (nack["code"], bool(nack["detail"])) == (code, True)
    assert nack["retry"] is (code == "prev_missing")
    assert nack.get("need") == ("y" * 20 if code == "prev_missing" else None)
    assert ("state" in nack) is (code == "conflict")
    ann.pings()


CLOSED: list[tuple[str, str | bytes, int]] = [
    ("no JSON", "hello", 4000),
    ("a list", "[]", 4000),
    ("no type", "{}", 4000),
    ("half a surrogate", '{"type":"hello","token":"\\ud800"}', 4000),
    ("another frame than hello", '{"type":"ping","n":1}', 4000),
    ("a token that is a number", '{"type":"hello","token":7}', 4000),
    ("a tab that is a number", '{"type":"hello","token":"x","tab":7}', 4000),
    ("a tab with a long name", '{"type":"hello","token":"x","tab":"' + "x" * 17 + '"}', 4000),
    ("chats that are no list", '{"type":"hello","token":"x","chats":"all"}', 4000),
    ("bytes", b'{"type":"hello"}', 4000),
    ("a deep nest", "[" * 60_000, 4000),
    ("no token", '{"type":"hello"}', 4201),
    ("a made-up token", '{"type":"hello","token":"made-up"}', 4201),
    ("a frame over 64 KiB", '{"type":"' + "x" * 65536 + '"}', 1009),
]


@pytest.mark.parametrize(("sent", "code"), [pytest.param(sent, code, id=what) for what, sent, code in CLOSED])
def test_a_bad_beginning_closes_with_its_code(stage: Stage, record: Record, sent: str | bytes, code: int) -> None:
    stranger = Customer(record, "Stranger")
    with nothing_changes(stage.server):
        stranger.dials(stage.server, {})
        stranger.tells_raw(sent)
        stranger.is_shut_out(code)
    if isinstance(sent, str) and code != 1009:
        assert stranger.bye["code"] == code
        assert stranger.bye["detail"]


def test_whoever_says_nothing_is_closed_after_five_seconds(stage: Stage, record: Record) -> None:
    stranger = Customer(record, "Stranger")
    stranger.dials(stage.server, {})
    stranger.is_shut_out(4008)


def test_a_second_hello_ends_the_connection(stage: Stage, record: Record) -> None:
    other = stage.ann.on_another_device()
    other.tells(type="hello", token=stage.ann.token)
    other.is_shut_out(4000)


def test_a_foreign_chat_is_no_chat(stage: Stage, record: Record) -> None:
    stranger = Customer(record, "Stranger")
    stranger.dials(stage.server, {})
    with nothing_changes(stage.server):
        stranger.tells(type="hello", token=stage.ann.token, chats=[{"chat": stage.ben.chat, "have": 0}])
        stranger.is_shut_out(4304)


def forged(token: str) -> str:
    """A token of a real session and secret under another key."""
    other = URLSafeSerializer("k" * 32, salt="stillhere.resume")
    return str(other.dumps(other.loads_unsafe(token)[1]))


def test_a_token_under_another_key_opens_nothing(stage: Stage, record: Record) -> None:
    stranger = Customer(record, "Stranger")
    stranger.dials(stage.server, {})
    stranger.tells(type="hello", token=forged(stage.ann.token))
    stranger.is_shut_out(4201)
    assert ask(stage.server.port, "GET", "/api/v1/chats", token=forged(stage.ann.token)).status == 401


@pytest.mark.parametrize(
    ("change", "code"), [("last_seen_ms = 1", 4201), ("revoked_ms = 1", 4202)], ids=["expired", "revoked"]
)
def test_access_that_has_ended_opens_nothing(server: Server, record: Record, change: str, code: int) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    ann.leaves()
    with connected(server.database_url) as database:
        of_ann = "customer_id = (SELECT customer_id FROM chat WHERE id = :chat)"
        database.execute(text(f"UPDATE session SET {change} WHERE {of_ann}"), {"chat": ann.chat})
        database.commit()
    record.revoked(ann.actor, ann.tab)
    ann.dials(server, {})
    ann.tells(type="hello", token=ann.token)
    ann.is_shut_out(code)
    assert ann.asks("GET", "/chats").status == 401
    assert check(record.lines, read_dump(server.database_url)) == []


def test_a_page_of_others_may_not_open_a_socket(stage: Stage) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        with pytest.raises(InvalidStatus) as refused, dial_from(stage.server, origin):
            pass
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body or b"")["code"] == "forbidden"
    with dial_from(stage.server, f"http://127.0.0.1:{stage.server.port}"):
        pass


def dial_from(server: Server, origin: str) -> Any:
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    return connect(url, additional_headers={"Origin": origin}, proxy=None)


def said(text: str = "Hi", **fields: Any) -> dict[str, Any]:
    return {"id": NEW_ID, "data": {"text": text}} | fields


def does(action: str, **fields: Any) -> dict[str, Any]:
    return {"id": NEW_ID, "action": action} | fields


REFUSED: list[tuple[str, str, str, Any, int, str]] = [
    ("a body that is no JSON", "POST", "/chats", b"{", 422, "invalid"),
    ("a body that is a list", "POST", "/chats", [], 422, "invalid"),
    ("a body over the limit", "POST", "/chats", BIG_BODY, 413, "too_big"),
    ("an address that is none", "POST", "/chats", {"new": True, "email": "nobody"}, 422, "invalid"),
    ("a name that is a number", "POST", "/chats", {"new": True, "name": 7}, 422, "invalid"),
    ("a first message without text", "POST", "/chats", {"new": True, "message": {"id": NEW_ID}}, 422, "invalid"),
    ("a foreign chat", "GET", "/chats/FOREIGN", None, 404, "not_found"),
    ("a foreign chat's events", "GET", "/chats/FOREIGN/events", None, 404, "not_found"),
    ("a foreign transcript", "GET", "/chats/FOREIGN/transcript", None, 404, "not_found"),
    ("a message in a foreign chat", "POST", "/chats/FOREIGN/messages", said(), 404, "not_found"),
    ("an act in a foreign chat", "POST", "/chats/FOREIGN/actions", does("close"), 404, "not_found"),
    ("the queue for a customer", "GET", "/queue", None, 404, "not_found"),
    ("an unknown path", "GET", "/nowhere", None, 404, "not_found"),
    ("an unknown method", "DELETE", "/chats/MINE", None, 405, "not_found"),
    ("a bound that is a text", "GET", "/chats/MINE/events?after=x", None, 422, "invalid"),
    ("both bounds", "GET", "/chats/MINE/events?after=1&before=2", None, 422, "invalid"),
    ("notes for a customer", "GET", "/chats/MINE/events?stream=internal", None, 403, "forbidden"),
    ("a transcript as a film", "GET", "/chats/MINE/transcript?format=film", None, 422, "invalid"),
    ("a thread that is not there", "GET", "/chats/MINE/transcript?thread=9", None, 404, "not_found"),
    ("a message without text", "POST", "/chats/MINE/messages", said(data={}), 422, "invalid"),
    ("a text over the limit", "POST", "/chats/MINE/messages", said(BIG_TEXT), 413, "too_big"),
    ("a closed chat", "POST", "/chats/MINE/messages", said(), 409, "closed"),
    ("other words", "POST", "/chats/MINE/messages", said(id="FIRST"), 409, "id_conflict"),
    ("a lost prev", "POST", "/chats/MINE/messages", said(prev="y" * 20, reopen=True), 409, "prev_missing"),
    ("an unknown stream", "POST", "/chats/MINE/messages", said(stream="x"), 422, "invalid"),
    ("an unknown action", "POST", "/chats/MINE/actions", does("explode"), 422, "invalid"),
    ("an old view", "POST", "/chats/MINE/actions", does("reopen", expect_rev=1), 409, "conflict"),
    ("an unknown link", "POST", "/links/redeem", {"link": "made-up", "nonce": NEW_ID}, 404, "not_found"),
    ("a link that is a number", "POST", "/links/redeem", {"link": 7, "nonce": NEW_ID}, 422, "invalid"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"), [pytest.param(*rest, id=what) for what, *rest in REFUSED]
)
def test_a_bad_request_gets_a_problem_document(
    stage: Stage, method: str, path: str, body: Any, status: int, code: str
) -> None:
    filled = body if isinstance(body, bytes) else stage.fill(body)
    with nothing_changes(stage.server):
        answer = stage.ann.asks(method, stage.fill(path), filled)
    check_problem(answer, status, code)


@pytest.mark.parametrize("token", [None, "made-up", "sk_made-up", "", "ü"])
def test_nobody_gets_nothing(stage: Stage, token: str | None) -> None:
    for path in ("/chats", f"/chats/{stage.ann.chat}", f"/chats/{stage.ann.chat}/events", "/queue"):
        check_problem(ask(stage.server.port, "GET", f"/api/v1{path}", token=token), 401, "unauthorized")


def check_problem(answer: Answer, status: int, code: str) -> None:
    """RFC 9457, with our code."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json
    assert problem.keys() >= MEMBERS
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"] and problem["detail"]


def test_an_agent_who_lost_the_race_is_told_how_things_are(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin, cleo = (Agent(record, name).signs_in(server) for name in ("Robin", "Cleo"))
    robin.accepts(ann.chat)
    cleo.enters(ann.chat)
    with pytest.raises(Refused) as refused, nothing_changes(server):
        cleo.accepts()
    assert refused.value.nack["code"] == "conflict"
    assert refused.value.nack["state"]["agent"]["name"] == "Robin"
