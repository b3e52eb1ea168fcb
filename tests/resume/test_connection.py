"""What a live connection does with input, output and its end, on a pair of real sockets and the real loop."""

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from resume.live.connection import Connection, Limits
from resume.live.loop import Loop
from resume.live.plain_frames import encode_text
from tests.resume.peer import TIMEOUT_S, Peer, close_frame, frame, text_frame

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NEVER_S = 60


class Ears:
    """A receiver that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: SimpleQueue[str] = SimpleQueue()
        self.ends: list[tuple[int, str]] = []
        self.ended = threading.Event()
        self.last_words = b""
        self.on_text: Callable[[str], object] = self.texts.put

    def received(self, text: str) -> None:
        self.on_text(text)

    def farewell(self, code: int, reason: str) -> bytes:
        return self.last_words

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.ended.set()

    def hears(self) -> str:
        return self.texts.get(timeout=TIMEOUT_S)


class Line:
    """A connection on the loop, who listens to it, and the peer at the other end."""

    def __init__(self, loop: Loop, limits: Limits, early: bytes = b"", buffer_bytes: int = 0) -> None:
        self.loop = loop
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.socket()
            if buffer_bytes:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            client.connect(server.getsockname())
            ours, _ = server.accept()
        if buffer_bytes:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        ours.setblocking(False)
        self.peer = Peer(client)
        self.ears = Ears()
        self.connection = Connection(loop, ours, limits)
        self.does(self.connection.open, self.ears, early)

    def does(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Runs `fn` on the loop, waits for it, and gives back what it gives."""
        done: Future[Any] = Future()
        self.loop.post(lambda: done.set_result(fn(*args)))
        return done.result(TIMEOUT_S)

    def ends_with(self) -> int:
        """The code that the receiver was told at the end, which must have been told once."""
        assert self.ears.ended.wait(TIMEOUT_S)
        self.does(lambda: None)
        assert len(self.ears.ends) == 1
        return self.ears.ends[0][0]


Lines = Callable[..., Line]


@pytest.fixture
def connect(loop: Loop) -> Iterator[Lines]:
    lines: list[Line] = []

    def connect(early: bytes = b"", buffer_bytes: int = 0, **limits: Any) -> Line:
        lines.append(Line(loop, Limits(**limits), early, buffer_bytes))
        return lines[-1]

    yield connect
    for line in lines:
        line.peer.leaves()
        assert line.ears.ended.wait(TIMEOUT_S)


# The frame encoder


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_an_encoded_text_is_what_the_library_reads_as_one_text_frame(length: int) -> None:
    parser = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    parser.receive_data(encode_text("x" * length))
    assert parser.events_received() == [Frame(Opcode.TEXT, b"x" * length)]


def test_text_and_its_utf8_bytes_encode_alike() -> None:
    assert encode_text("grüße") == encode_text("grüße".encode())


# Input


def test_messages_arrive_in_order_however_the_bytes_are_cut(connect: Lines) -> None:
    line = connect()
    stream = b"".join(text_frame(f"message {n}") for n in range(20))
    for at in range(0, len(stream), 7):
        line.peer.sends(stream[at : at + 7])
    assert [line.ears.hears() for _ in range(20)] == [f"message {n}" for n in range(20)]


def test_a_message_in_fragments_arrives_whole_and_a_ping_between_them_is_answered(connect: Lines) -> None:
    line = connect()
    euro = "€".encode()
    line.peer.sends(frame(TEXT, b"5 " + euro[:1], fin=False) + frame(PING, b"!") + frame(CONT, euro[1:]))
    assert line.ears.hears() == "5 €"
    assert line.peer.sees() == Frame(Opcode.PONG, b"!")


def test_what_was_read_with_the_handshake_comes_first(connect: Lines) -> None:
    cut = text_frame("second")
    line = connect(early=text_frame("first") + cut[:3])
    line.peer.sends(cut[3:])
    assert [line.ears.hears(), line.ears.hears()] == ["first", "second"]


