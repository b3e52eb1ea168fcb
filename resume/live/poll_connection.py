"""One long poll on the loop (protocol 4.6), in the place of a `Connection`: says the request's frames to its client as
if they came from a socket, gathers what the client writes, and sends one HTTP response.

Made by `sync.py` for each request whose socket was taken over; only touched by the loop's thread. `poll.py` judges what
is worth an answer.
"""

import socket
import time
from collections.abc import Callable
from typing import Literal

from werkzeug.http import http_date

from resume.live.client import BUSY_RETRY_MS, MAINTENANCE, Client
from resume.live.connection import LINK_LOST, Limits
from resume.live.loop import READ, WRITE, Loop
from resume.live.plain_frames import text_of
from resume.live.poll import Gathered, Poll

NEIGHBOURS_S = 0.05
"""How long the first news wait for others to share the response."""

ANSWERS_S = 5.0
"""How long a response that is due waits for the welcome and for what was asked."""

DONE = 1000
READ_BYTES = 4096


class PollConnection:
    """See the module. What goes out follows the limits of a socket."""

    __slots__ = (
        "_client", "_dirty", "_gathered", "_is_due", "_limits", "_loop", "_output", "_poll", "_sock", "_stage",
        "_timer", "_unsaid",
    )  # fmt: skip

    def __init__(self, loop: Loop, sock: socket.socket, poll: Poll, limits: Limits) -> None:
        """Takes over `sock`: non-blocking, with nothing of an answer sent. Nothing is said before `open`."""
        self._loop = loop
        self._sock = sock
        self._poll = poll
        self._limits = limits
        self._client: Client
        self._gathered = Gathered(poll)
        self._unsaid = poll.frames
        self._stage: Literal["open", "closing", "answered", "ended"] = "open"
        self._is_due = False
        self._dirty = False
        self._output = memoryview(b"")
        self._timer = loop.call_later(poll.wait_s, self._fall_due)

    @property
    def last_received(self) -> float:
        """Now: a poller has nothing to say while it waits, and its end is seen."""
        return time.monotonic()

    def open(self, client: Client) -> None:
        """Says hello to `client`; the other frames follow once it has answered with a welcome."""
        self._client = client
        self._loop.register(self._sock, READ, self._on_ready)
        client.received(self._poll.hello)

    def write(self, *frames: bytes) -> None:
        """Gathers encoded frames. After the response: drops them."""
        if self._stage == "open":
            for frame in frames:
                self._gathered.add(text_of(frame))
            self._flush_soon()

    def close(self, code: int, reason: str = "") -> None:
        """The conversation has ended: the response goes out at the end of this turn. Closing again changes nothing."""
        if self._stage == "open":
            self._stage = "closing"
            self._flush_soon()

    def flush(self) -> None:
        """Goes on with the conversation, or ends it with the response. The loop calls this at the end of a turn."""
        self._dirty = False
        if self._stage == "closing" or (self._stage == "open" and self._gathered.bytes > self._limits.output_bytes):
            self._answer()
        elif self._stage == "open" and self._gathered.welcomed:
            self._say_the_rest()
            if self._is_due:
                self._answer_if_complete()
            elif self._gathered.has_news and self._timer.due > time.monotonic() + NEIGHBOURS_S:
                self._wait(NEIGHBOURS_S, self._fall_due)

    def _flush_soon(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._loop.flush_soon(self)

    def _say_the_rest(self) -> None:
        frames, self._unsaid = self._unsaid, ()
        for text in frames:
            self._client.received(text)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    def _fall_due(self) -> None:
        """The time of waiting for news is over; for what was asked, it is not."""
        self._is_due = True
        self._wait(ANSWERS_S, self._give_up)
        self._answer_if_complete()

    def _answer_if_complete(self) -> None:
        if self._gathered.is_complete:
            self._answer()

    def _give_up(self) -> None:
        if self._gathered.welcomed:
            self._answer()
        else:
            self._client.end(MAINTENANCE, "The store did not answer in time", BUSY_RETRY_MS)

    def _answer(self) -> None:
        """Ends the conversation, so that the peer's next poll finds nothing of this one, and begins the response."""
        self._stage = "answered"
        self._loop.post(self._client.closed, DONE, "")
        self._output = memoryview(response(self._gathered.texts))
        self._send()

    def _send(self) -> None:
        try:
            self._output = self._output[self._sock.send(self._output) :]
            if not self._output:
                self._sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._end()
            return
        self._loop.modify(self._sock, READ | WRITE if self._output else READ, self._on_ready)
        self._wait(self._limits.write_deadline_s if self._output else self._limits.close_timeout_s, self._end)

    def _on_ready(self, events: int) -> None:
        if events & READ and self._stage != "ended":
            self._read()
        if events & WRITE and self._stage != "ended":
            self._send()

    def _read(self) -> None:
        """Looks for the peer's end. Before the response a peer must not say more (RFC 9112, 9.3.2); later it
        is lost.
        """
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or self._stage != "answered":
            self._end()

    def _end(self) -> None:
        """Gives everything back. Who has not been answered has gone."""
        if self._stage != "answered":
            self._loop.post(self._client.closed, LINK_LOST, "")
        self._stage = "ended"
        self._timer.cancel()
        self._loop.unregister(self._sock)
        self._sock.close()


def response(texts: list[bytes]) -> bytes:
    """The HTTP response that carries these frames."""
    body = b'{"frames":[' + b",".join(texts) + b"]}"
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Date: {http_date()}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
