"""`stillhere index`: beside a running server and without one, on both databases."""

import re
import shutil
import time
from pathlib import Path
from random import Random

from tests import nursery
from tests.conftest import Serve
from tests.people import Customer
from tests.record import Record
from tests.servers import STILLHERE, Server, environment, run_command


def index(server: Server, *what: str) -> tuple[int, str]:
    """Runs the command where the server's data are. Its exit code, and what it says."""
    done = run_command(server.folder, "index", *what, **server.settings)
    return done.returncode, done.stdout + done.stderr


def finds(customer: Customer, q: str) -> int:
    return int(customer.asks("GET", f"/search?q={q}").json["total"])


def test_the_index_is_looked_after_beside_a_running_server(serve: Serve, record: Record) -> None:
    server = serve()
    ann = Customer(record, "Ann").starts(server, "marzipan")
    for number in range(5):
        ann.says(f"marzipan {number}")
    ann.until(lambda: finds(ann, "marzipan") == 6, "all to be found")
    up_to_date = (0, "The index has 6 messages, and lacks 0 events of the log.\n")
    ann.until(lambda: index(server, "status") == up_to_date, "the index to be up to date")
    assert index(server, "check") == (0, "The index is sound and has all 6 messages of the log.\n")
    code, told = index(server, "rebuild")
    assert (code, "The new index is searched now." in told) == (0, True), told
    assert finds(ann, "marzipan") == 6
    ann.says("marzipan again")
    ann.until(lambda: finds(ann, "marzipan") == 7, "what was said after it")


def test_the_index_is_made_anew_without_a_server(serve: Serve, record: Record) -> None:
    server = serve(SEARCH_ENGINE="whoosh")
    ann = Customer(record, "Ann").starts(server, "marzipan")
    ann.until(lambda: finds(ann, "marzipan") == 1, "the message to be found")
    ann.hangs_up()
    server.stop()
    for folder in folders(server):
        shutil.rmtree(folder)
    assert index(server, "check")[0] == 2
    assert index(server, "status")[0] == 2
    code, told = index(server, "rebuild")
    assert (code, bool(re.search(r"\d+/\d+", told))) == (0, True), told
    assert index(server, "check") == (0, "The index is sound and has all 1 messages of the log.\n")


def test_a_rebuild_that_is_killed_leaves_nothing_half_done(serve: Serve, record: Record, chance: Random) -> None:
    server = serve()
    ann = Customer(record, "Ann").starts(server, "marzipan")
    for number in range(200):
        ann.writes(f"marzipan {number}")
    ann.settles()
    ann.until(lambda: finds(ann, "marzipan") == 201, "all to be found")
    for _ in range(2):
        wish = nursery.begin(STILLHERE, "index", "rebuild", env=environment(server.folder, server.settings))
        time.sleep(chance.uniform(0, 2))  # chance decides what it is doing
        server.kill()
        wish.kill()
        wish.wait()
        server.start()
    ann.comes_back()
    ann.says("marzipan afterwards")
    ann.until(lambda: finds(ann, "marzipan") == 202, "all to be found, once")
    ann.until(lambda: index(server, "status")[0] == 0, "the index to be up to date")
    assert index(server, "check") == (0, "The index is sound and has all 202 messages of the log.\n")


def folders(server: Server) -> list[Path]:
    """Where the two places of the index are."""
    return list(next(server.folder.rglob("index")).iterdir())
