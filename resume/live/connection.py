"""One live WebSocket connection on the loop: bounded input, bounded output, and an end that comes once.

The hub makes a `Connection` for each socket taken over after the handshake (`handover.py`) and gives it a
`Receiver`. Framing is done by the I/O-free protocol of `websockets`, after `plain_frames.py` has taken what is
simple; this module moves bytes and keeps time. It never looks into a message, never blocks, and is only touched by
the loop's thread.
"""

import logging
import socket
import time
from dataclasses import dataclass
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.protocol import SEND_EOF, Side, State
from websockets.protocol import Protocol as Framing

from resume.live.loop import READ, WRITE, Loop, Timer
from resume.live.plain_frames import take_text

BAD_FRAME = 4000
SLOW_READER = 4001
LINK_LOST = 1006
NOT_UTF8 = 1007
INTERNAL_ERROR = 1011

# At level DEBUG `websockets` logs the content of every frame: what people write must not get there.
_framing_logger = logging.getLogger(__name__ + ".framing")
_framing_logger.setLevel(logging.WARNING)


class Receiver(Protocol):
    """Whoever a connection reports to, on the loop's thread, never from inside a call to the connection."""

    def received(self, text: str) -> None:
        """One whole text message. None follow once `Connection.close` was called."""

    def farewell(self, code: int, reason: str) -> bytes:
        """The last frame to the peer when the connection closes by itself, for something that the peer did."""

    def closed(self, code: int, reason: str) -> None:
        """The connection is gone, with the close code that the peer or we sent; 1006: the link was lost."""


@dataclass(frozen=True)
class Limits:
    """What one connection may cost."""

    frame_bytes: int = 64 * 1024
    """The longest message, fragments added up; a longer one ends the connection with 1009."""
    silent_frames: int = 100
    """The most control frames and fragments between two whole messages; more end the connection with 4000.

    They cost time, and nobody above sees them and could limit their rate."""
    output_bytes: int = 1024 * 1024
    """The most that may wait for a reader; more ends the connection with 4001."""
    write_deadline_s: float = 5.0
    """How long waiting output may stand still before the connection ends with 4001."""
    read_bytes_per_turn: int = 64 * 1024
    """The most that is read before other sockets have their turn."""
    close_timeout_s: float = 5.0
    """How long a close may take, from the close frame to the end of the TCP connection."""


