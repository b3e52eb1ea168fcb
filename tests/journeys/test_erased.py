"""A chat, or a message, is erased while people are there and while they are away: nothing of it is left anywhere, all
are told, and the chain still holds.
"""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from history.times import new_id
from tests.checker import check
from tests.copies import Frame
from tests.device import Gone
from tests.dump import everything, read_dump
from tests.people import Agent, Customer, Person, Refused
from tests.polling import PollingCustomer
from tests.record import Record
from tests.servers import Server, run_command

CANARY = "canarybird"
ERASED = 4310
ROUNDS = 2

Two = tuple[Server, Server]


def erase(server: Server, chat: str) -> str:
    """What `stillhere erase` prints."""
    done = run_command(server.folder, "erase", chat, "--yes", **server.settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_empty(resume: Frame) -> bool:
    """Whether a resume tells that the chat was erased, and nothing else of it."""
    told = (resume["reset"], resume["events"], resume["gap"], resume["floor"] == resume["head"])
    return told == ("erased", [], None, True)


def sees_erased(person: Person, chat: str) -> None:
    person.until(lambda: person.copies[chat].resume.get("reset") == "erased", "that the chat was erased")
    assert is_empty(person.copies[chat].resume)


def is_sent_away(person: Customer) -> None:
    person.is_shut_out(ERASED)
    assert is_empty(person.copy.resume)
    assert person.copy.events == {}


def holds(server: Server, record: Record) -> None:
    assert check(record.lines, read_dump(server.database_url)) == []


@pytest.fixture
def talk(here_and_there: Two, record: Record) -> tuple[Customer, Agent]:
    """Ann here and Robin there, who have said and noted the canary in a chat with a subject."""
    here, there = here_and_there
    ann = Customer(record, f"Ann-{CANARY}").starts(here, f"My number is {CANARY}", subject=CANARY)
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    robin.notes(f"The number is {CANARY}")
    robin.says(f"So it is {CANARY}")
    ann.sees(f"So it is {CANARY}")
    return ann, robin


def test_all_are_told_wherever_they_are_and_nothing_is_left(
    here_and_there: Two, talk: tuple[Customer, Agent], record: Record
) -> None:
    here, there = here_and_there
    ann, robin = talk
    tablet = ann.on_another_device()
    tablet.leaves()
    waits_by_polls = PollingCustomer(record, ann.actor)
    waits_by_polls.server, waits_by_polls.token, waits_by_polls.chat = there, ann.token, ann.chat
    waits_by_polls.comes_back()
    assert "names" in erase(here, ann.chat)

    for person in (ann, waits_by_polls):
        is_sent_away(person)
    sees_erased(robin, ann.chat)
    robin.pings()
    for door in (here, there):
        tablet.comes_back(door)
        is_sent_away(tablet)
    robin.tells(type="send", chat=ann.chat, id=new_id(), prev=None, data={"text": "Hello?"})
    robin.until(lambda: bool(robin.nacks), "a refusal")
    assert (robin.nacks[0]["code"], robin.nacks[0]["retry"]) == ("erased", False)

    for path in ("", "/events", "/transcript"):
        for person in (ann, robin):
            answer = person.asks("GET", f"/chats/{ann.chat}{path}")
            assert (answer.status, answer.json["code"]) == (410, "erased"), path
    assert ann.asks("GET", "/chats").json["items"] == []
    robin.until(lambda: robin.asks("GET", f"/search?q={CANARY}").json["items"] == [], "the index to let go of it")
    rows = {table: rows for table, rows in everything(here.database_url).items() if CANARY in str(rows)}
    assert rows == {}
    again = run_command(here.folder, "erase", ann.chat, "--yes", **here.settings)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    holds(here, record)


def test_whoever_has_another_chat_goes_on_in_it(
    here_and_there: Two, talk: tuple[Customer, Agent], record: Record
) -> None:
    here, _ = here_and_there
    ann, robin = talk
    begun = ann.asks("POST", "/chats", {"new": True, "message": {"id": new_id(), "data": {"text": "Another thing"}}})
    assert begun.status == 201
    erased, ann.chat = ann.chat, begun.json["chat"]
    phone = Customer(record, ann.actor)
    phone.server, phone.token, phone.chat = ann.server, ann.token, ann.chat
    phone.dials(here, {})
    phone.greets(ann.token, [{"chat": chat, "have": 0} for chat in (erased, ann.chat)])
    erase(here, erased)
    sees_erased(phone, erased)
    phone.says("Do you still hear me?")
    robin.accepts(phone.chat)
    robin.sees("Do you still hear me?")
    phone.catches_up(robin.copy.high)
    assert phone.asks("GET", f"/chats/{phone.chat}").json["participants"][0]["name"] == ann.actor


def test_whoever_was_erased_may_begin_anew(here_and_there: Two, talk: tuple[Customer, Agent], record: Record) -> None:
    here, there = here_and_there
    ann, _ = talk
    erase(here, ann.chat)
    is_sent_away(ann)
    begun = ann.asks("POST", "/chats", {"name": "Anna", "message": {"id": new_id(), "data": {"text": "It is I"}}})
    assert begun.status == 201
    assert begun.json["chat"] != ann.chat
    assert [one["name"] for one in begun.json["state"]["participants"]] == ["Anna"]
    phone = Customer(record, "Anna")
    phone.server, phone.token, phone.chat = there, ann.token, begun.json["chat"]
    phone.dials(there, {})
    phone.greets(ann.token, [])
    assert phone.texts() == ["It is I"]


def test_what_is_said_at_the_moment_of_an_erasure_is_gone_or_refused(
    here_and_there: Two, record: Record, chance: Random
) -> None:
    here, there = here_and_there
    for number in range(ROUNDS):
        ann = Customer(record, f"Ann {number}").starts(here, CANARY)
        for _ in range(chance.randrange(12)):
            ann.writes(CANARY)
        with ThreadPoolExecutor(1) as thread:
            erasing = thread.submit(erase, there, ann.chat)
            with pytest.raises((Refused, Gone)):
                while True:
                    ann.says(CANARY)
            erasing.result()
        is_sent_away(ann)
        assert {nack["code"] for nack in ann.nacks} <= {"erased"}
    rows = {table: rows for table, rows in everything(here.database_url).items() if CANARY in str(rows)}
    assert rows == {}


def test_a_device_that_was_away_forgets_a_message_that_was_taken_back(
    here_and_there: Two, talk: tuple[Customer, Agent], record: Record
) -> None:
    here, there = here_and_there
    ann, robin = talk
    seq = ann.sees(f"My number is {CANARY}")["seq"]
    ann.vanishes()
    robin.does("redact", data={"seq": seq})
    ann.comes_back(there)
    ann.catches_up(robin.copy.high)
    assert ann.copy.events[seq]["data"] == robin.copy.events[seq]["data"] == {"redacted": True}
    holds(here, record)
