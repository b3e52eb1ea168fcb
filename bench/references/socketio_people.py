"""Customers and agents of the Socket.IO reference as peers of a crowd: Engine.IO 4 packets in WebSocket
frames.
"""

import orjson

from bench.crowd import Peer

PATH = "/socket.io/?EIO=4&transport=websocket"
OPEN, PING, PONG, CONNECT, JOIN = b"0", b"2", b"3", b"40", b"421"
EVENT, JOIN_ACK, SEND_ACK = b"42[", b"431[", b"432["


class SocketIoPerson(Peer):
    """Somebody in the room of one chat."""

    path = PATH

    def __init__(self, chat: str) -> None:
        super().__init__()
        self.chat = chat

    def received(self, payload: bytes) -> None:
        if payload == PING:
            self.say(PONG)
        elif payload.startswith(OPEN):
            self.say(CONNECT)
        elif payload.startswith(CONNECT):
            self.say(JOIN + orjson.dumps(["join", self.chat]))
        elif payload.startswith(JOIN_ACK):
            self.satisfy()
        else:
            self.heard(payload)

    def heard(self, payload: bytes) -> None:
        """Take a packet that belongs to the chat."""

    def send_message(self, id: str, text: str) -> None:
        self.say(f'422["send",{{"chat":"{self.chat}","id":"{id}","text":"{text}"}}]'.encode())