class _FrameError(Exception):
    """A frame that the protocol of WebSocket allows and ours does not."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connection:
    """One socket with its WebSocket state; all methods are for the loop's thread only."""

    __slots__ = (
        "_close_timer", "_closing", "_dirty", "_ended", "_fragments", "_framing", "_half_close", "_is_plain",
        "_limits", "_loop", "_output", "_output_bytes", "_paused", "_progress_at", "_receiver", "_silent_frames",
        "_sock", "_watched", "_write_timer", "last_received",
    )  # fmt: skip

    def __init__(self, loop: Loop, sock: socket.socket, limits: Limits) -> None:
        """Takes over `sock`: non-blocking, behind a finished handshake. Nothing is read before `open`."""
        self._loop = loop
        self._sock = sock
        self._limits = limits
        self._receiver: Receiver
        self._framing = Framing(Side.SERVER, state=State.OPEN, max_size=limits.frame_bytes, logger=_framing_logger)
        self._is_plain = True  # all input so far was whole text frames, and `_framing` has seen none of it
        self._fragments: bytearray | None = None
        self._silent_frames = 0
        self._output: list[bytes] = []
        self._output_bytes = 0
        self._progress_at = 0.0
        self._write_timer: Timer | None = None
        self._close_timer: Timer | None = None
        self._watched = 0
        self._dirty = False
        self._paused = False
        self._closing = False  # our close frame is in the output: nothing more is delivered or accepted
        self._half_close = False  # the output ends after what is in it
        self._ended = False
        self.last_received = time.monotonic()
        """When bytes last came in, as `time.monotonic` tells it."""

    def open(self, receiver: Receiver, early: bytes = b"") -> None:
        """Starts to read and to report to `receiver`. `early`: what was read behind the handshake already."""
        self._receiver = receiver
        self._watch()
        if early:
            self._take_input(early)

    def write(self, *frames: bytes) -> None:
        """Sends encoded frames, in order, together with all else of this turn. After a close: drops them."""
        if self._closing:
            return
        self._append(frames)
        if self._output_bytes > self._limits.output_bytes:
            self.flush()  # one turn may produce more than may wait, as long as the peer takes it

    def close(self, code: int, reason: str = "") -> None:
        """Starts the closing handshake behind the pending output; `closed` follows within the close timeout.

        `reason` has at most 123 bytes in UTF-8. Closing again changes nothing.
        """
        if self._closing:
            return
        if self._framing.state is State.OPEN:  # else the peer's close is in the input of this moment
            self._framing.send_close(code, reason)
        self._take_framing_output()

    def pause_reading(self) -> None:
        """Leaves further input to wait in the kernel. What is read already is still delivered."""
        self._paused = not self._closing  # the peer's close must still be seen
        self._watch()

    def resume_reading(self) -> None:
        """Reads on after `pause_reading`."""
        self._paused = False
        self._watch()

    def flush(self) -> None:
        """Sends what waits, as far as the kernel takes it. The loop calls this at the end of a turn."""
        self._dirty = False
        if self._ended:
            return
        try:
            self._send_output()
        except OSError:
            self._end()
            return
        if self._output_bytes > self._limits.output_bytes:
            self._end(SLOW_READER, "slow reader")
            return
        self._watch()
        if self._output and self._write_timer is None:
            self._check_progress_in(self._limits.write_deadline_s)

    def _on_ready(self, events: int) -> None:
        if events & READ and not self._ended:
            self._read()
        if events & WRITE and not self._ended:
            self.flush()

    def _read(self) -> None:
        try:
            data = self._sock.recv(self._limits.read_bytes_per_turn)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.last_received = time.monotonic()
            self._take_input(data)
        else:
            self._end()

    def _take_input(self, data: bytes) -> None:
        try:
            rest = self._take_plain(data) if self._is_plain else data
            if not rest:
                return
            self._take_framed(rest)
        except _FrameError as error:
            self._framing.fail(error.code, error.reason)  # reads no more: a flood costs nothing from here on
        except Exception:
            # The rest of this input is lost with the exception: a connection with a hole must not live on.
            self._say_farewell(INTERNAL_ERROR, "internal error")
            self.close(INTERNAL_ERROR, "internal error")
            raise
        ours = self._framing.close_sent
        if ours is not None and self._framing.close_rcvd is None:
            self._say_farewell(ours.code, ours.reason)
        self._take_framing_output()

    def _say_farewell(self, code: int, reason: str) -> None:
        if not self._closing:
            self._append((self._receiver.farewell(code, reason),))

    def _take_plain(self, data: bytes) -> bytes:
        """Delivers the plain text frames that `data` begins with, and returns the rest."""
        end = 0
        while not self._closing and (plain := take_text(data, end, self._limits.frame_bytes)):
            text, end = plain
            self._receiver.received(_decode(text))
        return data[end:]

    def _take_framed(self, data: bytes) -> None:
        """Delivers by way of `_framing`, which has all input from here on: it may have begun a frame."""
        self._is_plain = False
        self._framing.receive_data(data)
        for frame in self._framing.events_received():
            assert isinstance(frame, Frame)
            self._take_frame(frame)

    def _take_frame(self, frame: Frame) -> None:
        text = self._completed_text(frame)
        if text is not None and not self._closing:
            self._silent_frames = 0
            self._receiver.received(text)
            return
        self._silent_frames += 1
        if self._silent_frames > self._limits.silent_frames:
            raise _FrameError(BAD_FRAME, "too many frames without a message")

    def _completed_text(self, frame: Frame) -> str | None:
        """The message that ends with `frame`; None for control frames and fragments that others follow."""
        if frame.opcode is Opcode.BINARY:
            raise _FrameError(BAD_FRAME, "bad frame")
        if frame.opcode is not Opcode.TEXT and frame.opcode is not Opcode.CONT:
            return None
        if frame.opcode is Opcode.TEXT and frame.fin:
            return _decode(frame.data)
        if self._fragments is None:
            self._fragments = bytearray()
        self._fragments += frame.data
        if not frame.fin:
            return None
        whole, self._fragments = self._fragments, None
        return _decode(whole)

    def _take_framing_output(self) -> None:
        """Moves pongs and close frames behind the pending output; after a close frame nothing may follow."""
        if self._ended:
            return
        for data in self._framing.data_to_send():
            if data == SEND_EOF:
                self._half_close = True
                self._flush_soon()
            else:
                self._append((data,))
        if self._framing.close_sent is not None and not self._closing:
            self._closing = True
            self._close_timer = self._loop.call_later(self._limits.close_timeout_s, self._end)
            self.resume_reading()

    def _append(self, frames: tuple[bytes, ...]) -> None:
        self._output += frames
        for frame in frames:
            self._output_bytes += len(frame)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._loop.flush_soon(self)

    def _send_output(self) -> None:
        """Hands all output to the kernel in one call and keeps what it does not take. OSError: link lost."""
        if self._output:
            data = b"".join(self._output)
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            self._output = [data[sent:]] if sent < len(data) else []
            self._output_bytes = len(data) - sent
            if self._output and (sent or not self._watched & WRITE):  # some went out, or the waiting begins
                self._progress_at = time.monotonic()
        if self._half_close and not self._output:
            self._half_close = False
            self._sock.shutdown(socket.SHUT_WR)

    def _check_progress_in(self, seconds: float) -> None:
        self._write_timer = self._loop.call_later(seconds, self._check_progress)

    def _check_progress(self) -> None:
        """Runs while output waits, and once after: one timer, however often output comes and goes."""
        self._write_timer = None
        if not self._output:
            return
        remaining = self._progress_at + self._limits.write_deadline_s - time.monotonic()
        if remaining > 0:
            self._check_progress_in(remaining)
        else:
            self._end(SLOW_READER, "slow reader")  # a close frame would only join what the peer does not read

    def _watch(self) -> None:
        """Has the loop watch for what matters now: input unless paused, room for output that waits."""
        wanted = 0 if self._ended else (0 if self._paused else READ) | (WRITE if self._output else 0)
        if wanted == self._watched:
            return
        if not wanted:
            self._loop.unregister(self._sock)
        elif not self._watched:
            self._loop.register(self._sock, wanted, self._on_ready)
        else:
            self._loop.modify(self._sock, wanted, self._on_ready)
        self._watched = wanted

    def _end(self, code: int = LINK_LOST, reason: str = "") -> None:
        """Gives everything back and reports the end. Our close frame, be it an answer, tells the code."""
        if self._ended:
            return
        self._ended = self._closing = True
        self._output, self._output_bytes = [], 0
        self._watch()
        self._sock.close()
        for timer in (self._write_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        if self._framing.close_sent is not None:
            code, reason = int(self._framing.close_sent.code), self._framing.close_sent.reason
        # Posted, so that a receiver which writes to many is not called back in the middle of it.
        self._loop.post(self._receiver.closed, code, reason)


def _decode(data: bytes | bytearray | memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise _FrameError(NOT_UTF8, "text is not UTF-8") from None
