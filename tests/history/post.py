"""A driver with verbs for mails that come in: a mail of ours that somebody has got, and what comes back to it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from sqlmodel import select

from history.mail.addresses import MailAddresses, make_reply_addresses
from history.mail.receive.answers import Rules
from history.mail.receive.receiver import Receiver
from history.mail.tables import InboundMail, MailEvent, OutboxItem
from history.models import INTERNAL, Event
from history.times import now_ms
from tests.history.scene import ADDRESS, Scene

ADDRESSES = MailAddresses(("key",), "chat@example.com", "r+{token}@reply.example.com", "b+{token}@bounce.example.com")
MAIL_SERVER = "mx.example.com"
PASSED = f"Authentication-Results: {MAIL_SERVER}; spf=pass; dkim=pass (2048-bit); dmarc=pass header.from=example.com"
FAILED = f"Authentication-Results: {MAIL_SERVER}; dmarc=fail (p=reject) header.from=example.com"


@dataclass
class Post:
    """The mail of the scene's newest outbox item is out; `reply_address` is where it is answered."""

    scene: Scene
    mail_server: str = MAIL_SERVER

    @cached_property
    def receiver(self) -> Receiver:
        rules = Rules(ADDRESSES, self.mail_server, self.scene.policy)
        return Receiver(self.scene.store, self.scene.writer, rules, "Acme", "https://chat.example.com")

    @cached_property
    def item(self) -> OutboxItem:
        return self.scene.items()[-1]

    @cached_property
    def reply_address(self) -> str:
        return self.scene.writer.write(lambda t: make_reply_addresses(t, ADDRESSES, [self.item.id])[0])

    @property
    def bounce_address(self) -> str:
        return ADDRESSES.envelope_sender(self.item.bounce_token)

    def goes_out(self) -> None:
        sent = "UPDATE outbox_item SET state = 'sent', done_ms = ? WHERE id = ?"
        self.scene.writer.write(lambda t: t.driver.run(sent, now_ms(), self.item.id))

    def answer(self, text: str = "Green.", *, sender: str = ADDRESS, number: int = 1, headers: str = PASSED) -> bytes:
        lines = [
            *filter(None, [headers]),
            f"From: Alex Field <{sender}>",
            f"To: {self.reply_address}",
            "Subject: Re: Your chat with Acme",
            f"Message-ID: <answer.{number}@example.com>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "",
            text,
        ]
        return "\r\n".join(lines).encode()

    def comes(self, raw: bytes, sender: str = ADDRESS, to: str = "") -> str:
        """A mail comes by the listener's way; what it was taken for."""
        return self.receiver.receive(raw, sender, to or self.reply_address)

    # What has come of it

    def messages(self) -> list[dict[str, Any]]:
        """The data of the chat's messages that came by mail, with who said them."""
        entries = self.scene.transcript().entries
        by_mail = (entry for entry in entries if entry.kind == "message" and "by_mail" in entry.data)
        return [{**entry.data, "role": entry.by.role, "name": entry.by.name} for entry in by_mail]

    def notes(self) -> list[str]:
        """What agents were told."""
        with self.scene.store.session() as db:
            query = select(Event.data).where(Event.chat_pk == self.scene.chat_pk, Event.stream == INTERNAL)
            return [orjson.loads(data)["text"] for data in db.exec(query.order_by(Event.seq))]  # type: ignore[arg-type]

    def status(self) -> str:
        with self.scene.store.reading() as driver:
            row = driver.row("SELECT status FROM chat WHERE pk = ?", self.scene.chat_pk)
            assert row is not None
            return str(row[0])

    def mails(self) -> list[InboundMail]:
        with self.scene.store.session() as db:
            return list(db.exec(select(InboundMail)))

    def events(self) -> list[tuple[str, str]]:
        """(kind, status) of what was heard of our mails."""
        with self.scene.store.session() as db:
            return [(event.kind, event.status) for event in db.exec(select(MailEvent))]
