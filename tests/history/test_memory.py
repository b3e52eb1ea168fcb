"""What a writer remembers from one commit to the next, while others write to the same chat."""

import itertools
import sqlite3
from collections.abc import Iterator

import pytest

from history import journal
from history.chats import Act, Send
from history.db import Store, Transaction
from history.errors import PreviousMissing
from history.events import canonical, chain, digest_of
from history.journal import Ack, read_after
from history.models import PUBLIC
from history.writer import Writer, only_answer
from tests.history.scene import Scene

ROUNDS = 4
PAGE = 200


@pytest.fixture
def other(scene: Scene) -> Iterator[Writer]:
    """The writer of another process on the same database."""
    writer = Writer(scene.store, journal.writing(scene.policy), only_answer)
    writer.start()
    yield writer
    writer.stop()


class Chatter:
    """A customer whose messages go by one writer or another, each after the one before."""

    def __init__(self, scene: Scene) -> None:
        scene.start()
        self.scene = scene
        self.numbers = itertools.count()
        self.last: str | None = None

    def next(self) -> Send:
        id = f"in-order-{next(self.numbers):08}"
        send = Send(self.scene.customer, id, self.last, canonical({"text": f"This is {id}"}))
        self.last = id
        return send

    def log_holds(self) -> int:
        """How many events the chat has, which follow each other without a gap."""
        with self.scene.store.reading() as driver:
            events = read_after(driver, self.scene.chat_pk, PUBLIC, 0, PAGE)
        hash = ""
        for seq, event in enumerate(events, 1):
            assert event.seq == seq
            if seq > 1:
                digest = event.digest or digest_of(event.data)
                assert event.hash == chain(hash, seq, event.kind, event.by, event.id, digest, event.salt)
            hash = event.hash
        return len(events)


def test_writers_that_take_turns_hear_of_each_other(scene: Scene, other: Writer) -> None:
    chatter = Chatter(scene)
    before = chatter.log_holds()
    for _ in range(ROUNDS):
        for writer in (scene.writer, scene.writer, other, other):
            assert not writer.append(chatter.next()).duplicate
    assert chatter.log_holds() == before + 4 * ROUNDS


def test_what_was_said_through_one_writer_is_a_duplicate_at_the_other(scene: Scene, other: Writer) -> None:
    chatter = Chatter(scene)
    first, second = chatter.next(), chatter.next()
    for send in (first, second):
        scene.writer.append(send)
    assert [writer.append(second).duplicate for writer in (scene.writer, other)] == [True, True]
    missing = second._replace(id="never-before-seen", prev="never-came-at-all")
    for writer in (scene.writer, other):
        with pytest.raises(PreviousMissing):
            writer.append(missing)


def test_work_that_is_undone_leaves_nothing_in_memory(scene: Scene) -> None:
    chatter = Chatter(scene)
    scene.writer.append(chatter.next())
    lost = chatter.next()

    def fail(transaction: Transaction) -> None:
        (ack,) = journal.apply(scene.policy, transaction, [lost])
        assert isinstance(ack, Ack)
        raise ValueError("undo this")

    with pytest.raises(ValueError, match="undo this"):
        scene.writer.write(fail)
    before = chatter.log_holds()
    with pytest.raises(PreviousMissing):
        scene.writer.append(chatter.next())
    assert scene.writer.append(lost).seq == before + 1
    assert chatter.log_holds() == before + 1


def test_work_beside_the_log_is_seen_by_the_next_message(scene: Scene) -> None:
    chatter = Chatter(scene)
    scene.writer.append(chatter.next())
    scene.writer.write(lambda t: journal.apply(scene.policy, t, [Act(scene.agent, scene.id(), "close", {})]))
    reopening = chatter.next()._replace(reopen=True)
    scene.writer.append(reopening)
    with scene.store.reading() as driver:
        assert driver.row("SELECT status, thread FROM chat WHERE pk = ?", scene.chat_pk)[1:] == (2,)
    chatter.log_holds()


def test_a_program_that_changes_the_file_is_noticed(scene: Scene, sqlite_file: str) -> None:
    """As when somebody mends a database by hand while the service runs."""
    chatter = Chatter(scene)
    scene.writer.append(chatter.next())
    head = chatter.log_holds()
    with sqlite3.connect(sqlite_file) as hand:
        hand.execute("UPDATE chat SET customer_id = customer_id, head = head + 10 WHERE pk = ?", (scene.chat_pk,))
    assert scene.writer.append(chatter.next()).seq == head + 11


@pytest.fixture
def sqlite_file(store: Store) -> str:
    if store.dialect != "sqlite":
        pytest.skip("a database in a file only")
    return str(store.url.database)
