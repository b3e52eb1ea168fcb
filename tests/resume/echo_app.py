"""A Flask app with one live route that echoes, and the gunicorn settings to run it with.

The tests of the sockets start it as a server of its own: by gunicorn, or as a module under Werkzeug, with the
number of a listening descriptor. It uses the layer of the sockets alone, without hub and store.
"""

import socket
import sys
import threading

from flask import Blueprint, Flask, request
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.serving import make_server

from resume.live.connection import Connection, Limits
from resume.live.handover import SOCK_SERVER_OPTIONS, prepare_environ, take_request, take_socket
from resume.live.loop import Loop
from resume.live.plain_frames import encode_text

STOP_TIMEOUT_S = 5

worker_class = "gthread"
threads = 4
worker_connections = 2000
control_socket_disable = True

loop = Loop()


def post_worker_init(_worker: object) -> None:
    loop.start()


def worker_exit(_server: object, _worker: object) -> None:
    loop.stop(STOP_TIMEOUT_S)


class Echo:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def received(self, text: str) -> None:
        self.connection.write(encode_text(text))

    def farewell(self, code: int, reason: str) -> bytes:
        return b""

    def closed(self, code: int, reason: str) -> None:
        pass


def adopt(sock: socket.socket, early: bytes) -> None:
    connection = Connection(loop, sock, Limits())
    connection.open(Echo(connection), early)


def answer(sock: socket.socket, body: bytes) -> None:
    with sock:
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)


def make_app() -> Flask:
    app = Flask(__name__)
    app.config["SOCK_SERVER_OPTIONS"] = SOCK_SERVER_OPTIONS
    blueprint = Blueprint("live", __name__)

    @blueprint.before_request
    def prepare() -> None:
        prepare_environ(request.environ)

    @Sock().route("/live", bp=blueprint)
    def live(ws: Server) -> None:
        loop.post(adopt, *take_socket(ws))

    @app.post("/poll")
    def poll() -> str:
        body = request.get_data()
        loop.post(answer, take_request(request.environ), body)
        return "This is heard by nobody"

    @app.get("/threads")
    def count_threads() -> str:
        return str(threading.active_count())

    app.register_blueprint(blueprint)
    return app


app = make_app()

if __name__ == "__main__":
    loop.start()
    make_server("127.0.0.1", 0, app, threaded=True, fd=int(sys.argv[1])).serve_forever()
