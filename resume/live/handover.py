"""Takes a request's socket away from its WSGI server: the loop serves it, the request thread is free.

The live route uses this around a plain `@sock.route` view, where Flask-Sock keeps the routing and has its handshake
answered here, and the long poll in the place of an answer. gunicorn (gthread) or Werkzeug keeps a dead end in the place
of the socket. No frame is read or written here.
"""

import os
import socket
from collections.abc import Callable
from functools import cache
from typing import Any

import flask_sock
from simple_websocket import Server
from websockets.utils import accept_key
from werkzeug import Response
from werkzeug.exceptions import BadRequest

from history.errors import Busy

SUBPROTOCOL = "stillhere.v1"
PEER_GONE_MS = 30_000
BUSY_MS = 2000
NO_SOCKET = "live sockets need gunicorn's gthread worker or Werkzeug"


class NoThread:
    """What simple-websocket gets as its thread class, as it would read the socket in a thread of its own."""

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = "no thread"

    def start(self) -> None:
        """Starts nothing: the loop reads."""


class QuickServer(Server):  # type: ignore[misc]
    """What a Flask-Sock view gets. The handshake (RFC 6455, 4.2.2) is answered from the headers as they are; as shipped
    they are written out and parsed once more, which costs as much as all the rest of a request.
    """

    def handshake(self) -> None:
        """Answers a request that `prepare_environ` has found to be sound."""
        offered = self.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").replace(" ", "").split(",")
        self.subprotocol = next((one for one in offered if one in self.subprotocols), None)
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(self.environ['HTTP_SEC_WEBSOCKET_KEY'])}",
            *([f"Sec-WebSocket-Protocol: {self.subprotocol}"] if self.subprotocol else []),
        ]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        self.connected = True

    def close(self, *_: object) -> None:
        """Flask-Sock closes when the view is over; the socket has gone on by then."""


flask_sock.Server = QuickServer  # there is no option for it

SOCK_SERVER_OPTIONS: dict[str, Any] = {"thread_class": NoThread, "subprotocols": [SUBPROTOCOL]}
"""Value of the Flask setting of this name, with which Flask-Sock makes its `Server`. It is app-wide:
a view that calls `receive` would wait for ever."""


def prepare_environ(environ: dict[str, Any]) -> None:
    """Makes a WSGI environ ready for the handshake; to be called before Flask-Sock's view.

    Raises BadRequest if this is no handshake (RFC 6455, 4.2.1); the library would answer 500.
    """
    # simple-websocket agrees to permessage-deflate whenever it is offered: 90 KiB a socket, and bombs.
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    # A body would sit where the frames are expected.
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        raise BadRequest("a WebSocket handshake has no body")
    if not environ.get("HTTP_SEC_WEBSOCKET_KEY"):
        raise BadRequest("Sec-WebSocket-Key is missing")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise BadRequest(response=Response("only WebSocket version 13", 426, headers={"Sec-WebSocket-Version": "13"}))


def take_socket(ws: Server) -> tuple[socket.socket, bytes]:
    """Takes the connection of `ws` away from its server, right after the handshake.

    Returns the socket, non-blocking, and what the server had already read from it behind the request: a
    client may send frames together with its handshake. The caller owns the socket; `ws` is of no more use.
    Raises RuntimeError under servers other than gunicorn's gthread and Werkzeug, NotImplementedError for TLS.
    """
    if ws.mode not in ("gunicorn", "werkzeug"):
        raise RuntimeError(NO_SOCKET)
    return _take_descriptor(ws.sock), _read_ahead(ws)


def take_request(environ: dict[str, Any]) -> socket.socket:
    """Takes the connection of an HTTP request, whose body was read, away from its server; what the view then returns
    reaches nobody.

    Returns the socket, non-blocking; the caller owns it and owes the peer the answer. Raises like `take_socket`.
    """
    held = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if held is None:
        raise RuntimeError(NO_SOCKET)
    return _take_descriptor(held)


def _take_descriptor(held: socket.socket) -> socket.socket:
    """The connection of `held` in a socket of its own, while `held` goes on with a dead end. Raises Busy when no more
    files may be opened.
    """
    try:
        sock = held.dup()
    except OSError as error:
        raise Busy("This server has all the connections it can take", after_ms=BUSY_MS) from error
    # After the view Flask may send its answer, and the server shuts its socket down, counts and closes it. All of this
    # goes on with a valid descriptor, where reads find the end and writes fail.
    os.dup2(_dead_end(), held.fileno(), inheritable=False)
    sock.setblocking(False)
    _tune(sock)
    return sock


@cache
def _dead_end() -> int:
    """The descriptor of a socket that leads nowhere; one is enough."""
    dead_end, other_end = socket.socketpair()
    other_end.close()
    return dead_end.detach()


def _tune(sock: socket.socket) -> None:
    """Small frames leave at once; a peer that is gone for half a minute is given up by the kernel as well."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_GONE_MS)


def _read_ahead(ws: Server) -> bytes:
    body = ws.environ["wsgi.input"]
    if ws.mode == "gunicorn":
        # The body reader knows that this request has no body, so it returns nothing; what came behind the
        # request lies one layer below, where gunicorn itself takes it when it upgrades to HTTP/2.
        read_ahead: bytes = body.reader.unreader.take_buffered()
    else:
        read_ahead = body.read()  # all that is buffered, then the end of the dead end
    return read_ahead
