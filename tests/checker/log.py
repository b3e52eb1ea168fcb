"""What the log must be, by itself (I2, I3, I7, I15) and beside what was composed and acked (I1, I6, I9)."""

import json
from collections import Counter, defaultdict

from tests.checker.lines import (
    GENESIS_HASH,
    REDACTED,
    Violations,
    hash_after,
    messages,
    of,
    redactions,
    was_content,
    without_restored,
)
from tests.dump import Dump
from tests.record import Line


def acked_is_kept(record: list[Line], dump: Dump) -> Violations:
    """I1: what was acked is committed exactly once, at the acked place. An act that was so already has no event."""
    found: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    for event in dump.events:
        found[event["chat"], event["by"], event["id"]].append(event)
    acts = {line["id"] for line in record if line["ev"] == "compose" and line["stream"] == "act"}
    for ack in of(without_restored(record), "ack"):
        events = found[ack["chat"], ack["by"], ack["id"]]
        if not events and ack["duplicate"] and ack["id"] in acts:
            continue
        places = [(event["seq"], event["hash"]) for event in events]
        if places != [(ack["seq"], ack["hash"])]:
            yield f"{ack['id']} was acked at {ack['seq']} {ack['hash']}; the log has it at {places}"


def ids_are_unique(_record: list[Line], dump: Dump) -> Violations:
    """I2: the same id of the same participant is one event."""
    times = Counter((event["chat"], event["by"], event["id"]) for event in dump.events)
    for (_, by, id), count in times.items():
        if count > 1:
            yield f"{id} of {by} is in the log {count} times"


def chains_hold(_record: list[Line], dump: Dump) -> Violations:
    """I3: each stream is numbered 1 to head without a gap, its hashes follow from what it holds, and what a redaction
    names is gone, or all of an erased chat.
    """
    streams: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for event in dump.events:
        streams[event["chat"], event["stream"]].append(event)
    for id, chat in dump.chats.items():
        for stream, prefix in (("public", ""), ("internal", "internal_")):
            events = streams[id, stream]
            head = chat[f"{prefix}head"]
            if [event["seq"] for event in events] != list(range(1, head + 1)):
                yield f"the {stream} stream of {id} is not 1 to {head}: {[e['seq'] for e in events]}"
            last = GENESIS_HASH
            for event in events:
                if event["hash"] != hash_after(last, event):
                    yield f"event {event['seq']} of {id} does not follow from the one before it"
                last = event["hash"]
            if chat[f"{prefix}hash"] != last:
                yield f"the hash of {id} is not that of its last event"
            if 0 < chat["head"] <= chat["floor"] and any(json.loads(event["data"]) != REDACTED for event in events):
                yield f"{id} was erased, and its {stream} stream still has data"
    for id, stream, seq in redactions(dump.events):
        if any(event["seq"] == seq and json.loads(event["data"]) != REDACTED for event in streams[id, stream]):
            yield f"event {seq} of {id} was redacted, and its data are still there"


def order_of_composing(record: list[Line], dump: Dump) -> Violations:
    """I6: the messages of one tab are in the log in the order of composing."""
    place = {(one["chat"], one["by"], one["id"]): number for number, one in enumerate(dump.events)}
    tabs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for line in messages(record):
        key = (line["chat"], line["by"], line["id"])
        if key in place:
            tabs[line["tab"], line["chat"]].append(place[key])
    for (tab, chat), places in tabs.items():
        if places != sorted(places):
            yield f"messages of {tab} in {chat} overtook each other"


def previous_is_there(_record: list[Line], dump: Dump) -> Violations:
    """I7: what a message says was composed before it is in the log before it."""
    known: set[tuple[str, str, str]] = set()
    for event in dump.events:
        if event["prev"] and (event["chat"], event["by"], event["prev"]) not in known:
            yield f"{event['id']} is in the log before {event['prev']}, which came before it"
        known.add((event["chat"], event["by"], event["id"]))


def nothing_from_nowhere(record: list[Line], dump: Dump) -> Violations:
    """I9: what was said, somebody composed, in these words."""
    composed = {(one["chat"], one["by"], one["id"]): one["data"] for one in messages(record)}
    for event in dump.events:
        if event["kind"] not in ("message", "note"):
            continue
        data = composed.get((event["chat"], event["by"], event["id"]))
        if data is None or not was_content(data, event):
            yield f"{event['id']} is in the log as {event['data']}; composed was {data}"


def closed_is_closed(_record: list[Line], dump: Dump) -> Violations:
    """I15: after a close nothing is said before a reopen."""
    closed: dict[str, bool] = {}
    for event in dump.events:
        if event["kind"] in ("close", "reopen"):
            closed[event["chat"]] = event["kind"] == "close"
        elif event["kind"] == "message" and closed.get(event["chat"]):
            yield f"{event['id']} was said in a closed chat"
