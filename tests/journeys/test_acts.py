"""What agents do with a thread besides taking it: hand it on, give it back, lose it, and take words away."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from history.times import new_id, now_ms
from history.verify import verify
from tests.checker import check
from tests.conftest import Serve
from tests.dump import connected, everything, read_dump
from tests.people import Agent, Customer, Person, Refused
from tests.record import Record
from tests.servers import Server

PATIENCE_S = 30
CANARY = "canarybird"


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def id_of(agent: Agent) -> str:
    """The agent's id, as colleagues get it."""
    items = agent.asks("GET", "/agents").json["items"]
    return next(str(one["id"]) for one in items if one["name"] == agent.actor)


def events(server: Server, chat: str, *kinds: str) -> list[dict[str, Any]]:
    """The chat's public events of these kinds, with their data as values."""
    log = read_dump(server.database_url).events
    found = [one for one in log if one["chat"] == chat and one["stream"] == "public" and one["kind"] in kinds]
    return [{**one, "data": json.loads(one["data"])} for one in found]


def acts(person: Person, action: str, **data: Any) -> Any:
    """An action over HTTP."""
    return person.asks("POST", f"/chats/{person.chat}/actions", {"id": new_id(), "action": action, "data": data})


def holds(server: Server, record: Record, *people: Person) -> None:
    """Everybody sees the chat to its end, and no promise was broken."""
    dump = read_dump(server.database_url)
    for person in people:
        person.catches_up(dump.head(person.chat))
    assert check(record.lines, dump) == []


@pytest.fixture
def desk(server: Server, record: Record) -> tuple[Customer, Agent, Agent]:
    """Ann's chat, Robin who is in charge of it, and Cleo who looks on."""
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin, cleo = (Agent(record, name).signs_in(server) for name in ("Robin", "Cleo"))
    robin.accepts(ann.chat)
    cleo.enters(ann.chat)
    ann.sees_status("active")
    return ann, robin, cleo


Desk = tuple[Customer, Agent, Agent]


def test_a_colleague_takes_over_as_a_participant(server: Server, record: Record, desk: Desk) -> None:
    ann, robin, cleo = desk
    robin.does("transfer", data={"agent": id_of(cleo), "note": "About  the\nparcel"})
    until_in_charge(ann, cleo)
    assert [one["data"] for one in events(server, ann.chat, "transfer")] == [
        {"agent": cleo.me, "from": robin.me, "note": "About the parcel"}
    ]
    assert [one["by"] for one in events(server, ann.chat, "join")].count(cleo.me) == 1
    cleo.says("I have it now")
    ann.sees("I have it now")
    cleo.does("transfer", data={"agent": robin.me})
    until_in_charge(ann, robin)
    robin.says("And I have it back")
    ann.sees("And I have it back")
    holds(server, record, ann, robin, cleo)


def until_in_charge(person: Person, agent: Agent) -> None:
    person.until(lambda: (person.copy.state["agent"] or {}).get("id") == agent.me, f"{agent.actor} in charge")


