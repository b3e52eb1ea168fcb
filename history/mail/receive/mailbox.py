"""The other door: a mailbox that is looked into again and again (IMAP), where no mail server of ours can hand mails
over. Made by `app.py`, run by `watch.py`; needs the extra `replies`.

A mail that was taken is marked as read; one that was refused is flagged too, and left for a person. Nobody can be told
of a refusal here, as nothing is ever mailed back.
"""

import logging
from dataclasses import dataclass
from imaplib import IMAP4
from typing import Literal

from imap_tools import AND, BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted, MailMessageFlags
from imap_tools.errors import ImapToolsError

from history.errors import Busy, StillhereError
from history.mail.receive.reading import MOST_BYTES
from history.mail.receive.receiver import Receiver
from history.watch import Watch

TIMEOUT_SECONDS = 60
LOOK_AGAIN_SECONDS = 10.0
"""How soon after a look that failed."""

log = logging.getLogger("stillhere.mail")

Tls = Literal["implicit", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Where the mailbox is, and how often it is looked into."""

    host: str
    port: int
    user: str
    password: str
    tls: Tls
    folder: str
    every_s: float


def mailbox_watch(receiver: Receiver, settings: MailboxSettings) -> Watch:
    """Takes what is new in the mailbox, in each server; the same mail is one message, whoever comes first."""
    return Watch("mailbox", lambda: look(receiver, settings), settings.every_s, min(1.0, settings.every_s))


def look(receiver: Receiver, settings: MailboxSettings) -> None:
    """Takes all mails that nobody has looked at. Raises Busy when the mailbox cannot be reached."""
    try:
        with opened(settings) as mailbox:
            for uid in mailbox.uids(AND(seen=False)):
                take(receiver, mailbox, uid)
    except (OSError, IMAP4.error, ImapToolsError) as error:
        raise Busy(f"the mailbox cannot be read ({type(error).__name__}: {str(error)[:200]})") from error


def opened(settings: MailboxSettings) -> BaseMailBox:
    kinds = {"implicit": MailBox, "starttls": MailBoxStartTls, "none": MailBoxUnencrypted}
    mailbox: BaseMailBox = kinds[settings.tls](settings.host, settings.port, timeout=TIMEOUT_SECONDS)
    return mailbox.login(settings.user, settings.password, settings.folder)


def take(receiver: Receiver, mailbox: BaseMailBox, uid: str) -> None:
    """One mail. What may pass leaves it as it was, for the next look."""
    flags = [MailMessageFlags.SEEN]
    try:
        receiver.receive(content_of(mailbox, uid))
    except StillhereError as refusal:
        if refusal.retry:
            log.warning("a mail waits in the mailbox: %s", refusal.detail)
            return
        log.warning("a mail stays in the mailbox, flagged: %s", refusal.detail)
        flags.append(MailMessageFlags.FLAGGED)
    except Exception:  # one mail may not stop the others
        log.exception("a mail in the mailbox could not be taken")
        flags.append(MailMessageFlags.FLAGGED)
    mailbox.flag(uid, flags, value=True)


def content_of(mailbox: BaseMailBox, uid: str) -> bytes:
    """The mail's bytes, one more than are taken if it has more; it stays unread."""
    _, answer = mailbox.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MOST_BYTES + 1}>)")
    return next(bytes(part[1]) for part in answer if isinstance(part, tuple))
