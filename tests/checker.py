"""The history checker: compares all that the drivers saw with what the database holds, and names each broken promise.

`check(record, dump)` returns sentences that begin with the number of the invariant (I1, I2, …); none is as it should
be. It believes the dump only, never the server's claims, and computes hashes by itself from the words of protocol 3.3.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from tests.dump import Dump
from tests.record import Line

Violations = Iterator[str]


def check(record: list[Line], dump: Dump) -> list[str]:
    """Every broken promise in the chats that the record tells of."""
    chats = {line["chat"] for line in record if "chat" in line}
    own = Dump(
        {id: chat for id, chat in dump.chats.items() if id in chats},
        [event for event in dump.events if event["chat"] in chats],
        [person for person in dump.participants if person["chat"] in chats],
    )
    return [violation for invariant in INVARIANTS for violation in invariant(record, own)]


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
            yield f"I1: {ack['id']} was acked at {ack['seq']} {ack['hash']}; the log has it at {places}"


def ids_are_unique(_record: list[Line], dump: Dump) -> Violations:
    """I2: the same id of the same participant is one event."""
    times = Counter((event["chat"], event["by"], event["id"]) for event in dump.events)
    for (_, by, id), count in times.items():
        if count > 1:
            yield f"I2: {id} of {by} is in the log {count} times"


def chains_hold(_record: list[Line], dump: Dump) -> Violations:
    """I3: each stream is numbered 1 to head without a gap, and its hashes follow from what it holds."""
    for id, chat in dump.chats.items():
        for stream, prefix in (("public", ""), ("internal", "internal_")):
            events = [one for one in dump.events if one["chat"] == id and one["stream"] == stream]
            head = chat[f"{prefix}head"]
            if [event["seq"] for event in events] != list(range(1, head + 1)):
                yield f"I3: the {stream} stream of {id} is not 1 to {head}: {[e['seq'] for e in events]}"
            last = "0" * 16
            for event in events:
                if event["hash"] != hash_after(last, event):
                    yield f"I3: event {event['seq']} of {id} does not follow from the one before it"
                last = event["hash"]
            if chat[f"{prefix}hash"] != last:
                yield f"I3: the hash of {id} is not that of its last event"


def hash_after(previous: str, event: Line) -> str:
    """Protocol 3.3: the first 16 hex digits over previous hash, seq, kind, by, id, digest of the data, salt."""
    digest = event["digest"] or sha256(canonical(json.loads(event["data"]))).hexdigest()
    parts = (previous, str(event["seq"]), event["kind"], event["by"], event["id"], digest, event["salt"])
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no blanks, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def all_see_the_same(record: list[Line], dump: Dump) -> Violations:
    """I4: one event at one place, whoever sees it, and it is the event of the log, with its content."""
    log = {(one["chat"], one["stream"], one["seq"]): one for one in dump.events}
    for seen in of(without_restored(record), "apply"):
        event = log.get((seen["chat"], seen["stream"], seen["seq"]))
        if event is None or any(seen[name] != event[name] for name in ("hash", "kind", "by", "id")):
            yield f"I4: {who(seen)} saw {seen['id']} at {seen['seq']}, where the log has {event}"
        elif seen["data"] != json.loads(event["data"]):
            yield f"I4: {who(seen)} saw {seen['seq']} with other content than the log has"


def live_is_in_order(record: list[Line], _dump: Dump) -> Violations:
    """I5: what comes live is always the next one, from where the resume ended; nothing is seen twice."""
    high: dict[tuple[str, str, str], int] = {}
    seen: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for line in record:
        if line["ev"] == "resume":
            key = (line["tab"], line["chat"], "public")
            high[key] = line["seq"]
            if line["reset"]:
                seen[key].clear()
        if line["ev"] != "apply":
            continue
        key = (line["tab"], line["chat"], line["stream"])
        if line["seq"] in seen[key]:
            yield f"I5: {who(line)} applied {line['seq']} twice"
        seen[key].add(line["seq"])
        if line["how"] == "live":
            if key in high and line["seq"] != high[key] + 1:
                yield f"I5: {who(line)} got {line['seq']} live behind {high[key]}"
            high[key] = line["seq"]


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
            yield f"I6: messages of {tab} in {chat} overtook each other"


def previous_is_there(_record: list[Line], dump: Dump) -> Violations:
    """I7: what a message says was composed before it is in the log before it."""
    known: set[tuple[str, str, str]] = set()
    for event in dump.events:
        if event["prev"] and (event["chat"], event["by"], event["prev"]) not in known:
            yield f"I7: {event['id']} is in the log before {event['prev']}, which came before it"
        known.add((event["chat"], event["by"], event["id"]))


def all_have_everything(record: list[Line], dump: Dump) -> Violations:
    """I8: whoever is there in the end has each chat whole, and nothing is left to send."""
    is_open = {line["tab"]: line["ev"] == "open" for line in record if line["ev"] in ("open", "close")}
    has: dict[tuple[str, str], set[int]] = defaultdict(set)
    floors: dict[tuple[str, str], int] = {}
    waiting: dict[str, str] = {}
    for line in record:
        if line["ev"] == "resume":
            floors[line["tab"], line["chat"]] = line["floor"]
            if line["reset"]:
                has[line["tab"], line["chat"]].clear()
        elif line["ev"] == "apply" and line["stream"] == "public":
            has[line["tab"], line["chat"]].add(line["seq"])
        elif line["ev"] == "tx":
            waiting[line["id"]] = line["tab"]
        elif line["ev"] == "ack" or (line["ev"] == "nack" and not line["retry"]):
            waiting.pop(line["id"], None)
    for (tab, chat), floor in floors.items():
        missing = set(range(floor + 1, dump.head(chat) + 1)) - has[tab, chat]
        if is_open.get(tab) and missing:
            yield f"I8: {tab} never got {sorted(missing)} of {chat}"
    for id, tab in waiting.items():
        if is_open.get(tab):
            yield f"I8: {tab} never got an answer to {id}"


def nothing_from_nowhere(record: list[Line], dump: Dump) -> Violations:
    """I9: what was said, somebody composed, in these words."""
    composed = {(one["chat"], one["by"], one["id"]): one["data"] for one in messages(record)}
    for event in dump.events:
        if event["kind"] not in ("message", "note"):
            continue
        data = composed.get((event["chat"], event["by"], event["id"]))
        if data != json.loads(event["data"]):
            yield f"I9: {event['id']} is in the log as {event['data']}; composed was {data}"


def own_writes_are_seen(record: list[Line], _dump: Dump) -> Violations:
    """I10: after an ack, whatever the same person is told later covers it, on any device and server."""
    acked: dict[tuple[str, str], int] = {}
    internal = {line["id"] for line in messages(record) if line["stream"] == "internal"}
    for line in without_restored(record):
        if line["ev"] == "ack" and line["id"] not in internal:
            key = (line["actor"], line["chat"])
            acked[key] = max(acked.get(key, 0), line["seq"])
        if line["ev"] == "resume" and line["seq"] < acked.get((line["actor"], line["chat"]), 0):
            yield f"I10: {who(line)} resumed at {line['seq']}, before an event of their own that was acked"


def heads_never_fall(record: list[Line], _dump: Dump) -> Violations:
    """I11: what a tab is told of a chat's head and state never goes back."""
    for name in ("seq", "rev"):
        last: dict[tuple[str, str], int] = {}
        for line in record:
            if line["ev"] == "resume" and line["reset"]:
                last.pop((line["tab"], line["chat"]), None)
            if line["ev"] != "state":
                continue
            key = (line["tab"], line["chat"])
            if line[name] < last.get(key, 0):
                yield f"I11: {who(line)} saw {name} {line[name]} after {last[key]}"
            last[key] = line[name]


