"""Connections that say nothing hold up nobody."""

import socket
from contextlib import ExitStack

from tests.conftest import Serve
from tests.people import Customer
from tests.record import Record

IDLE = 40


def test_a_few_threads_serve_beside_many_connections_that_say_nothing(serve: Serve, record: Record) -> None:
    server = serve(THREADS="2")
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        ann = Customer(record, "Ann").starts(server, "Is anybody there?")
        assert ann.asks("GET", f"/chats/{ann.chat}/events").json["items"]
