"""What tabs were told besides events: heads, states, marks, agents, resets, and to whom (I11 to I14, I16, I17)."""

import json
from collections import defaultdict

from tests.checker.lines import Violations, of, who, without_restored
from tests.dump import Dump
from tests.record import Line


def heads_never_fall(record: list[Line], _dump: Dump) -> Violations:
    """I11: what a tab is told of a chat's head and state never goes back."""
    last: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for line in of(record, "resume", "state"):
        known = last[line["tab"], line["chat"]]
        if line["ev"] == "resume":
            if line["reset"]:
                known.clear()
            continue
        for name in ("seq", "rev"):
            if line[name] < known.get(name, 0):
                yield f"{who(line)} saw {name} {line[name]} after {known[name]}"
            known[name] = line[name]


def marks_only_rise(record: list[Line], dump: Dump) -> Violations:
    """I12: reading marks never fall, never pass the head, and what was read was delivered."""
    in_the_end = {(one["chat"], one["id"]): one for one in dump.participants}
    last: dict[tuple[str, str, str], tuple[int, int]] = {}
    for line in of(without_restored(record), "read"):
        key = (line["tab"], line["chat"], line["participant"])
        marks = (line["read"], line["delivered"])
        if any(now < before for now, before in zip(marks, last.get(key, (0, 0)), strict=True)):
            yield f"{who(line)} saw marks fall from {last[key]} to {marks}"
        last[key] = marks
        yield from sound_marks(line, dump.head(line["chat"]))
        final = in_the_end.get(key[1:])
        if final is None or final["read"] < line["read"] or final["delivered"] < line["delivered"]:
            yield f"{who(line)} saw marks {marks} that the database does not have"
    for person in dump.participants:
        yield from sound_marks(person, dump.head(person["chat"]))


def sound_marks(marks: Line, head: int) -> Violations:
    if not marks["read"] <= marks["delivered"] <= head:
        yield f"read {marks['read']}, delivered {marks['delivered']}, head {head}"


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
            yield f"{who(line)} was told {told} at {line['seq']}; the log up to there says otherwise"


def one_agent_is_in_charge(record: list[Line], dump: Dump) -> Violations:
    """I14: of agents who accept at once one wins: nobody takes a thread over another's head, and all who are told of
    the same revision of a chat are told of the same agent.
    """
    in_charge: dict[str, str | None] = {}
    for event in dump.events:
        chat, data = event["chat"], json.loads(event["data"])
        if event["kind"] in ("close", "reopen"):
            in_charge[chat] = None
        if event["kind"] not in ("assign", "transfer") or "agent" not in data:
            continue
        holder, agent = in_charge.get(chat), data["agent"]
        if agent and holder and agent != holder and data.get("from") != holder:
            yield f"{agent} took {chat} at {event['seq']}, which was {holder}'s"
        in_charge[chat] = agent
    told: dict[tuple[str, int], str | None] = {}
    for line in of(without_restored(record), "state"):
        agent = told.setdefault((line["chat"], line["rev"]), line["agent"])
        if agent != line["agent"]:
            yield f"{who(line)} was told of {line['agent']} at rev {line['rev']}, another tab of {agent}"


def none_sees_what_is_not_theirs(record: list[Line], dump: Dump) -> Violations:
    """I16: customers see the public stream of the chats in which they have the customer's place."""
    customers = {(one["chat"], one["id"]) for one in dump.participants if one["role"] == "customer"}
    me = {(line["tab"], line["chat"]): line["me"] for line in of(record, "resume")}
    for line in of(record, "apply"):
        if line["role"] != "customer":
            continue
        place = (line["chat"], me.get((line["tab"], line["chat"]), ""))
        if line["stream"] != "public" or place not in customers:
            yield f"{who(line)} saw {line['stream']} event {line['seq']} of {line['chat']}"


def no_reset_without_a_cause(record: list[Line], _dump: Dump) -> Violations:
    """I17: a copy is called diverged only when an older database was put back."""
    restored = False
    for line in of(record, "restore", "resume"):
        restored |= line["ev"] == "restore"
        if line["ev"] == "resume" and line["reset"] == "diverged" and not restored:
            yield f"{who(line)} was reset without a restore"
