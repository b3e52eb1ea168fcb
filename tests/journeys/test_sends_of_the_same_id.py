"""One id twice: of one person it is one message for ever, whatever the second says; of two people it is two."""

from typing import Any

from tests.checker import check
from tests.dump import read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server

ID = "the-same-id-for-all"


def says_with_id(person: Customer | Agent, text: str) -> dict[str, Any]:
    person.composes(person.chat, {"text": text}, ID)
    return person.answer_to(ID)


def test_an_id_stands_for_its_first_words_only(here_and_there: tuple[Server, Server], record: Record) -> None:
    here, there = here_and_there
    ann = Customer(record, "Ann").starts(here, "Hello")
    first = says_with_id(ann, "The first words")
    for server in (here, there):
        ann.comes_back(server)
        for data in ({"text": "Other words"}, {"text": "The first words", "reply_to": 1}):
            del ann.answers[ID]
            ann.tells(type="send", chat=ann.chat, id=ID, prev=None, data=data)
            ann.until(lambda: ID in ann.answers, "a refusal")
            assert (ann.answers[ID]["code"], ann.answers[ID]["retry"]) == ("id_conflict", False)
            refusal = ann.asks("POST", f"/chats/{ann.chat}/messages", {"id": ID, "data": data})
            assert (refusal.status, refusal.json["code"]) == (409, "id_conflict")
        again = ann.asks("POST", f"/chats/{ann.chat}/messages", {"id": ID, "data": {"text": "The first words"}})
        assert (again.status, again.json) == (200, {**again.json, "seq": first["seq"], "hash": first["hash"]})
    assert read_dump(here.database_url).said(ann.chat) == ["Hello", "The first words"]


def test_the_same_id_of_others_is_their_own(here_and_there: tuple[Server, Server], record: Record) -> None:
    here, there = here_and_there
    ann = Customer(record, "Ann").starts(here, "Hello")
    ben = Customer(record, "Ben").starts(here, "Hello too")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    acks = [says_with_id(person, f"{person.actor}'s words") for person in (ann, robin, ben)]
    assert [ack["duplicate"] for ack in acks] == [False, False, False]
    ann.sees("Robin's words")
    robin.catches_up(ann.copy.high)
    assert ann.texts() == robin.texts() == ["Hello", "Ann's words", "Robin's words"]
    assert ben.texts() == ["Hello too", "Ben's words"]
    assert check(record.lines, read_dump(here.database_url)) == []
