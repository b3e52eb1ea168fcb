"""A mail on its way while the disk of the database has no room."""

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase, Serve, servers
from tests.dump import connected, rows
from tests.journeys.test_links import ended_chat, is_sent, mail_to
from tests.journeys.test_store_faults import full_disk
from tests.record import Record
from tests.servers import Server


@pytest.fixture
def serve_sqlite(make_sqlite: MakeDatabase, tmp_path: Path) -> Iterator[Serve]:
    with make_sqlite() as url, servers(url, tmp_path) as serve:
        yield serve


def attempts(server: Server) -> int:
    with connected(server.database_url) as database:
        (item,) = rows(database, "SELECT attempts FROM outbox_item")
    return int(item["attempts"])


def test_a_mail_waits_until_the_database_has_room(serve_sqlite: Serve, record: Record) -> None:
    server = serve_sqlite(SETTLE_SECONDS="1")
    ann, _ = ended_chat(server, record)
    with full_disk(server):
        ann.until(lambda: "mail waits" in server.log.read_text(), "a word in the log", patience_s=30)
        assert not is_sent(server.database_url)
        assert list((server.folder / "outbox").glob("*.eml")) == []
    mail = mail_to(ann, server.folder)
    (file,) = (server.folder / "outbox").iterdir()
    assert message_from_bytes(file.read_bytes())["Message-ID"] == mail["Message-ID"]
    assert attempts(server) == 1
