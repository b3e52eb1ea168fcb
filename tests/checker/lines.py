"""Reading a record and a log: what all invariants share. Sentences about broken promises come from elsewhere."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from tests.record import Line

Violations = Iterator[str]

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
GENESIS_HASH = "0" * 16
REDACTED = {"redacted": True}


def of(record: Iterable[Line], *evs: str) -> Iterator[Line]:
    return (line for line in record if line["ev"] in evs)


def messages(record: Iterable[Line]) -> Iterator[Line]:
    """What was composed, but for acts."""
    return (line for line in of(record, "compose") if line["stream"] != "act")


def without_restored(record: list[Line]) -> list[Line]:
    """What was seen since the database was last put back; before that it was another one's log."""
    restores = [number for number, line in enumerate(record) if line["ev"] == "restore"]
    return record[restores[-1] :] if restores else record


def who(line: Line) -> str:
    return f"{line['actor']} ({line['tab']})"


def hash_after(previous: str, event: Line) -> str:
    """Protocol 3.3: the first 16 hex digits over previous hash, seq, kind, by, id, digest of the data, salt."""
    digest = event["digest"] or digest_of(json.loads(event["data"]))
    parts = (previous, str(event["seq"]), event["kind"], event["by"], event["id"], digest, event["salt"])
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def digest_of(data: Any) -> str:
    """SHA-256 of canonical JSON: sorted keys, no blanks, UTF-8."""
    return sha256(CANONICAL.encode(data).encode()).hexdigest()


def was_content(data: Any, event: Line) -> bool:
    """Whether `data` is what the event holds, or held before it was redacted."""
    if event["digest"] is None:
        return bool(data == json.loads(event["data"]))
    return bool(data == REDACTED or digest_of(data) == event["digest"])


def redactions(events: Iterable[Line]) -> dict[tuple[str, str, int], int]:
    """Which events were redacted: (chat, stream, seq) to the seq of the redaction, which is told in the same stream. In
    an erased chat redactions name nothing any more.
    """
    told = ((event, json.loads(event["data"])) for event in events if event["kind"] == "redact")
    return {(event["chat"], event["stream"], data["seq"]): event["seq"] for event, data in told if data != REDACTED}
