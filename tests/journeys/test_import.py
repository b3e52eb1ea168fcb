"""Dialogues from a file become chats of the last year; a broken line stores nothing; a transcript can be verified."""

import json
import time
from pathlib import Path

import pytest

from tests.checker.log import chains_hold
from tests.dump import everything, read_dump
from tests.people import Agent
from tests.record import Record
from tests.servers import Server, run_command

YEAR_S = 366 * 24 * 3600

DIALOGUES = [
    {
        "id": f"dialogue-{number}",
        "topics": ["opening_hours"],
        "turns": [["customer", f"When do you open, ask {number}"], ["agent", "At nine"], ["customer", "Thanks"]],
    }
    for number in range(5)
]

BROKEN = [
    ("this is not JSON", '{"id": "x", "turns": ['),
    ("`id`", '{"turns": [["customer", "Hi"]]}'),
    ("`turns`", '{"id": "x", "turns": []}'),
    ("a turn must be", '{"id": "x", "turns": [["robot", "Hi"]]}'),
    ("`data.text`", '{"id": "x", "turns": [["customer", 7]]}'),
    ("at most 16384", json.dumps({"id": "x", "turns": [["customer", "x" * 16385]]})),
]


def write(folder: Path, *lines: str) -> Path:
    file = folder / "dialogues.jsonl"
    file.write_text("\n".join((*map(json.dumps, DIALOGUES), *lines)))
    return file


def test_an_import_is_found_once_however_often_it_is_run(database_url: str, tmp_path: Path, record: Record) -> None:
    file = write(tmp_path, '{"id": "wordless", "turns": [["customer", " "]]}')
    first = run_command(tmp_path, "import", str(file), DATABASE_URL=database_url)
    assert (first.returncode, first.stdout.split()[0]) == (0, "15"), first
    before = everything(database_url)
    again = run_command(tmp_path, "import", str(file), DATABASE_URL=database_url)
    assert (again.returncode, again.stdout.split()[0]) == (0, "0"), again
    assert everything(database_url) == before

    dump = read_dump(database_url)
    assert len(dump.chats) == len(DIALOGUES)
    assert {chat["status"] for chat in dump.chats.values()} == {"closed"}
    assert list(chains_hold([], dump)) == []


def test_what_was_imported_can_be_read_and_verified(server: Server, tmp_path: Path, record: Record) -> None:
    settings = {"DATABASE_URL": server.database_url}
    assert run_command(tmp_path, "import", str(write(tmp_path)), **settings).returncode == 0
    robin = Agent(record, "Robin").signs_in(server)
    chats = [chat for chat in robin.asks("GET", "/chats").json["items"] if chat["subject"] == "opening hours"]
    assert len(chats) == len(DIALOGUES)
    robin.enters(chats[0]["chat"])
    assert robin.texts()[1:] == ["At nine", "Thanks"]
    assert time.time() - YEAR_S < started(robin.copy.events[1]["at"]) < time.time()

    transcript = robin.asks("GET", f"/chats/{robin.chat}/transcript?format=json")
    file = tmp_path / "transcript.json"
    file.write_bytes(transcript.body)
    assert run_command(tmp_path, "verify", str(file)).returncode == 0
    file.write_bytes(transcript.body.replace(b"At nine", b"At nein"))
    doctored = run_command(tmp_path, "verify", str(file))
    assert (doctored.returncode, "Traceback" in doctored.stderr) == (1, False)


def started(at: str) -> float:
    return time.mktime(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


@pytest.mark.parametrize(("why", "line"), BROKEN, ids=[why for why, _ in BROKEN])
def test_a_broken_line_is_named_and_nothing_is_stored(database_url: str, tmp_path: Path, why: str, line: str) -> None:
    before = everything(database_url)
    file = write(tmp_path, line, json.dumps(DIALOGUES[0]))
    ended = run_command(tmp_path, "import", str(file), DATABASE_URL=database_url)
    assert ended.returncode == 1
    assert f"{file.name}, line {len(DIALOGUES) + 1}: " in ended.stderr
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
    assert everything(database_url) == before
