"""A transcript as the bytes of a mail (RFC 5322): a full text part, an HTML part, and where that would be too
long for mail programs (they clip near 100 kB), the whole as an attached file. Pure; called by the worker.

Words of customers never reach a header and are never linked.
"""

import base64
import hashlib
import quopri
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cached_property
from pathlib import Path

from email_validator import EmailNotValidError, validate_email

from history.clean import one_line, readable_lines
from history.errors import Invalid
from history.local_time import local_time
from history.mail.headers import header_block, header_text, mailbox
from history.masking import mask
from history.rendering import environment
from history.sentences import language_of
from history.transcript import Entry, Transcript
from history.transcript_formats import names, text_of
from history.transcript_layout import Block, Layout, Omitted

HTML_LIMIT_BYTES = 90_000
"""Of the HTML part as encoded for the mail."""

CUTS = ((10, 150), (10, 50), (5, 15), (0, 5), (0, 0))
"""How many entries stay at the beginning and at the end when all are too long; the first that fits counts."""

PREHEADER_LETTERS = 80
ATTACHMENT_NAME = "transcript.txt"

TEMPLATES = environment(Path(__file__).parent / "templates")


@dataclass(frozen=True)
class Letter:
    """All that a mail is made of. `resume_url` opens the chat until `link_until_ms`; in a mail of kind `confirm`, which
    tells nothing of the chat, it leads to the page where the owner of the address allows a copy.
    """

    transcript: Transcript
    recipient: str
    resume_url: str
    link_until_ms: int
    brand: str
    from_address: str
    message_id: str
    locale: str
    time_zone: str
    now_ms: int
    kind: str = "transcript"
    """transcript, away, copy or confirm, as in `OutboxItem.kind`."""
    reply_address: str = ""
    """Where an answer lands in the chat; empty: nothing can be answered by mail."""
    references: tuple[str, ...] = ()
    """The Message-IDs of the chat's mail thread, oldest first; the last is the one that this mail goes with."""
    own_words: bool = True
    """Whether the customer's own words and files are in it. Not so if nothing proves the address."""
    new_since: int = 0
    """Messages after this seq are news: all that an away mail is about, and marked in a transcript; 0: no such mark."""
    is_update: bool = False
    """Whether a transcript of the chat went to this recipient before."""
    mute_url: str = ""
    """Where a POST ends the away mails of this chat (RFC 8058)."""
    postal_address: str = ""
    privacy_url: str = ""

    @cached_property
    def layout(self) -> Layout:
        language = language_of(self.locale)
        return Layout(local_time(self.locale, self.time_zone), language, own_name=language.say("you"))

    @cached_property
    def brand_line(self) -> str:
        return one_line(self.brand)

    @property
    def date(self) -> str:
        """The day on which the newest part began."""
        entries = self.transcript.entries
        newest = (entry.at_ms for entry in entries if entry.thread == entries[-1].thread)
        return self.layout.time.date(next(newest, self.now_ms))


def compose(letter: Letter) -> bytes:
    """The mail, ready for SMTP: CRLF, no line over 998 bytes. Raises Invalid for a bad recipient."""
    text, (html, is_whole) = text_part(letter), html_part(letter)
    boundary = "=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:24]
    mail = EmailMessage(policy=policy.SMTP)
    mail.set_content(text, cte=shorter_encoding(text))
    mail.make_alternative(boundary)
    mail.add_alternative(html, subtype="html", cte=shorter_encoding(html))
    if not is_whole:
        mail.make_mixed(boundary + "_mixed")
        mail.add_attachment(text, filename=ATTACHMENT_NAME, cte=shorter_encoding(text))
    return header_block(headers(letter)) + mail.as_bytes()


