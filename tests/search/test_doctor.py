"""`stillhere doctor` beside a server and without one."""

from pathlib import Path

import pytest

from search.doctor import WHOOSH_MESSAGES, advice
from tests.conftest import Serve
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server, run_command


def findings(server: Server, **settings: str) -> tuple[int, dict[str, str]]:
    """Exit code, and what → how, with its mark."""
    answer = run_command(server.folder, "doctor", DATABASE_URL=server.database_url, **settings)
    assert not answer.stderr
    lines = [line.split("  ", 1) for line in answer.stdout.splitlines()]
    return answer.returncode, {text.partition(": ")[0]: f"{mark} {text.partition(': ')[2]}" for mark, text in lines}


def test_a_service_that_is_well(serve: Serve, record: Record, backend: str) -> None:
    server = serve()
    server.folder.chmod(0o700)
    Customer(record, "Ann").starts(server, "My umbrella is green")
    robin = Agent(record, "Robin").signs_in(server)
    robin.until(lambda: bool(robin.asks("GET", "/search?q=umbrella").json["items"]), "the message to be found")
    code, found = findings(server)
    engine = {"sqlite": "whoosh", "postgres": "postgres"}[backend]
    assert code == 0, found
    assert found["search engine"] == f"ok {engine}, as it suits the database"
    assert found["settings"] == "ok STILLHERE_DATABASE_URL, STILLHERE_INSTANCE_PATH"
    assert found["store"].startswith(("ok SQLite 3", "ok PostgreSQL 1")) and "1 chats" in found["store"]
    assert found["index"].startswith("ok 1 messages in ")
    assert found["behind"] == "ok 0 events are not indexed yet"
    assert found["advice"] == f"ok {engine} suits 1 messages"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_wants_to_be_looked_at_is_marked(serve: Serve) -> None:
    server = serve()
    server.stop()
    server.folder.chmod(0o750)
    old = server.folder / "tantivy" / "a"
    old.mkdir(parents=True)
    code, found = findings(server)
    assert code == 1
    assert found["folder"].startswith("!! others may enter") and "0750" in found["folder"]
    assert found["old index"] == f"!! tantivy left one in {server.folder / 'tantivy'}; delete it"


def test_a_mistake_in_the_settings_is_named(tmp_path: Path) -> None:
    answer = run_command(tmp_path, "doctor", PORT="many")
    assert answer.returncode == 2 and "STILLHERE_PORT" in answer.stderr


def test_it_advises_another_engine_for_many_messages() -> None:
    assert advice("whoosh", "sqlite", WHOOSH_MESSAGES) == f"whoosh suits {WHOOSH_MESSAGES:,} messages"
    assert "stillhere[tantivy]" in advice("whoosh", "sqlite", WHOOSH_MESSAGES + 1)
    assert "to postgres" in advice("whoosh", "postgresql", WHOOSH_MESSAGES + 1)
    assert advice("tantivy", "sqlite", 10**7).startswith("tantivy suits")
