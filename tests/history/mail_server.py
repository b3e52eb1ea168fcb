"""A real SMTP server on loopback that can be told to fail, and a strict reader of what it got."""

import asyncio
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port

PATIENCE_S = 30
RESET = struct.pack("ii", 1, 0)
"""As SO_LINGER: the end of a connection is a reset."""

DSN_PARAMETERS = re.compile(r" (?:RET|ENVID|NOTIFY)=\S+")


@dataclass
class Orders:
    """What the server does, and what it got. `cut` is "before the dot", "after the dot" or nothing."""

    mail: str = "250 OK"
    rcpt: str = "250 OK"
    once: list[str] = field(default_factory=list)
    """What is answered to the next MAIL commands instead."""
    data: str = ""
    """What is answered to DATA instead of 354."""
    dot: str = "250 taken"
    dot_once: list[str] = field(default_factory=list)
    """What is answered to the next final dots instead."""
    cut: str = ""
    taken: list[bytes] = field(default_factory=list)
    """Mails whose final dot was read, whatever was answered."""
    envelopes: list[str] = field(default_factory=list)
    """What came with the MAIL and RCPT commands."""
    patience: threading.Event | None = None
    """What the answer to the dot waits for."""
    slow: str = ""
    """Only mails to addresses that end so wait for it."""
    extensions: tuple[str, ...] = ()
    """What it offers beyond the usual, such as DSN (RFC 3461)."""
    connections: int = 0
    transports: list[asyncio.Transport] = field(default_factory=list)
    """Those of the connections that were not reset."""

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        self.transports.append(open_transport(server))
        return [*responses[:-1], *(f"250-{name}" for name in self.extensions), responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.once.pop() if self.once else self.mail
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802  (the names are aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.original_content, bytes)
        self.taken.append(envelope.original_content)
        if self.patience is not None and envelope.rcpt_tos[0].endswith(self.slow):
            await asyncio.get_running_loop().run_in_executor(None, self.patience.wait, PATIENCE_S)
        if self.cut == "after the dot":
            open_transport(server).abort()
        return self.dot_once.pop() if self.dot_once else self.dot


class UnreliableServer(SMTP):
    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        self.event_handler.envelopes.append(arg)
        await super().smtp_MAIL(DSN_PARAMETERS.sub("", arg))

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        self.event_handler.envelopes.append(arg)
        await super().smtp_RCPT(DSN_PARAMETERS.sub("", arg))

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self.event_handler.cut == "before the dot":
            # Corked, the answer and the end of the connection reach the client in one piece: no race.
            transport = open_transport(self)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            transport.write(b"354 go on\r\n")
            transport.abort()
            return
        if self.event_handler.data:
            await self.push(self.event_handler.data)
            return
        await super().smtp_DATA(arg)


def open_transport(server: SMTP) -> asyncio.Transport:
    assert isinstance(server.transport, asyncio.Transport)
    return server.transport


class MailServer(Controller):
    def __init__(self) -> None:
        self.orders = Orders()
        super().__init__(self.orders, hostname="127.0.0.1", port=free_port())

    def factory(self) -> Any:
        return UnreliableServer(self.handler, hostname="mail.test")

    def reset_connections(self) -> None:
        """Ends all without a goodbye, as a server that is begun anew."""

        def reset() -> None:
            for transport in self.orders.transports:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                transport.abort()
            self.orders.transports.clear()

        self.loop.call_soon_threadsafe(reset)


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
