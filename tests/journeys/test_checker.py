"""The checker bites: a sound history passes, and each broken promise in a doctored one is named."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import sha256
from typing import Any

import pytest

from tests.checker import INVARIANTS, check, hash_after
from tests.dump import Dump
from tests.record import Line, Record

CHAT, ANN, ROBIN, CLEO = "chat-1", "p_ann", "p_robin", "p_cleo"
LINK = "the-part-behind-the-#"

Doctor = Callable[[list[Line], Dump], object]


def log_of(*entries: tuple[str, str, str, str | None, dict[str, Any]]) -> list[Line]:
    """Events (kind, by, id, prev, data) as a public stream with sound numbers and hashes."""
    events: list[Line] = []
    for seq, (kind, by, id, prev, data) in enumerate(entries, start=1):
        event: Line = {"chat": CHAT, "stream": "public", "seq": seq, "kind": kind, "by": by, "id": id, "prev": prev}
        event |= {"thread": 1, "data": json.dumps(data), "digest": None, "salt": f"{seq:016x}"}
        event["hash"] = hash_after(events[-1]["hash"] if events else "0" * 16, event)
        events.append(event)
    return events


def sound() -> tuple[list[Line], Dump]:
    """Ann joins and says two things; Robin says one and writes a note, ends the chat, and Ann opens it again."""
    events = log_of(
        ("join", ANN, "join-a", None, {}),
        ("message", ANN, "a1", None, {"text": "One"}),
        ("message", ANN, "a2", "a1", {"text": "Two"}),
        ("message", ROBIN, "r1", None, {"text": "Three"}),
        ("close", ROBIN, "end", None, {}),
        ("reopen", ANN, "again", None, {}),
        ("message", ANN, "a3", "a2", {"text": "Four"}),
    )
    note: Line = {**log_of(("note", ROBIN, "n1", "r1", {"text": "Psst"}))[0], "stream": "internal"}
    chat = {"id": CHAT, "status": "open", "thread": 2, "floor": 0, "head": 7, "hash": events[-1]["hash"]}
    chat |= {"internal_head": 1, "internal_hash": note["hash"]}
    people = [
        {"chat": CHAT, "id": ANN, "role": "customer", "read": 4, "delivered": 5},
        {"chat": CHAT, "id": ROBIN, "role": "agent", "read": 0, "delivered": 0},
    ]
    links = [{"chat": CHAT, "secret_hash": sha256(LINK.encode()).hexdigest(), "used": 0}]
    dump = Dump({CHAT: chat}, [*events[:4], note, *events[4:]], people, links)
    return [*seen_by("Ann", ANN, "customer", dump), *seen_by("Robin", ROBIN, "agent", dump)], dump


def seen_by(actor: str, me: str, role: str, dump: Dump) -> list[Line]:
    """What somebody who is there all the time sees and does."""
    record, tab = Record(), f"tab-{actor}"

    def note(ev: str, **more: Any) -> None:
        record.add(ev, actor, tab, conn=1, role=role, chat=CHAT, **more)

    record.add("open", actor, tab)
    note("resume", me=me, seq=0, hash="0" * 16, have=0, floor=0, reset=None, gap=None, brings=[])
    for event in dump.events:
        own = event["by"] == me and event["kind"] in ("message", "note")
        if own:
            told = {name: event[name] for name in ("id", "prev", "by", "stream")}
            note("compose", data=json.loads(event["data"]), **told)
            note("tx", id=event["id"])
        if event["stream"] == "public" or role == "agent":
            told = {name: event[name] for name in ("stream", "seq", "hash", "kind", "by", "id")}
            note("apply", how="live", data=json.loads(event["data"]), **told)
        if own:
            note("ack", by=me, id=event["id"], seq=event["seq"], hash=event["hash"], duplicate=False)
    note("state", seq=5, rev=3, status="closed", thread=1, agent=None)
    note("read", participant=ANN, read=2, delivered=5)
    note("state", seq=7, rev=4, status="open", thread=2, agent=None)
    note("read", participant=ANN, read=4, delivered=5)
    return record.lines


def line(record: list[Line], **wanted: Any) -> Line:
    """The last line with these values."""
    return next(one for one in reversed(record) if all(one.get(name) == value for name, value in wanted.items()))


def event(dump: Dump, id: str) -> Line:
    return next(one for one in dump.events if one["id"] == id)


def acked_is_lost(record: list[Line], dump: Dump) -> None:
    dump.events.remove(event(dump, "a3"))


def stored_twice(record: list[Line], dump: Dump) -> None:
    dump.events.append(event(dump, "a3") | {"seq": 8})


def content_is_changed(record: list[Line], dump: Dump) -> None:
    event(dump, "a1")["data"] = '{"text": "Uno"}'


def overtaken(record: list[Line], dump: Dump) -> None:
    first, second = (dump.events.index(event(dump, id)) for id in ("a1", "a2"))
    dump.events[first], dump.events[second] = dump.events[second], dump.events[first]


def live_in_a_closed_chat(record: list[Line], dump: Dump) -> None:
    dump.events.remove(event(dump, "again"))


def resumed_before_own_write(record: list[Line], dump: Dump) -> None:
    resume = line(record, ev="resume", actor="Ann") | {"tab": "tab-another"}
    record.extend([resume | {"ev": "hello"}, resume | {"seq": 6}])


def capped_with_the_oldest(record: list[Line], dump: Dump) -> None:
    """A resume brings what is missing from its old end, and then goes on live."""
    line(record, ev="resume", actor="Ann").update(seq=60, brings=list(range(1, 51)))


def two_winners(record: list[Line], dump: Dump) -> None:
    """Robin's and Cleo's accepts are both in the log."""
    assigns: list[tuple[str, str, str, str | None, dict[str, Any]]] = [
        ("assign", agent, f"accept-{agent}", None, {"agent": agent}) for agent in (ROBIN, CLEO)
    ]
    dump.events = log_of(*assigns)


def redacted(record: list[Line], dump: Dump) -> None:
    """Robin takes back r1, which all have seen."""
    taken = event(dump, "r1")
    taken.update(digest=sha256(taken["data"].replace(": ", ":").encode()).hexdigest(), data='{"redacted": true}')
    last = event(dump, "a3")
    redaction = last | {"seq": 8, "kind": "redact", "by": ROBIN, "id": "gone", "prev": None, "data": '{"seq": 4}'}
    redaction["hash"] = hash_after(last["hash"], redaction)
    dump.events.append(redaction)
    dump.chats[CHAT].update(head=8, hash=redaction["hash"])
    for seen in [one for one in record if one["ev"] == "apply" and one["id"] == "a3"]:
        record.append(
            seen | {name: redaction[name] for name in ("seq", "hash", "kind", "by", "id")} | {"data": {"seq": 4}}
        )


def given_behind_a_redaction(record: list[Line], dump: Dump) -> None:
    """A tablet that resumes at the redaction is given the old words."""
    redacted(record, dump)
    before, seen = line(record, ev="resume", actor="Ann"), line(record, ev="apply", id="r1", actor="Ann")
    record.append(before | {"tab": "tablet", "seq": 8, "brings": [4], "gap": {"from": 1, "to": 3}})
    record.append(seen | {"tab": "tablet", "how": "resume"})


def redacted_in_word_only(record: list[Line], dump: Dump) -> None:
    data = event(dump, "r1")["data"]
    redacted(record, dump)
    event(dump, "r1").update(data=data)


def locked_out(record: list[Line], dump: Dump) -> None:
    """Ann's phone is revoked, and her tablet is turned away."""
    told = {"actor": "Ann", "at": 0}
    record.append({"ev": "revoke", "tab": "phone", **told})
    record.extend({"ev": "close", "tab": tab, "code": 4202, **told} for tab in ("phone", "tablet"))


