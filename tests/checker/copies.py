"""What tabs were given of the log and what their copies came to (I4, I5, I8, I10)."""

from collections import defaultdict

from tests.checker.lines import REDACTED, Violations, messages, of, redactions, was_content, who, without_restored
from tests.dump import Dump
from tests.record import Line

TabOfChat = tuple[str, str]


def all_see_the_same(record: list[Line], dump: Dump) -> Violations:
    """I4: one event at one place, whoever sees it, and it is the event of the log, with its content. Whoever resumed
    behind a redaction sees the old content no more.
    """
    log = {(one["chat"], one["stream"], one["seq"]): one for one in dump.events}
    redacted = redactions(dump.events)
    resumed: dict[TabOfChat, int] = {}
    for line in of(without_restored(record), "resume", "apply"):
        tab_of_chat = (line["tab"], line["chat"])
        if line["ev"] == "resume":
            resumed[tab_of_chat] = line["seq"]
            continue
        event = log.get((line["chat"], line["stream"], line["seq"]))
        if event is None or any(line[name] != event[name] for name in ("hash", "kind", "by", "id")):
            yield f"{who(line)} saw {line['id']} at {line['seq']}, where the log has {event}"
        elif not was_content(line["data"], event):
            yield f"{who(line)} saw {line['seq']} with other content than the log has"
        elif line["data"] != REDACTED and line["stream"] == "public":
            gone_at = redacted.get((line["chat"], "public", line["seq"]))
            if gone_at is not None and gone_at <= resumed.get(tab_of_chat, 0):
                yield f"{who(line)} was given the content of {line['seq']} after it was redacted"


def everything_comes_in_order(record: list[Line], _dump: Dump) -> Violations:
    """I5: a resume brings the newest of what is missing and names the rest; what comes live is always the next one,
    from where the resume ended; nothing is seen twice.
    """
    high: dict[tuple[TabOfChat, str], int] = {}
    seen: dict[tuple[TabOfChat, str], set[int]] = defaultdict(set)
    for line in of(record, "restore", "resume", "apply", "skip"):
        if line["ev"] == "restore":  # notes have no resume that tells of it
            seen = defaultdict(set, {key: seqs for key, seqs in seen.items() if key[1] == "public"})
            continue
        tab_of_chat = (line["tab"], line["chat"])
        if line["ev"] == "resume":
            if missing_in(line):
                yield f"{who(line)} resumed from {line['have']} to {line['seq']} without {missing_in(line)}"
            high[tab_of_chat, "public"] = line["seq"]
            high.pop((tab_of_chat, "internal"), None)
            if line["reset"]:
                seen.pop((tab_of_chat, "public"), None)
            continue
        if line["ev"] == "skip":
            yield f"{who(line)} was sent {line['seq']} live behind {line['have']}"
            continue
        key = (tab_of_chat, line["stream"])
        if line["seq"] in seen[key]:
            yield f"{who(line)} applied {line['seq']} twice"
        seen[key].add(line["seq"])
        if line["how"] == "live":
            if key in high and line["seq"] != high[key] + 1:
                yield f"{who(line)} got {line['seq']} live behind {high[key]}"
            high[key] = line["seq"]


def missing_in(resume: Line) -> list[int]:
    """What a resume neither brings nor names as its gap, or brings though it is older than what it does not bring."""
    have = 0 if resume["reset"] else max(resume["have"], resume["floor"])
    gap = resume["gap"]
    first = gap["to"] + 1 if gap else have + 1
    wanted = list(range(max(first, resume["floor"] + 1), resume["seq"] + 1))
    return [] if resume["brings"] == wanted else sorted(set(wanted) ^ set(resume["brings"]))


def all_have_everything(record: list[Line], dump: Dump) -> Violations:
    """I8: in the end whoever is there has each chat as the log has it, and nothing is left to send."""
    is_open = {line["tab"]: line["ev"] == "open" for line in of(record, "open", "close")}
    copies: dict[TabOfChat, dict[int, str]] = defaultdict(dict)
    floors: dict[TabOfChat, int] = {}
    waiting: dict[str, str] = {}
    refused: set[str] = set()
    for line in of(record, "resume", "apply", "tx", "ack", "nack"):
        if line["ev"] == "resume":
            floors[line["tab"], line["chat"]] = line["floor"]
            if line["reset"]:
                copies[line["tab"], line["chat"]].clear()
        elif line["ev"] == "apply":
            if line["stream"] == "public":
                copies[line["tab"], line["chat"]][line["seq"]] = line["hash"]
        elif line["ev"] == "tx":
            waiting[line["id"]] = line["tab"]
        elif line["ev"] == "ack" or not line["retry"]:
            waiting.pop(line["id"], None)
            if line["ev"] == "nack":
                refused.add(line["id"])
    logs: dict[str, dict[int, str]] = defaultdict(dict)
    for event in dump.events:
        if event["stream"] == "public":
            logs[event["chat"]][event["seq"]] = event["hash"]
    for (tab, chat), floor in floors.items():
        if not is_open.get(tab):
            continue
        copy, log = copies[tab, chat], logs[chat]
        if missing := [seq for seq in log if seq > floor and seq not in copy]:
            yield f"{tab} never got {missing} of {chat}"
        if foreign := [seq for seq, hash in copy.items() if log.get(seq) != hash]:
            yield f"{tab} holds {foreign} of {chat} as the log has not"
    for id, tab in waiting.items():
        if is_open.get(tab):
            yield f"{tab} never got an answer to {id}"
    settled = refused | {event["id"] for event in dump.events} | acked_notes_of_before(record)
    for line in messages(record):
        if is_open.get(line["tab"]) and line["id"] not in settled:
            yield f"{who(line)} composed {line['id']}, which never came into the log"


def acked_notes_of_before(record: list[Line]) -> set[str]:
    """Notes that a restored backup took away: no position and no resume tells of the internal stream (protocol 4.3)."""
    notes = {line["id"] for line in messages(record) if line["stream"] == "internal"}
    before = record[: len(record) - len(without_restored(record))]
    return notes & {line["id"] for line in of(before, "ack")}


def own_writes_are_seen(record: list[Line], _dump: Dump) -> Violations:
    """I10: whoever says hello after an ack is told of what was acked, on any device and server."""
    acked: dict[str, dict[str, int]] = defaultdict(dict)
    at_hello: dict[str, dict[str, int]] = {}
    internal = {line["id"] for line in messages(record) if line["stream"] == "internal"}
    for line in of(without_restored(record), "ack", "hello", "resume"):
        if line["ev"] == "hello":
            at_hello[line["tab"]] = dict(acked[line["actor"]])
        elif line["ev"] == "resume":
            if line["seq"] < at_hello.get(line["tab"], {}).get(line["chat"], 0):
                yield f"{who(line)} resumed at {line['seq']}, before an event of their own that was acked"
        elif line["id"] not in internal:
            own = acked[line["actor"]]
            own[line["chat"]] = max(own.get(line["chat"], 0), line["seq"])
