"""Whoever is too quick is slowed down by name, and loses nothing by it."""

import pytest

from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.people import Customer
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
