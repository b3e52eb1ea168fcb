"""The way of a request's socket from a WSGI server to the loop, which answers in the place of the view."""

import http.client
from collections.abc import Iterator

import pytest

from tests.resume.peer import TIMEOUT_S
from tests.resume.test_handover import COMMANDS, Address, serving


@pytest.fixture(scope="module", params=COMMANDS.keys())
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    with serving(request.param) as address:
        yield address


def test_the_loop_answers_and_the_servers_answer_reaches_nobody(address: Address) -> None:
    for body in (b"", b"short", b"x" * 100_000):
        connection = http.client.HTTPConnection(*address, timeout=TIMEOUT_S)
        connection.request("POST", "/poll", body)
        assert connection.getresponse().read() == body
        connection.close()
