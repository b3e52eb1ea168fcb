"""Does a JSON transcript's chain hold (protocol 3.3)? Pure but for `check_file`, for `stillhere verify`.

It finds any change of seq, kind, sender, id or data, but for the words of events in which something is masked: those it
counts. It is no signature: who makes a transcript can make a chain. Thread numbers and times are no part of the chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from history.errors import Invalid
from history.events import canonical, chain, digest_of
from history.transcript_formats import FORMAT

TEXTS = ("hash", "kind", "by", "id", "digest", "salt")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`bad_seq` is the first event that does not hold, null when all do or when the list itself is wrong."""

    holds: bool
    events: int
    """How many events hold, counted from the first."""
    reason: str = ""
    bad_seq: int | None = None
    masked: int = 0
    """How many of them are masked, so that their words are not those that were written."""


def check_file(path: Path) -> Verdict:
    """The verdict on a file. Raises Invalid when it is no JSON transcript, OSError when it cannot be read."""
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{path.name} is not JSON: {error}") from error
    return verify(document)


def verify(document: Any) -> Verdict:
    """The verdict on a JSON transcript as an object. Raises Invalid when it is none."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise Invalid(f"This is no transcript in the format {FORMAT}")
    previous, events = document.get("previous"), document.get("events")
    if not isinstance(previous, str) or not isinstance(events, list):
        raise Invalid("The transcript needs the text `previous` and the list `events`")
    before: int | None = None
    for number, event in enumerate(events):
        check_shape(number, event)
        reason = what_is_wrong(event, before, previous)
        if reason:
            return Verdict(False, number, reason, event["seq"])
        before, previous = event["seq"], event["hash"]
    if document.get("hash") != previous:
        return Verdict(False, len(events), "events are missing at the end")
    return Verdict(True, len(events), masked=sum(is_masked(event) for event in events))


def is_masked(event: Mapping[str, Any]) -> bool:
    return event.get("masked") is True


def check_shape(number: int, event: Any) -> None:
    """Raises Invalid unless `event` has the members that the chain is made of."""
    shaped = (
        isinstance(event, Mapping)
        and all(isinstance(event.get(name), str) for name in TEXTS)
        and type(event.get("seq")) is int
        and isinstance(event.get("data"), Mapping)
    )
    if not shaped:
        raise Invalid(f"Event {number + 1} of the list lacks what the chain is made of")


def what_is_wrong(event: Mapping[str, Any], before: int | None, previous: str) -> str:
    """Why an event does not hold, given the number and the hash before it; empty when it does."""
    if before is not None and event["seq"] != before + 1:
        return f"event {before + 1} is missing"
    if (
        not is_masked(event)
        and event["data"] != {"redacted": True}
        and digest_of(canonical(event["data"])) != event["digest"]
    ):
        return "the content is not what was written"
    fields = (event[name] for name in ("seq", "kind", "by", "id", "digest", "salt"))
    if chain(previous, *fields) != event["hash"]:
        return "the event is not the one of the record, or stands in another place"
    return ""
