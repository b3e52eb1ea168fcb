"""A server that may open no more files turns nobody out: those who are there go on, who comes later gets in later.

On PostgreSQL only, as an index in files has more to say about it.
"""

import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import ask

SPARE, CROWD = 12, 60
PATIENCE_S = 30


def files_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_without_files_for_more_those_who_are_there_go_on(serve_postgres: Serve, record: Record) -> None:
    server = serve_postgres()
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    (worker,) = server.workers()
    usual = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (files_of(worker) + SPARE, usual[1]))
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        for number in range(10):
            ann.says(f"Is it crowded? {number}")
            robin.sees(f"Is it crowded? {number}")
    deadline = time.monotonic() + PATIENCE_S
    while not gets_in(server):
        assert time.monotonic() < deadline, "nobody gets in any more"
    resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)
    ben = Customer(record, "Ben").starts(server, "Hello")
    ben.says("I got in")
    assert ann.connections == robin.connections == 1, "somebody was turned out"
    assert server.workers() == [worker], "the server has begun anew"
    ann.catches_up(robin.copy.high)
    assert check(record.lines, read_dump(server.database_url)) == []


def gets_in(server: Server) -> bool:
    try:
        return ask(server.port, "GET", "/api/v1/chats").status == 401
    except OSError:
        return False