def test_a_message_of_exactly_the_limit_is_fine(connect: Lines) -> None:
    line = connect()
    line.peer.says("x" * 65536)
    assert len(line.ears.hears()) == 65536


def test_the_moment_of_the_last_bytes_is_known(connect: Lines) -> None:
    line = connect()
    before = line.connection.last_received
    line.peer.sends(frame(PONG))
    line.peer.says("now")
    line.ears.hears()
    assert line.connection.last_received > before


def test_while_paused_nothing_is_read_and_afterwards_nothing_is_missing(connect: Lines) -> None:
    line = connect()
    line.does(line.connection.pause_reading)
    line.peer.says("one")
    line.peer.says("two")
    line.does(line.connection.write, encode_text("still writing"))
    assert line.peer.hears() == "still writing"
    assert line.ears.texts.empty()
    line.does(line.connection.resume_reading)
    assert [line.ears.hears(), line.ears.hears()] == ["one", "two"]


BAD_INPUT = {
    "unmasked": (Frame(Opcode.TEXT, b"hi").serialize(mask=False), 1002),
    "rsv1": (b"\xc1" + text_frame("hi")[1:], 1002),
    "rsv2": (b"\xa1" + text_frame("hi")[1:], 1002),
    "rsv3": (b"\x91" + text_frame("hi")[1:], 1002),
    "opcode 3": (b"\x83" + text_frame("hi")[1:], 1002),
    "opcode 11": (b"\x8b" + text_frame("hi")[1:], 1002),
    "ping of 126 bytes": (b"\x89\xfe" + struct.pack("!H", 126) + bytes(4 + 126), 1002),
    "fragmented ping": (b"\x09" + frame(PING)[1:], 1002),
    "bare continuation": (frame(CONT, b"hi"), 1002),
    "text within a fragmented text": (frame(TEXT, b"hi", fin=False) + text_frame("hi"), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close code 0": (close_frame(0), 1002),
    "close code 1005": (close_frame(1005), 1002),
    "close code 1006": (close_frame(1006), 1002),
    "close code 5000": (close_frame(5000), 1002),
    "close reason not UTF-8": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "text not UTF-8": (frame(TEXT, b"\xc3\x28"), 1007),
    "surrogate in text": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "text not UTF-8 in fragments": (frame(TEXT, b"\xe2", fin=False) + frame(CONT, b"\x82"), 1007),
    "one byte too long": (text_frame("x" * 65537), 1009),
    "fragments too long": (frame(TEXT, bytes(40_000), fin=False) + frame(CONT, bytes(40_000)), 1009),
    "a length of 2^40 and silence": (b"\x81\xff" + struct.pack("!Q", 2**40), 1009),
    "a length of 2^64 - 1 and silence": (b"\x81\xff" + b"\xff" * 8, 1009),
    "binary": (frame(BINARY, b"hi"), 4000),
    "a flood of pings": (frame(PING) * 101, 4000),
    "a flood of empty fragments": (frame(TEXT, fin=False) + frame(CONT, fin=False) * 100, 4000),
}


@pytest.mark.parametrize(("data", "code"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_ends_the_connection_with_its_code_and_no_message(connect: Lines, data: bytes, code: int) -> None:
    line = connect()
    line.peer.sends(data)
    while (seen := line.peer.sees()).opcode is Opcode.PONG:
        pass
    assert struct.unpack("!H", seen.data[:2]) == (code,)
    line.peer.sees_end()
    line.peer.leaves()
    assert line.ends_with() == code
    assert line.ears.texts.empty()


def test_messages_before_bad_input_are_still_delivered(connect: Lines) -> None:
    line = connect()
    line.peer.sends(text_frame("good") + frame(BINARY, b"bad") + text_frame("too late"))
    assert line.peer.sees_close() == 4000
    line.peer.leaves()
    line.ends_with()
    assert line.ears.hears() == "good"
    assert line.ears.texts.empty()


def test_pings_spread_over_messages_are_no_flood(connect: Lines) -> None:
    line = connect(silent_frames=3)
    for n in range(5):
        line.peer.sends(frame(PING) * 3 + text_frame(str(n)))
    assert [line.ears.hears() for _ in range(5)] == list("01234")


def test_a_receiver_that_fails_closes_the_connection_and_is_logged_once_with_an_id(
    connect: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    line = connect()
    line.ears.on_text = int
    line.peer.sends(text_frame("no number") + text_frame("1"))
    assert line.peer.sees_close() == 1011
    line.peer.leaves()
    assert line.ends_with() == 1011
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# Output


def test_frames_of_one_turn_arrive_in_order(connect: Lines) -> None:
    line = connect()

    def write_many() -> None:
        line.connection.write(*(encode_text(str(n)) for n in range(50)))
        for n in range(50, 100):
            line.connection.write(encode_text(str(n)))

    line.does(write_many)
    assert [line.peer.hears() for _ in range(100)] == [str(n) for n in range(100)]


def test_output_larger_than_the_kernel_takes_arrives_whole_and_in_order(connect: Lines) -> None:
    line = connect(buffer_bytes=4096)
    texts = [f"{n} " + "x" * n for n in range(0, 40_000, 1000)]
    line.does(line.connection.write, *map(encode_text, texts))
    line.does(line.connection.write, encode_text("last"))
    assert [line.peer.hears() for _ in texts] == texts
    assert line.peer.hears() == "last"


def test_a_reader_that_stands_still_is_dropped_at_the_deadline(connect: Lines) -> None:
    line = connect(buffer_bytes=4096, write_deadline_s=0.2)
    line.does(line.connection.write, encode_text("x" * 500_000))
    assert line.ends_with() == 4001


def test_a_reader_that_is_slow_but_reads_is_kept(connect: Lines) -> None:
    line = connect(buffer_bytes=4096, write_deadline_s=0.2)
    for n in range(3):
        line.does(line.connection.write, encode_text(str(n) * 300_000))
        assert line.peer.hears() == str(n) * 300_000
        assert not line.ears.ended.wait(0.25), "the deadline of output that has been taken"


def test_a_reader_for_whom_too_much_waits_is_dropped_at_once(connect: Lines) -> None:
    line = connect(buffer_bytes=4096, write_deadline_s=NEVER_S, output_bytes=100_000)
    line.does(line.connection.write, encode_text("x" * 500_000))
    assert line.ends_with() == 4001


def test_one_turn_may_write_more_than_may_wait_if_the_peer_takes_it(connect: Lines) -> None:
    line = connect(output_bytes=1000)

    def write_many() -> None:
        for _ in range(20):
            line.connection.write(encode_text("x" * 600))

    line.does(write_many)
    assert [len(line.peer.hears()) for _ in range(20)] == [600] * 20


# The end


def test_our_close_comes_behind_the_output_and_waits_for_the_answer(connect: Lines) -> None:
    line = connect(close_timeout_s=NEVER_S)

    def say_goodbye() -> None:
        line.connection.write(encode_text("goodbye"))
        line.connection.close(1012, "restart")
        line.connection.write(encode_text("too late"))
        line.connection.close(4000, "too late as well")

    line.does(say_goodbye)
    assert line.peer.hears() == "goodbye"
    assert line.peer.sees_close() == 1012
    line.peer.leaves()
    line.ends_with()
    assert line.ears.ends == [(1012, "restart")]


def test_after_our_close_no_message_is_delivered(connect: Lines) -> None:
    line = connect()

    def take_one(text: str) -> None:
        line.ears.texts.put(text)
        line.connection.close(4303)

    line.ears.on_text = take_one
    line.peer.sends(text_frame("one") + text_frame("two"))
    line.peer.says("three")
    assert line.peer.sees_close() == 4303
    line.peer.leaves()
    line.ends_with()
    assert line.ears.hears() == "one"
    assert line.ears.texts.empty()


def test_a_peer_that_does_not_answer_our_close_is_left_after_the_timeout(connect: Lines) -> None:
    line = connect(close_timeout_s=0.1)
    line.does(line.connection.close, 4009)
    assert line.ends_with() == 4009


def test_a_paused_connection_still_closes(connect: Lines) -> None:
    line = connect(close_timeout_s=NEVER_S)
    line.does(line.connection.pause_reading)
    line.does(line.connection.close, 1001)
    assert line.peer.sees_close() == 1001
    line.peer.leaves()
    assert line.ends_with() == 1001


def test_the_close_of_the_peer_is_answered_behind_replies_and_ends_the_connection(connect: Lines) -> None:
    line = connect(close_timeout_s=NEVER_S)
    line.ears.on_text = lambda text: line.connection.write(encode_text(text))
    line.peer.sends(text_frame("and goodbye") + close_frame(3001))
    assert line.peer.hears() == "and goodbye"
    assert line.peer.sees_close() == 3001
    line.peer.leaves()
    assert line.ends_with() == 3001


def test_a_close_without_code_is_told_as_1005(connect: Lines) -> None:
    line = connect()
    line.peer.sends(frame(CLOSE))
    assert line.peer.sees() == Frame(Opcode.CLOSE, b"")
    line.peer.sees_end()
    line.peer.leaves()
    assert line.ends_with() == 1005


@pytest.mark.parametrize("way", ["vanishes", "leaves"])
def test_a_lost_link_is_told_once_as_1006(connect: Lines, way: str) -> None:
    line = connect()
    line.peer.says("I was here")
    assert line.ears.hears() == "I was here"
    getattr(line.peer, way)()
    assert line.ends_with() == 1006


def test_a_link_lost_while_output_waits_is_told_once(connect: Lines) -> None:
    line = connect(buffer_bytes=4096)
    line.does(line.connection.write, encode_text("x" * 500_000))
    line.peer.vanishes()
    assert line.ends_with() == 1006


def test_an_ended_connection_takes_every_call_and_does_nothing(connect: Lines) -> None:
    line = connect()
    line.peer.vanishes()
    line.ends_with()
    line.does(line.connection.write, encode_text("anyone?"))
    line.does(line.connection.pause_reading)
    line.does(line.connection.resume_reading)
    line.does(line.connection.close, 1000)
    assert line.ends_with() == 1006


# The loop


def test_posts_of_eight_threads_keep_the_order_of_each(loop: Loop) -> None:
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def post_many(who: int) -> None:
        for n in range(2000):
            loop.post(seen.append, (who, n))

    threads = [threading.Thread(target=post_many, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loop.post(done.set)
    assert done.wait(TIMEOUT_S)
    for who in range(8):
        assert [n for by, n in seen if by == who] == list(range(2000))


def test_what_is_posted_before_the_start_or_before_the_stop_is_run() -> None:
    seen: list[str] = []
    loop = Loop()
    loop.post(seen.append, "before the start")
    loop.start()
    loop.post(seen.append, "before the stop")
    assert loop.stop(TIMEOUT_S)
    loop.post(seen.append, "after the stop")
    assert seen == ["before the start", "before the stop"]


def test_timers_run_when_due_and_not_when_cancelled(loop: Loop) -> None:
    seen: SimpleQueue[str] = SimpleQueue()

    def set_timers() -> None:
        loop.call_later(0.03, seen.put, "third")
        loop.call_later(0.01, seen.put, "first")
        loop.call_later(0.02, seen.put, "cancelled").cancel()
        loop.call_later(0.02, seen.put, "second")

    loop.post(set_timers)
    assert [seen.get(timeout=TIMEOUT_S) for _ in range(3)] == ["first", "second", "third"]


def test_a_failing_callback_is_logged_once_and_the_loop_goes_on(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    loop.post(int, "no number")
    loop.call_later(0, done.set)
    loop.post(done.set)
    assert done.wait(TIMEOUT_S)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_loop_that_is_stuck_says_so_at_the_stop() -> None:
    loop = Loop()
    loop.start()
    go_on = threading.Event()
    loop.post(go_on.wait)
    try:
        assert not loop.stop(0.05)
    finally:
        go_on.set()
    assert loop.stop(TIMEOUT_S)
