"""Two server processes on one database: whoever is where, all of it works as on one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from history.times import new_id
from tests.checker import check
from tests.conftest import servers
from tests.dump import read_dump
from tests.people import Agent, Customer, Refused
from tests.postgres import Cluster
from tests.record import Record
from tests.servers import Server

Two = tuple[Server, Server]


def test_a_customer_here_and_an_agent_there_talk(two_servers: Two, record: Record) -> None:
    here, there = two_servers
    robin = Agent(record, "Robin").signs_in(there)
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin.sees_waiting(ann.chat)
    robin.accepts(ann.chat)
    ann.sees_status("active")
    robin.sees_waiting(ann.chat, waiting=False)

    ann.types()
    robin.sees_typing(ann)
    for number in range(20):
        ann.writes(f"Ann {number}")
        robin.writes(f"Robin {number}")
    ann.settles()
    robin.settles()
    ann.sees("Robin 19")
    seq = robin.sees("Ann 19")["seq"]
    robin.reads()
    ann.sees_read(robin, seq)
    robin.closes()
    ann.sees_status("closed")
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert ann.texts() == robin.texts()
    assert check(record.lines, read_dump(here.database_url)) == []


def test_of_agents_who_accept_at_once_one_wins(two_servers: Two, record: Record) -> None:
    ann = Customer(record, "Ann").starts(two_servers[0], "Hello")
    agents = [Agent(record, f"Agent-{number}").signs_in(two_servers[number % 2]) for number in range(6)]
    for agent in agents:
        agent.enters(ann.chat)

    def accept(agent: Agent) -> dict[str, object] | None:
        try:
            agent.accepts()
            return None
        except Refused as refused:
            return refused.nack

    with ThreadPoolExecutor(len(agents)) as threads:
        nacks = list(threads.map(accept, agents))
    winners = [agent for agent, nack in zip(agents, nacks, strict=True) if nack is None]
    assert len(winners) == 1
    for nack in filter(None, nacks):
        assert nack["code"] == "conflict"
        assert nack["state"]["agent"] == {"id": winners[0].me, "name": winners[0].actor}  # type: ignore[index]
    dump = read_dump(two_servers[0].database_url)
    assigned = [event["by"] for event in dump.events if event["chat"] == ann.chat and event["kind"] == "assign"]
    assert assigned == [winners[0].me]
    for person in (ann, *agents):
        person.sees_status("active")
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, read_dump(two_servers[0].database_url)) == []


def test_the_same_message_on_another_server_is_known(two_servers: Two, record: Record) -> None:
    here, there = two_servers
    ann = Customer(record, "Ann").starts(here, "Hello")
    first = ann.says("Only once")
    message = ann.composed[first["id"]]
    message.in_flight = False
    ann.outbox.append(message)
    ann.comes_back(there)
    ann.settles()
    again = ann.answers[first["id"]]
    assert again == first | {"duplicate": True}
    assert read_dump(here.database_url).said(ann.chat) == ["Hello", "Only once"]


def test_the_same_message_on_both_servers_at_once_is_one_event(two_servers: Two, record: Record) -> None:
    ann = Customer(record, "Ann").starts(two_servers[0], "Hello")
    bodies = [{"id": new_id(), "data": {"text": f"Once {number}"}} for number in range(20)]

    def send_all(server: Server) -> list[int]:
        twin = Customer(record, "Ann")
        twin.server, twin.token = server, ann.token
        return [twin.asks("POST", f"/chats/{ann.chat}/messages", body).status for body in bodies]

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(send_all, two_servers))
    assert [sorted(pair) for pair in zip(*statuses, strict=True)] == [[200, 201]] * 20
    said = read_dump(two_servers[0].database_url).said(ann.chat)
    assert said == ["Hello", *(f"Once {number}" for number in range(20))]


def test_whoever_moves_to_another_server_misses_nothing(two_servers: Two, record: Record) -> None:
    here, there = two_servers
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(here)
    robin.accepts(ann.chat)
    for number in range(10):
        ann.comes_back(there if number % 2 == 0 else here)
        robin.writes(f"To wherever you are {number}")
        ann.writes(f"Here {number}")
        ann.vanishes()
    robin.settles()
    ann.comes_back(there)
    ann.settles()
    ann.sees("To wherever you are 9")
    robin.sees("Here 9")
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert check(record.lines, read_dump(here.database_url)) == []


def test_two_that_start_at_once_on_an_empty_database_both_serve(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.create()
    with servers(url, tmp_path) as serve, ThreadPoolExecutor(2) as threads:
        started = [threads.submit(serve) for _ in range(2)]
        for one in started:
            one.result()
    cluster.drop(url)
