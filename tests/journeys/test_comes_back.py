"""Whoever left comes back, and gets what was missed: neither less nor more, on any device, after any accident."""

import time

import pytest
from sqlalchemy import text

from tests.checker import check
from tests.conftest import MakeDatabase, Serve
from tests.dump import connected, read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server

RESUME_EVENTS = 50
WELCOME_BYTES = 64 * 1024
TEXT_BYTES = 16 * 1024


def pair(server: Server, record: Record) -> tuple[Customer, Agent]:
    """Ann and Robin in an active chat."""
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    ann.sees_status("active")
    return ann, robin


def say_many(robin: Agent, texts: list[str]) -> None:
    for words in texts:
        robin.writes(words)
    robin.settles()


def test_exactly_what_was_missed_comes(server: Server, record: Record) -> None:
    ann, robin = pair(server, record)
    ann.leaves()
    say_many(robin, ["One", "Two", "Three"])
    ann.comes_back()
    assert [event["data"]["text"] for event in ann.copy.resume["events"]] == ["One", "Two", "Three"]
    assert (ann.copy.resume["gap"], ann.copy.resume["reset"]) == (None, None)
    robin.says("Four")
    ann.sees("Four")
    assert ann.texts() == ["Hello", "One", "Two", "Three", "Four"]
    robin.catches_up(ann.copy.high)
    assert check(record.lines, read_dump(server.database_url)) == []


def test_whoever_missed_nothing_gets_nothing_again(server: Server, record: Record) -> None:
    ann, _ = pair(server, record)
    ann.leaves()
    ann.comes_back()
    assert (ann.copy.resume["events"], ann.copy.resume["gap"]) == ([], None)


def test_coming_back_renews_the_right_to_come_back(server: Server, record: Record) -> None:
    """The life of a session slides: each return begins it anew."""
    of_ann = "customer_id = (SELECT customer_id FROM chat WHERE id = :chat)"
    ann = Customer(record, "Ann").starts(server, "Hello")
    ann.leaves()
    month_ago = int(time.time() * 1000) - 30 * 24 * 3600 * 1000
    with connected(server.database_url) as database:
        change = text(f"UPDATE session SET last_seen_ms = {month_ago} WHERE {of_ann}")
        database.execute(change, {"chat": ann.chat})
        database.commit()
    ann.comes_back()
    deadline, last_seen = time.monotonic() + 10, month_ago
    while last_seen == month_ago and time.monotonic() < deadline:
        with connected(server.database_url) as database:
            found = database.execute(text(f"SELECT last_seen_ms FROM session WHERE {of_ann}"), {"chat": ann.chat})
            last_seen = found.scalar_one()
        time.sleep(0.05)
    assert last_seen > month_ago


def test_a_lost_network_loses_no_words(server: Server, record: Record) -> None:
    ann, robin = pair(server, record)
    for number in range(30):
        ann.writes(f"On the train {number}")
    ann.vanishes()
    robin.says("Are you there?")
    ann.comes_back()
    ann.settles()
    robin.sees("On the train 29")
    ann.sees("Are you there?")
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert check(record.lines, read_dump(server.database_url)) == []


def test_of_many_missed_the_newest_come_first_and_the_gap_is_filled(server: Server, record: Record) -> None:
    ann, robin = pair(server, record)
    say_many(robin, [f"Word {number}" for number in range(1000)])
    head = robin.copy.high
    ann.catches_up(head)
    ann.leaves()
    say_many(robin, [f"Later {number}" for number in range(100)])
    ann.comes_back()
    resume = ann.copy.resume
    assert [event["seq"] for event in resume["events"]] == list(range(head + 51, head + 101))
    assert resume["gap"] == {"from": head + 1, "to": head + 50}

    ann.catches_up(head + 100)
    tablet = ann.on_another_device()
    resume = tablet.copy.resume
    assert len(resume["events"]) == RESUME_EVENTS
    assert resume["gap"] == {"from": 1, "to": head + 50}
    tablet.catches_up(head + 100)
    robin.catches_up(head + 100)
    assert tablet.texts() == ann.texts() == robin.texts()
    assert check(record.lines, read_dump(server.database_url)) == []


def test_a_welcome_stays_small_whatever_was_written(server: Server, record: Record) -> None:
    ann, robin = pair(server, record)
    ann.leaves()
    say_many(robin, [f"{number:03}" + '"' * (TEXT_BYTES - 3) for number in range(80)])
    ann.comes_back()
    assert ann.welcome_bytes <= WELCOME_BYTES
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert check(record.lines, read_dump(server.database_url)) == []


@pytest.mark.parametrize("lie", [{"hash": "f" * 16}, {"have": 1000}], ids=["another hash", "beyond the head"])
def test_a_copy_of_another_log_is_told_so(server: Server, record: Record, lie: dict[str, object]) -> None:
    ann, _ = pair(server, record)
    ann.leaves()
    ann.dials(server, {})
    ann.greets(ann.token, [position | lie for position in ann.positions()])
    resume = ann.copy.resume
    assert resume["reset"] == "diverged"
    assert [event["seq"] for event in resume["events"]] == list(range(1, resume["head"] + 1))


def test_a_new_device_gets_the_newest_chat(server: Server, record: Record) -> None:
    ann, _ = pair(server, record)
    answer = ann.asks("POST", "/chats", {"new": True, "message": {"id": "m" * 20, "data": {"text": "Another"}}})
    assert answer.status == 201
    tablet = ann.on_another_device()
    assert [resume["chat"] for resume in tablet.welcome["chats"]] == [answer.json["chat"]]


def test_after_a_restored_backup_the_senders_bring_their_words_back(
    serve: Serve, make_database: MakeDatabase, record: Record
) -> None:
    server = serve()
    ann, robin = pair(server, record)
    ann.says("Before the backup")
    robin.sees("Before the backup")
    server.stop()
    with make_database(server.database_url) as backup:
        server.start()
        ann.comes_back()
        robin.comes_back()
        robin.says("Lost, says Robin")
        ann.says("Lost, says Ann")
        robin.sees("Lost, says Ann")
        ann.sees("Lost, says Robin")
        server.stop()

        record.restored()
        server.restarts_on(backup)
        cleo = Agent(record, "Cleo").signs_in(server)
        cleo.enters(ann.chat)
        cleo.says("Written in between")
        ann.comes_back()
        assert ann.copy.resume["reset"] == "diverged"
        robin.comes_back()
        assert robin.copy.resume["reset"] == "diverged"
        for person in (ann, robin, cleo):
            person.settles()
        for person in (ann, robin, cleo):
            person.catches_up(read_dump(backup).head(ann.chat))
        said = read_dump(backup).said(ann.chat)
        assert said[:3] == ["Hello", "Before the backup", "Written in between"]
        assert sorted(said[3:]) == ["Lost, says Ann", "Lost, says Robin"]
        assert check(record.lines, read_dump(backup)) == []
        server.stop()
