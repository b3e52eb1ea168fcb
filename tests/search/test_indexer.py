"""The index follows the log, and whatever happens to either, it tells the truth again."""

import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from history.db import Store
from search.engine import Document, Edition, Engine, Key
from search.indexer import Indexer
from search.marks import read_misfits
from search.recent import Recent
from search.shelf import Shelf
from search.whoosh_engine import WhooshEngine
from tests.search.office import AGENT, PATIENCE_SECONDS, Office, viewer_of


class Stumbling:
    """An engine whose process dies right after a commit of the index, before the marks in SQL are moved."""

    def __init__(self, engine: Engine, died: threading.Event) -> None:
        self.engine = engine
        self.died = died

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
    assert office.shelf.count() == 1


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
    assert office.shelf.count() == 70


def test_a_redacted_message_is_no_longer_found(office: Office) -> None:
    chat = office.starts("hello")
    seq = office.says(chat, "My card number is canary")
    assert office.finds(AGENT, "canary") == ["My card number is canary"]
    office.redacts(chat, seq)
    assert office.finds(AGENT, "canary") == []
    office.wants_new_index()
    assert office.finds(AGENT, "canary") == []
    assert office.finds(AGENT, "hello") == ["hello"]


def test_a_process_that_died_between_index_and_marks_doubles_nothing(office: Office) -> None:
    office.closes()
    office.starts("coat")
    died = threading.Event()
    office.opens(lambda engine: Stumbling(engine, died))  # type: ignore[arg-type,return-value]
    assert died.wait(PATIENCE_SECONDS)
    office.closes()
    office.opens()
    assert office.finds(AGENT, "coat") == ["coat"]
    assert office.shelf.count() == 1


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
    assert [item["chat"] for item in office.asks(AGENT, "coat")["items"]]
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
    other = Office(store, office.root)
    other.opens()
    other.starts("our coat")
    assert other.finds(AGENT, "coat") == ["our coat"]
    other.stop()
    store.close()


def test_a_rebuild_begins_a_new_index_with_everything(office: Office) -> None:
    office.starts("coat")
    office.waits()
    before = office.shelf.check()
    assert before
    office.wants_new_index()
    assert office.finds(AGENT, "coat") == ["coat"]
    after = office.shelf.check()
    assert after and after.identity != before.identity


def test_it_says_how_far_it_is_behind(office: Office) -> None:
    office.closes()
    office.starts("one")
    indexer = Indexer(office.store, office.writer, office.bus, office.shelf)
    assert indexer.behind() > 0
    assert not indexer.caught_up(0)
    office.opens()
    office.waits()
    assert indexer.behind() == 0


def test_a_second_process_stands_by(office: Office) -> None:
    office.waits()
    first = office.indexer
    other = Office(office.store, office.root)
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


