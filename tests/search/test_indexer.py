"""The index follows the log, and whatever happens to either, it tells the truth again."""

import threading
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from history.db import Store
from search.engine import Document, Edition, Engine, Key
from search.indexer import Indexer
from tests.search.office import AGENT, PATIENCE_SECONDS, Office, viewer_of


class Stumbling:
    """An engine whose process dies right after a commit of the index, before the marks in SQL are moved."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.died = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        edition = self.engine.commit(added, deleted)
        if not self.died.is_set():
            self.died.set()
            raise OSError("the process was killed here")
        return edition


def test_what_is_said_is_found_and_what_happened_is_not(office: Office) -> None:
    chat = office.starts("My coat is lost")
    office.answers(chat, "Which coat?")
    office.notes(chat, "coat number four this week")
    assert office.finds(AGENT, "coat") == ["coat number four this week", "Which coat?", "My coat is lost"]
    assert office.finds(AGENT, "Mira") == []


def test_messages_of_before_the_start_are_found(office: Office) -> None:
    office.closes()
    office.starts("said while nobody indexed")
    office.opens()
    assert office.finds(AGENT, "nobody") == ["said while nobody indexed"]


def test_a_restart_indexes_nothing_twice(office: Office) -> None:
    office.starts("coat")
    office.waits()
    office.closes()
    office.opens()
    assert office.finds(AGENT, "coat") == ["coat"]
    assert office.whoosh.count() == 1


def test_a_hint_that_was_lost_delays_and_loses_nothing(office: Office) -> None:
    office.waits()
    office.bus.listeners.clear()
    office.starts("quiet coat")
    assert office.finds(AGENT, "coat") == ["quiet coat"]


def test_many_chats_are_indexed_in_several_batches(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.followed.BATCH_EVENTS", 7)
    monkeypatch.setattr("search.followed.BATCH_CHATS", 3)
    office.closes()
    for number in range(10):
        chat = office.starts(f"coat {number}")
        for _ in range(3):
            office.answers(chat, "coat again")
            office.notes(chat, "coat note")
    office.opens()
    office.waits()
    assert office.whoosh.count() == 70


def test_a_redacted_message_is_no_longer_found(office: Office) -> None:
    chat = office.starts("hello")
    seq = office.says(chat, "My card number is canary")
    assert office.finds(AGENT, "canary") == ["My card number is canary"]
    office.redacts(chat, seq)
    assert office.finds(AGENT, "canary") == []
    office.indexer.rebuild()
    assert office.finds(AGENT, "canary") == []
    assert office.finds(AGENT, "hello") == ["hello"]


def test_a_process_that_died_between_index_and_marks_doubles_nothing(office: Office) -> None:
    office.closes()
    office.starts("coat")
    stumbling: list[Stumbling] = []

    def stumble(engine: Engine) -> Engine:
        stumbling.append(Stumbling(engine))
        return stumbling[0]  # type: ignore[return-value]

    office.opens(stumble)
    assert stumbling[0].died.wait(PATIENCE_SECONDS)
    office.closes()
    office.opens()
    assert office.finds(AGENT, "coat") == ["coat"]
    assert office.whoosh.count() == 1


@pytest.mark.parametrize("how", ["deleted", "truncated", "flipped", "emptied"])
def test_a_damaged_index_is_made_again_at_the_start(office: Office, how: str) -> None:
    office.starts("My coat is lost")
    office.waits()
    office.closes()
    damage(office.folder, how)
    office.opens()
    assert office.finds(AGENT, "coat") == ["My coat is lost"]


def test_an_index_that_is_damaged_while_it_is_used_is_made_again(office: Office) -> None:
    office.starts("My coat is lost")
    office.waits()
    damage(office.folder, "deleted")
    office.asks(AGENT, "coat")
    assert office.finds(AGENT, "coat") == ["My coat is lost"]


def test_an_older_copy_of_the_index_is_not_believed(office: Office, tmp_path: Path) -> None:
    office.starts("first coat")
    office.waits()
    office.closes()
    copy = {file.name: file.read_bytes() for file in office.folder.iterdir() if file.is_file()}
    office.opens()
    office.starts("second coat")
    office.waits()
    office.closes()
    damage(office.folder, "deleted")
    for name, content in copy.items():
        (office.folder / name).write_bytes(content)
    office.opens()
    assert office.finds(AGENT, "coat") == ["second coat", "first coat"]


def test_the_index_of_another_record_is_not_believed(office: Office, tmp_path: Path) -> None:
    office.starts("coat of another record")
    office.waits()
    office.closes()
    store = Store(f"sqlite:///{tmp_path / 'other.db'}")
    store.migrate()
    other = Office(store, office.folder)
    other.opens()
    other.starts("our coat")
    assert other.finds(AGENT, "coat") == ["our coat"]
    other.stop()
    store.close()


def test_a_rebuild_begins_a_new_index_with_everything(office: Office) -> None:
    office.starts("coat")
    office.waits()
    before = office.whoosh.check()
    assert office.indexer and before
    office.indexer.rebuild()
    assert office.finds(AGENT, "coat") == ["coat"]
    after = office.whoosh.check()
    assert after and after.identity != before.identity


def test_it_says_how_far_it_is_behind(office: Office) -> None:
    office.closes()
    office.starts("one")
    indexer = Indexer(office.store, office.writer, office.bus, office.whoosh)
    assert indexer.behind() > 0
    assert not indexer.caught_up(0)
    office.opens()
    office.waits()
    assert indexer.behind() == 0


def test_a_second_process_stands_by(office: Office) -> None:
    office.waits()
    folder, first = office.folder, office.indexer
    other = Office(office.store, folder)
    other.opens()
    office.starts("coat")
    assert office.finds(AGENT, "coat") == ["coat"]
    assert other.indexer and first and not other.indexer.ready
    assert [item["snippet"] for item in other.asks(AGENT, "coat")["items"]] == ["<mark>coat</mark>"]
    other.stop()


def test_other_peoples_words_are_never_found(office: Office) -> None:
    alex, berta = office.starts("my coat"), office.starts("canary coat")
    office.notes(alex, "canary note")
    for q in ("canary", "can*", '"canary coat"', "-absent", "from:agent", "after:2020", "coat"):
        assert not [text for text in office.finds(viewer_of(alex), q) if "canary" in text]
        assert office.asks(viewer_of(alex), q)["total"] <= 1
    assert office.finds(viewer_of(berta), "canary") == ["canary coat"]


def damage(folder: Path, how: str) -> None:
    for file in folder.iterdir():
        if not file.is_file():
            continue
        content = file.read_bytes()
        if how == "deleted":
            file.unlink()
        elif how == "truncated":
            file.write_bytes(content[: len(content) // 2])
        elif how == "emptied":
            file.write_bytes(b"")
        elif file.suffix == ".seg":
            middle = len(content) // 2
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
