"""Whatever searches: what is said at one server is found at each, also after a restart."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server, run_command


def finds(agent: Agent, q: str) -> list[int]:
    return [item["seq"] for item in agent.asks("GET", f"/search?q={q}").json["items"]]


def is_found_by(agent: Agent, q: str) -> Callable[[], bool]:
    return lambda: len(finds(agent, q)) == 1


def test_what_is_said_at_one_server_is_found_at_both(two_servers: tuple[Server, Server], record: Record) -> None:
    here, there = two_servers
    Customer(record, "Ann").starts(here, "My umbrella is green")
    Customer(record, "Ben").starts(there, "My umbrella is violet")
    for server in two_servers:
        robin = Agent(record, "Robin").signs_in(server)
        robin.until(is_found_by(robin, "umbrella+green"), "the first message to be found")
        robin.until(is_found_by(robin, "umbrellas+violet"), "the second message to be found")


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_when_the_server_that_indexes_is_killed_another_goes_on(serve: Serve, record: Record) -> None:
    first, second = serve(), serve()
    Customer(record, "Ann").starts(first, "My umbrella is green")
    robin = Agent(record, "Robin").signs_in(second)
    robin.until(is_found_by(robin, "umbrella+green"), "what was said while the first server indexed")
    first.kill()
    Customer(record, "Ben").starts(second, "My umbrella is violet")
    robin.until(is_found_by(robin, "umbrella+violet"), "what was said after it was killed")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.skipif(find_spec("tantivy") is None, reason="the extra tantivy is not installed")
def test_another_engine_indexes_anew_what_was_said(serve: Serve, record: Record) -> None:
    server = serve()
    Customer(record, "Ann").starts(server, "My umbrella is green")
    for engine in ("tantivy", "whoosh"):
        server.stop()
        server = serve(SEARCH_ENGINE=engine)
        robin = Agent(record, "Robin").signs_in(server)
        robin.until(is_found_by(robin, "umbrella"), f"{engine} to find it")


def test_an_engine_that_cannot_be_had_stops_the_start_and_is_named(tmp_path: Path) -> None:
    for engine, reason in (("postgres", "names none"), ("sphinx", "Input should be")):
        started = run_command(tmp_path, "serve", SEARCH_ENGINE=engine)
        assert started.returncode == 2
        assert "STILLHERE_SEARCH_ENGINE: " in started.stderr and reason in started.stderr
