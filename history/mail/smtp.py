"""A connection to the mail server, used for one mail after the other, that always knows how far a mail came.

smtplib raises the same error for a cut before and after the final dot (RFC 5321 4.1.1.4), and waits for an answer to
each verb; so they are spoken here. The fence is asked when the server waits for the body, which goes out only if it
says so.
"""

import select
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Literal

from history.mail.results import CLOSING, REFUSALS, Result
from history.mail.send import Fence, Mail

CONNECT_SECONDS = 30
MAIL_SECONDS = 5 * 60
RCPT_SECONDS = 5 * 60
DATA_SECONDS = 2 * 60
BLOCK_SECONDS = 3 * 60
DOT_SECONDS = 10 * 60
"""How long an answer may take (RFC 5321 4.5.3.2). Giving up too soon at the dot is what sends mail twice."""

OFFER = (("mail", MAIL_SECONDS, (250,)), ("rcpt", RCPT_SECONDS, (250, 251)), ("data", DATA_SECONDS, (354,)))
"""What comes before the body: phase, patience, and the answers with which it goes on."""

COURTESY_SECONDS = 5
"""For RSET, NOOP and QUIT, which change nothing about any mail."""

MOST_MAILS, LONGEST_SECONDS = 100, 5 * 60
"""After so many mails, or so long, a connection is replaced."""

IDLE_SECONDS = 30
"""After so much silence, the server is asked whether it is still there."""

BLOCK_BYTES = 1 << 18
ANSWER_LETTERS = 500