def used_by_a_look(record: list[Line], dump: Dump) -> None:
    dump.links[0]["used"] = 1
    record.append({"ev": "link", "actor": "somebody", "tab": "", "chat": CHAT, "how": "get", "link": LINK})


def flood_is_let_in(record: list[Line], dump: Dump) -> None:
    told = {"ev": "limit", "actor": "operator", "tab": "", "server": "8000", "hellos_per_second": 2}
    record.extend(flood(told | {"start": 1, "at": 0}, 12))
    assert check(record, dump) == []
    record.extend(flood(told | {"start": 2, "at": 10}, 13))


def flood(limit: Line, number: int) -> Iterator[Line]:
    """So many come to a server within 3 s of its start, of whom it lets in two a second."""
    yield limit
    for n in range(number):
        for ev, late_s in (("hello", 0), ("open", 1)):
            yield {"ev": ev, "actor": "Ann", "tab": f"tab-{n}", "at": limit["at"] + n / 10 + late_s}


def stalled_for_long(record: list[Line], dump: Dump) -> None:
    told = {"actor": "Ann", "tab": "tab-stalled"}
    record.extend([{"ev": "stall", "at": 5, **told}, {"ev": "close", "at": 16, "code": 4001, **told}])


def fault_did_not_come(record: list[Line], dump: Dump) -> None:
    told = {"ev": "fault", "actor": "operator", "tab": "", "what": "kill"}
    record.extend(
        told | {"stage": stage, "number": number} for stage, number in (("planned", 1), ("planned", 2), ("seen", 1))
    )


