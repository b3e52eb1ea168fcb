"""One mail to one recipient: over SMTP, or as a file where no server is set. Called by the worker only.

smtplib raises the same error for a cut before and after the final dot (RFC 5321 4.1.1.4); the verbs are
spoken one by one here, so that the phase is always known. The body goes out only when the fence says so.
"""

import os
import re
import selectors
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from history.outbox import Result

CONNECT_SECONDS = 30
MAIL_SECONDS = 5 * 60
RCPT_SECONDS = 5 * 60
DATA_SECONDS = 2 * 60
BODY_SECONDS = 3 * 60
DOT_SECONDS = 10 * 60
QUIT_SECONDS = 5
"""How long an answer may take (RFC 5321 4.5.3.2). Giving up too soon at the dot is what sends mail twice."""

ANSWER_LETTERS = 500
LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)

Tls = Literal["starttls", "implicit", "none"]
Fence = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How mails leave. Without `smtp_host` they become files in `outbox_folder`."""

    from_address: str
    domain: str
    outbox_folder: Path
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_tls: Tls = "starttls"


@dataclass(frozen=True, slots=True)
class Mail:
    """Bytes and their envelope. `id` is the outbox item's."""

    id: str
    sender: str
    recipient: str
    content: bytes


def send(mail: Mail, settings: MailSettings, fence: Fence) -> Result | None:
    """Sends the mail and tells how far it came; None when the fence said no, and nothing went out."""
    if not settings.smtp_host:
        return write_file(mail, settings.outbox_folder, fence)
    return Conversation(mail, settings).run(fence)


def write_file(mail: Mail, folder: Path, fence: Fence) -> Result | None:
    """Writes the mail as `{UTC time}-{id}.eml`: whole or not at all, also after a power cut."""
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{mail.id}.eml"
    half_done = target.with_suffix(".part")
    if not fence():
        return None
    phase = "body"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with half_done.open("wb") as file:
            file.write(mail.content)
            file.flush()
            os.fsync(file.fileno())
        phase = "dot"
        half_done.rename(target)
        sync_folder(folder)
    except OSError as error:
        return Result(phase, None, f"{type(error).__name__}: {error.strerror}")
    return Result("done", None, target.name)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Conversation:
    """One SMTP conversation; `phase` is how far it came."""

    def __init__(self, mail: Mail, settings: MailSettings) -> None:
        self.mail = mail
        self.settings = settings
        self.phase = "connect"

    def run(self, fence: Fence) -> Result | None:
        try:
            with self.connected() as smtp:
                self.sign_in(smtp)
                self.address(smtp)
                if not fence():
                    return None
                answer = self.hand_over(smtp)
                return Result("done", 250, readable(answer))
        except smtplib.SMTPResponseException as refusal:
            return Result(self.phase, refusal.smtp_code, readable(refusal.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            return Result(self.phase, None, readable(f"{type(error).__name__}: {error}"))

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """An open connection. Ending it changes nothing about the mail any more, so that may fail."""
        context = ssl.create_default_context()
        smtp = connect(self.settings, context)
        try:
            if self.settings.smtp_tls == "starttls":
                self.phase = "tls"
                smtp.starttls(context=context)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                patience(smtp, QUIT_SECONDS)
                smtp.quit()
        finally:
            smtp.close()

    def sign_in(self, smtp: smtplib.SMTP) -> None:
        self.phase = "auth"
        smtp.ehlo_or_helo_if_needed()
        if self.settings.smtp_user:
            smtp.login(self.settings.smtp_user, self.settings.smtp_password)

    def address(self, smtp: smtplib.SMTP) -> None:
        self.say(smtp, "mail", MAIL_SECONDS, f"MAIL FROM:<{self.mail.sender}>", 250)
        self.say(smtp, "rcpt", RCPT_SECONDS, f"RCPT TO:<{self.mail.recipient}>", 250, 251)

    def hand_over(self, smtp: smtplib.SMTP) -> bytes:
        """DATA, body, dot; returns the words with which the server took the mail."""
        self.say(smtp, "data", DATA_SECONDS, "DATA", 354)
        self.phase = "body"
        patience(smtp, BODY_SECONDS)
        smtp.send(LEADING_DOT.sub(b"..", self.mail.content))
        check_not_cut(smtp)
        self.phase = "dot"
        patience(smtp, DOT_SECONDS)
        smtp.send(b".\r\n")
        return check_answer(smtp.getreply(), 250)

    def say(self, smtp: smtplib.SMTP, phase: str, seconds: float, line: str, *welcome: int) -> None:
        self.phase = phase
        patience(smtp, seconds)
        check_answer(smtp.docmd(line), *welcome)


def connect(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    host, port, name = settings.smtp_host, settings.smtp_port, settings.domain
    if settings.smtp_tls == "implicit":
        return smtplib.SMTP_SSL(host, port, name, timeout=CONNECT_SECONDS, context=context)
    return smtplib.SMTP(host, port, name, timeout=CONNECT_SECONDS)


def check_not_cut(smtp: smtplib.SMTP) -> None:
    """Raises when the server has spoken or left before the final dot: then it has not taken the mail."""
    assert smtp.sock is not None, "the body went out over it"
    with selectors.DefaultSelector() as watch:
        watch.register(smtp.sock, selectors.EVENT_READ)
        spoke_early = bool(watch.select(timeout=0))
    if spoke_early:
        check_answer(smtp.getreply())


def patience(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(seconds)


def check_answer(reply: tuple[int, bytes], *welcome: int) -> bytes:
    """The server's words. Raises SMTPResponseException when the code is none of the welcome ones."""
    code, words = reply
    if code not in welcome:
        raise smtplib.SMTPResponseException(code, words)
    return words


def readable(answer: bytes | str) -> str:
    """The server's words for the record: no controls, one line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:ANSWER_LETTERS]
