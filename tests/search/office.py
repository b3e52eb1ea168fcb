"""A driver with verbs: people who write, an index that follows, and somebody who searches."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue

from history import journal
from history.access import Place, Viewer
from history.agents import add_agent
from history.bus import Hint, MemoryBus
from history.chats import Act, Send
from history.db import Store, Transaction
from history.errors import StillhereError
from history.events import canonical, digest_of
from history.models import INTERNAL, PUBLIC
from history.outbox import MailPolicy
from history.start import NewChat, new_customer, start_chat
from history.times import new_id, now_ms, participant_id
from history.writer import Answer, Writer, give
from search.engine import Engine
from search.indexer import Indexer
from search.marks import ask_for_new
from search.routes import make_blueprint
from search.shelf import Shelf
from search.whoosh_engine import WhooshEngine

PATIENCE_SECONDS = 20
AGENT = Viewer("agent", "mira", "Mira Stone")


class Office:
    """A store, its writer, and an index in a folder. `opens` and `closes` are a process's start and end."""

    def __init__(self, store: Store, root: Path) -> None:
        self.store = store
        self.root = root
        self.policy = MailPolicy(0, "stillhere.example.com")
        self.bus = MemoryBus()
        self.writer = Writer(store, journal.writing(self.policy), self._ring)
        self.writer.start()
        self.numbers = itertools.count(1)
        self.indexer: Indexer | None = None

    def opens(self, wrap: Callable[[Engine], Engine] = lambda engine: engine) -> None:
        self.shelf = Shelf(self.store, lambda place: wrap(WhooshEngine(self.root / place, PATIENCE_SECONDS)))
        self.indexer = Indexer(self.store, self.writer, self.bus, self.shelf)
        self.indexer.start()

    @property
    def folder(self) -> Path:
        """The files of the index that is searched."""
        return self.root / self.shelf.state().place

    def wants_new_index(self) -> None:
        self.writer.write(ask_for_new)

    def closes(self) -> None:
        if self.indexer:
            self.indexer.stop()
            self.shelf.close()
            self.bus.listeners.clear()
            self.indexer = None

    def stop(self) -> None:
        self.closes()
        self.writer.stop()

    def starts(self, text: str, name: str = "Alex", locale: str = "en") -> Place:
        """A new customer writes for the first time."""
        new = self._new_chat(text, name, locale)
        customer_id = self.writer.write(lambda t: new_customer(t, new))
        return self._start(customer_id, new)

    def starts_another(self, place: Place, text: str) -> Place:
        """The same customer begins a second chat."""
        return self._start(place.person_id, self._new_chat(text, place.name, "en"))

    def _new_chat(self, text: str, name: str, locale: str) -> NewChat:
        return NewChat(name, None, locale, "UTC", None, None, (self._id(), canonical({"text": text})))

    def _start(self, customer_id: str, new: NewChat) -> Place:
        place, _ = self.writer.write(lambda t: start_chat(t, self.policy, customer_id, new.name, new))
        return place

    def says(self, place: Place, text: str, stream: int = PUBLIC, **more: Any) -> int:
        """Returns the message's seq."""
        ack = self.writer.append(Send(place, self._id(), None, canonical({"text": text, **more}), stream))
        return int(ack.seq)

    def answers(self, place: Place, text: str, agent: Viewer = AGENT) -> int:
        return self.says(agent_in(place, agent), text)

    def notes(self, place: Place, text: str, after: int = 1) -> int:
        """A note behind a public message."""
        return self.says(agent_in(place), text, INTERNAL, after=after)

    def hires(self, name: str) -> Viewer:
        """A new agent."""
        return Viewer("agent", self.writer.write(lambda t: add_agent(t, name, f"{new_id()}@example.com")), name)

    def ends(self, place: Place) -> None:
        self.writer.append(Act(place, self._id(), "close", {}))

    def rates(self, place: Place, score: int) -> None:
        self.writer.append(Act(place, self._id(), "rate", {"score": score}))

    def redacts(self, place: Place, seq: int) -> None:
        """What a redaction leaves in the log (protocol 3.2, 3.3)."""
        self.writer.write(lambda t: redact(t, place, seq, self._id()))
        self.bus.publish([Hint(place.chat_pk)])

    def waits(self) -> None:
        assert self.indexer and self.indexer.caught_up(PATIENCE_SECONDS)

    def asks(self, viewer: Viewer, q: str, **asked: str) -> dict[str, Any]:
        """The answer of the HTTP route."""
        answer = self._client(viewer).get("/api/v1/search", query_string={"q": q, **asked})
        return {"status": answer.status_code, **answer.get_json()}

    def finds(self, viewer: Viewer, q: str, **asked: str) -> list[str]:
        """The snippets of what is found, without their marks, once the index has all."""
        self.waits()
        return [re.sub("</?mark>", "", item["snippet"]) for item in self.asks(viewer, q, **asked)["items"]]

    def _client(self, viewer: Viewer) -> Any:
        app = Flask(__name__)
        app.register_blueprint(make_blueprint(self.store, self.shelf, lambda: viewer))
        app.register_error_handler(StillhereError, as_problem)
        return app.test_client()

    def _id(self) -> str:
        return f"message-{next(self.numbers):08}"

    def _ring(self, commits: list[journal.Commit], answers: list[Answer]) -> None:
        give(answers)
        self.bus.publish([Hint(commit.chat_pk) for commit in commits])


def as_problem(error: StillhereError) -> ResponseReturnValue:
    return {"code": error.code, "detail": error.detail}, error.status


def agent_in(place: Place, agent: Viewer = AGENT) -> Place:
    return replace(
        place,
        participant=participant_id(place.chat_id, agent.person_id),
        role="agent",
        name=agent.name,
        person_id=agent.person_id,
    )


def viewer_of(place: Place) -> Viewer:
    return Viewer("customer", place.person_id, place.name)


def redact(transaction: Transaction, place: Place, seq: int, id: str) -> None:
    driver = transaction.driver
    where = "WHERE chat_pk = ? AND stream = 0 AND seq = ?"
    row = driver.row(f"SELECT data FROM event {where}", place.chat_pk, seq)
    assert row is not None
    driver.run(
        f"UPDATE event SET data = ?, digest = ? {where}",
        canonical({"redacted": True}),
        digest_of(row[0]),
        place.chat_pk,
        seq,
    )
    driver.run(
        'INSERT INTO event (chat_pk, stream, seq, kind, "by", id, thread, at_ms, data, salt, hash) '
        "SELECT pk, 0, head + 1, 'redact', ?, ?, thread, ?, ?, '', hash FROM chat WHERE pk = ?",
        agent_in(place).participant,
        id,
        now_ms(),
        canonical({"seq": seq, "reason": "asked for"}),
        place.chat_pk,
    )
    driver.run("UPDATE chat SET head = head + 1 WHERE pk = ?", place.chat_pk)