def marks_only_rise(record: list[Line], dump: Dump) -> Violations:
    """I12: reading marks never fall, never pass the head, and what was read was delivered."""
    in_the_end = {(one["chat"], one["id"]): one for one in dump.participants}
    last: dict[tuple[str, str, str], tuple[int, int]] = {}
    for line in of(without_restored(record), "read"):
        key = (line["tab"], line["chat"], line["participant"])
        marks = (line["read"], line["delivered"])
        if any(now < before for now, before in zip(marks, last.get(key, (0, 0)), strict=True)):
            yield f"I12: {who(line)} saw marks fall from {last[key]} to {marks}"
        last[key] = marks
        yield from sound_marks(line, dump.head(line["chat"]))
        final = in_the_end.get(key[1:])
        if final is None or final["read"] < line["read"] or final["delivered"] < line["delivered"]:
            yield f"I12: {who(line)} saw marks {marks} that the database does not have"
    for person in dump.participants:
        yield from sound_marks(person, dump.head(person["chat"]))


def sound_marks(marks: Line, head: int) -> Violations:
    if not marks["read"] <= marks["delivered"] <= head:
        yield f"I12: read {marks['read']}, delivered {marks['delivered']}, head {head}"


def states_follow_from_the_log(record: list[Line], dump: Dump) -> Violations:
    """I13: a state shown with a head is the one that the log up to there leads to."""
    logs: dict[str, list[tuple[bool, int]]] = defaultdict(lambda: [(False, 1)])
    for event in dump.events:
        if event["stream"] == "public":
            closed, thread = logs[event["chat"]][-1]
            closed = event["kind"] == "close" or (closed and event["kind"] != "reopen")
            logs[event["chat"]].append((closed, thread + (event["kind"] == "reopen")))
    for line in of(without_restored(record), "state"):
        told = (line["status"] == "closed", line["thread"])
        history = logs[line["chat"]]
        if line["seq"] >= len(history) or told != history[line["seq"]]:
            yield f"I13: {who(line)} was told {told} at {line['seq']}; the log up to there says otherwise"


