"""Fixtures of the record's tests."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from history.db import Store, Transaction
from history.mail.addresses import MailAddresses
from history.mail.prepare import House, MakeWay
from history.mail.send import Files
from history.mail.smtp import Connection, MailSettings
from history.mail.worker import Habits, MailWorker
from history.times import DAY_MS
from tests.history.mail_server import MailServer
from tests.history.scene import DOMAIN, Scene

ADDRESSES = MailAddresses(("key",), "chat@example.com", "r+{token}@reply.example.com", "b+{token}@bounce.example.com")
USUAL = Habits()


@pytest.fixture
def scene(store: Store) -> Iterator[Scene]:
    scene = Scene(store)
    yield scene
    scene.stop()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Mails become files."""
    return Files(tmp_path / "outbox")


@pytest.fixture
def smtp(mail_server: MailServer) -> MailSettings:
    """Mails go to the server."""
    return MailSettings(DOMAIN, "127.0.0.1", mail_server.port, tls="none")


class StartWorker(Protocol):
    def __call__(self, way: Files | MailSettings, make_link: MakeWay = ..., habits: Habits = ...) -> MailWorker: ...


@pytest.fixture
def start_worker(scene: Scene) -> Iterator[StartWorker]:
    workers: list[MailWorker] = []

    def link(transaction: Transaction, chat_id: str, customer_id: str) -> str:
        return "https://chat.example.com/r#secret"

    def start(way: Files | MailSettings, make_link: MakeWay = link, habits: Habits = USUAL) -> MailWorker:
        house = House("Acme", DOMAIN, "https://chat.example.com", ADDRESSES, make_link, make_link, 30 * DAY_MS)
        opened = (lambda: way) if isinstance(way, Files) else partial(Connection, way)
        worker = MailWorker(scene.store, scene.writer, house, opened, habits)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()
