"""Fixtures for the live connections: a loop that runs."""

from collections.abc import Iterator

import pytest

from resume.live.loop import Loop
from tests.resume.peer import TIMEOUT_S


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    yield loop
    assert loop.stop(TIMEOUT_S)
