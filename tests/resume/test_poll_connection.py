"""What a long poll does with its socket, on a pair of real sockets and the real loop."""

import json
import select
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

import pytest

from resume.live import poll_connection
from resume.live.client import Client
from resume.live.connection import LINK_LOST, Limits
from resume.live.loop import Loop
from resume.live.plain_frames import encode_text
from resume.live.poll import check_poll
from resume.live.poll_connection import DONE, PollConnection
from tests.resume.peer import TIMEOUT_S

WELCOME = {"type": "welcome", "chats": []}


class Ears:
    """A client that answers a hello with `answers`, and keeps what it is told."""

    def __init__(self, connection: PollConnection, answers: list[dict[str, Any]]) -> None:
        self.connection, self.answers = connection, answers
        self.texts: list[str] = []
        self.codes: list[int] = []
        self.ended = threading.Event()

    def received(self, text: str) -> None:
        self.texts.append(json.loads(text)["type"])
        if len(self.texts) == 1:
            self.connection.write(*(encode_text(json.dumps(answer)) for answer in self.answers))

    def end(self, code: int, detail: str, retry_ms: int) -> None:
        self.connection.write(encode_text(json.dumps({"type": "bye", "code": code})))
        self.connection.close(code, detail)

    def closed(self, code: int, _reason: str) -> None:
        self.codes.append(code)
        self.ended.set()


class Line:
    """A poll on the loop, and the peer's end of its socket."""

    def __init__(
        self, loop: Loop, *answers: dict[str, Any], said: tuple[str, ...] = (), wait_ms: int = 25_000, **limits: Any
    ) -> None:
        self.loop = loop
        ours, self.peer = socket.socketpair()
        self.peer.settimeout(TIMEOUT_S)
        ours.setblocking(False)
        frames = [{"type": type, "id": "x"} for type in ("hello", *said)]
        poll = check_poll({"frames": frames, "wait_ms": wait_ms})
        connection = self.does(PollConnection, loop, ours, poll, Limits(**limits))
        self.ears = Ears(connection, list(answers))
        self.does(connection.open, cast(Client, self.ears))

    def does(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Runs `fn` on the loop, waits for it, and gives back what it gives."""
        done: Future[Any] = Future()
        self.loop.post(lambda: done.set_result(fn(*args)))
        return done.result(TIMEOUT_S)

    def hears(self) -> bytes:
        """All that comes, to the end."""
        heard = b"".join(iter(lambda: self.peer.recv(65536), b""))
        self.peer.close()
        return heard

    def ends_with(self) -> list[int]:
        """The codes that the client was told; one, as it should be."""
        assert self.ears.ended.wait(TIMEOUT_S)
        self.does(lambda: None)
        return self.ears.codes

    def waits_until_dropped(self) -> None:
        """Waits for the end of the connection without reading what is before it."""
        poll = select.poll()
        poll.register(self.peer, select.POLLHUP)
        assert poll.poll(TIMEOUT_S * 1000)


def frames_of(response: bytes) -> list[dict[str, Any]]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Connection: close" in head
    assert b"Cache-Control: no-store" in head
    return list(json.loads(body)["frames"])


def test_what_comes_together_is_told_together_and_no_pings(loop: Loop) -> None:
    line = Line(loop, WELCOME, {"type": "ping", "n": 1}, {"type": "event", "seq": 1}, {"type": "event", "seq": 2})
    assert [frame["type"] for frame in frames_of(line.hears())] == ["welcome", "event", "event"]
    assert line.ends_with() == [DONE]


def test_what_was_said_behind_hello_waits_for_the_welcome(loop: Loop) -> None:
    line = Line(loop, WELCOME, said=("read", "typing"), wait_ms=0)
    line.hears()
    assert line.ears.texts == ["hello", "read", "typing"]


def test_a_peer_that_leaves_before_the_response_ends_the_conversation(loop: Loop) -> None:
    line = Line(loop, WELCOME)
    line.peer.close()
    assert line.ends_with() == [LINK_LOST]


def test_a_peer_that_speaks_before_the_response_ends_the_conversation(loop: Loop) -> None:
    line = Line(loop, WELCOME)
    line.peer.send(b"POST /api/v1/sync HTTP/1.1\r\n")
    assert line.ends_with() == [LINK_LOST]
    assert line.hears() == b""


def test_a_long_response_does_not_grow_while_it_waits_for_answers(loop: Loop) -> None:
    event = {"type": "event", "text": "x" * 600}
    line = Line(loop, WELCOME, event, event, said=("send",), output_bytes=1000)
    assert len(frames_of(line.hears())) == 3


def test_a_reader_that_does_not_read_is_dropped(loop: Loop) -> None:
    line = Line(loop, WELCOME, {"type": "event", "text": "x" * 4_000_000}, write_deadline_s=0.2, output_bytes=10**7)
    assert line.ends_with() == [DONE]
    line.waits_until_dropped()
    assert len(line.hears()) < 4_000_000


def test_without_a_welcome_the_client_is_told_to_come_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_connection, "ANSWERS_S", 0.1)
    line = Line(loop, wait_ms=0)
    assert frames_of(line.hears()) == [{"type": "bye", "code": 4150}]


def test_without_an_answer_the_client_is_told_what_there_is(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_connection, "ANSWERS_S", 0.1)
    line = Line(loop, WELCOME, said=("send",), wait_ms=0)
    assert frames_of(line.hears()) == [WELCOME]
