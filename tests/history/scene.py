"""A driver with verbs: a customer and an agent in one chat, on a real store and writer, below HTTP."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from sqlmodel import col, select

from history import journal, outbox
from history.access import Place
from history.chats import Act, Send
from history.db import Store, Transaction
from history.events import canonical
from history.mail.limits import MailLimits
from history.mail.tables import Attempt, OutboxItem
from history.outbox import Claim, MailPolicy, Rendered, Room
from history.start import NewChat, new_customer, start_chat
from history.times import now_ms, participant_id
from history.transcript import Transcript, load_transcript
from history.writer import Writer, only_answer

DOMAIN = "stillhere.example.com"
ADDRESS = "alex@example.com"
PATIENCE_S = 20
MANY = 1 << 30
NO_LIMITS = MailLimits(MANY, MANY, MANY, MANY)


class Scene:
    """`settle_ms` is how long a closed thread settles before its mail is due; how much mail there may be is no matter
    unless a test sets it."""

    def __init__(self, store: Store, settle_ms: int = 0, limits: MailLimits = NO_LIMITS) -> None:
        self.store = store
        self.policy = MailPolicy(settle_ms, DOMAIN, limits)
        self.writer = Writer(store, journal.writing(self.policy), only_answer)
        self.writer.start()
        self.numbers = itertools.count(1)

    def start(
        self, name: str = "Alex", email: str | None = ADDRESS, time_zone: str = "Europe/Berlin", network: str = ""
    ) -> None:
        """The customer writes for the first time; an agent, Mira, is there."""
        first = self.id(), canonical({"text": "Hello?"})
        new = NewChat(name, email, "en", time_zone, None, None, first, network)
        customer_id = self.writer.write(lambda t: new_customer(t, new))
        self.customer, _ = self.writer.write(lambda t: start_chat(t, self.policy, customer_id, name, new))
        self.chat_pk = self.customer.chat_pk
        self.agent = mira_in(self.customer)

    def proves_address(self) -> None:
        """The customer has shown that mails to the address arrive."""
        proved = "UPDATE customer SET email_proof = 'confirmed' WHERE id = ?"
        self.writer.write(lambda t: t.driver.run(proved, self.customer.person_id))

    def id(self) -> str:
        return f"message-{next(self.numbers):08}"

    def says(self, place: Place, text: str, *, reopen: bool = False, stream: int = 0) -> None:
        data = canonical({"text": text})
        self.writer.append(Send(place, self.id(), None, data, stream=stream, reopen=reopen))

    def does(self, place: Place, action: str, **data: Any) -> None:
        self.writer.append(Act(place, self.id(), action, data))

    def closed_chat(self, email: str | None = ADDRESS, network: str = "") -> None:
        """A whole thread: question, answer, close."""
        self.start(email=email, network=network)
        self.says(self.agent, "Here I am")
        self.does(self.agent, "close")

    def closed_chats(self, count: int, email: str = ADDRESS) -> None:
        """So many whole threads at once, of as many customers."""

        def ends(transaction: Transaction) -> None:
            for _ in range(count):
                customer_id = new_customer(transaction, new)
                customer, _ = start_chat(transaction, self.policy, customer_id, new.name, new)
                agent = mira_in(customer)
                asks = Send(customer, self.id(), None, canonical({"text": "Hello?"}))
                answers = Send(agent, self.id(), None, canonical({"text": "Here I am"}))
                journal.apply(self.policy, transaction, [asks, answers, Act(agent, self.id(), "close", {})])

        new = NewChat("Alex", email, "en", "UTC", None, None, None)
        self.writer.write(ends)

    def transcript(self, thread: int | None = None) -> Transcript:
        with self.store.reading() as driver:
            return load_transcript(driver, self.chat_pk, thread)

    def items(self) -> list[OutboxItem]:
        with self.store.session() as db:
            return list(db.exec(select(OutboxItem).order_by(col(OutboxItem.created_ms), col(OutboxItem.id))))

    def attempts(self) -> list[tuple[int, str, int | None]]:
        with self.store.session() as db:
            rows = db.exec(select(Attempt).order_by(col(Attempt.number)))
            return [(row.number, row.phase, row.code) for row in rows]

    def claims(self, owner: str = "worker", at_ms: int | None = None) -> list[Claim]:
        at_ms = now_ms() if at_ms is None else at_ms
        return self.writer.write(lambda t: outbox.claim(t, owner, at_ms, Room(10, 10)))

    def fence(self, claim: Claim, head: int | None = None) -> bool:
        """The point of no return, for a mail that was rendered when the chat's head was `head`; now, if not given."""
        mail = Rendered(b"mail", self.transcript().head if head is None else head)
        return self.writer.write(lambda t: outbox.start(t, claim, mail, t.now_ms))

    def gives_back(self, claim: Claim) -> bool:
        return self.writer.write(lambda t: outbox.give_back(t, claim, t.now_ms))

    def stop(self) -> None:
        self.writer.stop()


def states(scene: Scene) -> list[str]:
    return [item.state for item in scene.items()]


def wait_until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Returns once the condition holds; fails when it takes too long."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.01)


def mira_in(place: Place) -> Place:
    return Place(place.chat_pk, place.chat_id, participant_id(place.chat_id, "mira"), "agent", "Mira", "mira")
