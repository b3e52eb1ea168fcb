"""A real SMTP server on loopback that can be told to fail, and a strict reader of what it got."""

import asyncio
import socket
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Orders:
    """What the server does, and what it got. `cut` is "before the dot", "after the dot" or nothing."""

    rcpt: str = "250 OK"
    dot: str = "250 taken"
    cut: str = ""
    taken: list[bytes] = field(default_factory=list)
    """Mails whose final dot was read, whatever was answered."""

    async def handle_RCPT(  # noqa: N802  (the names are aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.original_content, bytes)
        self.taken.append(envelope.original_content)
        if self.cut == "after the dot":
            open_transport(server).abort()
        return self.dot


class UnreliableServer(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self.event_handler.cut == "before the dot":
            # Corked, the answer and the end of the connection reach the client in one piece: no race.
            transport = open_transport(self)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            transport.write(b"354 go on\r\n")
            transport.abort()
            return
        await super().smtp_DATA(arg)


def open_transport(server: SMTP) -> asyncio.Transport:
    assert isinstance(server.transport, asyncio.Transport)
    return server.transport


class MailServer(Controller):
    def __init__(self) -> None:
        self.orders = Orders()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(self.orders, hostname="127.0.0.1", port=port)

    def factory(self) -> Any:
        return UnreliableServer(self.handler, hostname="mail.test")


def read(content: bytes) -> EmailMessage:
    """The mail, as the strict parser reads it, without a defect."""
    mail = message_from_bytes(content, policy=policy.strict)
    assert isinstance(mail, EmailMessage)
    assert all(part.defects == [] for part in mail.walk())
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    return mail


def part_of(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