class Choking:
    """An engine that cannot index a certain word, and another one only now and then."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        documents = list(added)
        if any("poison" in document.text for document in documents):
            raise ValueError("this cannot be indexed")
        return self.engine.commit(documents, deleted)


def choking(engine: Engine) -> Engine:
    return Choking(engine)  # type: ignore[return-value]


def test_a_message_that_cannot_be_indexed_is_set_aside_and_the_others_are_found(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.indexer.RETRY_SECONDS", 0.01)
    office.closes()
    chat = office.starts("coat 1")
    poison = office.says(chat, "coat of poison")
    office.says(chat, "coat 2")
    office.opens(choking)
    assert office.finds(AGENT, "coat") == ["coat 2", "coat 1"]
    with office.store.reading() as driver:
        ((id, stream, seq, reason),) = read_misfits(driver)
    assert (id, stream, seq) == (chat.chat_id, "public", poison) and "cannot be indexed" in reason
    office.says(chat, "coat 3")
    assert office.finds(AGENT, "coat") == ["coat 3", "coat 2", "coat 1"]


def test_a_new_index_tries_again_what_was_set_aside(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.indexer.RETRY_SECONDS", 0.01)
    office.closes()
    chat = office.starts("coat 1")
    office.says(chat, "coat of poison")
    office.opens(choking)
    office.waits()
    office.wants_new_index()
    assert office.finds(AGENT, "coat") == ["coat 1"]
    office.closes()
    office.opens()
    office.wants_new_index()
    assert office.finds(AGENT, "coat") == ["coat of poison", "coat 1"]
    with office.store.reading() as driver:
        assert read_misfits(driver) == []


class Waiting:
    """An engine whose first commit waits until it is let go."""

    def __init__(self, engine: Engine, go: threading.Event) -> None:
        self.engine = engine
        self.go = go

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def commit(self, added: Iterable[Document], deleted: Collection[Key] = ()) -> Edition:
        self.go.wait(PATIENCE_SECONDS)
        return self.engine.commit(added, deleted)


def test_the_old_index_is_searched_while_a_new_one_is_made_and_neither_misses_anything(
    any_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = any_office
    monkeypatch.setattr("search.rebuilding.LEAST_EVENTS", 5)
    monkeypatch.setattr("search.rebuilding.MOST_EVENTS", 5)
    monkeypatch.setattr("search.rebuilding.BATCH_CHATS", 2)
    chats = [office.starts(f"coat {number}") for number in range(7)]
    gone = office.says(chats[0], "canary coat")
    office.waits()
    before = office.folder
    go = threading.Event()
    office.shelf.make = lambda place: Waiting(WhooshEngine(office.root / place, PATIENCE_SECONDS), go)  # type: ignore[assignment,return-value]
    office.wants_new_index()
    until = time.monotonic() + PATIENCE_SECONDS
    while len(office.shelf.engines) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    answer = office.asks(AGENT, "coat")
    assert answer["total"] == 8 and "degraded" not in answer
    office.redacts(chats[0], gone)
    office.says(chats[6], "coat said meanwhile")
    office.notes(chats[3], "coat noted meanwhile")
    go.set()
    assert set(office.finds(AGENT, "coat")) == {
        "coat said meanwhile",
        "coat noted meanwhile",
        *(f"coat {number}" for number in range(7)),
    }
    assert office.folder != before
    office.closes()
    office.opens()
    office.says(chats[1], "coat said afterwards")
    assert len(office.finds(AGENT, "coat")) == 10
    assert office.shelf.count() == 10


def test_a_process_that_stands_by_turns_to_the_new_index_too(any_office: Office) -> None:
    office = any_office
    office.starts("coat")
    office.waits()
    before = office.shelf.state().place
    other = Office(office.store, office.root)
    other.opens()
    assert other.asks(AGENT, "coat")["total"] == 1
    office.wants_new_index()
    office.waits()
    office.starts("another coat")
    office.waits()
    assert other.asks(AGENT, "coat")["total"] == 2
    assert before not in other.shelf.engines
    other.stop()


def test_a_process_that_died_while_it_made_a_new_index_makes_it_again(office: Office) -> None:
    office.starts("coat")
    office.waits()
    died = threading.Event()
    office.shelf.make = lambda place: Stumbling(WhooshEngine(office.root / place), died)  # type: ignore[assignment,return-value]
    before = office.folder
    office.wants_new_index()
    assert died.wait(PATIENCE_SECONDS)
    office.closes()
    office.opens()
    assert office.finds(AGENT, "coat") == ["coat"]
    assert office.folder != before
    assert office.shelf.count() == 1


def test_while_there_is_no_index_the_newest_messages_are_searched(
    any_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.finding.Recent", partial(Recent, seconds=PATIENCE_SECONDS))
    office = any_office
    office.closes()
    alex, berta = office.starts("my red coat", "Alex"), office.starts("a coat of canary", "Berta")
    office.answers(alex, "which coats?")
    office.notes(alex, "coat note")
    gone = office.says(alex, "coat, coat")
    office.redacts(alex, gone)
    office.shelf = Shelf(office.store, lambda place: WhooshEngine(office.root / place, PATIENCE_SECONDS))
    answer = office.asks(AGENT, "coat", collapse="chat", context="messages", facets="all")
    assert answer["degraded"] and answer["partial"] and answer["facets"] == {} and answer["next"] is None
    assert [(item["chat"], item["count"]) for item in answer["items"]] == [(alex.chat_id, 3), (berta.chat_id, 1)]
    assert answer["total"] == 4
    for q, found in {
        "coat -red from:customer": 1,
        '"red coat" OR canary': 2,
        "coat is:note": 1,
        "coa*": 4,
        "caot~": 3,
        f"coat chat:{berta.chat_id}": 1,
        "coat before:2020": 0,
    }.items():
        assert office.asks(AGENT, q)["total"] == found, q
    mine = office.asks(viewer_of(alex), "coat")
    assert [item["snippet"] for item in mine["items"]] == ["which <mark>coats</mark>?", "my red <mark>coat</mark>"]
    assert office.asks(viewer_of(alex), "canary")["total"] == 0
    assert office.asks(replace(viewer_of(alex), only_chat=berta.chat_id), "coat")["total"] == 0
    office.shelf.close()


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
