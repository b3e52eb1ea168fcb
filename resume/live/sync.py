"""The door for those without WebSocket: `POST /api/v1/sync`, a long poll that is one whole, short conversation. Checks
the request, then hands its socket to the loop; no request thread waits.

A request that is none gets a problem document. How a conversation ends is said in it: a bye among the frames, with 200.
"""

import socket
from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from history.access import Viewer
from history.wsgi import read_body
from resume.live.client import Client
from resume.live.handover import take_request
from resume.live.hub import Hub
from resume.live.poll import Poll, check_poll
from resume.live.poll_connection import PollConnection


def make_blueprint(hub: Hub, door: Callable[[], Viewer | None]) -> Blueprint:
    """The route. `door` is that of the socket: tells which agent the request belongs to, if any, or refuses it."""
    blueprint = Blueprint("sync", __name__)

    @blueprint.post("/api/v1/sync")
    def sync() -> Response:
        signed_in = door()
        if request.mimetype != "application/json":
            raise UnsupportedMediaType("Send `application/json`")
        poll = check_poll(read_body())
        hub.loop.post(begin, hub, take_request(request.environ), poll, signed_in, request.remote_addr or "")
        return Response()  # reaches nobody: the loop answers

    return blueprint


def begin(hub: Hub, sock: socket.socket, poll: Poll, signed_in: Viewer | None, address: str) -> None:
    """Opens the conversation, on the loop."""
    connection = PollConnection(hub.loop, sock, poll, hub.socket_limits)
    client = Client(hub, connection, signed_in)
    hub.came(client, address)
    connection.open(client)
