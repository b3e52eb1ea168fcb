"""The way of a socket from a WSGI server through Flask-Sock to the loop, under each supported server."""

import contextlib
import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resume.peer import TIMEOUT_S, Peer, frame, text_frame

ROOT = Path(__file__).parents[2]
ECHO = "tests.resume.echo_app"
REQUEST_THREADS = 4
COMMANDS = {
    "gunicorn": ["gunicorn", "-c", f"python:{ECHO}", "-b", "fd://{fd}", f"{ECHO}:app"],
    "werkzeug": [ECHO, "{fd}"],
}

Address = tuple[str, int]


@contextlib.contextmanager
def serving(name: str) -> Iterator[Address]:
    """A server process on a socket that listens already, so that nobody has to wait until it is up."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        fd = listening.fileno()
        command = [sys.executable, "-m", *(part.format(fd=fd) for part in COMMANDS[name])]
        with subprocess.Popen(command, cwd=ROOT, pass_fds=[fd], stderr=subprocess.DEVNULL) as process:
            try:
                yield listening.getsockname()
            finally:
                process.terminate()
                process.wait(TIMEOUT_S)


@pytest.fixture(scope="module", params=COMMANDS.keys())
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    with serving(request.param) as address:
        yield address


@pytest.fixture(scope="module")
def gunicorn() -> Iterator[Address]:
    with serving("gunicorn") as address:
        yield address


def test_the_socket_echoes_after_the_handshake_until_both_have_closed(address: Address) -> None:
    peer = Peer.connects(address)
    assert peer.response.startswith("HTTP/1.1 101 ")
    assert "sec-websocket-protocol: stillhere.v1" in peer.response.lower()
    for n in range(3):
        peer.says(f"hello {n}")
        assert peer.hears() == f"hello {n}"
    peer.sends(frame(8, b"\x03\xe8"))
    assert peer.sees_close() == 1000
    peer.leaves()


def test_deflate_is_not_negotiated_although_offered(address: Address) -> None:
    peer = Peer.connects(address, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert "extensions" not in peer.response.lower()
    peer.says("plain")
    assert peer.hears() == "plain"
    peer.leaves()


def test_frames_in_one_segment_with_the_handshake_are_not_lost(address: Address) -> None:
    behind = [f"{n} " + "x" * n for n in (1, 500, 60_000)]
    peer = Peer.connects(address, behind=b"".join(map(text_frame, behind)))
    peer.says("later")
    assert [peer.hears() for _ in range(4)] == [*behind, "later"]
    peer.leaves()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Content_Length": "5"}, 400),
        ({"Transfer_Encoding": "chunked"}, 400),
    ],
)
def test_what_is_no_handshake_is_refused(address: Address, headers: dict[str, str], status: int) -> None:
    peer = Peer.connects(address, **headers)
    assert peer.response.startswith(f"HTTP/1.1 {status} ")
    peer.leaves()


def test_bad_frames_of_some_do_not_disturb_others(address: Address) -> None:
    calm = Peer.connects(address)
    for bad in (b"\x01\x02hi", b"\x81\xff" + (2**40).to_bytes(8), frame(2, b"binary"), frame(1, b"\xff")):
        peer = Peer.connects(address)
        peer.sends(bad)
        assert peer.sees_close() in (1002, 1007, 1009, 4000)
        peer.leaves()
    Peer.connects(address).vanishes()
    calm.says("still here")
    assert calm.hears() == "still here"
    calm.leaves()


def test_many_more_sockets_than_request_threads_are_served(gunicorn: Address) -> None:
    peers = [Peer.connects(gunicorn) for _ in range(500)]
    for n, peer in enumerate(peers):
        peer.says(str(n))
    assert [peer.hears() for peer in peers] == [str(n) for n in range(500)]
    connection = http.client.HTTPConnection(*gunicorn, timeout=TIMEOUT_S)
    connection.request("GET", "/threads")
    assert int(connection.getresponse().read()) <= REQUEST_THREADS + 2  # the main thread and the loop
    connection.close()
    for peer in peers:
        peer.leaves()