DOCTORED: list[tuple[str, str, Doctor]] = [
    ("I1", "an acked message is not in the log", acked_is_lost),
    ("I1", "the ack named another place", lambda record, _: line(record, ev="ack", id="a1").update(seq=3)),
    ("I2", "a message is in the log twice", stored_twice),
    ("I3", "there is a gap", lambda _, dump: event(dump, "a3").update(seq=8)),
    ("I3", "the content was changed in the database", content_is_changed),
    ("I3", "the head says less than there is", lambda _, dump: dump.chats[CHAT].update(head=6)),
    ("I3", "a note's hash is wrong", lambda _, dump: event(dump, "n1").update(hash="f" * 16)),
    ("I4", "two saw different events", lambda record, _: line(record, ev="apply", id="r1").update(hash="f" * 16)),
    ("I4", "one saw other words", lambda record, _: line(record, ev="apply", id="r1").update(data={"text": "Drei"})),
    ("I5", "an event was skipped", lambda record, _: record.remove(line(record, ev="apply", id="a2", actor="Ann"))),
    ("I3", "a redacted event still holds its data", redacted_in_word_only),
    ("I3", "an erased chat still holds its data", lambda _, dump: dump.chats[CHAT].update(floor=7)),
    ("I4", "one was given redacted words anew", given_behind_a_redaction),
    ("I5", "a resume was capped with the oldest", capped_with_the_oldest),
    (
        "I5",
        "an event was sent before its turn",
        lambda record, _: record.append(line(record, ev="apply", id="a3") | {"ev": "skip", "have": 5}),
    ),
    ("I5", "an event came twice", lambda record, _: record.append(line(record, ev="apply", id="a3", actor="Ann"))),
    ("I6", "a message overtook another", overtaken),
    ("I7", "the one before is missing", lambda _, dump: event(dump, "a2").update(prev="a0")),
    ("I8", "one never got the end", lambda record, _: record.remove(line(record, ev="apply", id="a3", actor="Robin"))),
    ("I8", "a message was never answered", lambda record, _: record.remove(line(record, ev="ack", id="r1"))),
    ("I8", "a copy is not that of the log", lambda record, _: line(record, ev="apply", id="r1").update(hash="f" * 16)),
    (
        "I8",
        "a message never came into the log",
        lambda record, _: record.append(line(record, ev="compose", id="r1") | {"id": "r2"}),
    ),
    ("I9", "nobody composed it", lambda record, _: record.remove(line(record, ev="compose", id="r1"))),
    ("I9", "it was composed otherwise", lambda record, _: line(record, ev="compose", id="r1").update(data={})),
    ("I10", "a device resumed before its own words", resumed_before_own_write),
    ("I11", "the head fell", lambda record, _: line(record, ev="state", actor="Ann", rev=4).update(seq=4)),
    ("I11", "the state went back", lambda record, _: line(record, ev="state", actor="Ann", rev=4).update(rev=2)),
    ("I12", "a mark fell", lambda record, _: line(record, ev="read", actor="Ann", read=4).update(read=1)),
    ("I12", "read was not delivered", lambda _, dump: dump.participants[0].update(delivered=3)),
    ("I12", "a mark passed the head", lambda _, dump: dump.participants[0].update(delivered=9)),
    ("I12", "a mark was shown and not kept", lambda _, dump: dump.participants[0].update(read=3)),
    ("I13", "a closed chat was shown open", lambda record, _: line(record, ev="state", rev=3).update(status="open")),
    ("I13", "the thread was wrong", lambda record, _: line(record, ev="state", rev=4).update(thread=1)),
    ("I14", "two agents won", two_winners),
    ("I14", "two were told of different agents", lambda record, _: line(record, ev="state", rev=4).update(agent=CLEO)),
    ("I15", "something was said in a closed chat", live_in_a_closed_chat),
    ("I16", "a customer saw a note", lambda record, _: line(record, ev="apply", id="n1").update(role="customer")),
    ("I16", "a customer saw another's chat", lambda _, dump: dump.participants[0].update(id="p_other")),
    ("I17", "a copy was called diverged", lambda record, _: line(record, ev="resume").update(reset="diverged")),
    ("I18", "more were let in than the limit says", flood_is_let_in),
    ("I18", "somebody who did not read was kept", stalled_for_long),
    ("I19", "one token's end logged another tab out", locked_out),
    ("I19", "a look used a link up", used_by_a_look),
    ("I20", "a fault did not come", fault_did_not_come),
]


