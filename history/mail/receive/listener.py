"""The door for our own mail server: it hands over mails by LMTP (RFC 2033) or SMTP, and gets its answer when the mail
is in the record. Made, started and stopped by `app.py`, if answers by mail are wanted; needs the extra `replies`.

It is meant for a mail server that filters spam and writes who sent what: it listens on loopback or a socket file.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from history.errors import Erased, Invalid, NotFound, StillhereError, TooBig
from history.mail.receive.reading import MOST_BYTES
from history.mail.receive.receiver import Receiver

TAKING_THREADS = 8
LINE_BYTES = 100_000
"""Longer than any line should be (998), as many are."""

STOP_SECONDS = 10
UNIX = "unix:"

NOT_NOW = "451 4.3.0 We could not take this just now; please try again later"
CODES = {NotFound: "550 5.1.1", Erased: "550 5.1.6", TooBig: "552 5.3.4", Invalid: "554 5.6.0"}
"""Lasting refusals (RFC 3463), which the sender's server tells the sender; anything else may pass."""

log = logging.getLogger("stillhere.mail")


def answer_to(refusal: StillhereError) -> str:
    code = next((code for kind, code in CODES.items() if isinstance(refusal, kind)), "451 4.3.0")
    return f"{code} {refusal.detail}"


class Door(SMTP):
    """Speaks LMTP and SMTP alike."""

    line_length_limit = LINE_BYTES

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:  # noqa: N802  (the names are aiosmtpd's)
        await self.smtp_EHLO(arg)


class Handler:
    """What aiosmtpd asks. A mail has one recipient here: after its dot LMTP wants an answer for each."""

    def __init__(self, receiver: Receiver, pool: ThreadPoolExecutor) -> None:
        self.receiver, self.pool = receiver, pool

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time, please"
        refusal = await self._tried(partial(self.receiver.check_recipient, address))
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content
        assert isinstance(content, bytes), "the door does not decode"
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        refusal = await self._tried(partial(self.receiver.receive, content, sender, envelope.rcpt_tos[0]))
        return refusal or "250 2.0.0 Taken"

    async def _tried(self, work: Callable[[], object]) -> str | None:
        """Does it beside the loop; returns the answer to a refusal, None if there was none."""
        try:
            await asyncio.get_running_loop().run_in_executor(self.pool, work)
        except StillhereError as refusal:
            return answer_to(refusal)
        except Exception:  # the sender's server keeps the mail, and tries again
            log.exception("a mail could not be taken")
            return NOT_NOW
        return None


class Listener:
    """Listens at `where`: HOST:PORT, which several processes may share, or unix:PATH."""

    def __init__(self, receiver: Receiver, where: str, name: str) -> None:
        self.receiver, self.where, self.name = receiver, where, name
        self.loop = asyncio.new_event_loop()
        self.pool = ThreadPoolExecutor(TAKING_THREADS, "stillhere-mail-taking")
        self.thread = threading.Thread(target=self.loop.run_forever, name="stillhere-listener", daemon=True)
        self.server: asyncio.Server | None = None
        self.transports: set[asyncio.Transport] = set()

    def start(self) -> None:
        """Returns when mails are taken. Raises OSError where nobody can listen."""
        sock = listening_socket(self.where)
        self.thread.start()
        handler = Handler(self.receiver, self.pool)
        make = partial(
            Door,
            handler,
            data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True,
            hostname=self.name,
            ident="Stillhere",
            loop=self.loop,
        )
        listen = self.loop.create_server(make, sock=sock)
        self.server = asyncio.run_coroutine_threadsafe(listen, self.loop).result()

    def stop(self) -> None:
        """Takes no more; a mail whose dot has come is answered."""
        if self.server is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(2 * STOP_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(STOP_SECONDS)
        self.pool.shutdown()
        self.loop.close()
        if self.where.startswith(UNIX):
            Path(self.where.removeprefix(UNIX)).unlink(missing_ok=True)

    async def _end(self) -> None:
        assert self.server is not None
        self.server.close()
        await asyncio.get_running_loop().run_in_executor(None, partial(self.pool.shutdown, wait=True))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), STOP_SECONDS)


def listening_socket(where: str) -> socket.socket:
    """A bound socket. A socket file that nobody listens at any more is taken over."""
    if where.startswith(UNIX):
        path = Path(where.removeprefix(UNIX))
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(path))
        path.chmod(0o660)
        return sock
    host, _, port = where.rpartition(":")
    address = (host.strip("[]"), int(port))
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    return sock
