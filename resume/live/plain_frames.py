"""The two WebSocket frames that nearly all traffic is made of (RFC 6455, 5.2), by hand, as they stand in the path of
every message: the text frame that a server sends, and the text frame that a browser sends. All other frames are
left to the framing library. Used by `connection.py` and by whoever encodes frames for many.
"""

import struct

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without its C part
    from websockets.utils import apply_mask

FINAL_TEXT = 0x81
MASKED = 0x80


def encode_text(payload: str | bytes) -> bytes:
    """One unmasked, final text frame with `payload` (bytes: must be UTF-8), as servers send it."""
    data = payload.encode() if isinstance(payload, str) else payload
    length = len(data)
    if length < 126:
        return bytes((FINAL_TEXT, length)) + data
    if length < 65536:
        return struct.pack("!BBH", FINAL_TEXT, 126, length) + data
    return struct.pack("!BBQ", FINAL_TEXT, 127, length) + data


def text_of(frame: bytes) -> bytes:
    """The payload of a frame that `encode_text` made."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def take_text(data: bytes, start: int, limit: int) -> tuple[bytes, int] | None:
    """The payload of the frame at `start` and where it ends, if it is a whole, final, masked text frame.

    None for every other frame, for one that has not come whole, and for a payload of more than `limit` bytes or of
    more than 65,535: those are somebody else's to judge.
    """
    if len(data) - start < 6 or data[start] != FINAL_TEXT:
        return None
    length, key = data[start + 1] - MASKED, start + 2
    if length == 126:
        length, key = int.from_bytes(data[key : key + 2]), key + 2
    elif not 0 <= length < 126:
        return None
    end = key + 4 + length
    if end > len(data) or length > limit:
        return None
    return apply_mask(data[key + 4 : end], data[key : key + 4]), end
