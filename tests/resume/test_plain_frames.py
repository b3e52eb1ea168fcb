"""The frames read by hand against the framing library: same texts, and nothing taken that it would refuse."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import Protocol, Side, State

from resume.live.plain_frames import encode_text, take_text

LIMIT = 300


def client_frame(first: int, payload: bytes, key: bytes, masked: bool, wide: bool) -> bytes:
    size = len(payload)
    flag = 0x80 if masked else 0
    if size > 65535:
        head = struct.pack("!BBQ", first, flag | 127, size)
    elif size > 125 or wide:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = bytes((first, flag | size))
    return head + (key + apply_mask(payload, key) if masked else payload)


first_bytes = st.sampled_from([0x81] * 6 + [0x01, 0x80, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xC1, 0x91, 0x00, 0xFF])
frames = st.builds(
    client_frame,
    first_bytes,
    st.binary(max_size=140) | st.integers(0, 700).map(bytes),
    st.binary(min_size=4, max_size=4),
    st.booleans() | st.just(True),
    st.booleans() | st.just(False),
)
streams = st.lists(frames | st.binary(max_size=20), max_size=8).map(b"".join)


def by_hand(data: bytes) -> tuple[list[bytes], int]:
    texts, end = [], 0
    while plain := take_text(data, end, LIMIT):
        text, end = plain
        texts.append(text)
    return texts, end


def by_library(data: bytes) -> list[tuple[Opcode, bool, bytes]]:
    protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=LIMIT)
    protocol.receive_data(data)
    return [(frame.opcode, frame.fin, bytes(frame.data)) for frame in protocol.events_received()]  # type: ignore[union-attr]


@given(streams)
def test_frames_taken_by_hand_are_the_first_that_the_library_finds(data: bytes) -> None:
    texts, end = by_hand(data)
    assert by_library(data[:end]) == [(Opcode.TEXT, True, text) for text in texts]
    assert by_library(data)[: len(texts)] == [(Opcode.TEXT, True, text) for text in texts]


@given(streams)
def test_what_is_left_does_not_begin_with_a_plain_text_that_the_library_would_take(data: bytes) -> None:
    _, end = by_hand(data)
    rest = data[end:]
    taken = by_library(rest)
    if taken and taken[0][:2] == (Opcode.TEXT, True) and rest[0] == 0x81:
        assert len(taken[0][2]) < 126 and rest[1] & 0x7F >= 126, "only a length written too wide is left"


@given(st.text(max_size=70_000))
def test_the_library_reads_what_is_encoded_by_hand(text: str) -> None:
    protocol = Protocol(Side.CLIENT, state=State.OPEN)
    protocol.receive_data(encode_text(text))
    (frame,) = protocol.events_received()
    assert frame.data == text.encode()  # type: ignore[union-attr]


def test_lengths_around_the_limits_are_taken_or_left() -> None:
    key = b"\1\2\3\4"
    for size in (0, 1, 125, 126, 127, LIMIT, LIMIT + 1, 65535, 65536):
        data = client_frame(0x81, b"a" * size, key, True, False)
        taken = take_text(data, 0, LIMIT)
        assert (taken == (b"a" * size, len(data))) == (size <= LIMIT), size
        assert take_text(data[:-1], 0, 70_000) is None, "a frame that has not come whole is left"
