"""Who wrote an answer, as far as that can be known. The token in the address names the chat, never the person: mails
are forwarded, and colleagues are copied in. Called by `answers.py`; pure.

Results of SPF, DKIM and DMARC are read from the Authentication-Results (RFC 8601) of our own mail server only, and only
from the uppermost of its fields: whoever sends a mail can write what they like into those below.
"""

import re
from typing import Literal

from history.mail.receive.reading import ReadMail, fields

Proof = Literal["proven", "unproven", "stranger", "forged"]
"""The customer, as their domain vouches (DMARC passed); with the customer's address, which anybody can write; somebody
else who has the reply address; or an address of a domain that says the mail is not from there (DMARC failed)."""

MOST_LETTERS = 4000
"""Of a field that is looked at."""

QUOTED = re.compile(r'"[^"]*"?')
COMMENT = re.compile(r"\([^()]*\)")
DMARC = re.compile(r"^\s*dmarc\s*=\s*(\w+)", re.IGNORECASE)
HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


def proof_of(mail: ReadMail, mail_server: str, *, is_known: bool) -> Proof:
    """How far the mail's sender is known, whose address is the customer's or not. `mail_server` is the name under which
    our own mail server writes its results (authserv-id), empty if it writes none.
    """
    dmarc = dmarc_result(mail, mail_server)
    if dmarc == "fail" or not mail.sender:
        return "forged"
    if not is_known:
        return "stranger"
    return "proven" if dmarc == "pass" else "unproven"


def dmarc_result(mail: ReadMail, mail_server: str) -> str:
    """What our mail server found out about the domain of From, such as pass, fail or none; empty if it did not say."""
    ours = (
        value for value in fields(mail.message, "Authentication-Results") if server_of(value) == mail_server.lower()
    )
    uppermost = without_comments(next(ours, "")) if mail_server else ""
    for result in uppermost.split(";")[1:]:
        found, about = DMARC.match(result), HEADER_FROM.search(result)
        if found:
            domain = about[1].rpartition("@")[2].lower() if about else ""
            return found[1].lower() if domain in ("", mail.sender.rpartition("@")[2]) else ""
    return ""


def server_of(value: str) -> str:
    """Who has written a field of results: its first word (RFC 8601 2.2)."""
    words = without_comments(value).partition(";")[0].split()
    return words[0].lower() if words else ""


def without_comments(value: str) -> str:
    """The field without its comments, which may stand within each other; in quotes nothing ends a result."""
    value = QUOTED.sub(lambda match: match[0].replace(";", " "), value)
    shorter = COMMENT.sub(" ", value)
    while shorter != value:
        value, shorter = shorter, COMMENT.sub(" ", shorter)
    return value