def test_of_two_who_hand_a_waiting_chat_on_at_once_one_wins(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin, cleo, mira = (Agent(record, name).signs_in(server) for name in ("Robin", "Cleo", "Mira"))
    target = id_of(mira)
    for agent in (robin, cleo):
        agent.enters(ann.chat)

    def hand_on(agent: Agent) -> dict[str, Any] | None:
        try:
            agent.does("transfer", data={"agent": target})
            return None
        except Refused as refused:
            return refused.nack

    with ThreadPoolExecutor(2) as threads:
        nacks = list(threads.map(hand_on, (robin, cleo)))
    refused = [nack for nack in nacks if nack]
    assert [(nack["code"], nack["state"]["agent"]["name"]) for nack in refused] == [("conflict", "Mira")]
    assert len(events(server, ann.chat, "transfer")) == 1
    mira.enters(ann.chat)
    until_in_charge(ann, mira)
    holds(server, record, ann, robin, cleo, mira)


def test_who_is_not_in_charge_hands_nothing_on(server: Server, desk: Desk) -> None:
    ann, robin, cleo = desk
    mine = id_of(cleo)
    before = everything(server.database_url)
    for data, agent in (({"agent": mine}, cleo), ({"agent": None}, cleo)):
        answer = acts(agent, "transfer", **data)
        assert (answer.status, answer.json["code"]) == (409, "conflict")
        assert answer.json["state"]["agent"] == {"id": robin.me, "name": "Robin"}
    assert acts(ann, "transfer", agent=mine).json["code"] == "forbidden"
    assert everything(server.database_url) == before


BAD_HANDOVERS: list[dict[str, Any]] = [
    {},
    {"agent": ""},
    {"agent": 7},
    {"agent": "nobody"},
    {"agent": None, "note": 7},
    {"agent": None, "note": "x" * 501},
]


def test_neither_a_customer_nor_an_agent_who_has_left_is_a_colleague(server: Server, desk: Desk) -> None:
    ann, robin, cleo = desk
    left = id_of(cleo)
    with connected(server.database_url) as database:
        database.execute(text("UPDATE agent SET disabled_ms = 1 WHERE id = :id"), {"id": left})
        database.commit()
    try:
        for named in (left, ann.me):
            assert acts(robin, "transfer", agent=named).json["code"] == "invalid"
        assert left not in [one["id"] for one in robin.asks("GET", "/agents").json["items"]]
    finally:
        with connected(server.database_url) as database:
            database.execute(text("UPDATE agent SET disabled_ms = NULL WHERE id = :id"), {"id": left})
            database.commit()


def test_handing_a_chat_to_oneself_is_so_already(server: Server, desk: Desk) -> None:
    ann, robin, _ = desk
    assert robin.does("transfer", data={"agent": id_of(robin)})["duplicate"] is True
    assert robin.does("transfer", data={"agent": robin.me})["duplicate"] is True
    assert events(server, ann.chat, "transfer") == []


def test_a_handover_sent_again_is_one_and_another_act_under_its_id_is_none(server: Server, desk: Desk) -> None:
    ann, robin, cleo = desk
    id, target = new_id(), id_of(cleo)
    first = robin.does("transfer", message_id=id, data={"agent": target})
    again = robin.asks(
        "POST", f"/chats/{ann.chat}/actions", {"id": id, "action": "transfer", "data": {"agent": target}}
    )
    assert (again.status, again.json["seq"], again.json["duplicate"]) == (200, first["seq"], True)
    other = robin.asks("POST", f"/chats/{ann.chat}/actions", {"id": id, "action": "release"})
    assert (other.status, other.json["code"]) == (409, "id_conflict")


def test_a_closed_chat_is_handed_to_nobody(server: Server, desk: Desk) -> None:
    _, robin, cleo = desk
    robin.closes()
    answer = acts(robin, "transfer", agent=id_of(cleo))
    assert (answer.json["code"], answer.json["state"]["status"]) == ("conflict", "closed")


@pytest.mark.parametrize("back", [("release", {}), ("transfer", {"agent": None})], ids=["released", "handed back"])
def test_a_chat_that_comes_back_has_its_old_place(
    server: Server, record: Record, desk: Desk, back: tuple[str, dict[str, Any]]
) -> None:
    ann, robin, cleo = desk
    ben = Customer(record, "Ben").starts(server, "I came later")
    action, data = back
    robin.does(action, data=data)
    ann.sees_status("waiting")
    place = robin.sees_waiting(ann.chat)["position"]
    assert robin.sees_waiting(ben.chat)["position"] == place + 1
    assert robin.sees_waiting(ann.chat)["since"] == ann.sees("Hello")["at"]
    assert robin.does("transfer", data={"agent": None})["duplicate"] is True
    ben.closes()
    holds(server, record, ann, robin, cleo)


def test_what_was_redacted_is_gone_everywhere(server: Server, record: Record, desk: Desk) -> None:
    ann, robin, cleo = desk
    said = ann.says(f"My number is {CANARY}")
    robin.sees(f"My number is {CANARY}")
    noted = robin.notes(f"The number is {CANARY}")
    cleo.sees_note(f"The number is {CANARY}")
    until(lambda: len(found(robin)) == 2, "the index")

    robin.does("redact", data={"seq": said["seq"], "reason": "a card"})
    assert robin.does("redact", data={"seq": said["seq"]})["duplicate"] is True
    assert acts(robin, "redact", seq=noted["seq"], stream="internal").status == 201
    assert found(robin) == found(ann) == []
    rows = {table: rows for table, rows in everything(server.database_url).items() if CANARY in str(rows)}
    assert rows == {}
    told = events(server, ann.chat, "redact")
    assert [one["data"] for one in told] == [{"seq": said["seq"], "reason": "a card"}]
    for form in ("text", "html", "json"):
        assert CANARY not in ann.asks("GET", f"/chats/{ann.chat}/transcript?format={form}").body.decode()
    assert verify(ann.asks("GET", f"/chats/{ann.chat}/transcript?format=json").json).holds

    sent_again = {"id": said["id"], "prev": None, "data": {"text": f"My number is {CANARY}"}}
    again = ann.asks("POST", f"/chats/{ann.chat}/messages", sent_again)
    assert (again.status, again.json["seq"], again.json["duplicate"]) == (200, said["seq"], True)
    new_device = ann.on_another_device()
    assert new_device.copy.events[said["seq"]]["data"] == {"redacted": True}
    holds(server, record, ann, robin, cleo)


def found(person: Person) -> list[Any]:
    """What a search for the canary finds in the chat."""
    items = person.asks("GET", f"/search?q={CANARY}").json["items"]
    return [item for item in items if item["chat"] == person.chat]


BAD_REDACTIONS: list[dict[str, Any]] = [
    {},
    {"seq": "2"},
    {"seq": 0},
    {"seq": 1},
    {"seq": 999},
    {"seq": 2, "stream": "secret"},
    {"seq": 2, "stream": "internal"},
    {"seq": 2, "reason": 7},
]


BAD_ACTS = [("transfer", data) for data in BAD_HANDOVERS] + [("redact", data) for data in BAD_REDACTIONS]


@pytest.mark.parametrize(("action", "data"), BAD_ACTS)
def test_a_bad_act_is_refused_and_changes_nothing(
    server: Server, desk: Desk, action: str, data: dict[str, Any]
) -> None:
    _, robin, _ = desk
    before = everything(server.database_url)
    assert acts(robin, action, **data).json["code"] == "invalid"
    assert everything(server.database_url) == before


def test_a_customer_redacts_nothing(server: Server, desk: Desk) -> None:
    ann, _, _ = desk
    answer = acts(ann, "redact", seq=2)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


def program(record: Record, server: Server, name: str, chat: str) -> Agent:
    """An agent's program that takes the chat over HTTP, and is then heard of no more."""
    agent = Agent(record, name)
    agent.server, agent.token, agent.chat = server, server.key_of(name), chat
    assert acts(agent, "accept").status == 201
    return agent


def test_whoever_is_away_for_too_long_loses_the_chat_once(serve: Serve, record: Record, backend: str) -> None:
    settings = {"AGENT_AWAY_SECONDS": "1"}
    servers = [serve(**settings) for _ in range(1 if backend == "sqlite" else 3)]
    here, there = servers[0], servers[-1]
    stays, ends = (Customer(record, name).starts(here, "Hello") for name in ("Ann", "Eve"))
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(stays.chat)
    gone = program(record, there, "Gone", ends.chat)
    assert acts(gone, "close").status == 201
    lefts = [Customer(record, f"Left {number}").starts(here, "Hello") for number in range(5)]
    for left in lefts:
        program(record, there, "Gone", left.chat)
    later = Customer(record, "Later").starts(here, "I came later")

    for left in lefts:
        sees_agent_lost(left, 1)
    chats = [person.chat for person in (*lefts, later)]
    robin.until(lambda: [one["chat"] for one in robin.queue["waiting"]] == chats, "all at their old places")
    program(record, there, "Other", lefts[0].chat)
    sees_agent_lost(lefts[0], 2)
    stays.sees_status("active")
    assert stays.copy.state["agent"]["name"] == "Robin"
    lost = [len(losses(here, person.chat)) for person in (stays, ends, *lefts)]
    assert lost == [0, 0, 2, 1, 1, 1, 1]
    holds(here, record, stays, ends, robin, later, *lefts)


def sees_agent_lost(person: Person, times: int) -> None:
    def count() -> int:
        return sum(event["data"].get("reason") == "away" for event in person.copy.events.values())

    person.until(lambda: count() == times, f"an agent who is away, {times} times")
    person.until(lambda: person.copy.state["agent"] is None, "nobody in charge")
    assert person.copy.state["status"] == "waiting"


def losses(server: Server, chat: str) -> list[dict[str, Any]]:
    return [one for one in events(server, chat, "assign") if one["data"]["agent"] is None]


def test_whoever_left_the_desk_loses_the_chat_after_the_grace(serve: Serve, record: Record) -> None:
    server = serve(AGENT_AWAY_SECONDS="1")
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.leaves()
    ann.sees_status("active")

    def lease_has_run_out() -> bool:
        with connected(server.database_url) as database:
            database.execute(text("UPDATE agent SET online_until_ms = :past"), {"past": now_ms() - 5000})
            database.commit()
        ann.pings()
        return str(ann.copy.state["status"]) == "waiting"

    until(lease_has_run_out, "Ann back in the queue")
    assert ann.copy.state["agent"] is None
    robin.comes_back()
    robin.accepts()
    ann.sees_status("active")
    holds(server, record, ann, robin)


def test_who_waits_is_told_how_long_once_others_have_waited(serve: Serve, record: Record) -> None:
    server = serve()
    robin = Agent(record, "Robin").signs_in(server)
    first = Customer(record, "First").starts(server, "Hello")
    assert first.copy.state["queue"] == {"position": 1, "eta_s": None}
    robin.accepts(first.chat)
    for number in range(4):
        robin.accepts(Customer(record, f"Number {number}").starts(server, "Hello").chat)
    last = Customer(record, "Last").starts(server, "Hello")
    low, high = last.asks("GET", f"/chats/{last.chat}").json["queue"]["eta_s"]
    assert 0 < low <= high < PATIENCE_S
