"""A letter as the bytes of a mail (RFC 5322): a full text part, an HTML part, and where that would be too long for
mail programs (they clip near 100 kB), the whole as an attached file. Pure; called by the worker and the preview.

Words of customers never reach a header and are never linked.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, lru_cache
from pathlib import Path

from email_validator import EmailNotValidError, validate_email
from jinja2 import Template
from markupsafe import Markup

from history.errors import Invalid
from history.mail.headers import header_block, header_text, mailbox
from history.mail.letter import Letter
from history.mail.links import linked, web_address
from history.mail.mime import Encoded, encoded, multipart, text_entity
from history.rendering import environment
from history.transcript_formats import RULE, text_of
from history.transcript_layout import Block, Omitted

HTML_LIMIT_BYTES = 90_000
"""Of the HTML part as encoded for the mail."""

CUTS = ((10, 150), (10, 50), (5, 15), (0, 5), (0, 0))
"""How many entries stay at the beginning and at the end when all are too long; the first that fits counts."""

MOST_REFERENCES = 12
ADDRESSES_KNOWN = 1000

ATTACHMENT_NAME = "transcript.txt"

TEMPLATES = environment(Path(__file__).parent / "templates")
TEMPLATES.filters.update(web_address=web_address, linked=linked, one_below_the_other=Markup("<br>").join)


def compose(letter: Letter) -> bytes:
    """The mail, ready for SMTP: CRLF, no line over 998 bytes. Raises Invalid for a bad recipient."""
    html, blocks = page(letter)
    text = encoded(text_part(letter, blocks if letter.is_brief else letter.blocks))
    boundary = "=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:24]
    body = multipart("alternative", boundary, [text_entity(text, "plain"), text_entity(html, "html")])
    if blocks is not letter.blocks and not letter.is_brief:
        body = multipart("mixed", boundary + "_mixed", [body, text_entity(text, "plain", ATTACHMENT_NAME)])
    return header_block(headers(letter)) + body


def headers(letter: Letter) -> dict[str, str]:
    may_be_empty = {
        "Reply-To": letter.reply_address,
        "In-Reply-To": "".join(letter.references[-1:]),
        "References": "\r\n ".join([*letter.references[:1], *letter.references[1:][1 - MOST_REFERENCES :]]),
        "List-Unsubscribe": letter.mute_url and f"<{letter.mute_url}>",
        "List-Unsubscribe-Post": letter.mute_url and "List-Unsubscribe=One-Click",  # RFC 8058
    }
    return {
        "Date": format_datetime(datetime.fromtimestamp(letter.now_ms // 1000, UTC)),
        "From": mailbox(letter.brand_line, letter.from_address),
        "To": wire_address(letter.recipient),
        "Subject": header_text(letter.subject),
        "Message-ID": letter.message_id,
        **{name: value for name, value in may_be_empty.items() if value},
        "Auto-Submitted": "auto-generated",  # RFC 3834
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
    }


@lru_cache(ADDRESSES_KNOWN)
def wire_address(address: str) -> str:
    """`address` as SMTP takes it: the domain as A-labels, and before the @ letters beyond ASCII only where they must be
    (RFC 6531). Raises Invalid for what is no address."""
    try:
        valid = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid(f"No mail can be sent to this address: {error}") from error
    return valid.ascii_email or f"{valid.local_part}@{valid.ascii_domain}"


def text_part(letter: Letter, blocks: list[Block] | None = None) -> str:
    """The text part: all that the mail is about, or only these blocks of it."""
    say = letter.layout.language.say
    opening = [
        *([letter.marker, RULE, ""] if letter.marker else []),  # by itself, so that it is known in answers
        letter.say("title"),
        "",
        *letter.purpose,
        "",
        *([*letter.facts, ""] if letter.facts else []),
        *([letter.code] if letter.code else [letter.say("button") + ":", letter.resume_url]),
        *letter.link_notes,
    ]
    body = text_of(letter.layout, letter.blocks if blocks is None else blocks) or say("empty")
    footer = [RULE, *(line for note in letter.footer for line in (note.text, note.url) if line)]
    parts = [opening, footer] if not letter.tells_of_chat else [opening, [body], footer]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def html_part(letter: Letter) -> tuple[str, bool]:
    """The HTML part, and whether it holds all that the mail is about."""
    _, blocks = page(letter)
    return html_of(letter, blocks), blocks is letter.blocks


def page(letter: Letter) -> tuple[Encoded, list[Block]]:
    """The HTML part, and the blocks that it has room for."""
    blocks = letter.blocks
    html = encoded(html_of(letter, blocks))
    shorter = shortened(letter)
    while len(html.content) > HTML_LIMIT_BYTES:
        blocks = next(shorter)
        html = encoded(html_of(letter, blocks))
    return html, blocks


def shortened(letter: Letter) -> Iterator[list[Block]]:
    """The blocks of fewer and fewer entries, with a line that says how many messages were left out, and where."""
    layout, entries, key = letter.layout, letter.entries, "omitted_chat" if letter.is_brief else "omitted"
    for first, last in CUTS:
        end = max(first, len(entries) - last)
        left_out = sum(entry.kind == "message" for entry in entries[first:end])
        if left_out:
            gap = Omitted(layout.language.say(key, count=left_out, file=ATTACHMENT_NAME))
            yield [*layout.blocks(entries[:first]), gap, *layout.blocks(entries[end:])]


def html_of(letter: Letter, blocks: list[Block]) -> str:
    return template().render(letter=letter, language=letter.layout.language, blocks=blocks)


@cache
def template() -> Template:
    """The page, compiled; that takes as long as fifty mails."""
    return TEMPLATES.get_template("letter.html")
