"""Mails as they come in: of people, of programs that answer by themselves, and of mail servers. Written for these
tests.

A case is `#### name`, then headers, an empty line and a body; in `reports.txt` a `|` and what it is taken for stand
behind the name, and three parts between `%%` are the text, the status and the returned headers of an RFC 3464 report.
`{RCPT}`, `{TOKEN}` and `{MID}` stand for our mail's recipient, envelope token and Message-ID.
"""

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
CASE = re.compile(r"^#### (.*)\n", re.MULTILINE)

SENDER, RECIPIENT = "alex@example.net", "alex@example.net"
TOKEN, MESSAGE_ID = "abcdefghij234567klmnopqrst", "<transcript.0123456789abcdef0123@marlow.example>"

DEFAULTS = {
    "From": f"Alex Field <{SENDER}>",
    "To": "r+token@reply.marlow.example",
    "Subject": "Re: Your chat with Marlow & Finch",
    "Message-ID": "<answer.1@example.net>",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
}

REPORT = 'Content-Type: multipart/report; report-type=delivery-status; boundary="=_r"'


def cases(file: str) -> list[tuple[str, str]]:
    """(name, source) of each case in a file."""
    _, *parts = CASE.split((FOLDER / file).read_text())
    return list(zip(parts[::2], parts[1::2], strict=True))


def mail_of(source: str, recipient: str = RECIPIENT, token: str = TOKEN, message_id: str = MESSAGE_ID) -> bytes:
    """The bytes of a case, with what every mail has."""
    for place, word in (("{RCPT}", recipient), ("{TOKEN}", token), ("{MID}", message_id)):
        source = source.replace(place, word)
    head, _, body = source.partition("\n%%\n" if "\n%%\n" in source else "\n\n")
    if source.startswith(("%%\n", "\n")):
        head, body = "", source.partition("\n")[2]
    if "%%\n" in source:
        head, body = f"{head}\n{REPORT}".strip(), dsn(body)
    given = {line.partition(":")[0].lower() for line in head.split("\n")}
    missing = (f"{name}: {value}" for name, value in DEFAULTS.items() if name.lower() not in given)
    lines = [*missing, *filter(None, head.split("\n")), "", *body.split("\n")]
    return "\r\n".join(lines).encode()


def dsn(body: str) -> str:
    text, status, returned = body.split("%%\n")
    kinds = ("text/plain; charset=utf-8", "message/delivery-status", "text/rfc822-headers")
    return "".join(parts_of(zip(kinds, (text, status, returned), strict=True))) + "--=_r--\n"


def parts_of(parts: Iterator[tuple[str, str]]) -> Iterator[str]:
    for kind, content in parts:
        yield f"--=_r\nContent-Type: {kind}\n\n{content}\n"