def test_a_sound_history_has_nothing_to_complain_of() -> None:
    assert check(*sound()) == []


@pytest.mark.parametrize(("number", "what", "doctor"), DOCTORED, ids=[f"{n} {what}" for n, what, _ in DOCTORED])
def test_a_broken_promise_is_named(number: str, what: str, doctor: Doctor) -> None:
    record, dump = deepcopy(sound())
    doctor(record, dump)
    assert number in {violation.partition(":")[0] for violation in check(record, dump)}


def test_a_reset_is_no_fault_behind_a_restore() -> None:
    record, dump = sound()
    operator = Record()
    operator.restored()
    line(record, ev="resume", actor="Robin")["reset"] = "diverged"
    assert check([*operator.lines, *record], dump) == []


def test_whoever_saw_an_event_before_its_redaction_saw_it_rightly() -> None:
    record, dump = sound()
    redacted(record, dump)
    assert check(record, dump) == []


def test_every_invariant_has_a_doctored_history() -> None:
    assert {number for number, _, _ in DOCTORED} == set(INVARIANTS)


def test_an_act_that_was_so_already_needs_no_event() -> None:
    record, dump = sound()
    told = {"actor": "Robin", "tab": "tab-Robin", "role": "agent", "chat": CHAT, "id": "end-2", "by": ROBIN}
    record.append({"ev": "compose", "stream": "act", "prev": None, "data": {}, **told})
    record.append({"ev": "ack", "seq": 7, "hash": dump.chats[CHAT]["hash"], "duplicate": True, **told})
    assert check(record, dump) == []
