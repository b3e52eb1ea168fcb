"""Whether a mail was written by a person, now, for us: automatic replies, mailing lists and our own mails are not
posted (RFC 3834, 2919, 8098). Called by `receiver.py`; pure. Nothing is ever sent back, so no two responders can loop.

`Auto-Submitted: no` is a person's own word that it is one.
"""

import re
import unicodedata
from pathlib import Path

from history.mail.receive.reading import ReadMail, header

RESPONDER_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Mail-Autoreply")
LIST_HEADERS = ("List-Id", "List-Post", "List-Unsubscribe", "Mailing-List")
AUTOMATIC_PRECEDENCES = ("auto_reply", "auto-reply", "bulk", "junk", "list")
NOT_PEOPLE = re.compile(r"^(mailer-?daemon|postmaster|no-?_?reply|do-?_?not-?_?reply|vacation|autoreply)@")


def folded(text: str) -> str:
    """`text` without accents and case."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold()


LINES = Path(__file__).with_name("automatic_subjects.txt").read_text(encoding="utf-8").splitlines()
SUBJECTS = tuple(folded(line) for line in LINES if not line.startswith("#"))
"""A person's answer begins as our mail did, or with what its program puts before that."""


def automatic_because(mail: ReadMail, envelope_sender: str | None) -> str | None:
    """Why the mail is nobody's own answer; None if it seems to be a person's.

    `envelope_sender` is empty for mails that want no answer, and None where nobody knows it any more.
    """
    message = mail.message
    submitted = re.sub(r"\(.*?\)", "", header(message, "Auto-Submitted")).partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted}"
    if envelope_sender == "" or header(message, "Return-Path") == "<>":
        return "it has no sender that could be answered"
    if NOT_PEOPLE.match(mail.sender):
        return "its sender is a program"
    if message.get_content_type() == "multipart/report":
        return "it is a report"
    if submitted == "no":
        return None
    if found := next((name for name in (*RESPONDER_HEADERS, *LIST_HEADERS) if says_so(header(message, name))), None):
        return f"it has a header {found}"
    precedence = header(message, "Precedence").lower()
    if precedence in AUTOMATIC_PRECEDENCES:
        return f"Precedence: {precedence}"
    if folded(header(message, "Subject").lstrip("[(*!-: ")).startswith(SUBJECTS):
        return "its subject is that of an automatic reply"
    return None


def says_so(value: str) -> bool:
    return value.lower() not in ("", "no", "false", "0")
