"""The load generator: many client sockets on one epoll loop, in the bench's own process.

A `Peer` is one client socket; what it says and waits for is written in subclasses beside the
measurements. Sends are small and go out at once; a socket that would not take one is an error.
"""

import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from bench import wire

HOST = "127.0.0.1"
READ_BYTES = 1 << 16
"""More would have the system map fresh memory for every read, at the price of half the rate."""
PEERS_AN_ADDRESS = 10
"""Clients come from many addresses, as people do, so that limits for one address need no lifting."""


class PeerClosedError(Exception):
    """The server ended a connection that should have stayed."""


class Peer:
    """One client socket. `opened` is called once after the handshake, `received` with each text frame."""

    path = "/"
    headers: Sequence[tuple[str, str]] = ()
    receive_bytes = 0
    """How much the system keeps for a peer that does not read; 0: as it likes."""

    def __init__(self) -> None:
        self.crowd: Crowd
        self.socket: socket.socket
        self.rest = b""
        self.is_open = self.is_satisfied = False

    def opened(self) -> None:
        """Say the first words."""

    def received(self, payload: bytes) -> None:
        """Take one frame of the server."""

    def say(self, payload: bytes) -> None:
        data = wire.frame(payload)
        if self.socket.send(data) != len(data):
            raise PeerClosedError("the server does not read")

    def satisfy(self) -> None:
        """Say that this peer has what it came for."""
        if not self.is_satisfied:
            self.is_satisfied = True
            self.crowd.satisfied += 1

    def leave(self) -> None:
        """Close without a word, as a lost network does."""
        self.crowd.forget(self)
        self.socket.close()


class Crowd:
    """The peers of one server and the loop that moves them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.peers: dict[int, Peer] = {}
        self.joined = self.satisfied = 0
        self.epoll = select.epoll()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        for peer in list(self.peers.values()):
            peer.leave()
        self.epoll.close()

    def join(self, peer: Peer) -> None:
        """Begin to connect; the handshake goes on in `run`."""
        peer.crowd = self
        peer.socket = socket.socket()
        peer.socket.setblocking(False)
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if peer.receive_bytes:
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer.receive_bytes)
        peer.socket.bind((client_address(self.joined), 0))
        peer.socket.connect_ex((HOST, self.port))
        self.joined += 1
        self.peers[peer.socket.fileno()] = peer
        self.epoll.register(peer.socket, select.EPOLLOUT)

    def gather(self, peers: Iterable[Peer], deadline_s: float) -> None:
        """Let all of them join, and move all sockets until everybody has what they came for."""
        for peer in peers:
            self.join(peer)
        self.run(lambda: self.satisfied == self.joined, deadline_s)

    def forget(self, peer: Peer) -> None:
        """Look at it no more; it stays connected, and reads nothing."""
        del self.peers[peer.socket.fileno()]
        self.epoll.unregister(peer.socket)

    def run(self, is_done: Callable[[], bool], deadline_s: float) -> None:
        """Move all sockets until `is_done`; TimeoutError after `deadline_s`."""
        end = time.perf_counter() + deadline_s
        while not is_done():
            if time.perf_counter() > end:
                raise TimeoutError(f"the server did not answer everybody within {deadline_s:.0f} s")
            for number, events in self.epoll.poll(0.05):
                if peer := self.peers.get(number):
                    self.move(peer, events)

    def run_for(self, seconds: float) -> None:
        """Move all sockets for a while."""
        end = time.perf_counter() + seconds
        self.run(lambda: time.perf_counter() >= end, seconds + 1)

    def move(self, peer: Peer, events: int) -> None:
        if events & select.EPOLLOUT:
            peer.socket.send(wire.handshake(f"{HOST}:{self.port}", peer.path, peer.headers))
            self.epoll.modify(peer.socket, select.EPOLLIN)
        else:
            self.read(peer)

    def read(self, peer: Peer) -> None:
        data = peer.socket.recv(READ_BYTES)
        if not data:
            raise PeerClosedError(f"the server closed a connection to {peer.path}")
        data = peer.rest + data if peer.rest else data
        if not peer.is_open:
            head, blank, data = data.partition(b"\r\n\r\n")
            if not blank:
                peer.rest = head
                return
            check_switched(head)
            peer.is_open = True
            peer.opened()
        frames, peer.rest = wire.split(data)
        for opcode, payload in frames:
            if opcode == wire.TEXT:
                peer.received(payload)
            elif opcode == wire.CLOSE:
                code, reason = int.from_bytes(payload[:2]), payload[2:].decode()
                raise PeerClosedError(f"the server closed {peer.path} with {code} {reason}")


def client_address(number: int) -> str:
    """A loopback address for the peer of that number."""
    high, low = divmod(number // PEERS_AN_ADDRESS, 250)
    return f"127.0.{high % 250}.{low + 1}"


def check_switched(head: bytes) -> None:
    status = head.partition(b"\r\n")[0].decode()
    if " 101 " not in status + " ":
        raise PeerClosedError(f"the handshake was refused: {status}")