def closed_is_closed(_record: list[Line], dump: Dump) -> Violations:
    """I15: after a close nothing is said before a reopen."""
    closed: dict[str, bool] = {}
    for event in dump.events:
        if event["kind"] in ("close", "reopen"):
            closed[event["chat"]] = event["kind"] == "close"
        elif event["kind"] == "message" and closed.get(event["chat"]):
            yield f"I15: {event['id']} was said in a closed chat"


def none_sees_what_is_not_theirs(record: list[Line], dump: Dump) -> Violations:
    """I16: customers see the public stream of the chats in which they have the customer's place."""
    customers = {(one["chat"], one["id"]) for one in dump.participants if one["role"] == "customer"}
    me = {(line["tab"], line["chat"]): line["me"] for line in of(record, "resume")}
    for line in of(record, "apply"):
        if line["role"] != "customer":
            continue
        place = (line["chat"], me.get((line["tab"], line["chat"]), ""))
        if line["stream"] != "public" or place not in customers:
            yield f"I16: {who(line)} saw {line['stream']} event {line['seq']} of {line['chat']}"


def no_reset_without_a_cause(record: list[Line], _dump: Dump) -> Violations:
    """I17: a copy is called diverged only when an older database was put back."""
    restored = False
    for line in record:
        restored |= line["ev"] == "restore"
        if line["ev"] == "resume" and line["reset"] == "diverged" and not restored:
            yield f"I17: {who(line)} was reset without a restore"


INVARIANTS: tuple[Callable[[list[Line], Dump], Violations], ...] = (
    acked_is_kept,
    ids_are_unique,
    chains_hold,
    all_see_the_same,
    live_is_in_order,
    order_of_composing,
    previous_is_there,
    all_have_everything,
    nothing_from_nowhere,
    own_writes_are_seen,
    heads_never_fall,
    marks_only_rise,
    states_follow_from_the_log,
    closed_is_closed,
    none_sees_what_is_not_theirs,
    no_reset_without_a_cause,
)


def of(record: Iterable[Line], ev: str) -> Iterator[Line]:
    return (line for line in record if line["ev"] == ev)


def messages(record: Iterable[Line]) -> Iterator[Line]:
    """What was composed, but for acts."""
    return (line for line in of(record, "compose") if line["stream"] != "act")


def without_restored(record: list[Line]) -> list[Line]:
    """What was seen since the database was last put back; before that it was another one's log."""
    restores = [number for number, line in enumerate(record) if line["ev"] == "restore"]
    return record[restores[-1] :] if restores else record


def who(line: Line) -> str:
    return f"{line['actor']} ({line['tab']})"
