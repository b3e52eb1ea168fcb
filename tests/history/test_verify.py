"""A JSON transcript proves itself, and every change is found at its place."""

from pathlib import Path
from typing import Any

import pytest

from history.errors import Invalid
from history.events import digest_of
from history.transcript_formats import as_json, document
from history.verify import Verdict, check_file, verify
from tests.history.scene import Scene


@pytest.fixture
def record(scene: Scene) -> dict[str, Any]:
    scene.closed_chat()
    scene.says(scene.customer, "It is me again", reopen=True)
    return document(scene.transcript())


def test_a_whole_chat_holds(record: dict[str, Any]) -> None:
    assert verify(record) == Verdict(True, len(record["events"]))


def test_a_thread_holds_by_itself(scene: Scene, record: dict[str, Any]) -> None:
    part = document(scene.transcript(thread=2))
    assert part["events"][0]["seq"] > 1
    assert verify(part).holds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 40),
        ("kind", "notice"),
        ("by", "p_somebodyelse"),
        ("id", "another-message-1"),
        ("data", {"text": "I never said that"}),
        ("digest", digest_of("{}")),
        ("salt", "0" * 16),
        ("hash", "f" * 16),
    ],
)
def test_every_changed_field_is_found_at_its_event(record: dict[str, Any], field: str, value: object) -> None:
    event = record["events"][3]
    event[field] = value
    verdict = verify(record)
    assert not verdict.holds
    assert verdict.events == 3
    assert verdict.bad_seq == event["seq"]


def test_a_changed_text_with_a_fitting_digest_is_found(record: dict[str, Any]) -> None:
    record["events"][1]["data"] = {"text": "forged"}
    record["events"][1]["digest"] = digest_of('{"text":"forged"}')
    assert verify(record).bad_seq == 2


def test_missing_and_swapped_events_are_found(record: dict[str, Any]) -> None:
    events = record["events"]
    assert verify(record | {"events": events[:2] + events[3:]}).bad_seq == 4
    assert verify(record | {"events": [events[1], events[0], *events[2:]]}).bad_seq == 2
    assert verify(record | {"events": events[1:]}).bad_seq == 2
    shortened = verify(record | {"events": events[:-1]})
    assert (shortened.holds, shortened.bad_seq) == (False, None)


def test_a_redacted_message_still_holds(scene: Scene) -> None:
    scene.closed_chat()
    redact = "UPDATE event SET digest = ?, data = ? WHERE seq = 2"
    told = document(scene.transcript())["events"][1]["digest"]
    scene.writer.write(lambda t: t.driver.run(redact, told, '{"redacted":true}'))
    record = document(scene.transcript())
    assert record["events"][1]["data"] == {"redacted": True}
    assert verify(record).holds


def test_a_file_is_checked(scene: Scene, tmp_path: Path) -> None:
    scene.closed_chat()
    file = tmp_path / "transcript.json"
    file.write_text(as_json(scene.transcript()))
    assert check_file(file).holds
    file.write_text(file.read_text().replace("Here I am", "Here I was"))
    assert not check_file(file).holds


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"[]", b"{}", b'{"format":"stillhere.transcript.v1","previous":"","events":[{"seq":1}]}'],
)
def test_what_is_no_transcript_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(Invalid):
        check_file(file)


def test_a_masked_number_breaks_no_chain_and_is_counted(scene: Scene) -> None:
    scene.start(name="4111 1111 1111 1111")
    scene.says(scene.customer, "It is 4111 1111 1111 1111")
    record = document(scene.transcript())
    assert record["events"][-1]["data"] == {"text": "It is •••• 1111"}
    assert "4111 1111" not in as_json(scene.transcript())
    verdict = verify(record)
    assert verdict.holds
    assert verdict.masked == sum("masked" in event for event in record["events"]) >= 1
    record["events"][-1]["hash"] = "f" * 16
    assert not verify(record).holds
