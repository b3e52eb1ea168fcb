"""Four readers of mail that are not ours, and what each makes of mails that lie in files."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import fast_mail_parser
from fast_mail_parser import PyMimePart

from tests.node import ask_judge
from tests.set_up import MBLAZE, wanted

PART = re.compile(r"( +)\d+: (\S+) size=.*")
"""A line of `mshow -t`."""

MARKER = re.compile(r"^(?:--- )+\d+: (\S+) size=\d+(?: name=\"(.+)\")? ---\n", re.MULTILINE)
"""What `mshow` puts before each part."""

MBLAZE_HEADERS = ("subject", "from", "to", "reply-to", "message-id", "in-reply-to", "references")


@dataclass(frozen=True)
class Reading:
    """What a person sees of a mail, and what their program knows of it. `files` are (name, text)."""

    subject: str
    sender: tuple[str, str]
    recipients: tuple[str, ...]
    answers_to: tuple[str, ...]
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    text: str
    html: str
    files: tuple[tuple[str, str], ...]


Readings = dict[str, Reading]
"""By the names of the files, without their endings."""

Parts = list[tuple[int, str]]
"""(depth, type) of each part, the mail itself first."""


def plain(text: str) -> str:
    """With the line ends of a text, and none at its end."""
    return text.replace("\r\n", "\n").rstrip("\n")


def stdlib(files: Sequence[Path]) -> Readings:
    return {file.stem: stdlib_reading(file.read_bytes()) for file in files}


def stdlib_reading(content: bytes) -> Reading:
    mail = message_from_bytes(content, policy=policy.strict)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    (sender,) = mail["From"].addresses
    return Reading(
        subject=mail["Subject"],
        sender=(sender.display_name, sender.addr_spec),
        recipients=tuple(one.addr_spec for one in mail["To"].addresses),
        answers_to=tuple(one.addr_spec for one in mail["Reply-To"].addresses) if mail["Reply-To"] else (),
        message_id=mail["Message-ID"],
        in_reply_to=mail.get("In-Reply-To", ""),
        references=tuple(mail.get("References", "").split()),
        text=plain(text.get_content()),
        html=plain(html.get_content()),
        files=tuple((file.get_filename(), plain(file.get_content())) for file in mail.iter_attachments()),
    )


def stdlib_parts(file: Path) -> Parts:
    def walk(part: Message, depth: int = 0) -> Parts:
        inner = part.get_payload() if part.is_multipart() else []
        return [(depth, part.get_content_type()), *(found for one in inner for found in walk(one, depth + 1))]

    return walk(message_from_bytes(file.read_bytes()))


def mailparser(files: Sequence[Path]) -> Readings:
    return {name: mailparser_reading(read) for name, read in ask_judge("read.mjs", *files).items()}


def mailparser_reading(read: Mapping[str, Any]) -> Reading:
    (sender,) = read["from"]
    return Reading(
        subject=read["subject"],
        sender=(sender["name"], sender["address"]),
        recipients=tuple(one["address"] for one in read["to"]),
        answers_to=tuple(one["address"] for one in read["replyTo"]),
        message_id=read["messageId"],
        in_reply_to=read["inReplyTo"],
        references=tuple(read["references"]),
        text=plain(read["text"]),
        html=plain(read["html"]),
        files=tuple((file["name"], plain(file["text"])) for file in read["files"]),
    )


def fast(files: Sequence[Path]) -> Readings:
    return {file.stem: fast_reading(file.read_bytes()) for file in files}


def fast_reading(content: bytes) -> Reading:
    mail = fast_mail_parser.parse_email(content)
    (message_id,) = mail.headers["Message-ID"]
    return Reading(
        subject=mail.subject,
        sender=(mail.from_.display_name, mail.from_.address),
        recipients=tuple(one.address for one in mail.to),
        answers_to=tuple(one.address for one in mail.reply_to),
        message_id=message_id,
        in_reply_to="".join(mail.headers.get("In-Reply-To", [])),
        references=tuple("".join(mail.headers.get("References", [])).split()),
        text=plain("".join(mail.text_plain)),
        html=plain("".join(mail.text_html)),
        files=tuple((file.filename, plain(file.content.decode())) for file in mail.attachments),
    )


def fast_parts(file: Path) -> Parts:
    def walk(part: PyMimePart, depth: int = 0) -> Parts:
        return [(depth, part.content_type), *(found for one in part.children for found in walk(one, depth + 1))]

    return walk(fast_mail_parser.parse_email_tree(file.read_bytes()))


def mblaze(files: Sequence[Path]) -> Readings:
    return {file.stem: mblaze_reading(file) for file in files}


def mblaze_reading(file: Path) -> Reading:
    shown = ask_mshow("-q", "-h", ":".join(MBLAZE_HEADERS), file).splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in shown)}
    contents: dict[tuple[str, str], str] = {}
    for kind in ("text/html", "text/plain"):  # of alternatives, the one that is asked for is shown
        _, *shown = MARKER.split(ask_mshow("-F", "-h", "none", "-A", kind, file))
        contents |= {(shown[at], shown[at + 1] or ""): plain(shown[at + 2]) for at in range(0, len(shown), 3)}
    return Reading(
        subject=headers["subject"],
        sender=parseaddr(headers["from"]),
        recipients=(headers["to"],),
        answers_to=(headers["reply-to"],) if "reply-to" in headers else (),
        message_id=headers["message-id"],
        in_reply_to=headers.get("in-reply-to", ""),
        references=tuple(headers.get("references", "").split()),
        text=contents["text/plain", ""],
        html=contents["text/html", ""],
        files=tuple((name, content) for (_, name), content in contents.items() if name),
    )


def mblaze_parts(file: Path) -> Parts:
    found = (PART.fullmatch(line) for line in ask_mshow("-t", file).splitlines()[1:])
    return [(len(part[1]) // 2 - 1, part[2]) for part in found if part]


def ask_mshow(*arguments: str | Path) -> str:
    environment = {**os.environ, "MBLAZE": os.devnull}  # not somebody's own settings
    run = subprocess.run([wanted(MBLAZE), "-n", *arguments], env=environment, stdout=subprocess.PIPE, check=True)
    return run.stdout.decode()


READERS: Mapping[str, Callable[[Sequence[Path]], Readings]] = {
    "stdlib": stdlib,
    "mailparser": mailparser,
    "fast-mail-parser": fast,
    "mblaze": mblaze,
}
