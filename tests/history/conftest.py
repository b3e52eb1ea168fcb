"""Fixtures of the record's tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from history.db import Store, Transaction
from history.mail.send import MailSettings
from history.mail.worker import MailWorker, MakeLink
from history.times import DAY_MS
from tests.history.mail_server import MailServer
from tests.history.scene import DOMAIN, Scene


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
def files(tmp_path: Path) -> MailSettings:
    """Mails become files."""
    return MailSettings("chat@example.com", DOMAIN, tmp_path / "outbox")


@pytest.fixture
def smtp(files: MailSettings, mail_server: MailServer) -> MailSettings:
    """Mails go to the server."""
    return replace(files, smtp_host="127.0.0.1", smtp_port=mail_server.port, smtp_tls="none")


class StartWorker(Protocol):
    def __call__(self, settings: MailSettings, make_link: MakeLink = ...) -> MailWorker: ...


@pytest.fixture
def start_worker(scene: Scene) -> Iterator[StartWorker]:
    workers: list[MailWorker] = []

    def link(transaction: Transaction, chat_id: str, customer_id: str) -> str:
        return "https://chat.example.com/r#secret"

    def start(settings: MailSettings, make_link: MakeLink = link) -> MailWorker:
        worker = MailWorker(scene.store, scene.writer, settings, "Acme", make_link, 30 * DAY_MS)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()