def headers(letter: Letter) -> dict[str, str]:
    subject = letter.layout.language.say("mail_subject", brand=letter.brand_line, date=letter.date)
    optional = {
        "Reply-To": letter.reply_address,
        "In-Reply-To": "".join(letter.references[-1:]),
        "References": "\r\n ".join(letter.references),
        "List-Unsubscribe": letter.mute_url and f"<{letter.mute_url}>",
        "List-Unsubscribe-Post": letter.mute_url and "List-Unsubscribe=One-Click",
    }
    return {
        "Date": format_datetime(datetime.fromtimestamp(letter.now_ms // 1000, UTC)),
        "From": mailbox(letter.brand_line, letter.from_address),
        "To": ascii_address(letter.recipient),
        "Subject": header_text(subject),
        "Message-ID": letter.message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834
        "X-Auto-Response-Suppress": "All",
        **{name: value for name, value in optional.items() if value},
    }


def ascii_address(address: str) -> str:
    """`address` as SMTP without extensions takes it: the domain as A-labels. Raises Invalid otherwise."""
    try:
        valid = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid(f"No mail can be sent to this address: {error}") from error
    if valid.ascii_email is None:
        raise Invalid("The part before the @ has letters that mail servers seldom take")
    return valid.ascii_email


def shorter_encoding(text: str) -> str:
    """The content transfer encoding that makes `text` shorter."""
    plain = text.encode()
    printable, base = quopri.encodestring(plain), base64.encodebytes(plain)
    return "quoted-printable" if len(printable) <= len(base) else "base64"


def text_part(letter: Letter) -> str:
    say = letter.layout.language.say
    opening = "\n".join(
        [
            say("mail_title", brand=letter.brand_line),
            "",
            purpose(letter),
            "",
            *facts(letter),
            "",
            say("mail_button") + ":",
            letter.resume_url,
            link_note(letter),
        ]
    )
    body = text_of(letter.layout.blocks(letter.transcript.entries)) or say("empty")
    return "\n\n".join([opening, body, "\n".join(["-" * 8, *footer(letter)])]) + "\n"


def html_part(letter: Letter) -> tuple[str, bool]:
    """The HTML part, and whether it holds the whole transcript."""
    whole = html = html_of(letter, letter.layout.blocks(letter.transcript.entries))
    shorter = shortened(letter.layout, letter.transcript.entries)
    while encoded_bytes(html) > HTML_LIMIT_BYTES:
        html = html_of(letter, next(shorter))
    return html, html is whole


def shortened(layout: Layout, entries: tuple[Entry, ...]) -> Iterator[list[Block]]:
    """The blocks of fewer and fewer entries, with a line that says how many messages were left out."""
    for first, last in CUTS:
        end = max(first, len(entries) - last)
        left_out = sum(entry.kind == "message" for entry in entries[first:end])
        if left_out:
            gap = Omitted(layout.language.say("omitted", count=left_out, file=ATTACHMENT_NAME))
            yield [*layout.blocks(entries[:first]), gap, *layout.blocks(entries[end:])]


def encoded_bytes(html: str) -> int:
    plain = html.encode()
    return min(len(quopri.encodestring(plain)), len(base64.encodebytes(plain)))


def html_of(letter: Letter, blocks: list[Block]) -> str:
    language = letter.layout.language
    return TEMPLATES.get_template("transcript.html").render(
        language=language,
        say=language.say,
        brand=letter.brand_line,
        preheader=preheader(letter),
        purpose=purpose(letter),
        facts=facts(letter),
        resume_url=letter.resume_url,
        link_note=link_note(letter),
        blocks=blocks,
        footer=footer(letter),
    )


def purpose(letter: Letter) -> str:
    say, entries = letter.layout.language.say, letter.transcript.entries
    if any(entry.thread > 1 for entry in entries):
        return say("mail_purpose_parts", date=letter.date)
    return say("mail_purpose")


def facts(letter: Letter) -> list[str]:
    say = letter.layout.language.say
    return [
        letter.date,
        say("people", names=names(letter.transcript)),
        say("zone", zone=letter.layout.time.zone_words()),
    ]


def link_note(letter: Letter) -> str:
    return letter.layout.language.say("mail_link", date=letter.layout.time.date(letter.link_until_ms))


def footer(letter: Letter) -> list[str]:
    say = letter.layout.language.say
    return [
        say("mail_why", brand=letter.brand_line, recipient=one_line(letter.recipient)),
        say("mail_no_reply", button=say("mail_button")),
    ]


def preheader(letter: Letter) -> str:
    """What a mailbox shows beside the subject: the beginning of the last thing that an agent said."""
    for entry in reversed(letter.transcript.entries):
        if entry.kind == "message" and entry.by.role == "agent" and not entry.redacted:
            return " ".join(readable_lines(mask(entry.data["text"])))[:PREHEADER_LETTERS]
    return purpose(letter)
