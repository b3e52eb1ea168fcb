"""A chat's beginning whose answer was lost on its way is sent again: it is one chat, with one first message."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from history.times import new_id
from tests.checker import check
from tests.dump import everything, read_dump
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

AT_ONCE = 8

Two = tuple[Server, Server]


def beginning(text: str = "Where is my parcel?", **more: Any) -> dict[str, Any]:
    return {"name": "Ann", "message": {"id": new_id(), "data": {"text": text}}} | more


def begins(server: Server, body: dict[str, Any], token: str | None = None) -> Answer:
    return ask(server.port, "POST", "/api/v1/chats", body, token)


def begun(record: Record, server: Server, body: dict[str, Any], answer: Answer) -> Customer:
    """The customer who got this answer."""
    ann = Customer(record, "Ann")
    ann.server, ann.token, ann.chat = server, answer.json["token"], answer.json["chat"]
    ann.dials(server, {})
    ann.greets(ann.token, [])
    ann.keeps({"chat": ann.chat, "prev": None, **body["message"]})
    return ann


def test_however_often_and_wherever_it_is_sent_one_chat_begins(doors: Two, record: Record) -> None:
    body = beginning()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda number: begins(doors[number % 2], body), range(AT_ONCE)))
    answers.append(begins(doors[0], body | {"name": "Anna", "email": "ann@example.com"}))
    assert sorted(answer.status for answer in answers) == [200] * AT_ONCE + [201]
    assert len({answer.json["chat"] for answer in answers}) == 1
    dump = read_dump(doors[0].database_url)
    own = [chat for chat in dump.chats if dump.said(chat) == ["Where is my parcel?"]]
    assert answers[0].json["chat"] in own

    robin = Agent(record, "Robin").signs_in(doors[1])
    robin.accepts(answers[0].json["chat"])
    devices = [begun(record, doors[number % 2], body, answer) for number, answer in enumerate(answers[:3])]
    devices[0].says("Any of the answers will do")
    for device in devices:
        device.sees("Any of the answers will do")
        device.catches_up(robin.copy.high)
    robin.catches_up(devices[0].copy.high)
    assert check(record.lines, read_dump(doors[0].database_url)) == []


def test_whoever_knows_the_first_message_of_a_chat_does_not_get_in_by_it(doors: Two, record: Record) -> None:
    here, there = doors
    body = beginning()
    ann = begun(record, here, body, begins(here, body))
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    ann.says("Here I am")
    ann.catches_up(robin.copy.high)
    before = everything(here.database_url)
    other_words = beginning("What?") | {"message": {"id": body["message"]["id"], "data": {"text": "Other words"}}}
    for door in doors:
        for again in (body, other_words):
            answer = begins(door, again)
            assert (answer.status, answer.json["code"]) == (409, "id_conflict")
    assert everything(here.database_url) == before


@pytest.mark.parametrize("new", [False, True])
def test_one_more_chat_of_a_customer_begins_once(doors: Two, record: Record, new: bool) -> None:
    here, there = doors
    first = beginning()
    ann = begun(record, here, first, begins(here, first))
    body = beginning("And another thing", **({"new": True} if new else {}))
    answers = [begins(door, body, ann.token) for door in (here, there, here)]
    assert [answer.status for answer in answers] == [201 if new else 200, 200, 200]
    (chat,) = {answer.json["chat"] for answer in answers}
    assert (chat == ann.chat) is not new
    assert read_dump(here.database_url).said(chat)[-1:] == ["And another thing"]
    assert len(ann.asks("GET", "/chats").json["items"]) == 1 + new

    conflict = {"message": body["message"] | {"data": {"text": "Other words"}}, "new": True}
    assert begins(here, body | conflict, ann.token).json["code"] == "id_conflict" if new else True
    bea = Customer(record, "Bea").starts(there, "Hello")
    assert begins(there, first | {"new": True}, bea.token).status == 404
