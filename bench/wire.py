"""WebSocket (RFC 6455) as a client sees it, in bytes: the handshake, masked text frames, frames cut out
of a stream.

Used by `crowd.py` only. It is as light as can be, so that the load generator takes little of the machine:
it trusts the server, knows no fragments and no extensions, and checks nothing that the tests check
elsewhere.
"""

import base64
import os
from collections.abc import Iterable

from websockets.speedups import apply_mask

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

MASK = os.urandom(4)
"""One key for all frames: a load generator has nothing to hide, and the server has the same work."""


def handshake(host: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The opening request."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(MASK * 4).decode()}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One masked, final frame."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8)
    return head + MASK + apply_mask(payload, MASK)


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames in `data` as (opcode, payload), and the bytes left over."""
    frames = []
    at, end = 0, len(data)
    while end - at >= 2:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
        elif size == 127:
            size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
        if end < start + size:
            break
        frames.append((data[at] & 0x0F, data[start : start + size]))
        at = start + size
    return frames, data[at:]