Tls = Literal["starttls", "implicit", "none"]


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How to reach the mail server, and what we call ourselves there. `success_reports` asks a server that can
    (RFC 3461) to report also what went well."""

    name: str
    host: str
    port: int = 587
    user: str = ""
    password: str = ""
    tls: Tls = "starttls"
    success_reports: bool = False


class Connection:
    """One connection at a time, opened when it is needed; `phase` is how far the last mail came."""

    def __init__(self, settings: MailSettings) -> None:
        self.settings = settings
        self.smtp: smtplib.SMTP | None = None
        self.phase = "connect"
        self.mails = 0
        self.unheard = 0
        """How many answers to what was said in one piece are to come."""
        self.opened_at = self.used_at = 0.0

    def send(self, mail: Mail, fence: Fence) -> Result | None:
        """See `Carrier`. What an old connection does not take before the body gets a new one at once."""
        self.look_after()
        was_open = self.smtp is not None
        result = self.try_once(mail, fence)
        if was_open and result and result.phase == "mail" and result.code in (None, CLOSING):
            result = self.try_once(mail, fence)
        return result

    def close(self) -> None:
        if self.smtp is None:
            return
        with suppress(smtplib.SMTPException, OSError):
            patience(self.smtp, COURTESY_SECONDS)
            self.smtp.quit()
        self.drop()

    def drop(self) -> None:
        if self.smtp is not None:
            self.smtp.close()
            self.smtp = None

    def look_after(self) -> None:
        """Ends a connection that has had enough, or that has ended by itself."""
        now = time.monotonic()
        if self.smtp is None:
            return
        if self.mails >= MOST_MAILS or now - self.opened_at >= LONGEST_SECONDS:
            self.close()
        elif now - self.used_at >= IDLE_SECONDS:
            self.courtesy("NOOP")

    def courtesy(self, line: str) -> None:
        """Says NOOP or RSET; without the right answer the connection is of no use."""
        assert self.smtp is not None, "it is open"
        try:
            patience(self.smtp, COURTESY_SECONDS)
            while self.unheard:
                check_answer(self.hear(self.smtp), *REFUSALS)
            check_answer(self.smtp.docmd(line), 250)
        except (smtplib.SMTPException, OSError):
            self.drop()

    def try_once(self, mail: Mail, fence: Fence) -> Result | None:
        try:
            smtp = self.smtp or self.open()
            self.offer(smtp, mail)
            if not fence():
                self.drop()  # nothing else ends what the server waits for and makes no mail of it
                return None
            answer = self.hand_over(smtp, mail.content)
        except smtplib.SMTPResponseException as refusal:
            self.go_on_after(refusal.smtp_code)
            return Result(self.phase, refusal.smtp_code, readable(refusal.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            self.drop()
            return Result(self.phase, None, readable(f"{type(error).__name__}: {error}"))
        except BaseException:  # of the fence: the envelope is open still
            self.drop()
            raise
        self.mails += 1
        self.used_at = time.monotonic()
        return Result("done", 250, readable(answer))

    def go_on_after(self, code: int) -> None:
        """A refusal ends its mail; the connection can take the next unless it is over, or not in order."""
        if self.smtp is not None and self.phase in {"mail", "rcpt", "data", "dot"} and code not in (CLOSING, -1):
            self.used_at = time.monotonic()
            self.courtesy("RSET")
        else:
            self.drop()

    def open(self) -> smtplib.SMTP:
        """A connection on which mails can be sent; encrypted and signed in as set."""
        settings = self.settings
        self.phase = "connect"
        self.mails, self.unheard, self.opened_at = 0, 0, time.monotonic()
        self.smtp = smtp = connect(settings)
        if settings.tls == "starttls":
            self.phase = "tls"
            smtp.starttls(context=trust())
        self.phase = "auth"
        smtp.ehlo_or_helo_if_needed()
        if settings.user:
            smtp.login(settings.user, settings.password)
        return smtp

    def offer(self, smtp: smtplib.SMTP, mail: Mail) -> None:
        """MAIL, RCPT and DATA, in one piece where the server takes that (RFC 2920), with the extensions that it has:
        reports that name the mail and carry none of it back (RFC 3461), and letters beyond ASCII (RFC 6531)."""
        sender, recipient = f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>"
        if not mail.recipient.isascii():
            if not smtp.has_extn("smtputf8"):
                self.phase = "rcpt"
                raise smtplib.SMTPResponseException(553, "5.6.7 the mail server takes no such letters before the @")
            smtp.command_encoding = "utf-8"
            sender += " SMTPUTF8"
        if smtp.has_extn("dsn"):
            sender += f" RET=HDRS ENVID={mail.envid}"
            recipient += " NOTIFY=SUCCESS,FAILURE,DELAY" if self.settings.success_reports else " NOTIFY=FAILURE,DELAY"
        lines = sender, recipient, "DATA"
        assert all(map(str.isprintable, lines)), "no address ends a line"
        in_one_piece = smtp.has_extn("pipelining")
        if in_one_piece:
            self.phase = OFFER[0][0]  # a connection that has ended by itself takes none of it
            patience(smtp, MAIL_SECONDS)
            smtp.send("\r\n".join([*lines, ""]))
            self.unheard = len(lines)
        for line, (phase, seconds, welcome) in zip(lines, OFFER, strict=True):
            self.phase = phase
            patience(smtp, seconds)
            if not in_one_piece:
                smtp.putcmd(line)
                self.unheard = 1
            check_answer(self.hear(smtp), *welcome)

    def hear(self, smtp: smtplib.SMTP) -> tuple[int, bytes]:
        self.unheard -= 1
        return smtp.getreply()

    def hand_over(self, smtp: smtplib.SMTP, content: bytes) -> bytes:
        """Body and dot; returns the words with which the server took the mail. The dot is the last that is sent: until
        all is, the server cannot have taken the mail."""
        self.phase = "body"
        patience(smtp, BLOCK_SECONDS)
        stuffed = (b"." if content.startswith(b".") else b"") + content.replace(b"\n.", b"\n..") + b".\r\n"
        for start in range(0, len(stuffed), BLOCK_BYTES):
            check_not_cut(smtp)
            smtp.send(stuffed[start : start + BLOCK_BYTES])
        self.phase = "dot"
        patience(smtp, DOT_SECONDS)
        return check_answer(smtp.getreply(), 250)


def connect(settings: MailSettings) -> smtplib.SMTP:
    host, port, name = settings.host, settings.port, settings.name
    if settings.tls == "implicit":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, name, timeout=CONNECT_SECONDS, context=trust())
    else:
        smtp = smtplib.SMTP(host, port, name, timeout=CONNECT_SECONDS)
    assert smtp.sock is not None, "it has greeted us"
    # else the system holds back the end of a body until the rest of it is acknowledged, 40 ms later
    smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return smtp


@cache
def trust() -> ssl.SSLContext:
    """Whom this machine trusts; reading that takes as long as ten mails."""
    return ssl.create_default_context()


def check_not_cut(smtp: smtplib.SMTP) -> None:
    """Raises when the server has spoken or left before the end of the body: then it has not taken the mail."""
    assert smtp.sock is not None, "the body went out over it"
    watch = select.poll()
    watch.register(smtp.sock, select.POLLIN)
    if watch.poll(0):
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
