"""The JavaScript of the widget and the desk: its unit tests run in Node's own runner, its examples against a server."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase, Serve, servers
from tests.node import NODE
from tests.people import Agent
from tests.record import Record

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "js"
EXAMPLE = ROOT / "docs" / "client-example.mjs"


@pytest.fixture
def serve(make_sqlite: MakeDatabase, tmp_path: Path) -> Iterator[Serve]:
    """On SQLite only: what the library does is the same on each database."""
    with make_sqlite() as url, servers(url, tmp_path) as serve:
        yield serve


def test_the_client_library_keeps_its_rules() -> None:
    files = sorted(TESTS.glob("*.test.mjs"))
    run = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert "# pass 0" not in run.stdout and files


@pytest.mark.parametrize("without", [[], ["--no-experimental-websocket"]], ids=["socket", "poll"])
def test_the_example_has_a_conversation(serve: Serve, record: Record, without: list[str]) -> None:
    server = serve()
    robin = Agent(record, "Robin").signs_in(server)
    example = subprocess.Popen(
        [NODE, *without, EXAMPLE, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with example:
        robin.until(lambda: bool(robin.queue.get("waiting")), "somebody who waits")
        robin.accepts(robin.queue["waiting"][0]["chat"])
        robin.sees("And has it nuts?")
        robin.says("It is vegan, and has none")
        out, err = example.communicate(timeout=20)
    assert example.returncode == 0, err
    assert out.splitlines() == [
        "customer: Is the marzipan tea vegan?",
        "customer: And has it nuts?",
        "agent: It is vegan, and has none",
    ]


def test_every_import_of_an_example_is_exported() -> None:
    exported = set(re.findall(r"export (?:function |\{ )(\w+)", (ROOT / "resume/widget/stillhere.js").read_text()))
    texts = (EXAMPLE.read_text(), (ROOT / "docs" / "client.md").read_text())
    named = {
        name for text in texts for names in re.findall(r"import \{ ([\w, ]+) \}", text) for name in names.split(", ")
    }
    assert named and named <= exported
