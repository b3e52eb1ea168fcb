"""What comes out of a socket, cut where the proxy of `tests/fault_proxy.py` may do its harm: heads of HTTP, WebSocket
frames with their `type`, and whatever else as bytes. Reads only; never changes or sends anything.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader

from websockets.frames import Opcode
from websockets.utils import apply_mask

READ_BYTES = 64 * 1024
UPGRADE = re.compile(rb"(?im)^upgrade: *websocket\r$")
"""Stands in the head of a handshake, and of the response that agrees."""


@dataclass(frozen=True)
class Piece:
    """What passes at once: the head of a request or response, a frame with its `type`, or some bytes."""

    raw: bytes
    type: str = ""


END = Piece(b"")
"""The end of a stream."""


def pieces(source: socket.socket) -> Iterator[Piece]:
    """What comes out of a socket, to its end."""
    with suppress(OSError), source.makefile("rb") as stream:
        head = read_head(stream)
        if head:
            yield Piece(head)
        while UPGRADE.search(head) and (frame := read_frame(stream)).raw:
            yield frame
        while some := stream.read1(READ_BYTES):
            yield Piece(some)
    yield END


def read_head(stream: BufferedReader) -> bytes:
    lines = []
    while (line := stream.readline()).strip():
        lines.append(line)
    return b"".join(lines) + line


def read_frame(stream: BufferedReader) -> Piece:
    """One WebSocket frame (RFC 6455, 5.2), or what there is of it before the end."""
    start = stream.read(2)
    opcode, size, masked = (start[0] & 0x0F, start[1] & 0x7F, start[1] & 0x80) if len(start) == 2 else (0, 0, 0)
    extended = stream.read({126: 2, 127: 8}.get(size, 0))
    mask = stream.read(4 if masked else 0)
    payload = stream.read(int.from_bytes(extended) if extended else size)
    text = apply_mask(payload, mask) if len(mask) == 4 else payload
    return Piece(start + extended + mask + payload, type_of(text) if opcode == Opcode.TEXT else "")


def type_of(text: bytes) -> str:
    try:
        return str(json.loads(text)["type"])
    except (ValueError, KeyError, TypeError):
        return ""
