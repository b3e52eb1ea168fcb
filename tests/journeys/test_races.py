"""Two do at the same moment what only one can have done first: one wins, the others are told, and the log is one."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from sqlalchemy import text

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.copies import Frame
from tests.dump import connected, read_dump
from tests.people import Agent, Customer, Refused
from tests.record import Record
from tests.servers import Server

ROUNDS = 6
AGENTS = 8
SERVERS, MANY_AGENTS = 4, 20
FLOOD = 6
"""Messages that are under way when the chat is closed."""

Two = tuple[Server, Server]
T = TypeVar("T")


def at_once(*works: Callable[[], T]) -> list[T]:
    """What each of the works gives, all begun at the same moment."""
    barrier = Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(begin, works))


def refusal_of(work: Callable[[], object]) -> Frame | None:
    """The nack that `work` got; None if it was taken."""
    try:
        work()
    except Refused as refused:
        return refused.nack
    return None


def first_of(agents: list[Agent]) -> Agent:
    """Who wins when all of them accept the chat at once; the others are told who it is."""
    nacks = at_once(*(lambda agent=agent: refusal_of(agent.accepts) for agent in agents))
    (winner,) = (agent for agent, nack in zip(agents, nacks, strict=True) if nack is None)
    for nack in filter(None, nacks):
        assert (nack["code"], nack["state"]["status"]) == ("conflict", "active")
        assert nack["state"]["agent"] == {"id": winner.me, "name": winner.actor}
    return winner


def test_of_eight_agents_one_wins_each_time_the_chat_is_free(doors: Two, record: Record) -> None:
    ann = Customer(record, "Ann").starts(doors[0], "Hello")
    agents = [Agent(record, f"Racer-{number}").signs_in(doors[number % 2]) for number in range(AGENTS)]
    for agent in agents:
        agent.enters(ann.chat)
    winners = []
    for number in range(ROUNDS):
        winner = first_of(agents)
        winners.append(winner.me)
        if number < ROUNDS - 1:
            winner.does("release")
            for agent in agents:
                agent.sees_status("open", "waiting")

    dump = read_dump(doors[0].database_url)
    assigned = [one for one in dump.events if one["chat"] == ann.chat and one["kind"] == "assign"]
    assert [one["by"] for one in assigned] == [by for winner in winners for by in (winner, winner)][:-1]
    for person in (ann, *agents):
        person.sees_status("active")
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, dump) == []


def test_a_winner_who_dies_with_the_server_loses_the_chat_once(serve_postgres: Serve, record: Record) -> None:
    servers = [serve_postgres(AGENT_AWAY_SECONDS="1") for _ in range(SERVERS)]
    url = servers[0].database_url
    ann = Customer(record, "Ann").starts(servers[0], "Hello")
    agents = [Agent(record, f"Racer-{number}").signs_in(servers[number % SERVERS]) for number in range(MANY_AGENTS)]
    for agent in agents:
        agent.enters(ann.chat)
    winner = first_of(agents)
    agents.remove(winner)

    dead = next(server for server in servers if server is winner.server)
    dead.kill()
    winner.vanishes()
    lease_runs_out(url, winner)
    servers.remove(dead)
    others: list[Customer | Agent] = [ann, *agents]
    for person in others:
        if person.server is dead:
            person.comes_back(servers[0])
    for person in others:
        person.sees_status("waiting")
    second = first_of(agents)

    dump = read_dump(url)
    assigned = [json.loads(one["data"]) for one in dump.events if one["chat"] == ann.chat and one["kind"] == "assign"]
    assert [one["agent"] for one in assigned] == [winner.me, None, second.me]
    assert assigned[1]["reason"] == "away"
    for person in others:
        person.sees_status("active")
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, dump) == []


def lease_runs_out(database_url: str, agent: Agent) -> None:
    """A minute goes by in which no server says that the agent is there."""
    with connected(database_url) as database:
        database.execute(text("UPDATE agent SET online_until_ms = 1 WHERE name = :name"), {"name": agent.actor})
        database.commit()


def test_the_same_acceptance_at_two_doors_at_once_is_one(doors: Two, record: Record) -> None:
    """The answer was lost on the way, and the program asks again elsewhere."""
    ann = Customer(record, "Ann").starts(doors[0], "Hello")
    robin = Agent(record, "Robin").signs_in(doors[0])
    twin = Agent(record, "Robin").signs_in(doors[1])
    body = {"id": new_id(), "action": "accept"}
    path = f"/chats/{ann.chat}/actions"
    answers = at_once(lambda: robin.asks("POST", path, body), lambda: twin.asks("POST", path, body))
    assert sorted(answer.status for answer in answers) == [200, 201]
    assert len({(answer.json["seq"], answer.json["hash"]) for answer in answers}) == 1
    ann.sees_status("active")
    events = read_dump(doors[0].database_url).events
    assert len([one for one in events if one["chat"] == ann.chat and one["kind"] == "assign"]) == 1


def test_what_is_said_while_the_agent_closes_is_said_before_or_refused(doors: Two, record: Record) -> None:
    here, there = doors
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    for number in range(ROUNDS):
        ann.sees_status("active", thread=number + 1)
        words = {ann.writes(f"Round {number}, word {word}"): word for word in range(FLOOD)} if number % 2 else {}
        late = f"Round {number}, at the last moment"
        refused, _ = at_once(lambda late=late: refusal_of(lambda: ann.says(late)), robin.closes)  # type: ignore[misc]
        assert refused is None or (refused["code"], refused["retry"]) == ("closed", False)
        ann.sees_status("closed")
        ann.until(lambda: not ann.outbox, "an answer to each word")
        taken = [word for id, word in words.items() if ann.answers[id]["type"] == "ack"]
        assert taken == list(range(len(taken))), "a later word was taken, an earlier one refused"
        check_nothing_after_close(here, ann)
        ann.says(f"Round {number}, once more", reopen=True)
        robin.sees(f"Round {number}, once more")
        robin.accepts()

    dump = read_dump(here.database_url)
    for person in (ann, robin):
        person.catches_up(dump.head(ann.chat))
    assert ann.texts() == robin.texts() == dump.said(ann.chat)
    assert dump.chats[ann.chat]["thread"] == ROUNDS + 1
    assert check(record.lines, dump) == []


def check_nothing_after_close(server: Server, person: Customer) -> None:
    """The close is the chat's last event, and each message of this person's that is in the log was acked."""
    events = [one for one in read_dump(server.database_url).events if one["chat"] == person.chat]
    assert events[-1]["kind"] == "close"
    stored = {one["id"] for one in events if one["kind"] == "message" and one["by"] == person.me}
    acked = {id for id, answer in person.answers.items() if answer["type"] == "ack"}
    assert stored - acked <= {events[1]["id"]}, "a message is in the log whose sender was told no"


def test_of_a_close_by_both_at_once_there_is_one(doors: Two, record: Record) -> None:
    here, there = doors
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    for number in range(ROUNDS):
        acks = at_once(ann.closes, robin.closes)
        assert sorted(ack["duplicate"] for ack in acks) == [False, True]
        for person in (ann, robin):
            person.sees_status("closed", thread=number + 1)
        acks = at_once(ann.reopens, robin.reopens)
        assert sorted(ack["duplicate"] for ack in acks) == [False, True]
        for person in (ann, robin):
            person.sees_status("open", "waiting", "active", thread=number + 2)
    dump = read_dump(here.database_url)
    for person in (ann, robin):
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, dump) == []
