"""A mail that came in as a value: who sent it, to which addresses, what it says, which files it brings (RFC 5322, 2045
to 2047). Called by `receiver.py`; pure. Files are named and weighed, never opened; mails inside the mail are files too.

Headers are read by the standard library's older policy: its newer one raises on some that strangers write.
"""

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

from history.clean import NOT_IN_A_TEXT, one_line
from history.errors import Invalid, TooBig
from history.mail.receive.flowed import unflow
from history.mail.receive.html_text import text_of_html

MOST_BYTES = 25 * 1024 * 1024
MOST_PARTS = 2000
MOST_NESTED = 50
"""Multiparts in a mail; each level costs the parser time for every line below it."""

MOST_TEXT_BYTES = 256 * 1024
"""Of one part's text that is looked at."""

MOST_FIELD_LETTERS = 8000
"""Of a field with addresses that is looked at."""

LOGO_BYTES = 14_000
"""Encoded; a smaller picture that only the HTML names stands in a signature."""

MULTIPART = re.compile(rb"^content-type:\s*multipart/", re.IGNORECASE | re.MULTILINE)
OWN_RECIPIENT_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
"""Where a mail says to whom it was delivered, the surest first."""

TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
OLD_CHARSETS = {"us-ascii", "ascii", "iso-8859-1", "windows-1252"}
"""Declared so often without being so that valid UTF-8 counts more."""


@dataclass(frozen=True, slots=True)
class File:
    """Something that came with the mail. `size` is in bytes as it travelled, so a bit more than the file's own."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ReadMail:
    """`is_whole` is false when the HTML's own signs of a quote were left out of `text` already."""

    message: "Message[str, str]"
    sender: str
    """The From address, lower case; empty if there is none or more than one."""
    sender_name: str
    recipients: tuple[str, ...]
    message_id: str
    text: str
    is_whole: bool
    files: tuple[File, ...]


@dataclass(slots=True)
class Found:
    """What has been collected from the parts so far."""

    texts: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    is_whole: bool = True


def read_mail(raw: bytes) -> ReadMail:
    """The mail. Raises TooBig, and Invalid for one that is made to hurt."""
    message = parse(raw)
    senders = addresses_in(message, "From")
    found = Found()
    collect(message, found)
    sender = senders[0][1] if len(senders) == 1 and len(fields(message, "From")) == 1 else ""
    return ReadMail(
        message=message,
        sender=sender.lower(),
        sender_name=one_line(senders[0][0]) if sender else "",
        recipients=tuple(address for name in OWN_RECIPIENT_FIELDS for _, address in addresses_in(message, name)),
        message_id=header(message, "Message-ID"),
        text="\n\n".join(found.texts),
        is_whole=found.is_whole,
        files=tuple(found.files),
    )


def parse(raw: bytes) -> "Message[str, str]":
    if len(raw) > MOST_BYTES:
        raise TooBig(f"The mail is bigger than {MOST_BYTES // 1024 // 1024} MB")
    if len(MULTIPART.findall(raw)) > MOST_NESTED:
        raise Invalid("The mail has too many parts within parts")
    try:
        message = message_from_bytes(raw)
        parts = sum(1 for _ in message.walk())
    except RecursionError as error:
        raise Invalid("The mail has too many parts within parts") from error
    if parts > MOST_PARTS:
        raise Invalid(f"The mail has more than {MOST_PARTS} parts")
    return message


def header(part: "Message[str, str]", name: str) -> str:
    """A header field as one line, decoded; empty if it is not there."""
    return one_line(decoded(next(iter(fields(part, name)), "")))


def fields(part: "Message[str, str]", name: str) -> list[str]:
    """The fields called `name`, from the top, as they came; bytes that are not ASCII are read as UTF-8 (RFC 6532)."""
    found = (value for given, value in part.raw_items() if given.lower() == name.lower())
    return [str(value).encode(errors="surrogateescape").decode(errors="replace") for value in found]


def addresses_in(message: "Message[str, str]", name: str) -> list[tuple[str, str]]:
    """(name, address) of each address in the fields called `name`."""
    try:
        found = getaddresses([value[:MOST_FIELD_LETTERS] for value in fields(message, name)])
    except RecursionError:
        return []  # comments within comments
    return [(decoded(said), address) for said, address in found if "@" in address]


def decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text


def collect(part: "Message[str, str]", found: Found) -> None:
    """Adds what a part and those below it say and bring."""
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        collect_best(children(part), found)
    elif part.is_multipart() and not kind.startswith("message/"):
        for child in children(part):
            collect(child, found)
    elif kind in ("text/plain", "text/html") and not is_file(part):
        add_text(part, found)
    elif not is_logo(part):
        found.files.append(File(file_name(part), weight(part)))


def children(part: "Message[str, str]") -> list["Message[str, str]"]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def collect_best(versions: list["Message[str, str]"], found: Found) -> None:
    """Of several versions of the same, the first that says anything; plain text comes first. Files of all count."""
    chosen: Found | None = None
    for version in versions:
        tried = Found()
        collect(version, tried)
        found.files += tried.files
        if chosen is None and any(text.strip() for text in tried.texts):
            chosen = tried
    if chosen:
        found.texts += chosen.texts
        found.is_whole = found.is_whole and chosen.is_whole


def is_file(part: "Message[str, str]") -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def is_logo(part: "Message[str, str]") -> bool:
    return part.get_content_maintype() == "image" and bool(part.get("Content-ID")) and weight(part) < LOGO_BYTES


def weight(part: "Message[str, str]") -> int:
    payload = part.get_payload()
    return len(payload) if isinstance(payload, str) else sum(map(weight, children(part)))


def file_name(part: "Message[str, str]") -> str:
    """The part's name for itself, or one made of what it is."""
    kind = part.get_content_type()
    if kind in TNEF:
        return "winmail.dat"
    name = decoded(part.get_filename() or "")
    if not name and kind == "message/rfc822":
        inner = children(part)
        name = f"{header(inner[0], 'Subject') if inner else ''}.eml"
    return one_line(re.split(r"[/\\]", name)[-1]) or f"file{mimetypes.guess_extension(kind) or ''}"


def add_text(part: "Message[str, str]", found: Found) -> None:
    text = "\n".join(lines_of(text_of(part)))
    if part.get_content_type() == "text/html":
        text, is_whole = text_of_html(text)
        found.is_whole = found.is_whole and is_whole
    elif parameter(part, "format") == "flowed":
        text = unflow(text, del_sp=parameter(part, "delsp") == "yes")
    found.texts.append(text)


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text, without what could harm whoever reads it; blanks at their ends have a meaning."""
    for line in re.split(r"\r\n|\r|\n", text):
        yield NOT_IN_A_TEXT.sub("", line)


def parameter(part: "Message[str, str]", name: str) -> str:
    value = part.get_param(name)
    return value.strip().lower() if isinstance(value, str) else ""


def text_of(part: "Message[str, str]") -> str:
    """The text of a part, whatever it says about its charset."""
    payload = part.get_payload(decode=True)
    content = payload[:MOST_TEXT_BYTES] if isinstance(payload, bytes) else b""
    declared = (part.get_content_charset() or "us-ascii").lower()
    tries = ["utf-8", declared] if declared in OLD_CHARSETS else [declared, "utf-8"]
    for charset in tries:
        try:
            return content.decode(charset)
        except (LookupError, UnicodeError):
            continue
    return content.decode("windows-1252", "replace")
