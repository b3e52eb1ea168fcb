"""Who may come in and stay: one connection a tab, some a device, few strangers an address, none without a right."""

import json

import pytest
from sqlalchemy import text
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.checker import check
from tests.conftest import Serve
from tests.dump import connected, read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server, run_command
from tests.web import ask

FEW = {"CONNECTIONS_PER_SESSION": "3", "STRANGERS_PER_ADDRESS": "4", "HELLOS_PER_SECOND": "20"}


def test_a_tab_that_comes_again_takes_the_place_of_its_old_connection(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    again = Customer(record, "Ann")
    again.server, again.token, again.chat, again.tab = server, ann.token, ann.chat, ann.tab
    again.comes_back()
    ann.is_shut_out(4002)
    again.says("Still here")


def test_another_tab_or_another_device_takes_nobodys_place(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    bea = Customer(record, "Bea").starts(server, "Hello")
    other = ann.on_another_device()
    stranger = Customer(record, "Bea")
    stranger.server, stranger.token, stranger.chat, stranger.tab = server, bea.token, bea.chat, ann.tab
    stranger.comes_back()
    for person in (ann, bea, other, stranger):
        person.says("Here I am")
    for person in (ann, bea, other, stranger):
        person.catches_up(read_dump(server.database_url).head(person.chat))
    assert check(record.lines, read_dump(server.database_url)) == []


@pytest.fixture
def narrow(serve: Serve) -> Server:
    return serve(**FEW)


def test_a_narrow_door_lets_in_whom_it_can_and_says_when_to_come_again(narrow: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(narrow, "Hello")
    others = [ann.on_another_device() for _ in range(2)]
    fourth = Customer(record, "Ann")
    fourth.dials(narrow, {})
    fourth.tells(type="hello", token=ann.token)
    fourth.is_shut_out(4101)
    assert fourth.bye["retry_ms"] > 0
    others[0].leaves()
    ann.until(lambda: comes_in(ann), "room for the one who was refused")

    silent = [Customer(record, "Nobody") for _ in range(4)]
    for one in silent:
        one.dials(narrow, {})
    with pytest.raises(InvalidStatus) as refused:
        dial(narrow)
    assert refused.value.response.status_code == 429
    assert json.loads(refused.value.response.body)["code"] == "rate"
    Agent(record, "Robin").signs_in(narrow)  # who is known by the request is no stranger
    silent[0].leaves()
    ann.until(lambda: not is_refused(narrow), "room for a stranger")


def comes_in(person: Customer) -> bool:
    other = Customer(person.record, person.actor)
    other.dials(person.server, {})
    other.tells(type="hello", token=person.token)
    other.until(lambda: bool(other.welcome or other.bye), "an answer")
    return bool(other.welcome)


def dial(server: Server) -> None:
    """Connects, and leaves again."""
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    with connect(url, subprotocols=["stillhere.v1"], proxy=None):  # type: ignore[list-item]
        pass


def is_refused(server: Server) -> bool:
    try:
        dial(server)
    except InvalidStatus:
        return True
    return False


def test_an_agents_connection_follows_a_hundred_chats_and_no_more(server: Server, record: Record) -> None:
    chats = [ask(server.port, "POST", "/api/v1/chats", {"name": "Customer"}).json["chat"] for _ in range(101)]
    robin = Agent(record, "Robin").signs_in(server)
    for some in (chats[:60], chats[60:100]):
        robin.tells(type="watch", chats=[{"chat": chat, "have": 0} for chat in some])
    robin.until(lambda: len(robin.copies) == 100, "a hundred chats")
    robin.tells(type="watch", chats=[{"chat": chats[100], "have": 0}])
    robin.until(lambda: bool(robin.nacks), "a refusal")
    assert (robin.nacks[0]["code"], robin.nacks[0]["retry"]) == ("invalid", False)
    robin.tells(type="unwatch", chats=[chats[0]])
    robin.enters(chats[100])


def test_a_client_of_another_version_is_told_so(server: Server) -> None:
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    with connect(url, proxy=None) as socket:
        bye = json.loads(socket.recv(timeout=10))
        assert (bye["type"], bye["code"]) == ("bye", 4326)
        assert "stillhere.v1" in bye["detail"]


def test_whatever_ends_a_connection_is_said_before_the_close(server: Server) -> None:
    url = f"ws://127.0.0.1:{server.port}/api/v1/live"
    for words, code in ((b"binary", 4000), ("x" * 65537, 1009), ("no JSON", 4000)):
        with connect(url, subprotocols=["stillhere.v1"], proxy=None) as socket:  # type: ignore[list-item]
            socket.send(words)
            bye = json.loads(socket.recv(timeout=10))
            assert (bye["type"], bye["code"]) == ("bye", code)
            assert bye["detail"]


def test_an_agent_who_signs_out_hears_no_more(serve: Serve, record: Record) -> None:
    servers = [serve()]
    if servers[0].database_url.startswith("postgresql"):
        servers.append(serve())
    ann = Customer(record, "Ann").starts(servers[0], "Hello")
    cookie = sign_in(servers[0])
    robins = [at_the_desk(record, server, cookie) for server in servers]
    for robin in robins:
        robin.enters(ann.chat)
    answer = ask(servers[0].port, "POST", "/desk/sign-out", None, **at_desk(servers[0], cookie))
    assert answer.status == 200
    back = Agent(record, "Robin")
    for robin in (*robins, back):
        record.revoked(robin.actor, robin.tab)
    for robin in robins:
        robin.is_shut_out(4202)
    back.dials(servers[0], at_desk(servers[0], cookie))
    back.tells(type="hello", chats=[])
    back.is_shut_out(4201)
    ann.says("Is anybody there?")
    assert check(record.lines, read_dump(servers[0].database_url)) == []


def test_a_device_whose_access_is_ended_hears_no_more(server: Server, record: Record) -> None:
    ann, ben = (Customer(record, name).starts(server, "Hello") for name in ("Ann", "Ben"))
    tablet = ann.on_another_device()
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    with connected(server.database_url) as database:
        of_ann = "customer_id = (SELECT customer_id FROM chat WHERE id = :chat)"
        database.execute(text(f"UPDATE session SET revoked_ms = 1 WHERE {of_ann}"), {"chat": ann.chat})
        database.commit()
    for device in (ann, tablet):
        record.revoked(device.actor, device.tab)
    cookie = sign_in(server)
    ask(server.port, "POST", "/desk/sign-out", None, **at_desk(server, cookie))  # so that all rights are looked at
    for device in (ann, tablet):
        device.is_shut_out(4202)
    robin.says("Nobody hears this")
    ben.says("I am still here")
    for device in (ann, tablet):
        assert "Nobody hears this" not in device.texts()
    assert ann.asks("GET", f"/chats/{ann.chat}").status == 401
    robin.catches_up(read_dump(server.database_url).head(ann.chat))
    ben.catches_up(read_dump(server.database_url).head(ben.chat))
    assert check(record.lines, read_dump(server.database_url)) == []


def sign_in(server: Server) -> str:
    """The cookie of an agent's browser."""
    server.key_of("Robin")
    printed = run_command(server.folder, "agent", "sign-in", "robin@agents.example.com", **server.settings).stdout
    secret = printed.strip().partition("#")[2]
    answer = ask(server.port, "POST", "/desk/sign-in", {"secret": secret}, **at_desk(server, ""))
    assert answer.status == 200, answer
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


def at_desk(server: Server, cookie: str) -> dict[str, str]:
    """The headers of a request from a page of the desk."""
    return {"Origin": f"http://127.0.0.1:{server.port}", "Cookie": cookie}


def at_the_desk(record: Record, server: Server, cookie: str) -> Agent:
    """An agent's browser with a live connection."""
    robin = Agent(record, "Robin")
    robin.dials(server, at_desk(server, cookie))
    robin.greets(None, [])
    return robin
