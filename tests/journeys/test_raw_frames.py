"""Frames that no client sends, at a real server with two request threads: each gets its close code, and others nothing
of it.
"""

from collections.abc import Iterator
from struct import pack, unpack

import pytest
from websockets.frames import Opcode

from tests.checker import check
from tests.conftest import MakeDatabase, servers
from tests.dump import everything, read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.resume.peer import Peer, close_frame, frame, text_frame
from tests.resume.test_connection import BAD_INPUT
from tests.servers import Server
from tests.web import ask

LIVE = "/api/v1/live"
SILENT_SOCKETS = 30
HELLO = text_frame('{"type":"hello","token":"made-up"}')
CONT, TEXT, PING = 0, 1, 9

UNFINISHED = {
    "half a header": b"\x81",
    "half a length": b"\x81\xfe\x01",
    "half a mask": b"\x81\x85ab",
    "half a frame": HELLO[:-3],
    "half a message": frame(TEXT, b'{"type":"hello"', fin=False),
    "half a message and pings": frame(TEXT, b'{"type":', fin=False) + frame(PING, b"?") * 20,
    "pings alone": frame(PING, bytes(125)) * 50,
    "nothing": b"",
}
"""What a connection may begin with and never go on; without a hello it is closed after five seconds."""


@pytest.fixture(scope="module")
def narrow(make_sqlite: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with as few request threads as there may be. In the end its log must have no traceback."""
    with make_sqlite() as url, servers(url, tmp_path_factory.mktemp("narrow")) as serve:
        yield serve(THREADS="2")


def dial(server: Server, behind: bytes = b"") -> Peer:
    peer = Peer.connects(("127.0.0.1", server.port), behind=behind, path=LIVE)
    assert peer.response.startswith("HTTP/1.1 101 ")
    return peer


def end_of(peer: Peer) -> int:
    """The code of the close frame; what comes before it does not matter."""
    while (seen := peer.sees()).opcode is not Opcode.CLOSE:
        pass
    peer.leaves()
    return int(unpack("!H", seen.data[:2])[0])


def test_each_bad_frame_gets_its_code(narrow: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(narrow, "Hello")
    before = everything(narrow.database_url)
    for what, (data, code) in BAD_INPUT.items():
        alone, with_handshake = dial(narrow), dial(narrow, behind=data)
        alone.sends(data)
        assert (end_of(alone), end_of(with_handshake)) == (code, code), what
    assert everything(narrow.database_url) == before
    is_well(narrow, ann, record)


def test_a_message_in_pieces_with_pings_between_is_one_message(narrow: Server) -> None:
    peer = dial(narrow)
    hello = b'{"type":"hello","token":"made-up"}'
    peer.sends(frame(TEXT, hello[:1], fin=False))
    for place in range(1, len(hello)):
        peer.sends(frame(PING, b"in between") + frame(CONT, hello[place : place + 1], fin=False))
        assert peer.sees().opcode is Opcode.PONG
    peer.sends(frame(CONT, b""))
    assert end_of(peer) == 4201


def test_who_begins_and_does_not_go_on_is_closed_and_holds_nobody_up(narrow: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(narrow, "Hello")
    peers = {what: dial(narrow) for what in UNFINISHED}
    silent = [dial(narrow) for _ in range(SILENT_SOCKETS)]
    for what, peer in peers.items():
        peer.sends(UNFINISHED[what])
    is_well(narrow, ann, record)
    assert {what: end_of(peer) for what, peer in peers.items()} == dict.fromkeys(UNFINISHED, 4008)
    assert {end_of(peer) for peer in silent} == {4008}


@pytest.mark.parametrize("code", [1000, 1001, 3001, 4999])
def test_a_close_is_answered_with_its_code(narrow: Server, code: int) -> None:
    peer = dial(narrow)
    peer.sends(close_frame(code))
    assert end_of(peer) == code


def test_bytes_behind_a_close_are_not_looked_at(narrow: Server) -> None:
    peer = dial(narrow)
    peer.sends(close_frame(1000) + HELLO + b"\xff" * 1000 + b"\x81\xff" + pack("!Q", 2**40))
    assert end_of(peer) == 1000


def is_well(server: Server, ann: Customer, record: Record) -> None:
    """The server serves, on both of its doors, old customers and new ones."""
    ann.says("I notice nothing")
    ben = Customer(record, "Ben").starts(server, "Nor do I")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ben.chat)
    robin.says("Good")
    ben.sees("Good")
    for _ in range(4):
        assert ask(server.port, "GET", f"/api/v1/chats/{ben.chat}", token=ben.token).status == 200
    assert check(record.lines, read_dump(server.database_url)) == []
