"""The door: the flask-sock route of the live connection. Checks the origin and the agent's cookie or key before the
handshake, then hands the socket to the hub; the request's thread is free again. The long poll has the same door.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, g, request
from flask_sock import Sock
from simple_websocket import Server

from history.access import Viewer
from history.errors import Busy, Forbidden
from resume.live.handover import prepare_environ, take_socket
from resume.live.hub import Hub


def make_blueprint(sock: Sock, hub: Hub, door: Callable[[], Viewer | None]) -> Blueprint:
    """The route `GET /api/v1/live`. `door` tells which agent the request belongs to, if any, or refuses it."""
    blueprint = Blueprint("live", __name__)

    @blueprint.before_request
    def pass_door() -> None:
        g.signed_in = door()  # an error can still be answered here, before the handshake
        prepare_environ(request.environ)

    @sock.route("/api/v1/live", bp=blueprint)  # type: ignore[untyped-decorator]
    def live(ws: Server) -> None:
        hub.adopt(*take_socket(ws), g.signed_in, request.remote_addr or "", ws.subprotocol or "")

    return blueprint


def check_door(
    hub: Hub, origins: frozenset[str], max_connections: int, agent_here: Callable[[], Viewer | None]
) -> Viewer | None:
    """Whether the sender of this request may come in: the agent whom `agent_here` tells, or null for all others, who
    say in their hello who they are. Raises Forbidden, Busy or RateLimited.
    """
    check_origin(request.headers.get("Origin"), request.host, origins)
    if len(hub.clients) >= max_connections:
        raise Busy("This server has all the connections it can take", after_ms=2000)
    signed_in = agent_here()
    if signed_in is None:
        hub.admission.check_address(request.remote_addr or "")
    return signed_in


def check_origin(origin: str | None, host: str, allowed: frozenset[str]) -> None:
    """Browsers always say where a page is from; it must be ours or one that is allowed by name. Raises Forbidden."""
    if origin is None or origin in allowed:
        return
    if urlsplit(origin).netloc != host:
        raise Forbidden("This origin may not open a live connection")
