"""Whoever is too quick is slowed down by name, and loses nothing by it."""

import pytest

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.copies import Frame
from tests.dump import everything, read_dump
from tests.people import Agent, Customer
from tests.polling import poll
from tests.record import Record
from tests.servers import Server

LIMITS = {
    "MESSAGES_PER_SECOND": "20",
    "MESSAGES_BURST": "4",
    "FRAMES_PER_SECOND": "1",
    "FRAMES_BURST": "200",
    "HELLOS_PER_SECOND": "2",
}


@pytest.fixture
def strict(serve: Serve) -> Server:
    return serve(**LIMITS)


def test_limits_slow_down_and_lose_nothing(strict: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(strict, "Hello")
    words = [f"Word {number}" for number in range(30)]
    for word in words:
        ann.writes(word)
    ann.settles()
    slowed = [nack for nack in ann.nacks if nack["code"] == "rate"]
    assert slowed
    assert all(nack["retry"] and 0 < nack["after_ms"] <= 1000 for nack in slowed)
    assert {nack["code"] for nack in ann.nacks} <= {"rate", "prev_missing"}
    ann.catches_up(read_dump(strict.database_url).head(ann.chat))
    assert ann.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(strict.database_url)) == []

    for number in range(250):
        ann.tells(type="ping", n=number)
    ann.is_shut_out(4129)
    assert ann.bye["retry_ms"] > 0

    visitors = [Customer(record, f"Visitor {number}") for number in range(4)]
    for visitor in visitors:
        visitor.dials(strict, {})
        visitor.tells(type="hello", token=ann.token)
    visitors[-1].is_shut_out(4101)
    assert visitors[-1].bye["retry_ms"] > 0


def test_more_connections_polls_or_requests_make_nobody_quicker(serve: Serve, record: Record) -> None:
    server = serve(MESSAGES_PER_SECOND="0.01", MESSAGES_BURST="3")
    ann = Customer(record, "Ann").starts(server, "Hello")
    tablet = ann.on_another_device()
    hello = {"type": "hello", "token": ann.token, "chats": ann.positions()}
    path = f"/chats/{ann.chat}/messages"

    def message() -> Frame:
        return {"id": new_id(), "prev": None, "data": {"text": "Now"}}

    ann.says("One")
    tablet.says("Two")
    assert ann.asks("POST", path, message()).status == 201

    before = everything(server.database_url)
    for device in (ann, tablet):
        device.tells(type="send", chat=ann.chat, **message())
        device.until(lambda device=device: bool(device.nacks), "a refusal")  # type: ignore[misc]
        check_slowed(device.nacks[0])
    polled = poll(server.port, [hello, {"type": "send", "chat": ann.chat, **message()}]).json["frames"]
    check_slowed(next(frame for frame in polled if frame["type"] == "nack"))
    for refused in (ann.asks("POST", path, message()), ann.asks("POST", "/chats", {"message": message()})):
        assert (refused.status, refused.json["code"]) == (429, "rate")
        assert int(refused.headers["Retry-After"]) > 0
    assert everything(server.database_url) == before

    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    robin.says("I am not slowed down by that")
    ann.sees("I am not slowed down by that")


def check_slowed(nack: Frame) -> None:
    assert (nack["code"], nack["retry"]) == ("rate", True)
    assert nack["after_ms"] > 0
