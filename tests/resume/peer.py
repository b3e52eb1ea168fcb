"""A WebSocket client for tests that can also misbehave: it sends any bytes and sees what comes back."""

import base64
import os
import socket
import struct
from collections import deque
from typing import Self

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

TIMEOUT_S = 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A masked frame as clients send it."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


def text_frame(text: str) -> bytes:
    return frame(Opcode.TEXT, text.encode())


def close_frame(code: int) -> bytes:
    return frame(Opcode.CLOSE, struct.pack("!H", code))


class Peer:
    """Reads with a deadline; answers pings and closes as a browser does."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(TIMEOUT_S)
        self.framing = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self.frames: deque[Frame] = deque()
        self.response = ""

    @classmethod
    def connects(cls, address: tuple[str, int], behind: bytes = b"", path: str = "/live", **headers: str) -> Self:
        """Sends the handshake, with the bytes `behind` in the same segment, and reads the response."""
        peer = cls(socket.create_connection(address, TIMEOUT_S))
        fields = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": "stillhere.v1",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        peer.sends("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode() + behind)
        peer.reads_response()
        return peer

    def reads_response(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.sock.recv(1)
        self.response = received.decode()

    def sends(self, data: bytes) -> None:
        self.sock.sendall(data)

    def says(self, text: str) -> None:
        self.sends(text_frame(text))

    def hears(self) -> str:
        seen = self.sees()
        assert seen.opcode is Opcode.TEXT, seen
        return bytes(seen.data).decode()

    def sees(self) -> Frame:
        """The next frame of any kind."""
        while not self.frames:
            self._read()
        return self.frames.popleft()

    def sees_close(self) -> int:
        """The code of the close frame, which must be the next, and behind which nothing comes but the end."""
        seen = self.sees()
        assert seen.opcode is Opcode.CLOSE, seen
        self.sees_end()
        return int(struct.unpack("!H", seen.data[:2])[0])

    def sees_end(self) -> None:
        while self.sock.recv(65536):
            pass

    def vanishes(self) -> None:
        """Ends the connection with a reset, as a machine does that has forgotten it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def leaves(self) -> None:
        self.sock.close()

    def _read(self) -> None:
        data = self.sock.recv(65536)
        assert data, "the connection has ended"
        self.framing.receive_data(data)
        for event in self.framing.events_received():
            assert isinstance(event, Frame)
            self.frames.append(event)
        self.sends(b"".join(self.framing.data_to_send()))
